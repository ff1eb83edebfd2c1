"""Looking for drift: two folders of recordings, or what is on file beside what is answered now."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from harness import dialects, learnt, recordings, store, work
from harness.contracts import Contract, Judge
from harness.drift import Drift, Verdict, drift
from harness.drift.budget import (
    Candidate,
    Cost,
    Left,
    Plan,
    clauses_exercised,
    cost,
    everything,
    plan,
    rules_exercised,
)
from harness.drift.judging import Allowed, nothing_is_known
from harness.drift.known import allowed_by
from harness.drift.telling import Missing, Watch
from harness.environment import Environment
from harness.errors import HarnessError, MissingKey
from harness.providers import PROVIDERS
from harness.reading import Read, read
from harness.reports import Problem
from harness.rules.choice import Choice
from harness.runner import Source, Told
from harness.sandbox import Options
from harness.scenario import Scenario
from harness.store import Store
from harness.types import Finding
from harness.work import Job


@dataclass(frozen=True)
class Measure:
    """What recordings are held to: the project's rules, and a contract where there is one."""

    rules: Choice
    contract: Contract | None
    judge: Judge | None
    allowed: Allowed

    def compare(self, old: Read, new: Read) -> Drift:
        """What changed from one recording to another."""
        return drift(old, new, self._findings(old), self._findings(new), self.allowed)

    def _findings(self, one: Read) -> tuple[Finding, ...]:
        found = work.examine(one.transcript, self.rules)[1].findings
        return (*found, *self.judge.check(one)) if self.judge else found


def measure(contract: Path | None) -> Measure:
    """The measure of the project that we are in. Raises BadSettings, BadContract."""
    rules = work.project_rules()
    if contract is None:
        return Measure(rules, None, None, nothing_is_known)
    loaded = learnt.load(contract)
    return Measure(rules, loaded, Judge(loaded), allowed_by(loaded))


# -------------------------------------------------------------------------------- two folders

Name = tuple[str, str]
"""Scenario and target; or a path below the folder, and nothing."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The recordings of one side by their path below it, and what could not be read."""

    reads: Mapping[str, Read]
    problems: tuple[Problem, ...]

    def names(self) -> dict[str, Name]:
        """What each is called; nothing where two would be called the same."""
        told = {path: _name(one) for path, one in self.reads.items()}
        often = Counter(told.values())
        return {path: name for path, name in told.items() if all(name) and often[name] == 1}


def _name(one: Read) -> Name:
    provenance = one.transcript.provenance
    return provenance.scenario, provenance.target


def on_disk(old: Path, new: Path, measured: Measure, fail_on: Verdict, told: Told) -> Watch:
    """Two cassettes, or two folders of them, matched by scenario and target, else by path.

    Raises HarnessError where nothing is on both sides.
    """
    began = time.perf_counter()
    left, right = _side(old, told), _side(new, told)
    problems = (*left.problems, *right.problems)
    both = set(left.names().values()) & set(right.names().values())
    ours, theirs = _named(left, both), _named(right, both)
    matched = [name for name in ours if name in theirs]
    if not matched and not problems:
        raise HarnessError(
            f"nothing to compare: no scenario with the same target, and no path, is in both "
            f"{old} and {new}"
        )
    done = [measured.compare(ours[name], theirs[name]) for name in matched]
    missing = (*_missing(ours, theirs, "old"), *_missing(theirs, ours, "new"))
    return Watch(
        drifts=tuple(done),
        reads=tuple(theirs[name] for name in matched),
        missing=missing,
        problems=problems,
        fail_on=fail_on,
        duration=time.perf_counter() - began,
    )


def _side(path: Path, told: Told) -> _Side:
    reads: dict[str, Read] = {}
    problems: list[Problem] = []
    for file in store.find([path]):
        told(str(file))
        try:
            name = "" if file == path else file.relative_to(path).as_posix()
            reads[name] = recordings.read_cassette(file)
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
    return _Side(reads, tuple(problems))


def _named(side: _Side, both: set[Name]) -> dict[Name, Read]:
    """By scenario and target where both sides can be; else by path, which is then the name."""
    known = side.names()
    found: dict[Name, Read] = {}
    for path, one in side.reads.items():
        name = known.get(path, ("", ""))
        if name in both:
            found[name] = one
        else:
            transcript = replace(one.transcript, scenario=_called(path, one))
            found[path, ""] = replace(one, transcript=transcript)
    return found


def _called(path: str, one: Read) -> str:
    return one.transcript.provenance.scenario or path or one.transcript.scenario


