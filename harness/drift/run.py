"""Drift between two folders of recordings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.analysis.difference import Verdict
from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette import store
from harness.cassette.workers import in_order
from harness.drift.judge import Criteria
from harness.drift.types import Drift, DriftRun, UnmatchedRecording
from harness.errors import BadCassette, HarnessError
from harness.providers import recordings
from harness.types import Problem, Progress, Provenance, Transcript

Name = tuple[str, str]
"""(scenario, target); or (path relative to the folder, empty text) for a recording without them."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The recordings in one of the two folders.

    Attributes:
        files: Their files, by the path relative to the folder.
        provenances: What the head of each file says, by the same path.
        problems: The errors of cassettes that could not be read, by their files.
    """

    files: Mapping[str, Path]
    provenances: Mapping[str, Provenance]
    problems: Mapping[Path, tuple[Problem, ...]]

    def names(self) -> dict[str, Name]:
        """Return the scenario and target by path; without names that several recordings have."""
        names = {path: (one.scenario, one.target) for path, one in self.provenances.items()}
        counts = Counter(names.values())
        return {path: name for path, name in names.items() if all(name) and counts[name] == 1}

    def by_name(self, shared: set[Name]) -> dict[Name, _Recording]:
        """Return the recordings by name if the name is in *shared*, else by path."""
        names = self.names()
        recordings: dict[Name, _Recording] = {}
        for path, file in self.files.items():
            name = names.get(path, ("", ""))
            if name in shared:
                recordings[name] = _Recording(file)
            else:
                recordings[path, ""] = _Recording(file, self.provenances[path].scenario or path)
        return recordings


class _Recording(NamedTuple):
    """A recording on file, and its title if its scenario and target do not identify it."""

    file: Path
    title: str = ""


class _Pair(NamedTuple):
    """The old and the new recording of the same name, each None if that side lacks it."""

    old: _Recording | None
    new: _Recording | None


class _Read(NamedTuple):
    """A recording that was read whole: None if it cannot be. Its repeats; errors of all of them."""

    transcript: AnalyzedTranscript | None
    repeats: tuple[AnalyzedTranscript, ...]
    problems: tuple[Problem, ...]


class _Compared(NamedTuple):
    """The result for a pair.

    Attributes:
        drift: The changes; None if a side is missing or cannot be read.
        new: The new recording and its repeats, if they are kept.
        unmatched: The recordings that could be read, unlike their counterpart, with the side.
        problems: The errors of the old and of the new side.
    """

    drift: Drift | None
    new: tuple[Transcript, ...]
    unmatched: tuple[UnmatchedRecording, ...]
    problems: tuple[tuple[Problem, ...], tuple[Problem, ...]]


def compare_folders(
    old: Path,
    new: Path,
    criteria: Criteria,
    fail_on: Verdict,
    progress: Progress,
    processes: int = 1,
    keep: Callable[[Transcript], object] | None = None,
) -> DriftRun:
    """Compare two cassettes, or two folders of cassettes.

    Recordings are matched by scenario and target; if these do not identify them, by their path
    relative to the folder. Few are in memory at a time; the run has no transcripts.

    Args:
        old: The older cassette or folder.
        new: The newer cassette or folder.
        criteria: The rules and the contract that recordings are checked against.
        fail_on: The least severe verdict that fails the run.
        progress: Called with a line of text for each pair of recordings.
        processes: The largest number of processes.
        keep: Called with each new recording that was compared, and with its repeats.

    Raises:
        HarnessError: *old* or *new* does not exist, or no recordings match.
    """
    start = time.perf_counter()
    for side in (old, new):
        store.require_path(side)
    left, right = _side(old), _side(new)
    shared = set(left.names().values()) & set(right.names().values())
    before, after = left.by_name(shared), right.by_name(shared)
    pairs = [_Pair(before[name], after[name]) for name in before if name in after]
    pairs += [_Pair(one, None) for name, one in before.items() if name not in after]
    pairs += [_Pair(None, one) for name, one in after.items() if name not in before]
    drifts: list[Drift] = []
    unmatched: dict[tuple[str, str], UnmatchedRecording] = {}
    problems = [{**left.problems}, {**right.problems}]
    # A file stands for that file alone.
    compare = partial(_compared, criteria, new.is_dir(), keep is not None)
    with closing(in_order(compare, pairs, processes)) as results:
        for number, (pair, found) in enumerate(zip(pairs, results, strict=True), start=1):
            named = pair.new or pair.old
            progress(f"[{number}/{len(pairs)}] {named.file if named else ''}")
            drifts += [found.drift] if found.drift else []
            unmatched |= {(one.side, one.source): one for one in found.unmatched}
            for own, recording, given in zip(problems, pair, found.problems, strict=True):
                if recording and given:
                    own[recording.file] = given
            for one in found.new:
                if keep:
                    keep(one)
    found_problems = tuple(_in_order_of(left, problems[0]) + _in_order_of(right, problems[1]))
    if not drifts and not found_problems:
        raise HarnessError(
            f"nothing to compare: no scenario with the same target, and no path, is in both "
            f"{old} and {new}"
        )
    return DriftRun(
        drifts=tuple(drifts),
        unmatched=tuple(
            unmatched[side, str(file)]
            for side, files in (("old", left.files), ("new", right.files))
            for file in files.values()
            if (side, str(file)) in unmatched
        ),
        problems=found_problems,
        fail_on=fail_on,
        duration=time.perf_counter() - start,
    )


def _in_order_of(side: _Side, problems: Mapping[Path, tuple[Problem, ...]]) -> list[Problem]:
    """Return the problems of one side by the order of its files."""
    return [
        one for file in sorted({*side.files.values(), *problems}) for one in problems.get(file, ())
    ]


def _side(path: Path) -> _Side:
    files: dict[str, Path] = {}
    provenances: dict[str, Provenance] = {}
    problems: dict[Path, tuple[Problem, ...]] = {}
    for file in store.find([path]):
        if file != path and store.is_repeat(file):
            continue
        name = "" if file == path else file.relative_to(path).as_posix()
        try:
            provenances[name] = _provenance(file)
            files[name] = file
        except BadCassette as error:
            problems[file] = (Problem("", "", str(error)),)
    return _Side(files, provenances, problems)


def _provenance(file: Path) -> Provenance:
    try:
        return store.read_provenance(file)
    except BadCassette:  # the error of the whole file says more
        return store.read(file).provenance


def _compared(criteria: Criteria, has_repeats: bool, is_kept: bool, pair: _Pair) -> _Compared:
    """Compare a pair, whose new recording has repeats that count if *has_repeats*."""
    old, new = map(_read, pair)
    problems = old.problems, new.problems
    if old.transcript is None or new.transcript is None:
        sides = (("old", old), ("new", new))
        unmatched = tuple(_unmatched(s, one.transcript) for s, one in sides if one.transcript)
        return _Compared(None, (), unmatched, problems)
    fresh = (new.transcript, *(new.repeats if has_repeats else ()))
    first, *rest = (criteria.compare(old.transcript, each, old.repeats) for each in fresh)
    kept = tuple(each.transcript for each in fresh) if is_kept else ()
    return _Compared(first.joined(rest), kept, (), problems)


def _read(recording: _Recording | None) -> _Read:
    if recording is None:
        return _Read(None, (), ())
    problems: list[Problem] = []

    def skip(error: BadCassette) -> None:
        problems.append(Problem("", "", str(error)))

    try:
        read = recordings.read_cassette(recording.file)
    except BadCassette as error:
        skip(error)
        return _Read(None, (), tuple(problems))
    repeats = recordings.repeats_of(read, skip)
    if recording.title:
        titled = replace(read.transcript, scenario=recording.title)
        read = replace(read, transcript=titled)
    return _Read(read, repeats, tuple(problems))


def _unmatched(side: str, read: AnalyzedTranscript) -> UnmatchedRecording:
    own = read.transcript
    return UnmatchedRecording(own.scenario, own.target, own.source, side)
