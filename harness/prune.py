"""Files beside recordings that nobody uses any more, and taking them away.

A file is unused only where that can be known; whatever is in doubt stays. A cassette says whose it
is: a scenario's, or that of a test's mark. It is unused if its owner was looked for and is gone, or
has another. Cassettes that say nothing, as those of `harness.use_cassette`, are never judged.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette import FOLDER, loads
from harness.cassette.artefacts import NAME
from harness.errors import BadCassette, CannotWrite, HarnessError
from harness.types import Provenance
from harness.work import Job

LEFT_AFTER = 3600.0
"""A half-written file that is older is nobody's any more, in seconds."""

_REST = re.compile(r"\..+\.[a-z0-9_]{8}\.new")
_HASH = re.compile(rb"[0-9a-f]{64}")
_NOT_SEARCHED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Unused:
    """A file that nobody uses: what it is (cassette, artefact, rest), why, its size in bytes."""

    path: Path
    kind: str
    why: str
    size: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is unused, and which cassettes nobody can tell the users of."""

    unused: tuple[Unused, ...]
    unjudged: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests in some folders and files, as pytest collected them.

    `cassettes` maps a test, by its file and its name there, to the cassette it has, None if that
    is not known. `sources` are the Python files around them.
    """

    roots: tuple[Path, ...]
    cassettes: Mapping[tuple[Path, str], Path | None]
    sources: tuple[Path, ...]

    @property
    def files(self) -> set[Path]:
        """Every file that a test was found in."""
        return {file for file, _ in self.cassettes}

    def names(self, path: Path) -> bool:
        """Whether any source names this file."""
        wanted = path.name.encode()
        return any(wanted in source.read_bytes() for source in self.sources)


