"""Looking for drift in recordings: what they are held to, and two folders of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from harness import batch, recordings
from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette import store
from harness.config.settings import RuleSelection
from harness.contracts import Contract, Judge, learning
from harness.drift import Drift, Verdict, drift
from harness.drift.judging import Allowed, nothing_is_known
from harness.drift.known import allowed_by
from harness.drift.watches import UnmatchedRecording, Watch
from harness.errors import HarnessError
from harness.providers.rules import project_rules
from harness.runner import Progress
from harness.types import Finding, Problem


@dataclass(frozen=True)
class Measure:
    """What recordings are held to: the project's rules, and a contract where there is one."""

    rules: RuleSelection
    contract: Contract | None
    judge: Judge | None
    allowed: Allowed

    def compare(
        self,
        old: AnalyzedTranscript,
        new: AnalyzedTranscript,
        repeats: Sequence[AnalyzedTranscript] = (),
    ) -> Drift:
        """What changed from one recording, and its repeats, to another."""
        before = chain.from_iterable(map(self._findings, (old, *repeats)))
        return drift(old, new, before, self._findings(new), self.allowed, repeats)

    def _findings(self, one: AnalyzedTranscript) -> tuple[Finding, ...]:
        found = batch.examine(one.transcript, self.rules)[1].findings
        return (*found, *self.judge.check(one)) if self.judge else found


def measure(contract: Path | None) -> Measure:
    """The measure of the project that we are in. Raises BadSettings, BadContract."""
    rules = project_rules(Path.cwd())
    if contract is None:
        return Measure(rules, None, None, nothing_is_known)
    loaded = learning.load(contract)
    return Measure(rules, loaded, Judge(loaded), allowed_by(loaded))


# -------------------------------------------------------------------------------- two folders

Name = tuple[str, str]
"""Scenario and target; or a path below the folder, and nothing."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The recordings of one side by their path below it, and what could not be read.

    A repeat is found with the recording that it repeats, by the file of that.
    """

    reads: Mapping[str, AnalyzedTranscript]
    repeats: Mapping[str, tuple[AnalyzedTranscript, ...]]
    problems: tuple[Problem, ...]

    def names(self) -> dict[str, Name]:
        """What each is called; nothing where two would be called the same."""
        told = {path: _name(one) for path, one in self.reads.items()}
        often = Counter(told.values())
        return {path: name for path, name in told.items() if all(name) and often[name] == 1}


def _name(one: AnalyzedTranscript) -> Name:
    provenance = one.transcript.provenance
    return provenance.scenario, provenance.target


def on_disk(old: Path, new: Path, measured: Measure, fail_on: Verdict, progress: Progress) -> Watch:
    """Two cassettes, or two folders of them, matched by scenario and target, else by path.

    Raises HarnessError where nothing is on both sides.
    """
    began = time.perf_counter()
    left, right = _side(old, progress), _side(new, progress)
    problems = (*left.problems, *right.problems)
    both = set(left.names().values()) & set(right.names().values())
    ours, theirs = _named(left, both), _named(right, both)
    matched = [name for name in ours if name in theirs]
    if not matched and not problems:
        raise HarnessError(
            f"nothing to compare: no scenario with the same target, and no path, is in both "
            f"{old} and {new}"
        )
    again = right.repeats if new.is_dir() else {}  # of one file, that file alone is meant
    drifts, reads = [], []
    for name in matched:
        one, *others = (theirs[name], *again.get(theirs[name].transcript.source, ()))
        before = left.repeats.get(ours[name].transcript.source, ())
        found = [measured.compare(ours[name], each, before) for each in (one, *others)]
        drifts.append(found[0].joined(found[1:]))
        reads += [one, *others]
    missing = (*_missing(ours, theirs, "old"), *_missing(theirs, ours, "new"))
    return Watch(
        drifts=tuple(drifts),
        reads=tuple(reads),
        missing=missing,
        problems=problems,
        fail_on=fail_on,
        duration=time.perf_counter() - began,
    )


def _side(path: Path, progress: Progress) -> _Side:
    reads: dict[str, AnalyzedTranscript] = {}
    repeats: dict[str, tuple[AnalyzedTranscript, ...]] = {}
    problems: list[Problem] = []
    for file in store.find([path]):
        if file != path and store.is_repeat(file):
            continue
        progress(str(file))
        try:
            name = "" if file == path else file.relative_to(path).as_posix()
            reads[name] = recordings.read_cassette(file)
            repeats[str(file)] = recordings.repeats_of(reads[name])
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
    return _Side(reads, repeats, tuple(problems))


def _named(side: _Side, both: set[Name]) -> dict[Name, AnalyzedTranscript]:
    """By scenario and target where both sides can be; else by path, which is then the name."""
    known = side.names()
    found: dict[Name, AnalyzedTranscript] = {}
    for path, one in side.reads.items():
        name = known.get(path, ("", ""))
        if name in both:
            found[name] = one
        else:
            transcript = replace(one.transcript, scenario=_called(path, one))
            found[path, ""] = replace(one, transcript=transcript)
    return found


def _called(path: str, one: AnalyzedTranscript) -> str:
    return one.transcript.provenance.scenario or path or one.transcript.scenario


def _missing(
    ours: Mapping[Name, AnalyzedTranscript], theirs: Mapping[Name, AnalyzedTranscript], side: str
) -> list[UnmatchedRecording]:
    told = (one.transcript for name, one in ours.items() if name not in theirs)
    return [UnmatchedRecording(t.scenario, t.target, t.source, side) for t in told]
