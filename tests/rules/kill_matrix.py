"""Which mutation is noticed by the rule it breaks, over all conversations there are.

`python -m tests.rules.kill_matrix` goes through all of them; the test takes some of each kind.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import cassette
from harness.analysis.transcript import analyze, transcript_of
from harness.cassette.store import Store
from harness.faults.breaks import MUTATORS, Mutator
from harness.faults.breaks.examples import EXAMPLES, played, recorded
from harness.providers import endpoints
from harness.rules import RULES
from harness.runner import replay
from harness.scenario import load_all
from harness.types import Transcript

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT.parent / "shared" / "recordings"
_RULES = {rule.name: rule for rule in RULES}


def examples() -> Iterator[Transcript]:
    """The small ones that rules are explained with, as told by an SDK that agrees in all."""
    yield from (played(recorded(exchanges, name)) for name, exchanges in EXAMPLES.items())


def shipped() -> Iterator[Transcript]:
    """The shipped cassettes, replayed through the official SDKs."""
    store = Store(ROOT / "cassettes")
    for scenario in load_all([ROOT / "scenarios"]):
        yield from (replay(scenario, target, store) for target in scenario.targets)


def recordings() -> Iterator[Transcript]:
    """What the live services sent, where the recordings are at hand."""
    for path in sorted(RECORDINGS.glob("*/*.yaml")):
        told = cassette.loads(path.read_text(encoding="utf-8"), str(path))
        yield transcript_of(told, endpoints.recognise, source=path.stem)


@dataclass
class Matrix:
    """How often each mutation applied, and how often its rule noticed; what survived, and where."""

    applied: Counter[Mutator] = field(default_factory=Counter)
    killed: Counter[Mutator] = field(default_factory=Counter)
    survivors: list[str] = field(default_factory=list)

    def take(self, transcript: Transcript, mutators: Iterable[Mutator] = MUTATORS) -> None:
        """Break a conversation in every way, and ask the rules."""
        told = analyze(transcript, endpoints.recognise)
        for mutator in mutators:
            mutant = mutator.change(told)
            if mutant is None or mutant == transcript:
                continue
            self.applied[mutator] += 1
            found = list(_RULES[mutator.breaks].findings(analyze(mutant, endpoints.recognise)))
            self.killed[mutator] += bool(found)
            if not found:
                where = f"{transcript.source or transcript.scenario} {transcript.target}".strip()
                self.survivors.append(f"{mutator.breaks}: {mutator.name} in {where}")

    def __str__(self) -> str:
        rows = [
            f"{m.breaks:<32}{m.name:<38}{self.applied[m]:>8}{self.killed[m]:>8}" for m in MUTATORS
        ]
        total = f"{'all':<70}{self.applied.total():>8}{self.killed.total():>8}"
        return "\n".join([f"{'rule':<32}{'mutation':<38}{'applied':>8}{'killed':>8}", *rows, total])


def main() -> int:
    """Print the whole matrix; 1 where a mutant survived or a mutation never applied."""
    matrix = Matrix()
    for conversations in (examples(), shipped(), recordings()):
        for transcript in conversations:
            matrix.take(transcript)
    sys.stdout.write(f"{matrix}\n" + "".join(f"survived: {s}\n" for s in matrix.survivors))
    return 1 if matrix.survivors or any(not matrix.applied[m] for m in MUTATORS) else 0


if __name__ == "__main__":
    sys.exit(main())
