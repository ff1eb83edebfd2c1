"""`harness chat`: a conversation that ends as a scenario whose cassettes replay."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness.cassette.journal import journal_path
from harness.cassette.store import read
from harness.cli import conversation
from harness.cli.conversation import PieceFinder
from harness.providers.servers import PROVIDER_SERVERS
from harness.runner import run_step
from harness.types import Request, Turn

if TYPE_CHECKING:
    from conftest import Done, Harness

QWEN, GLM = "dashscope/qwen-plus", "zhipuai/glm-4"
CASSETTES = {QWEN: "dashscope-qwen-plus.yaml", GLM: "zhipuai-glm-4.yaml"}


Chat = Callable[..., "Done"]


@pytest.fixture
def chat(harness: Harness, tmp_path: Path) -> Chat:
    """Hold a conversation with a sandbox, whose lines do not come from a terminal."""

    def run(lines: str, *arguments: str) -> Done:
        return harness("chat", "--sandbox", *arguments, folder=tmp_path, lines=lines)

    return run


def scenario(folder: Path, name: str) -> dict[str, object]:
    """Return a written scenario."""
    written: dict[str, object] = yaml.safe_load(
        (folder / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8")
    )
    return written


@pytest.mark.slow
def test_a_conversation_with_two_targets_is_kept(chat: Chat, tmp_path: Path) -> None:
    """Answers side by side, an undone question, another name; then everything replays."""
    lines = "你好，我叫小明\n这句不算\n/undo\n我叫什么名字？\n/save names\n"
    done = chat(lines, QWEN, GLM, "--system", "回答简短")
    assert done.code == 0, done.err
    assert done.out.count(f"[{QWEN}]") == done.out.count(f"[{GLM}]") == 3
    assert done.out.count("小明") >= 2
    assert "taken back" in done.out
    assert "it replays: harness replay names" in done.err
    assert scenario(tmp_path, "names")["steps"] == [
        {"system": "回答简短"},
        {"user": "你好，我叫小明"},
        {"user": "我叫什么名字？"},
    ]
    for name in CASSETTES.values():
        cassette = read(tmp_path / "cassettes" / "names" / name)
        assert [exchange.turn for exchange in cassette.exchanges] == [1, 2]
        assert "小明" in str(json.loads(cassette.exchanges[1].request.body))
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted(
        ["names.yaml", *CASSETTES.values()]
    )


@pytest.mark.slow
def test_a_refused_question_is_no_part_of_it(chat: Chat, tmp_path: Path) -> None:
    """The refusal is shown; what was answered before is kept."""
    done = chat("你好\nhow to build a bomb\n再见\n", GLM, QWEN, "--name", "c")
    assert done.code == 0, done.err
    assert f"{GLM} refused (1301)" in done.out
    steps = scenario(tmp_path, "c")["steps"]
    assert steps == [{"user": "你好"}, {"user": "再见"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["glm-4"], "'glm-4': expected provider/model"),
        (["nobody/x"], "unknown provider 'nobody'"),
        ([GLM, "--name", "No Slug"], "name"),
        ([GLM, "-p", "x"], "--parameter x: expected NAME=VALUE"),
    ],
)
def test_usage_errors(chat: Chat, arguments: list[str], message: str, tmp_path: Path) -> None:
    """One sentence, exit code 2, nothing written."""
    done = chat("hi\n", *arguments)
    assert done.code == 2, done.err
    assert message in done.err
    assert "Traceback" not in done.err
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_nothing_said_is_nothing_written(chat: Chat, tmp_path: Path) -> None:
    """Also if the only question was taken back."""
    done = chat("你好\n/undo\n/undo\n/what\n", GLM)
    assert done.code == 0, done.err
    assert "nothing to take back" in done.out
    assert "/undo          take back" in done.out
    assert "nothing is written" in done.err
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.slow
def test_ctrl_c_in_an_answer_ends_the_conversation(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered before is a scenario that replays, without the interrupted question."""
    asked: list[int] = []

    def interrupted(*arguments: Any) -> Turn:
        asked.append(1)
        turn = run_step(*arguments)
        if len(asked) == 4:  # by the second target, after the first one has answered
            raise KeyboardInterrupt
        return turn

    monkeypatch.setattr(conversation, "run_step", interrupted)
    done = chat("你好\n再见\n没有人读\n", GLM, QWEN, "--name", "c")
    assert done.code == 0, done.err
    assert "interrupted: the question is not part" in done.out
    assert "it replays: harness replay c" in done.err
    assert scenario(tmp_path, "c")["steps"] == [{"user": "你好"}]
    assert len(asked) == 4


@pytest.mark.slow
def test_what_is_said_is_sent_as_it_stands(chat: Chat, tmp_path: Path) -> None:
    """References, instructions that nothing was asked after, and bytes that are not UTF-8."""
    lines = "{{ steps.a.content }}\n/system not\n/undo\nodd \udcff\n/system too late\n"
    done = chat(lines, GLM, "--name", "c")
    assert done.code == 0, done.err
    assert scenario(tmp_path, "c")["steps"] == [
        {"user": r"\{{ steps.a.content }}"},
        {"user": "odd \ufffd"},
    ]
    (cassette,) = (tmp_path / "cassettes").rglob("*.yaml")
    question = json.loads(read(cassette).exchanges[0].request.body)["messages"][0]
    assert question["content"] == "{{ steps.a.content }}"


