"""What transcripts are called in a comparison, so that they are told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.types import Transcript
from harness.wire import resolve


def name(read: AnalyzedTranscript) -> str:
    """What a transcript is called by itself: its target, or else where it comes from."""
    told = read.transcript
    return told.target or told.source or "unknown"


def names(reads: Sequence[AnalyzedTranscript]) -> tuple[str, ...]:
    """What transcripts are called side by side: several of one target have their scenario with
    them, or the day, or the place."""
    return tuple(_name(read, [r for r in reads if name(r) == name(read)]) for read in reads)


def _name(read: AnalyzedTranscript, twins: Sequence[AnalyzedTranscript]) -> str:
    own = name(read)
    if len(twins) == 1:
        return own
    for word in _WORDS:
        words = [word(twin.transcript) for twin in twins]
        if all(words) and len(set(words)) == len(words):
            return f"{own} ({word(read.transcript)})"
    return own


_WORDS: tuple[Callable[[Transcript], str], ...] = (
    lambda told: told.scenario,
    lambda told: told.provenance.recorded_at[:10],
    lambda told: told.source,
)


def model_of(read: AnalyzedTranscript, asked: AnalyzedExchange) -> tuple[str, str]:
    """Provider and model of a transcript: of its target, or else the dialect of an exchange and the
    model that it asks for; empty where nothing says so."""
    provider, slash, model = read.transcript.target.partition("/")
    if slash:
        return provider, model.partition(" (")[0]
    named = resolve(asked.request_json.value, "/model")
    dialect = asked.endpoint.dialect if asked.endpoint else ""
    return dialect, named if isinstance(named, str) else ""
