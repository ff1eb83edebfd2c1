"""Messages in parts from end to end: a scenario's file, SDK, socket, cassette, replay, rules."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import BadScenario, HarnessError, StaleCassette
from harness.scenario.files import load, loads
from harness.types import ContentPart, Medium, Transcript

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0"
TARGETS = (
    "zhipuai/glm-4.6v",
    "dashscope/qwen3.7-plus",
    "dashscope-compatible/qwen3.7-plus",
)
SCENARIO = """\
name: seen
targets: [{targets}]
steps:
  - system: [{{text: 回答简短。, cache_control: {{type: ephemeral}}}}]
  - user:
      - image: pictures/dot.png
        options: {{min_pixels: 3136}}
      - image: https://host.invalid/dog.png
      - text: 这是什么？
    expect: {{contains: ["image ", image dog.png]}}
  - user: 再说一遍。
    mode: stream
  - user: [{{audio: hello.wav}}, {{video: "https://host.invalid/film.mp4"}}]
    expect: {{contains: [audio, video film.mp4]}}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Path]:
    """Writes a scenario and the files that it names, and returns its path."""

    def write(*targets: str, text: str = SCENARIO) -> Path:
        folder = tmp_path / "scenarios"
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        (folder / "pictures" / "dot.png").write_bytes(PNG)
        (folder / "hello.wav").write_bytes(WAV)
        path = folder / "seen.yaml"
        path.write_text(text.format(targets=", ".join(targets)), encoding="utf-8")
        return path

    return write


def recorded(path: Path, tmp_path: Path) -> Transcript:
    """The replay of a recording from the sandbox."""
    (transcript,) = harness.record(path, source="sandbox", cassettes=tmp_path / "cassettes")
    return transcript


def sent(transcript: Transcript, turn: int) -> Any:
    """The last message of a turn's chat request."""
    body = json.loads(transcript.turns[turn].exchanges[-1].request.body)
    return (body.get("input") or body)["messages"][-1]["content"]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_parts_are_recorded_replayed_and_checked(
    scenario: Callable[..., Path], tmp_path: Path, target: str
) -> None:
    """The model is shown the file itself; what a scenario expects is found, by replay too."""
    transcript = recorded(scenario(target), tmp_path)
    found = [f for f in harness.check(transcript) if "/sandbox-storage" not in str(f.actual)]
    assert found == []
    uploads = target.startswith("dashscope/")
    # A file is uploaded once: a permission, and the file itself to the storage.
    assert [len(turn.exchanges) for turn in transcript.turns] == (
        [3, 1, 3] if uploads else [1, 1, 1]
    )
    (image, _, text), (audio, video) = sent(transcript, 0), sent(transcript, 2)
    if uploads:
        assert re.fullmatch(r"oss://.*/dot\.png", image.pop("image"))
        assert re.fullmatch(r"oss://.*/hello\.wav", audio.pop("audio"))
        assert (image, text) == ({"min_pixels": 3136}, {"text": "这是什么？"})
        assert video == {"video": "https://host.invalid/film.mp4"}
    else:
        url = base64.b64encode(PNG).decode()
        if target.startswith("dashscope"):  # Zhipu's SDK removes this
            url = f"data:image/png;base64,{url}"
        assert image == {"type": "image_url", "image_url": {"url": url}, "min_pixels": 3136}
        data = {"data": base64.b64encode(WAV).decode(), "format": "wav"}
        assert audio == {"type": "input_audio", "input_audio": data}
        assert text == {"type": "text", "text": "这是什么？"}
        assert video["video_url"] == {"url": "https://host.invalid/film.mp4"}
    assert cached(transcript) == {"type": "ephemeral"}


def cached(transcript: Transcript) -> Any:
    """The `cache_control` of the system message in the last request."""
    body = json.loads(transcript.turns[-1].exchanges[-1].request.body)
    return (body.get("input") or body)["messages"][0]["content"][0]["cache_control"]


@pytest.mark.slow
def test_a_part_that_does_not_travel_is_found(
    scenario: Callable[..., Path], tmp_path: Path
) -> None:
    """Another file, another URL, a part without its option, and one part fewer are findings."""
    (transcript,) = [recorded(scenario(TARGETS[0]), tmp_path)]

    def findings(change: Callable[[ContentPart], ContentPart | None]) -> int:
        first, *others = transcript.turns
        assert first.call is not None
        system, asked = first.call.messages
        parts = tuple(part for part in map(change, asked.parts) if part)
        call = replace(first.call, messages=(system, replace(asked, parts=parts)))
        changed = replace(transcript, turns=(replace(first, call=call), *others))
        found = harness.check(changed)
        return len([f for f in found if f.rule == "conversation_travels" and f.place.turn == 1])

    other = tmp_path / "other.png"
    other.write_bytes(PNG + b"\0")
    assert findings(lambda part: part) == 0
    assert findings(lambda part: replace(part, path=other) if part.path else part) == 1
    assert findings(lambda p: replace(p, value=p.value.replace("dog", "cat"))) == 1
    assert findings(lambda part: replace(part, members={"fps": 2}) if part.path else part) == 1
    assert findings(lambda part: None if part.medium is Medium.IMAGE else part) == 3


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_changed_file_makes_the_recording_stale(
    scenario: Callable[..., Path], tmp_path: Path, target: str
) -> None:
    """Nothing is replayed for a picture that was never sent."""
    path = scenario(target)
    recorded(path, tmp_path)
    (path.parent / "pictures" / "dot.png").write_bytes(PNG + b"\0")
    with pytest.raises(StaleCassette, match=r"step 2 .* changed since"):
        harness.replay(path, cassettes=tmp_path / "cassettes")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("{image: cat.png}", "names the file 'cat.png', but {folder}/cat.png is not a file"),
        ("{image: pictures}", "names the file 'pictures', but {folder}/pictures is not a file"),
        ("{audio: empty.wav}", "names the file 'empty.wav' of 0 bytes; expected 1 to 20000000"),
        ("{image: a, text: b}", "must hold exactly one of text, image, audio, video; it holds"),
        ("{cache_control: {}}", "audio, video; it holds none of them"),
        ("{picture: a.png}", "unknown key 'picture' in steps[0].user[0]"),
        ("{text: ''}", "steps[0].user[0].text must not be empty"),
        ("5", "steps[0].user[0] must be a mapping, not 5"),
        ("{image: 7}", "steps[0].user[0].image must be text, not 7; put quotes around it"),
    ],
)
def test_what_is_wrong_with_a_part_is_said(tmp_path: Path, part: str, message: str) -> None:
    """Before anything is sent, with the place in the file."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "empty.wav").touch()
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\ntargets: [zhipuai/glm-4.6v]\nsteps:\n  - user:\n    - {part}\n")
    with pytest.raises(BadScenario) as caught:
        load(path)
    assert f"{path}:5: " in str(caught.value)
    assert message.format(folder=tmp_path) in str(caught.value)


def test_an_empty_list_of_parts_is_refused() -> None:
    """It would say nothing."""
    with pytest.raises(BadScenario, match=r"steps\[0\].user must not be empty"):
        loads("name: x\ntargets: [zhipuai/glm-4.6v]\nsteps:\n  - user: []\n")


def test_a_text_that_names_a_file_is_not_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK of DashScope would take a text like `notes.txt` for a file to upload."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("private")
    scenario = loads("name: x\ntargets: [dashscope/qwen3.7-plus]\nsteps:\n  - user: notes.txt\n")
    with pytest.raises(HarnessError, match=r"'notes.txt' is the name of a file in this folder"):
        harness.run(scenario, source="sandbox")
