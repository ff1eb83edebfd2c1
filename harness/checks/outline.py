"""The outline of a transcript: what reports show of it besides its texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import TurnFigures, facts
from harness.types import Provenance
from harness.wire import resolve


@dataclass(frozen=True, slots=True)
class Outline:
    """A transcript in figures, without its texts and exchanges.

    Attributes:
        scenario: The name of the scenario.
        target: The target as text.
        source: The path of the cassette.
        provenance: The provenance of the cassette.
        exchanges: The number of exchanges.
        unused: The number of recorded exchanges whose requests were not made.
        skipped: A sentence for each skipped step.
        ignored: The rules that do not apply, each with the reason.
        models: The models that requests name, each once.
        facts: The figures of each turn, without the texts and tool calls of answers.
    """

    scenario: str
    target: str
    source: str
    provenance: Provenance
    exchanges: int
    unused: int
    skipped: tuple[str, ...]
    ignored: dict[str, str]
    models: tuple[str, ...]
    facts: tuple[TurnFigures, ...]


def outline(read: AnalyzedTranscript) -> Outline:
    """Return the outline of a transcript."""
    transcript = read.transcript
    models = (resolve(one.request_json.value, "/model") for one in read.readings)
    return Outline(
        transcript.scenario,
        transcript.target,
        transcript.source,
        transcript.provenance,
        len(read.readings),
        len(transcript.unused),
        transcript.skipped,
        dict(transcript.ignored),
        tuple(dict.fromkeys(model for model in models if isinstance(model, str))),
        tuple(replace(facts(read, turn), content=None, tool_calls=()) for turn in read.turns),
    )
