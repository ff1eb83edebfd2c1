"""`scan` and `parse` do not judge again what has not changed since their last run."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from harness.checks.cache import ResultCache, _has_secret, _keys
from harness.cli import parse
from harness.cli.scan import ScannedFile, _scanned
from harness.config import surroundings
from harness.parse import run
from harness.secrets.scanner import Leak, Scanner

if TYPE_CHECKING:
    from conftest import Done, Harness

CASSETTE = Path(__file__).parents[2] / "cassettes" / "slogan"
KEY = "sk-0123456789abcdef0123456789abcdef"
OURS = "MyOwnKey-that-has-no-form"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with cassettes and a secret, whose results are kept beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    shutil.copytree(CASSETTE, folder / "cassettes")
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(f"{name} {KEY} and {OURS}\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was scanned or parsed: the beginning of each file, or the cassette's path."""
    seen: list[str] = []
    scan, parse_all = Scanner.scan, run.parse_all

    def scanning(self: Scanner, content: bytes, *progress: Callable[[float], None]) -> list[Leak]:
        seen.append(content[:3].decode())
        return scan(self, content, *progress)

    def parsing(source: str, *arguments: object) -> object:
        seen.append(source)
        return parse_all(source, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Scanner, "scan", scanning)
    monkeypatch.setattr(run, "parse_all", parsing)
    return seen


Run = Callable[..., "tuple[Done, list[str]]"]


@pytest.fixture
def run_again(harness: Harness, place: Path, judged: list[str]) -> Run:
    """Runs a command, and returns with its end what was judged."""

    def run_once(*arguments: str) -> tuple[Done, list[str]]:
        judged.clear()
        done = harness(*arguments, "--jobs", "1", folder=place)
        return done, [*judged]

    return run_once


SCAN = ("scan", "one.txt", "two.txt", "--json")
PARSE = ("parse", "cassettes", "--sdk", "zhipuai", "--json")


@pytest.mark.parametrize("command", [SCAN, PARSE], ids=lambda command: command[0])
def test_what_did_not_change_is_not_judged_again(run_again: Run, command: tuple[str]) -> None:
    """The output is the same; `--no-cache` judges all."""
    first, new = run_again(*command)
    again, known = run_again(*command)
    assert (again.code, again.out, again.err) == (first.code, first.out, first.err)
    assert len(new) >= 2
    assert known == []
    assert run_again(*command, "--no-cache") == (first, new)


@pytest.mark.parametrize("command", [SCAN, PARSE], ids=lambda command: command[0])
@pytest.mark.parametrize("part", ["settings", "secret", "surroundings", "plug-in"])
def test_each_part_of_what_a_result_depends_on_makes_it_unknown(
    run_again: Run, place: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str], part: str
) -> None:
    """All is judged again, and a secret that became known is found."""
    _, new = run_again(*command)
    if part == "settings":
        settings = '[tool.harness.rules]\nignore = {usage_adds_up = "x"}\n'
        (place / "pyproject.toml").write_text(settings, encoding="utf-8")
    elif part == "secret":
        monkeypatch.setenv("ZHIPUAI_API_KEY", OURS)
    elif part == "surroundings":
        monkeypatch.setattr(surroundings, "digest", lambda: b"another version")
    elif part == "plug-in":
        monkeypatch.setattr(surroundings, "may_keep", lambda: False)
    done, again = run_again(*command)
    assert again == new
    if command[0] == "scan":
        assert ("a known key" in done.out) is (part == "secret")


def test_a_file_that_changed_is_scanned_again(run_again: Run, place: Path) -> None:
    """The others are not."""
    run_again(*SCAN)
    (place / "two.txt").write_text("two is clean\n", encoding="utf-8")
    done, new = run_again(*SCAN)
    assert new == ["two"]
    assert {leak["file"] for leak in json.loads(done.out)} == {"one.txt"}


