"""`harness faults`: what it prints, writes and ends with."""

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
CASSETTE = ROOT / "cassettes" / "streaming" / "zhipuai-glm-5.3-flash.yaml"
CLIENT = """
import json

import httpx


def send(request):
    print("this is not part of the output")
    text = ""
    body, timeout = request.body, request.timeout
    with httpx.stream(request.method, request.url, json=body, timeout=timeout) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                delta = json.loads(line[6:])["choices"][0]["delta"]
                text += delta.get("reasoning_content", "") + delta.get("content", "")
    return text
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a client of the user's own, and a recording."""
    (tmp_path / "own_client.py").write_text(CLIENT)
    shutil.copy(CASSETTE, tmp_path / "stream.yaml")
    return tmp_path


@pytest.mark.slow
def test_failures_are_printed_and_saved(harness: Harness, folder: Path) -> None:
    """Saved failures are cassettes that replay and say that they were made."""
    names = ("byte_order_mark", "closed_inside_an_event", "connection_reset", "unknown_fields")
    done = harness(
        *("faults", "stream.yaml", "--against", "own_client:send", "--cases", "1"),
        *(part for name in names for part in ("--fault", name)),
        *("--out", "saved"),
        folder=folder,
    )
    assert done.code == 1, done.err
    assert "byte_order_mark" in done.out
    assert "0/1 1 wrong" in done.out
    assert "1/1" in done.out
    assert "not part of the output" not in done.out + done.err
    saved = folder / "saved" / "own_client-send" / "byte_order_mark.yaml"
    assert [path.name for path in saved.parent.iterdir()] == ["byte_order_mark.yaml"]
    report = read(saved).provenance
    assert report.recorded_from is Origin.UNKNOWN
    assert report.note.startswith("made by harness faults, not recorded: a byte order mark first")
    (exchange,) = read(saved).exchanges
    with package.use_cassette(saved):
        request = exchange.request
        again = httpx.post(request.uri, content=request.body, headers=dict(request.headers))
    assert again.content.startswith(b"\xef\xbb\xbfdata: ")


def test_failures_that_no_cassette_can_hold_are_named(harness: Harness, folder: Path) -> None:
    """A reset connection is not saved, and the output says why."""
    (folder / "own_client.py").write_text("def send(request):\n    return 1\n")
    done = harness(
        *("faults", "stream.yaml", "--against", "own_client:send", "--cases", "1"),
        *("--fault", "connection_reset", "--out", "saved"),
        folder=folder,
    )
    assert done.code == 1
    assert "saved: a cassette cannot reset a connection" in done.out
    assert not (folder / "saved").exists()


@pytest.mark.slow
def test_json_has_every_case(harness: Harness, folder: Path) -> None:
    """The same seed gives the same JSON; the exit code depends on --at-least."""
    arguments = (
        *("faults", "stream.yaml", "--against", "own_client:send", "--cases", "2"),
        *("--fault", "space_after_colon", "--fault", "lines_end_in_cr"),
        *("--at-least", "50", "--seed", "7", "--json"),
    )
    done = harness(*arguments, folder=folder)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    (client,) = report["clients"]
    assert (client["client"], client["score"], client["planned"]) == ("own_client:send", 50.0, 4)
    assert [results["passed"] for results in client["faults"]] == [0, 2]
    assert {case["reaction"] for case in client["faults"][0]["cases"]} == {"wrong"}
    again = harness(*arguments, "--at-least", "51", folder=folder)
    assert (again.code, again.out) == (1, done.out)


@pytest.mark.slow
def test_a_low_score_of_an_sdk_is_no_failure(harness: Harness, folder: Path) -> None:
    """An SDK is imported from where it is installed, and does not fail the build."""
    (folder / "openai.py").write_text("raise AssertionError")
    arguments = ("faults", "stream.yaml", "--sdk", "openai", "--fault", "byte_order_mark")
    done = harness(*arguments, "--cases", "1", folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "0/1 1 wrong" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--against", "own_client"), "--against own_client: expected module:function"),
        (("--against", "no_client:send"), "cannot import no_client"),
        (("--sdk", "nobody"), "there is no client 'nobody'"),
        (("--fault", "nothing"), "unknown fault 'nothing'; known are byte_by_byte"),
        (("--against", "a:b", "--sdk", "openai"), "exclude each other"),
    ],
)
def test_usage_errors_are_one_message(
    harness: Harness, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Wrong options exit with 2 and one message."""
    done = harness("faults", "stream.yaml", *arguments, folder=folder)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_client_that_reads_nothing_has_no_score(harness: Harness, folder: Path) -> None:
    """A client that cannot read the unchanged answer is an error; keys are not printed."""
    key = "0123456789abcdef0123456789abcdef.abcdefghijklmnop"
    (folder / ".env").write_text(f"ZHIPUAI_API_KEY={key}\n")
    (folder / "own_client.py").write_text(f"def send(request):\n    raise KeyError({key!r})\n")
    done = harness("faults", "stream.yaml", "--against", "own_client:send", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert "nothing was tried; skipped: 2 (unchanged: crash, KeyError:" in done.err
    assert key not in done.err


def test_a_recording_of_unknown_endpoints_is_an_error(harness: Harness, folder: Path) -> None:
    """A recording without known endpoints cannot be used."""
    text = (folder / "stream.yaml").read_text(encoding="utf-8")
    text = text.replace("/chat/completions", "/elsewhere")
    (folder / "stream.yaml").write_text(text, encoding="utf-8")
    done = harness("faults", "stream.yaml", folder=folder)
    assert done.code == 2
    assert "no SDK can request any of these exchanges" in done.err
