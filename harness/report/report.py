"""A report: everything one run has to say, before anybody renders it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare import Comparison, Matrix
from harness.types import Finding, Origin, Problem, Severity

if TYPE_CHECKING:
    from harness.drift import Drift

_ORIGINS = {
    Origin.LIVE: "recorded from the live providers",
    Origin.SANDBOX: "recorded from the sandbox, not from the live providers",
    Origin.UNKNOWN: "recorded by another tool: nobody says from where",
}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one run has to say. `duration` is in seconds.

    `ignored` are findings of rules that a scenario or the project ignores: told, and no failure.
    `drifts` say what changed since these were recorded; what of it fails is among the findings.
    `pages` are other pages that belong to this one: of each its title, and its address from here.
    """

    title: str
    reads: tuple[AnalyzedTranscript, ...] = ()
    findings: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    problems: tuple[Problem, ...] = ()
    duration: float = 0.0
    drifts: tuple[Drift, ...] = ()
    pages: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed: no finding is an error and there was no problem."""
        return not self.problems and not self.of(Severity.ERROR)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(f for f in self.findings if f.severity is severity)

    @property
    def turns(self) -> int:
        """How many turns all transcripts have."""
        return sum(len(read.turns) for read in self.reads)

    @property
    def exchanges(self) -> int:
        """How many exchanges all transcripts have."""
        return sum(len(read.readings) for read in self.reads)

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Who answered while these transcripts were recorded."""
        found = {read.transcript.provenance.recorded_from for read in self.reads}
        return tuple(origin for origin in Origin if origin in found)

    @property
    def origin(self) -> str:
        """Where the recordings come from, in words."""
        words = [_ORIGINS[origin] for origin in self.origins]
        return (
            "Partly " + ", partly ".join(words) if len(words) > 1 else "".join(words).capitalize()
        )

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of all scenarios anything is said about, in order of appearance."""
        return _once(
            [
                *(read.transcript.scenario for read in self.reads),
                *(problem.scenario for problem in self.problems),
                *(matrix.scenario for matrix in self.matrices),
                *(finding.scenario for finding in self.findings),
            ]
        )

    def targets(self, scenario: str) -> tuple[str, ...]:
        """The names of all targets anything is said about in a scenario, in order."""
        told = [
            *((r.transcript.scenario, r.transcript.target) for r in self.reads),
            *((problem.scenario, problem.target) for problem in self.problems),
            *((finding.scenario, finding.target) for finding in self.findings),
        ]
        return _once(target for name, target in told if name == scenario)

    def findings_of(self, scenario: str, target: str) -> tuple[Finding, ...]:
        """What was found in one transcript."""
        return tuple(f for f in self.findings if (f.scenario, f.target) == (scenario, target))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