def test_another_version_of_an_sdk_parses_again(
    run_again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so does another SDK."""
    _, new = run_again(*PARSE)
    assert run_again("parse", "cassettes", "--sdk", "openai")[1] == new
    assert run_again(*PARSE)[1] == []
    monkeypatch.setattr(surroundings, "state_of", lambda names: ["99.0.0"])
    assert run_again(*PARSE)[1] == new


def test_what_took_as_long_as_an_sdk_waits_is_parsed_again(
    run_again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have failed since the machine was slow."""
    monkeypatch.setattr(parse, "TIMEOUT", 0.0)
    _, new = run_again(*PARSE)
    assert run_again(*PARSE)[1] == new


@pytest.mark.parametrize("command", [SCAN, PARSE], ids=lambda command: command[0])
@pytest.mark.parametrize("text", [b"", b"[]", b'{"leaks": 1}', b"\xff", b'[[{"line": "x"}]]'])
def test_a_damaged_result_is_ignored(
    run_again: Run, place: Path, command: tuple[str], text: bytes
) -> None:
    """What another program, or half a write, left in the database is judged again."""
    first, new = run_again(*command)
    with sqlite3.connect(next(place.parent.glob("cache/*/check.sqlite"))) as database:
        database.execute("UPDATE results SET text = ?", (text,))
    assert run_again(*command) == (first, new)
    assert run_again(*command) == (first, [])


def test_an_interrupted_scan_goes_on_where_it_ended(place: Path, judged: list[str]) -> None:
    """What was scanned by then is known."""
    files = [Path("one.txt"), Path("two.txt")]
    scanned = partial(_scanned, files, place / "kept", 1, lambda _: None)
    results = scanned()
    first = next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    assert next(iter([*scanned()])) == (first[0], tuple(first[1]))
    assert judged == ["one", "two"]


def test_a_result_with_a_secret_is_not_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a scan found stands in the database."""
    monkeypatch.setenv("ZHIPUAI_API_KEY", OURS)
    [*_scanned([Path("one.txt")], place / "kept", 1, lambda _: None)]
    content = (place / "kept" / "check.sqlite").read_bytes()
    assert b"a known key" in content
    assert KEY.encode() not in content
    assert OURS.encode() not in content


@pytest.mark.parametrize("before", [0, 2**20 - 70, 2**20 - 64, 2**20])
def test_an_artefact_named_anywhere_in_a_long_file_counts(tmp_path: Path, before: int) -> None:
    """A file is read in parts, between which its name may stand."""
    name = f"{'a' * 64}.png"
    path, artefact = tmp_path / "long.yaml", tmp_path / "artefacts" / name
    path.write_bytes(b"-" * before + name.encode())
    keys = dict(_keys([path], [], {}))
    artefact.parent.mkdir()
    artefact.write_bytes(b"picture")
    assert dict(_keys([path], [], {})) != keys


@pytest.mark.parametrize("before", [0, 1000, 2**20 - 40, 2**20, 2**21 - 8])
def test_a_secret_anywhere_in_a_long_result_is_found(before: int) -> None:
    """It is searched in slices, of which one has the whole secret."""
    secret = b'", "api_key": "a8f5f167f44f4964e6c998dee827110c"'
    long = "\u597d".encode() * 2**20
    assert not _has_secret(long)
    assert _has_secret(long[: before // 3 * 3] + secret + long[before // 3 * 3 :])


_WRITE = """
import sys
from pathlib import Path
from harness.cli import scan
from harness.secrets.scanner import Scanner

new, scan_one = [], Scanner.scan
Scanner.scan = lambda *arguments: new.append(1) or scan_one(*arguments)
folder = Path(sys.argv[1])
files = sorted(folder.glob("*.txt"))
results = [*scan._scanned(files, folder / "kept", 1, lambda _: None)]
print(sum(len(found) for _, found in results), len(new))
"""


def test_two_processes_may_keep_results_at_once(place: Path) -> None:
    """Neither fails, and what both found is known afterwards."""
    for number in range(40):
        (place / f"{number}.txt").write_text(f"{number} {KEY}\n", encoding="utf-8")

    def start() -> Popen[str]:
        command = [sys.executable, "-c", _WRITE, str(place)]
        return Popen(command, stdout=PIPE, text=True, cwd=place)  # noqa: S603 - this program

    for one in [start(), start()]:
        assert one.communicate(timeout=120)[0].split()[0] == "42"
    found, new = map(int, start().communicate(timeout=120)[0].split())
    assert found == 42
    assert new < 42


def test_a_pipe_is_read_once(place: Path) -> None:
    """A second read of it would wait for ever, or find nothing."""
    cache = ResultCache(place / "kept", ScannedFile)
    os.mkfifo(place / "pipe")
    with cache.opened([place / "pipe"]) as known:
        assert known.of == {}
