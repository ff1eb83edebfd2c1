"""Contracts on the disk: learnt from cassettes, held against others, changed by agreement only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import contracts
from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette import store
from harness.contracts import Contract, Judge
from harness.errors import BadContract, HarnessError
from harness.recordings import read_cassette
from harness.report import Report
from harness.runner import Progress
from harness.types import Finding, Problem


def load(path: Path) -> Contract:
    """Read a contract's file. Raises HarnessError where there is none, or BadContract."""
    if not path.exists():
        raise HarnessError(
            f"there is no contract {path}; learn one with: harness contract learn PATH --out {path}"
        )
    try:
        if path.stat().st_size > store.LARGEST:
            raise BadContract(f"larger than {store.LARGEST // 2**20} MiB", path)
        content = path.read_bytes()
    except OSError as error:
        raise BadContract(f"cannot be read: {error.strerror}", path) from None
    return contracts.loads(content, str(path))


def learn(paths: Sequence[Path], out: Path, progress: Progress) -> Contract:
    """Learn a contract and write it. Raises HarnessError where there is one already."""
    if out.exists():
        raise HarnessError(
            f"{out} is there already; to change it: harness contract accept PATH --contract {out}"
        )
    contract = contracts.learn(_named(paths, progress))
    if not contract.sections:
        raise HarnessError("nothing to learn: no exchange here is with an endpoint that is known")
    store.write_text(out, contracts.dumps(contract))
    return contract


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a contract would become with further recordings, and in which clauses it differs."""

    old: Contract
    new: Contract
    changes: tuple[str, ...]

    @property
    def exchanges(self) -> int:
        """How many exchanges are new to the contract."""
        return self.new.exchanges - self.old.exchanges


def propose(paths: Sequence[Path], path: Path, progress: Progress) -> Proposal:
    """What accepting these recordings would make of a contract. Writes nothing."""
    old = load(path)
    new = contracts.extend(old, _named(paths, progress))
    return Proposal(old, new, tuple(contracts.changes(old, new)))


def write(path: Path, contract: Contract) -> None:
    """Put a contract in place, whole or not at all."""
    store.write_text(path, contracts.dumps(contract))


def check(paths: Sequence[Path], path: Path, progress: Progress) -> Report:
    """Hold every cassette in files and folders to a contract."""
    began = time.perf_counter()
    judge = Judge(load(path))
    reads: list[AnalyzedTranscript] = []
    findings: list[Finding] = []
    problems: list[Problem] = []
    for file in store.find(list(paths)):
        progress(str(file))
        try:
            read = read_cassette(file)
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
            continue
        reads.append(read)
        findings += judge.check(read)
    return Report(
        title="Contract",
        reads=tuple(reads),
        findings=tuple(findings),
        problems=tuple(problems),
        duration=time.perf_counter() - began,
    )


def _named(paths: Sequence[Path], progress: Progress) -> Iterator[tuple[str, AnalyzedTranscript]]:
    for path in store.find(list(paths)):
        progress(str(path))
        yield cited(path), read_cassette(path)


def cited(path: Path) -> str:
    """The name a file is cited by: its path below here, or else its folder's and its own name.

    A contract is kept in version control and should not tell of anybody's disk.
    """
    whole = path.resolve()
    if whole.is_relative_to(Path.cwd()):
        whole = whole.relative_to(Path.cwd())
        return whole.as_posix()
    return "/".join(whole.parts[-2:])