def collect(paths: Sequence[Path]) -> Tests:
    """Ask pytest which tests there are, and which cassette each has; none of them is run.

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
    roots = tuple(_real(path) for path in paths)
    return Tests(
        roots,
        {
            (_real(one["file"]), one["test"]): _real(one["cassette"]) if one["cassette"] else None
            for one in told
        },
        tuple(_sources(roots)),
    )


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
        folder = root if root.is_dir() else root.parent
        for where, _, names in _walk(folder):
            yield from (where / name for name in names if name.endswith(".py"))


def folders(tests: Iterable[Path]) -> tuple[Path, ...]:
    """The folders of cassettes among tests."""
    found: set[Path] = set()
    for root in tests:
        for where, inside, _ in _walk(root if root.is_dir() else root.parent):
            found |= {where / name for name in inside if name == "cassettes"}
    return tuple(sorted(found))


# ----------------------------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True)
class Judge:
    """Who may use cassettes: scenarios, of which `owned` are the cassettes in `home`, and tests.

    Where scenarios or tests were not looked at, theirs is None, and their cassettes stay.
    """

    home: Path
    owned: frozenset[Path] | None
    tests: Tests | None

    def why(self, path: Path, told: Provenance) -> str:
        """Why nobody uses a cassette; empty where somebody does. Raises LookupError if nobody
        can say."""
        real = _real(path)
        theirs = set(self.tests.cassettes.values()) if self.tests else set()
        if real in theirs or (self.owned is not None and real in self.owned):
            return ""
        if self.tests and self.tests.names(path):
            return ""
        if told.test:
            return self._gone_test(real, told.test)
        if told.scenario and real.parent == self.home / told.scenario and self.owned is not None:
            return f"no scenario {told.scenario} with {told.target or real.stem}"
        raise LookupError

    def _gone_test(self, real: Path, told: str) -> str:
        """The test is not trusted to be where the cassette says: it is only compared."""
        place, _, name = told.partition("::")
        file = Path(os.path.normpath(real.parent / place))
        if self.tests is None or not any(file.is_relative_to(root) for root in self.tests.roots):
            raise LookupError
        if file not in self.tests.files:
            if os.path.lexists(file):
                raise LookupError  # as a module that is skipped here, but not elsewhere
            return f"its tests are gone: {file.name}"
        if (file, name) not in self.tests.cassettes:
            return f"no test {name} in {file.name}"
        if self.tests.cassettes[file, name] is None:
            raise LookupError  # it may ask for the cassette only while it runs
        return f"the test {name} in {file.name} has another"


def judge(home: Path, jobs: Sequence[Job] | None, tests: Tests | None) -> Judge:
    """By the scenarios whose cassettes are in `home`, and by tests; None was not looked at."""
    real = _real(home)
    owned = [real / job.scenario.name / f"{job.target.slug}.yaml" for job in jobs or ()]
    return Judge(real, None if jobs is None else frozenset(map(_real, owned)), tests)


def search(paths: Sequence[Path], judge: Judge) -> Pruning:
    """What is unused in folders. Raises HarnessError for what cannot be read."""
    unused: dict[Path, Unused] = {}
    unjudged: list[Path] = []
    try:
        for root in paths:
            if not root.is_dir():
                raise HarnessError(f"{root}: there is no such folder")
            for where, inside, names in _walk(root):
                files = [where / name for name in names]
                found = [*_rests(files), *_cassettes(files, judge, unjudged)]
                gone = {one.path for one in found}
                if FOLDER in inside:
                    found += _artefacts(where / FOLDER, [f for f in files if f not in gone])
                unused |= {_real(one.path): one for one in found}
    except OSError as error:
        raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return Pruning(tuple(unused.values()), tuple(dict.fromkeys(unjudged)))


def _rests(files: Iterable[Path]) -> Iterator[Unused]:
    for file in files:
        found = file.lstat()
        if _REST.fullmatch(file.name) and stat.S_ISREG(found.st_mode):
            age = time.time() - found.st_mtime
            if age > LEFT_AFTER:
                yield Unused(file, "rest", "a file that was never finished", found.st_size)


def _cassettes(files: Iterable[Path], judge: Judge, unjudged: list[Path]) -> Iterator[Unused]:
    for file in files:
        found = file.lstat()
        if file.suffix != ".yaml" or not stat.S_ISREG(found.st_mode):
            continue
        try:
            why = judge.why(file, loads(file.read_bytes()).provenance)
        except (BadCassette, LookupError):
            unjudged.append(file)
            continue
        if why:
            yield Unused(file, "cassette", why, found.st_size)


def _artefacts(folder: Path, beside: Iterable[Path]) -> Iterator[Unused]:
    """Artefacts that no file beside their folder names, whatever that file is."""
    named: set[str] = set()
    for file in beside:
        if file.is_file():
            named |= {found.decode() for found in _HASH.findall(file.read_bytes())}
    for file in sorted(folder.iterdir()):
        found = file.lstat()
        is_one = NAME.fullmatch(file.name) and stat.S_ISREG(found.st_mode)
        if is_one and file.stem not in named:
            yield Unused(file, "artefact", "no file beside its folder names it", found.st_size)


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders, sorted; links to others are not followed."""

    def refused(error: OSError) -> None:
        raise error

    for where, folders, names in os.walk(root, onerror=refused):
        links = {name for name in folders if Path(where, name).is_symlink()}
        folders[:] = sorted(set(folders) - links - _NOT_SEARCHED)
        yield Path(where), list(folders), sorted(names)


def _real(path: Path | str) -> Path:
    return Path(os.path.realpath(path))


# ---------------------------------------------------------------------------------- deleting


def delete(unused: Iterable[Unused], roots: Iterable[Path]) -> None:
    """Delete files, and folders that are empty for it, but none of `roots`. Raises CannotWrite."""
    kept = {_real(root) for root in roots}
    for one in unused:
        try:
            one.path.unlink(missing_ok=True)
            _drop_empty(_real(one.path.parent), kept)
        except OSError as error:
            raise CannotWrite(f"{one.path} cannot be deleted: {error.strerror}") from None


def _drop_empty(folder: Path, kept: set[Path]) -> None:
    while folder not in kept and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
