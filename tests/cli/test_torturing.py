"""`harness torture`: what it prints, writes and ends with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

import harness as package
from harness.cassette.store import read
from harness.types import Origin

if TYPE_CHECKING:
    from conftest import Harness

ROOT = Path(__file__).parent.parent.parent
CASSETTE = ROOT / "cassettes" / "streaming" / "zhipuai-glm-4.yaml"
CLIENT = """
import json

import httpx


def ask(asked):
    print("this is not part of the output")
    text = ""
    body, timeout = asked.body, asked.timeout
    with httpx.stream(asked.method, asked.url, json=body, timeout=timeout) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
    return text
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a client of the user's own, and a recording."""
    (tmp_path / "own_client.py").write_text(CLIENT)
    shutil.copy(CASSETTE, tmp_path / "stream.yaml")
    return tmp_path


def test_failures_are_told_and_kept(harness: Harness, folder: Path) -> None:
    """As cassettes that replay, and say what they are; what none can hold is said."""
    kinds = ("byte_order_mark", "closed_inside_an_event", "connection_reset", "unknown_fields")
    done = harness(
        *("torture", "stream.yaml", "--against", "own_client:ask", "--cases", "1"),
        *(part for kind in kinds for part in ("--kind", kind)),
        *("--save", "kept"),
        folder=folder,
    )
    assert done.code == 1, done.err
    assert "byte_order_mark" in done.out
    assert "0/1 1 wrong" in done.out
    assert "1/1" in done.out
    assert "not part of the output" not in done.out + done.err
    kept = folder / "kept" / "own_client-ask" / "byte_order_mark.yaml"
    assert [path.name for path in kept.parent.iterdir()] == ["byte_order_mark.yaml"]
    told = read(kept).provenance
    assert told.recorded_from is Origin.UNKNOWN
    assert told.note.startswith("made by harness torture, not recorded: a byte order mark first")
    (exchange,) = read(kept).exchanges
    with package.use_cassette(kept):
        request = exchange.request
        again = httpx.post(request.uri, content=request.body, headers=dict(request.headers))
    assert again.content.startswith(b"\xef\xbb\xbfdata: ")


def test_what_no_cassette_can_hold_is_said(harness: Harness, folder: Path) -> None:
    """A connection that is reset, or keeps one waiting."""
    (folder / "own_client.py").write_text("def ask(asked):\n    return 1\n")
    done = harness(
        *("torture", "stream.yaml", "--against", "own_client:ask", "--cases", "1"),
        *("--kind", "connection_reset", "--save", "kept"),
        folder=folder,
    )
    assert done.code == 1
    assert "kept: a tape resets no connection" in done.out
    assert not (folder / "kept").exists()


def test_json_for_machines(harness: Harness, folder: Path) -> None:
    """Everything, and the same for the same seed; a score that is enough ends well."""
    arguments = (
        *("torture", "stream.yaml", "--against", "own_client:ask", "--cases", "2"),
        *("--kind", "space_after_colon", "--kind", "lines_end_in_cr"),
        *("--at-least", "50", "--seed", "7", "--json"),
    )
    done = harness(*arguments, folder=folder)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    (client,) = told["clients"]
    assert (client["client"], client["score"], client["planned"]) == ("own_client:ask", 50.0, 4)
    assert [kind["right"] for kind in client["kinds"]] == [0, 2]
    assert {case["verdict"] for case in client["kinds"][0]["cases"]} == {"wrong"}
    again = harness(*arguments, "--at-least", "51", folder=folder)
    assert (again.code, again.out) == (1, done.out)


def test_sdks_are_only_measured(harness: Harness, folder: Path) -> None:
    """What others wrote fails nobody's build; and it is theirs, whatever lies in the folder."""
    (folder / "openai.py").write_text("raise AssertionError")
    arguments = ("torture", "stream.yaml", "--client", "openai", "--kind", "byte_order_mark")
    done = harness(*arguments, "--cases", "1", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "0/1 1 wrong" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--against", "own_client"), "--against own_client: should be module:function"),
        (("--against", "no_client:ask"), "cannot import no_client"),
        (("--client", "nobody"), "there is no client 'nobody'"),
        (("--kind", "nothing"), "there is no kind 'nothing'; known are byte_by_byte"),
        (("--against", "a:b", "--client", "openai"), "exclude each other"),
    ],
)
def test_wrong_use_is_told(
    harness: Harness, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    """In one message."""
    done = harness("torture", "stream.yaml", *arguments, folder=folder)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_nothing_tried_is_nothing_proved(harness: Harness, folder: Path) -> None:
    """A client that cannot read what is untouched has no score; its keys are not told."""
    key = "0123456789abcdef0123456789abcdef.abcdefghijklmnop"
    (folder / ".env").write_text(f"ZHIPUAI_API_KEY={key}\n")
    (folder / "own_client.py").write_text(f"def ask(asked):\n    raise KeyError({key!r})\n")
    done = harness("torture", "stream.yaml", "--against", "own_client:ask", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "nothing was tried; left out: 2 (untouched: crash, KeyError:" in done.err
    assert key not in done.err


def test_nothing_to_torture_is_told(harness: Harness, folder: Path) -> None:
    """A recording of which nobody can ask for anything."""
    text = (folder / "stream.yaml").read_text(encoding="utf-8")
    (folder / "stream.yaml").write_text(text.replace("/paas/v4/", "/elsewhere/"), encoding="utf-8")
    done = harness("torture", "stream.yaml", folder=folder)
    assert done.code == 2
    assert "no answer here that any SDK could ask for" in done.err
