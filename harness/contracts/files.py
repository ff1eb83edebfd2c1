"""Contract files: learning one from cassettes, and proposing changes to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassette import store
from harness.cassette.workers import Workers
from harness.contracts.contract import Contract, Lesson, combine, lesson
from harness.contracts.format import dumps, loads
from harness.contracts.schema import changes
from harness.errors import BadContract, HarnessError
from harness.runner import Progress
from harness.runner.recordings import read_cassette


def load(path: Path) -> Contract:
    """Return the contract in a file.

    Raises:
        HarnessError: The file does not exist.
        BadContract: The file cannot be read or is invalid.
    """
    if not path.exists():
        raise HarnessError(
            f"there is no contract {path}; learn one with: harness contract learn PATH --out {path}"
        )
    try:
        content = store.file_bytes(path)
    except OSError as error:
        raise BadContract(f"cannot be read: {error.strerror}", path) from None
    return loads(content, str(path))


def write(path: Path, contract: Contract) -> None:
    """Write a contract's file atomically."""
    store.write_text(path, dumps(contract))


def learn_cassettes(
    paths: Sequence[Path], out: Path, progress: Progress, skip: store.Skip, workers: Workers = 1
) -> Contract:
    """Learn a contract from the cassettes in *paths*, write it to *out*, and return it.

    A file of a folder that cannot be read is passed to *skip*. *workers* read the files.

    Raises:
        HarnessError: *out* exists already, or no cassette has an exchange with a known endpoint.
    """
    if out.exists():
        raise HarnessError(
            f"{out} exists already; to change it: harness contract accept PATH --contract {out}"
        )
    contract = combine(Contract(), _lessons(paths, progress, skip, workers))
    if not contract.sections:
        raise HarnessError("nothing to learn: no exchange here is with a known endpoint")
    write(out, contract)
    return contract


@dataclass(frozen=True, slots=True)
class Proposal:
    """A contract before and after adding recordings.

    Attributes:
        old: The contract on file.
        new: The contract with the recordings added.
        changes: A line for each clause that differs.
    """

    old: Contract
    new: Contract
    changes: tuple[str, ...]

    @property
    def exchanges(self) -> int:
        """The number of exchanges that are new to the contract."""
        return self.new.exchanges - self.old.exchanges


def propose(paths: Sequence[Path], path: Path, progress: Progress, skip: store.Skip) -> Proposal:
    """Return the contract at *path* with and without the cassettes in *paths*; write nothing.

    A file of a folder that cannot be read is passed to *skip*.

    Raises:
        HarnessError: The contract does not exist.
        BadContract: The contract is invalid.
    """
    old = load(path)
    new = combine(old, _lessons(paths, progress, skip))
    return Proposal(old, new, tuple(changes(old, new)))


def _lessons(
    paths: Sequence[Path], progress: Progress, skip: store.Skip, workers: Workers = 1
) -> Iterator[Lesson]:
    for path, one in store.read_all(paths, _lesson, skip, workers):
        progress(str(path))
        yield one


def _lesson(path: Path) -> Lesson:
    return lesson(citation_name(path), read_cassette(path))


def citation_name(path: Path) -> str:
    """Return the name by which a contract cites a file: its path relative to the current folder.

    Outside the current folder, return the names of the file's folder and of the file: a contract
    is kept in version control and must not reveal absolute paths.
    """
    absolute = Path(os.path.realpath(path))  # unlike resolve(), also of a link to itself
    if absolute.is_relative_to(Path.cwd()):
        return absolute.relative_to(Path.cwd()).as_posix()
    return "/".join(absolute.parts[-2:])
