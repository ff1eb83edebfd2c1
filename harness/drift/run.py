"""Drift between two folders of recordings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis.difference import Verdict
from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette import store
from harness.drift.judge import Criteria
from harness.drift.types import Drift, DriftRun, UnmatchedRecording
from harness.errors import BadCassette, HarnessError
from harness.runner import Progress, recordings
from harness.types import Problem

Name = tuple[str, str]
"""(scenario, target); or (path relative to the folder, empty text) for a recording without them."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The recordings in one of the two folders.

    Attributes:
        transcripts: The recordings by their path relative to the folder.
        repeats: The repeats of a recording, by its file.
        problems: The cassettes that could not be read.
    """

    transcripts: Mapping[str, AnalyzedTranscript]
    repeats: Mapping[str, tuple[AnalyzedTranscript, ...]]
    problems: tuple[Problem, ...]

    def names(self) -> dict[str, Name]:
        """Return the scenario and target by path; without names that several recordings have."""
        names = {path: _name(transcript) for path, transcript in self.transcripts.items()}
        counts = Counter(names.values())
        return {path: name for path, name in names.items() if all(name) and counts[name] == 1}

    def by_name(self, shared: set[Name]) -> dict[Name, AnalyzedTranscript]:
        """Return the recordings by name if the name is in *shared*, else by path."""
        names = self.names()
        recordings: dict[Name, AnalyzedTranscript] = {}
        for path, recording in self.transcripts.items():
            name = names.get(path, ("", ""))
            if name in shared:
                recordings[name] = recording
            else:
                plain = recording.transcript
                title = plain.provenance.scenario or path or plain.scenario
                named = replace(recording, transcript=replace(plain, scenario=title))
                recordings[path, ""] = named
        return recordings


def _name(recording: AnalyzedTranscript) -> Name:
    provenance = recording.transcript.provenance
    return provenance.scenario, provenance.target


def compare_folders(
    old: Path, new: Path, criteria: Criteria, fail_on: Verdict, progress: Progress
) -> DriftRun:
    """Compare two cassettes, or two folders of cassettes.

    Recordings are matched by scenario and target; if these do not identify them, by their path
    relative to the folder.

    Args:
        old: The older cassette or folder.
        new: The newer cassette or folder.
        criteria: The rules and the contract that recordings are checked against.
        fail_on: The least severe verdict that fails the run.
        progress: Called with a line of text for each file.

    Raises:
        HarnessError: *old* or *new* does not exist, or no recordings match.
    """
    start = time.perf_counter()
    for side in (old, new):
        store.require_path(side)
    left, right = _side(old, progress), _side(new, progress)
    problems = (*left.problems, *right.problems)
    shared = set(left.names().values()) & set(right.names().values())
    before, after = left.by_name(shared), right.by_name(shared)
    matched = [name for name in before if name in after]
    if not matched and not problems:
        raise HarnessError(
            f"nothing to compare: no scenario with the same target, and no path, is in both "
            f"{old} and {new}"
        )
    new_repeats = right.repeats if new.is_dir() else {}  # a file stands for that file alone
    drifts: list[Drift] = []
    transcripts: list[AnalyzedTranscript] = []
    for name in matched:
        fresh = (after[name], *new_repeats.get(after[name].transcript.source, ()))
        repeats = left.repeats.get(before[name].transcript.source, ())
        first, *rest = (criteria.compare(before[name], each, repeats) for each in fresh)
        drifts.append(first.joined(rest))
        transcripts += fresh
    return DriftRun(
        drifts=tuple(drifts),
        transcripts=tuple(transcripts),
        unmatched=(*_unmatched(before, after, "old"), *_unmatched(after, before, "new")),
        problems=problems,
        fail_on=fail_on,
        duration=time.perf_counter() - start,
    )


def _side(path: Path, progress: Progress) -> _Side:
    transcripts: dict[str, AnalyzedTranscript] = {}
    repeats: dict[str, tuple[AnalyzedTranscript, ...]] = {}
    problems: list[Problem] = []

    def skip(error: BadCassette) -> None:
        problems.append(Problem("", "", str(error)))

    files = store.find([path])
    for number, file in enumerate(files, start=1):
        if file != path and store.is_repeat(file):
            continue
        progress(f"[{number}/{len(files)}] {file}")
        try:
            name = "" if file == path else file.relative_to(path).as_posix()
            transcripts[name] = recordings.read_cassette(file)
            repeats[str(file)] = recordings.repeats_of(transcripts[name], skip)
        except BadCassette as error:
            skip(error)
    return _Side(transcripts, repeats, tuple(problems))


def _unmatched(
    own: Mapping[Name, AnalyzedTranscript], other: Mapping[Name, AnalyzedTranscript], side: str
) -> list[UnmatchedRecording]:
    transcripts = (recording.transcript for name, recording in own.items() if name not in other)
    return [UnmatchedRecording(t.scenario, t.target, t.source, side) for t in transcripts]