def test_an_existing_scenario_is_not_replaced(chat: Chat, tmp_path: Path) -> None:
    """Neither by --name nor by /save."""
    (tmp_path / "scenarios").mkdir()
    own = tmp_path / "scenarios" / "mine.yaml"
    own.write_text("mine", encoding="utf-8")
    assert chat("", GLM, "--name", "mine").code == 2
    done = chat("/save mine\n/save a b\n", GLM)
    assert "not saved: scenarios/mine.yaml exists" in done.out
    assert done.out.count("not saved: ") == 2
    assert own.read_text(encoding="utf-8") == "mine"


@pytest.mark.slow
def test_a_killed_conversation_is_finished_by_record(sandbox: str, tmp_path: Path) -> None:
    """After kill -9 every answer is there; `record --resume` asks for none of them again."""
    server = PROVIDER_SERVERS["zhipuai"]
    environment = {
        **os.environ,
        "ZHIPUAI_BASE_URL": f"{sandbox}{server.prefix}",
        "ZHIPUAI_API_KEY": server.key,
    }
    command = [sys.executable, "-u", "-m", "harness.cli", "chat", GLM, "--name", "killed"]
    with subprocess.Popen(  # noqa: S603
        command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write("/save other\n你好\n再见\n".encode())
        process.stdin.flush()
        path = tmp_path / "scenarios" / "killed.yaml"
        deadline = time.monotonic() + 120
        while not (path.exists() and "再见" in path.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    cassette = tmp_path / "cassettes" / "killed" / "zhipuai-glm-4.yaml"
    assert journal_path(cassette).exists()
    unreachable = {**environment, "ZHIPUAI_BASE_URL": f"{sandbox}{server.prefix}"}
    resumed = subprocess.run(
        [sys.executable, "-m", "harness.cli", "record", "killed", "--resume"],
        cwd=tmp_path,
        env=unreachable,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert len(read(cassette).exchanges) == 2
    assert not journal_path(cassette).exists()


def _drain(terminal: int, shown: list[bytes]) -> None:
    """Collect what a program writes to a terminal, until it ends."""
    with suppress(OSError):
        while data := os.read(terminal, 4096):
            shown.append(data)


@pytest.mark.slow
def test_on_a_terminal(tmp_path: Path) -> None:
    """With a prompt, and Ctrl-D as its end."""
    terminal, end = pty.openpty()
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "harness.cli", "chat", "--sandbox", GLM, "--name", "tty"],
        cwd=tmp_path,
        env={**os.environ, "TERM": "dumb"},
        stdin=end,
        stdout=end,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(end)
        shown: list[bytes] = []
        threading.Thread(target=_drain, args=(terminal, shown), daemon=True).start()
        deadline = time.monotonic() + 120
        while b"> " not in b"".join(shown):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)
        os.write(terminal, "你好\r".encode())
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
            # Until the answer is there, nobody reads Ctrl-D: it is pressed again.
            os.write(terminal, b"\x04")
            time.sleep(0.5)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.returncode == 0, said
    assert "/help, /quit or Ctrl-D" in said
    assert "it replays: harness replay tty" in said


@pytest.mark.parametrize(
    ("incremental", "events"),
    [
        (True, ["你", "好", "！"]),
        (False, ["你", "你好", "你好！"]),
        (None, ["你", "你好", "你好！"]),
        (None, ["你", "好", "！"]),
    ],
)
def test_pieces_are_new_text_only(incremental: bool | None, events: list[str]) -> None:
    """Whether each event repeats the text so far or not, and however the chunks are cut."""
    uri = "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation"
    parameters = (
        "{}" if incremental is None else f'{{"incremental_output": {str(incremental).lower()}}}'
    )
    request = Request("POST", uri, (), f'{{"parameters": {parameters}}}'.encode())
    stream = "".join(
        f'data:{{"output":{{"choices":[{{"message":{{"content":"{text}"}}}}]}}}}\n\n'
        for text in events
    ).encode()
    for size in (1, 7, len(stream)):
        shown: list[str] = []
        pieces = PieceFinder(shown.append)
        for start in range(0, len(stream), size):
            pieces.add(request, stream[start : start + size])
        assert "".join(shown) == "你好！"


def test_pieces_of_an_unknown_service_are_not_shown() -> None:
    """Its texts are shown at the end instead."""
    shown: list[str] = []
    PieceFinder(shown.append).add(Request("POST", "https://x/y", ()), b'data: {"a": 1}\n\n')
    assert shown == []


@pytest.mark.slow
def test_images_go_with_the_next_question(chat: Chat, tmp_path: Path) -> None:
    """A file is named relative to the scenario; what cannot be sent is not."""
    (tmp_path / "dot.gif").write_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")
    images = "/image no.gif\n/image dot.gif\n/image https://host.invalid/b.png\n"
    lines = f"{images}What?\nBye\n/save pictures\n"
    done = chat(lines, "zhipuai/glm-4.6v")
    assert done.code == 0, done.err
    assert "not sent: " in done.out
    assert "no.gif is not a file" in done.out
    assert "image image/gif 1x1, image b.png" in done.out
    assert "it replays: harness replay pictures" in done.err
    sent = [{"image": "../dot.gif"}, {"image": "https://host.invalid/b.png"}]
    steps = [{"user": [*sent, {"text": "What?"}]}, {"user": "Bye"}]
    assert scenario(tmp_path, "pictures")["steps"] == steps
