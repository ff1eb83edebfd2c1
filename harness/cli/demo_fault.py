"""A recording broken on purpose, so that whoever is new here sees how a break looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import recordings
from harness.analysis.fault import TranscriptFault
from harness.analysis.transcript import AnalyzedTranscript
from harness.batch import Job
from harness.cassette import to_files
from harness.cassette.store import Store, write_cassette
from harness.drift import Drift, Verdict, run
from harness.faults.answers import count_as_string
from harness.faults.registry import injected
from harness.report import Report
from harness.report.build import check_report
from harness.runner import Progress
from harness.types import Cassette, Finding, Severity, Transcript

BREAK = count_as_string
"""A change that a provider might really make: small, silent, and enough to break a client."""

TITLE = "Broken on purpose: how a break looks"


@dataclass(frozen=True, slots=True)
class Broken:
    """A copy of a recording with one thing wrong in it, and what the harness says of it.

    `original` is the recording, `path` the copy; `report` what the rules find in the copy, and
    the `drift`: how it compares with the original.
    """

    fault: TranscriptFault
    original: Path
    path: Path
    report: Report
    drift: Drift

    @property
    def finding(self) -> Finding | None:
        """What the rule that forbids this says of it; None where it did not notice."""
        named = (f for f in self.report.findings if f.rule == self.fault.breaks_rule)
        return next((f for f in named if f.severity is Severity.ERROR), None)

    @property
    def noticed(self) -> bool:
        """Whether the rules and the look for drift both noticed."""
        return self.finding is not None and self.drift.verdict is Verdict.BREAKING


def break_one(
    jobs: Sequence[Job],
    recorded: Store,
    into: Path,
    progress: Progress,
    fault: TranscriptFault = BREAK,
) -> Broken | None:
    """Break a copy of the shortest recording that can be broken like this; None where none can.

    The copy is written to `into`, and says that it was made. Raises HarnessError.
    """
    there = [job for job in jobs if recorded.path(job.scenario.name, job.target).exists()]
    reads = [recordings.read_job(job, recorded) for job in there]
    for one in sorted(reads, key=lambda one: len(one.readings)):
        for mutant in injected(fault, one):
            return _told(one, mutant, into, fault, progress)
    return None


def _told(
    one: AnalyzedTranscript,
    mutant: Transcript,
    into: Path,
    fault: TranscriptFault,
    progress: Progress,
) -> Broken:
    original = Path(one.transcript.source)
    path = into / original.parent.name / original.name
    note = f"made by harness demo, not recorded; broken on purpose: {fault.description}"
    provenance = replace(mutant.provenance, note=note)
    write_cassette(path, to_files(Cassette(tuple(mutant.exchanges()), provenance)))
    report = check_report([path], progress)
    criteria = run.project_criteria(None)
    watch = run.compare_folders(original, path, criteria, Verdict.BREAKING, progress)
    report = replace(report, title=TITLE, drifts=watch.drifts)
    return Broken(fault, original, path, report, watch.drifts[0])