def _missing(ours: Mapping[Name, Read], theirs: Mapping[Name, Read], side: str) -> list[Missing]:
    told = (one.transcript for name, one in ours.items() if name not in theirs)
    return [Missing(t.scenario, t.target, t.source, side) for t in told]


# ----------------------------------------------------------------------- on file, and answered now


@dataclass(frozen=True, slots=True)
class Filed:
    """A job with its recording as it would be made now: without what only a sandbox is asked."""

    job: Job
    read: Read

    @property
    def name(self) -> str:
        """What it is called in a plan, and in a folder of cassettes."""
        return _label(self.job)


def filed(todo: Iterable[Job], folder: Store, live: bool) -> tuple[list[Filed], tuple[Left, ...]]:
    """The jobs whose recordings are on file, and those that cannot be compared and planned."""
    found: list[Filed] = []
    left: list[Left] = []
    for job in todo:
        try:
            one = recordings.read_recorded(job, folder)
        except HarnessError as error:
            left.append(Left(Candidate(_label(job), Cost(0)), str(error)))
            continue
        found.append(Filed(job, _asked_live(job.scenario, one) if live else one))
    return found, tuple(left)


def _label(job: Job) -> str:
    return f"{job.scenario.name}/{job.target.slug}"


def _asked_live(scenario: Scenario, one: Read) -> Read:
    """A recording without the turns of steps that a live service is never asked."""
    asked = [step for step in scenario.steps if step.asked]
    if len(asked) != len(one.turns):
        return one
    kept = [
        turn
        for step, turn in zip(asked, one.transcript.turns, strict=True)
        if not step.sandbox_only
    ]
    turns = tuple(replace(turn, number=n) for n, turn in enumerate(kept, start=1))
    return read(replace(one.transcript, turns=turns), dialects.recognise)


def planned(
    found: Sequence[Filed], left: tuple[Left, ...], budget: int | None, contract: Contract | None
) -> Plan:
    """Which recordings are made anew: all, or what exercises the most within a budget of calls."""
    candidates = [_candidate(one, contract) for one in found]
    made = everything(candidates) if budget is None else plan(candidates, budget)
    return replace(made, left=(*made.left, *left))


def _candidate(one: Filed, contract: Contract | None) -> Candidate:
    covers = rules_exercised(one.read)
    if contract is not None:
        covers |= clauses_exercised(one.read, contract)
    return Candidate(one.name, cost(one.read), covers)


def check_keys(found: Iterable[Filed], known: Environment) -> None:
    """Raises MissingKey, naming every variable that is not set, before anything is asked."""
    asked = dict.fromkeys(PROVIDERS[one.job.target.provider] for one in found)
    missing = [p.key_variable for p in asked if not known.has_key(p)]
    if missing:
        raise MissingKey(
            f"asking the live services anew needs keys: set {' and '.join(missing)} (in the "
            "environment or in .env); without keys: --plan, or --sandbox to try it"
        )


def source(known: Environment, sandbox: bool) -> AbstractContextManager[Source]:
    """Whom to ask: the live services, or a sandbox."""
    return work.sandboxed(Options(), known) if sandbox else nullcontext(work.live(known))


def anew(
    found: Sequence[Filed],
    asked: Source,
    out: Path,
    measured: Measure,
    fail_on: Verdict,
    told: Told,
) -> Watch:
    """Record into the folder `out`, and compare with what is on file, which is not touched."""
    began = time.perf_counter()
    fresh = Store(out)
    problems = list(work.record_all([one.job for one in found], asked, fresh, told))
    failed = {(problem.scenario, problem.target) for problem in problems}
    drifts: list[Drift] = []
    reads: list[Read] = []
    for one in found:
        if (one.job.scenario.name, str(one.job.target)) not in failed:
            reads.append(recordings.read_recorded(one.job, fresh))
            drifts.append(measured.compare(one.read, reads[-1]))
    return Watch(
        drifts=tuple(drifts),
        reads=tuple(reads),
        problems=tuple(problems),
        fail_on=fail_on,
        duration=time.perf_counter() - began,
    )


@contextmanager
def scratch(out: Path | None, cassettes: Path) -> Iterator[Path]:
    """The folder that new recordings go to: `out`, or one that is gone afterwards.

    Raises HarnessError where that is the folder of those on file.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="harness-drift-") as made:
            yield Path(made)
        return
    if out.resolve() == cassettes.resolve():
        raise HarnessError(f"{out} holds the cassettes on file; say another folder with --out DIR")
    yield out
