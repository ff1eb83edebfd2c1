"""Which tests there are, and which cassettes they have: pytest is asked, and runs none of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.prune.places import real, walk


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests in some folders and files, as pytest collected them.

    `cassettes` maps a test, by its file and its name there, to the cassette it has, None if that
    is not known; `used` are all of these, `files` all those that hold a test. `source` is the text
    of the Python files around them.
    """

    roots: tuple[Path, ...]
    cassettes: Mapping[tuple[Path, str], Path | None]
    used: frozenset[Path | None]
    files: frozenset[Path]
    source: bytes

    def names(self, path: Path) -> bool:
        """Whether any source names this file."""
        return path.name.encode() in self.source


def collect(paths: Sequence[Path]) -> Tests:
    """Ask pytest which tests there are, and which cassette each has.

    Raises HarnessError unless all could be collected: a test that is not seen has a cassette too.
    """
    for path in paths:
        if not path.exists():
            raise HarnessError(f"{path}: there is no such file or folder")
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        file = Path(folder, "cassettes.json")
        done = subprocess.run(  # noqa: S603 - this Python's pytest, with the user's own paths
            [
                *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"),
                *(f"--list-cassettes={file}", "--", *map(str, paths)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not file.exists():
            raise HarnessError(_not_collected(paths, done))
        told = json.loads(file.read_text(encoding="utf-8"))
    roots = tuple(map(real, paths))
    cassettes = {
        (real(one["file"]), one["test"]): real(one["cassette"]) if one["cassette"] else None
        for one in told
    }
    files = frozenset(file for file, _ in cassettes)
    source = b"\n".join(path.read_bytes() for path in _sources(roots))
    return Tests(roots, cassettes, frozenset(cassettes.values()), files, source)


def _not_collected(paths: Sequence[Path], done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    asked = " ".join(map(str, paths))
    last = f" ({lines[-1].strip(' =!')[:200]})" if lines else ""
    return (
        f"pytest did not collect the tests of {asked}{last}, so nobody knows what they use; "
        f"see: pytest --collect-only {asked}"
    )


def _sources(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        for where, _, names in walk(root if root.is_dir() else root.parent):
            yield from (where / name for name in names if name.endswith(".py"))


def folders(tests: Iterable[Path]) -> tuple[Path, ...]:
    """The folders of cassettes among tests."""
    found: set[Path] = set()
    for root in tests:
        for where, inside, _ in walk(root if root.is_dir() else root.parent):
            found |= {where / name for name in inside if name == "cassettes"}
    return tuple(sorted(found))
