"""`harness scan`: what it prints, with which code it ends, and as a pre-commit hook."""

from __future__ import annotations

import gzip
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from harness.providers import PROVIDERS

if TYPE_CHECKING:
    from conftest import Harness, Python

ROOT = Path(__file__).parents[2]
KEY = "sk-0123456789abcdef0123456789abcdef"
OURS = "MyOwnKey-that-has-no-form"
TOLD = "a known key at /a (My...rm, 25 characters)"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a file for each end."""
    (tmp_path / "clean.txt").write_text("api_key: <key>\n", encoding="utf-8")
    (tmp_path / "leak.txt").write_text(f"\nkey {KEY}\n", encoding="utf-8")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".deep.json").write_text(f'{{"a": "{OURS}"}}', encoding="utf-8")
    (tmp_path / "in" / ".git").mkdir()
    (tmp_path / "in" / ".git" / "config").write_text(KEY, encoding="utf-8")
    return tmp_path


def test_a_file_without_secrets(harness: Harness, place: Path) -> None:
    """Code 0 and how many files it was."""
    done = harness("scan", "clean.txt", folder=place)
    assert (done.code, done.out, done.err) == (0, "secrets: none of 1 file\n", "")
    assert json.loads(harness("scan", "clean.txt", "--json", folder=place).out) == []


def test_a_file_with_one(harness: Harness, place: Path) -> None:
    """Code 1, and where it is; never what it is."""
    done = harness("scan", "clean.txt", "leak.txt", folder=place)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "leak.txt:2: an sk- key (sk...ef, 35 characters)\nsecrets: 1 in 1 of 2 files\n"
    )


def test_for_machines(harness: Harness, place: Path) -> None:
    """The same as a list."""
    done = harness("scan", "leak.txt", "--json", folder=place)
    told = {"line": 2, "kind": "an sk- key", "where": "", "fingerprint": "sk...ef, 35 characters"}
    assert done.code == 1
    assert json.loads(done.out) == [{"file": "leak.txt", **told}]


@pytest.mark.parametrize("variable", [p.key_variable for p in PROVIDERS.values()])
def test_ones_own_keys_are_found(harness: Harness, place: Path, variable: str) -> None:
    """Those in `.env`, of whatever form; folders are searched, hidden files too, git's not."""
    assert harness("scan", "in", folder=place).code == 0
    (place / ".env").write_text(f"{variable}={OURS}\n", encoding="utf-8")
    done = harness("scan", "in", folder=place)
    assert (done.code, done.out) == (1, f"in/.deep.json:1: {TOLD}\nsecrets: 1 in 1 of 1 file\n")
    assert "leak.txt:2:" in harness("scan", ".", folder=place).out
    assert ".env:1: a known key" in harness("scan", ".env", folder=place).out


def test_both_halves_are_ones_own(harness: Harness, place: Path) -> None:
    """A key of two parts, and either part of it."""
    variable = PROVIDERS["zhipuai"].key_variable
    (place / ".env").write_text(f"{variable}=first-half.second-half\n", encoding="utf-8")
    (place / "halves").write_text("second-half\nfirst-half\nfirst-half.second-half", "utf-8")
    done = harness("scan", "halves", folder=place)
    assert [line.split(" (")[0] for line in done.out.splitlines()[:-1]] == [
        f"halves:{number}: a known key" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "nowhere: cannot be read: No such file or directory"),
        ("pipe", "pipe: cannot be read: not a file"),
        (f"{KEY}.txt", "REDACTED.txt: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_read(harness: Harness, place: Path, path: str, said: str) -> None:
    """Code 2, and the other files are searched all the same."""
    os.mkfifo(place / "pipe")
    done = harness("scan", path, "leak.txt", folder=place)
    assert (done.code, done.err) == (2, f"harness: {said}\n")
    assert "leak.txt:2: an sk- key" in done.out
    assert harness("scan", ".", folder=place).code == 1


def test_a_folder_without_files(harness: Harness, place: Path) -> None:
    """Code 2, as where a path does not exist: nothing was searched."""
    (place / "empty" / ".git").mkdir(parents=True)
    (place / "empty" / ".git" / "config").write_text("a", encoding="utf-8")
    done = harness("scan", "empty", folder=place)
    assert (done.code, done.err) == (2, "harness: empty: no file in this folder\n")


def test_what_is_too_large(harness: Harness, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is unreadable, too."""
    monkeypatch.setattr("harness.cassette.store.LARGEST", 2**20)
    with (place / "large").open("wb") as file:
        file.truncate(2**20 + 1)
    done = harness("scan", "large", folder=place)
    assert (done.code, done.err) == (2, "harness: large: cannot be read: larger than 1 MiB\n")


def test_a_file_of_bytes(harness: Harness, place: Path) -> None:
    """Compressed ones are unpacked."""
    (place / "log.gz").write_bytes(gzip.compress(f"a\n{KEY}".encode()))
    assert harness("scan", "log.gz", folder=place).out.startswith("log.gz:2: an sk- key (")


@pytest.mark.slow
def test_the_hook(python: Python, place: Path) -> None:
    """The entry of the hook, called as pre-commit calls it: with a list of files."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {name: hook[name] for name in ("id", "language", "entry", "types")} == {
        "id": "harness-scan",
        "language": "python",
        "entry": "harness scan",
        "types": ["file"],  # artefacts too
    }
    command, *words = shlex.split(hook["entry"])
    assert command == "harness"
    codes = {
        name: python("-m", "harness.cli", *words, *name.split(), folder=place).returncode
        for name in ("clean.txt", "leak.txt", "clean.txt leak.txt", "gone")
    }
    assert codes == {"clean.txt": 0, "leak.txt": 1, "clean.txt leak.txt": 1, "gone": 2}


def test_several_processes_say_the_same(harness: Harness, tmp_path: Path) -> None:
    """In the same order, with the problems last."""
    for number in range(20):
        (tmp_path / f"{number:02}.txt").write_text(f"key {KEY}{number}\n" * (number % 3))
    os.symlink("missing", tmp_path / "broken")
    one, *more = (harness("scan", ".", "broken", "-j", n, folder=tmp_path) for n in "123")
    assert one.code == 2
    assert one.out.count("an sk- key") == 19
    assert more == [one, one]
