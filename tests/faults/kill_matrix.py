"""Which faults are found by the rule that they break, over all transcripts there are.

`python -m tests.faults.kill_matrix` goes through all of them; the test takes some of each kind.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis.transcript import analyze, transcript_of
from harness.cassette.reader import loads
from harness.cassette.store import Store
from harness.faults.explain import sample_transcripts
from harness.faults.registry import RULE_FAULTS, injected
from harness.providers import endpoints
from harness.providers.rules import RULES
from harness.runner import replay
from harness.scenario.files import load_all
from harness.types import Transcript

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT.parent / "shared" / "recordings"
_RULES = {rule.name: rule for rule in RULES}


def shipped() -> Iterator[Transcript]:
    """Yield the shipped cassettes, replayed through the official SDKs."""
    store = Store(ROOT / "cassettes")
    for scenario in load_all([ROOT / "scenarios"]):
        yield from (replay(scenario, target, store) for target in scenario.targets)


def recordings() -> Iterator[Transcript]:
    """Yield recordings of the live services, where they are at hand."""
    for path in sorted(RECORDINGS.glob("*/*.yaml")):
        loaded = loads(path.read_text(encoding="utf-8"), str(path))
        yield transcript_of(loaded, endpoints.recognise, source=path.stem)


@dataclass
class Matrix:
    """How often each fault was injected and found, and where it was missed."""

    injected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def add(self, transcript: Transcript) -> None:
        """Inject every fault at each of its places, and check the result."""
        analyzed = analyze(transcript, endpoints.recognise)
        for fault in RULE_FAULTS:
            rule = _RULES[fault.breaks_rule or ""]
            for changed in injected(fault, analyzed):
                self.injected[fault.name] += 1
                if any(rule.findings(analyze(changed, endpoints.recognise))):
                    self.found[fault.name] += 1
                else:
                    where = transcript.source or transcript.scenario
                    missed = f"{rule.name}: {fault.name} in {where} {transcript.target}"
                    self.missed.append(missed.strip())

    @property
    def unused(self) -> list[str]:
        """The faults that could not be injected anywhere."""
        return [fault.name for fault in RULE_FAULTS if not self.injected[fault.name]]

    def __str__(self) -> str:
        rows = [("rule", "fault", "injected", "found")]
        rows += [
            (f.breaks_rule or "", f.name, str(self.injected[f.name]), str(self.found[f.name]))
            for f in RULE_FAULTS
        ]
        rows.append(("all", "", str(self.injected.total()), str(self.found.total())))
        return "\n".join(f"{rule:<32}{name:<38}{n:>8}{k:>8}" for rule, name, n, k in rows)


def main() -> int:
    """Print the whole matrix; return 1 where a fault was missed or never injected."""
    matrix = Matrix()
    for transcripts in (sample_transcripts().values(), shipped(), recordings()):
        for transcript in transcripts:
            matrix.add(transcript)
    sys.stdout.write(f"{matrix}\n" + "".join(f"missed: {missed}\n" for missed in matrix.missed))
    return 1 if matrix.missed or matrix.unused else 0


if __name__ == "__main__":
    sys.exit(main())
