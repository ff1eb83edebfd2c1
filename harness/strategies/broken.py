"""Answers with one thing wrong: valid exchanges into which a fault is injected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.fault import TranscriptFault
from harness.analysis.transcript import analyze, transcript_of
from harness.faults.registry import RULE_FAULTS, injected
from harness.providers import endpoints
from harness.providers.rules import RULES
from harness.rules.rule import Scope
from harness.types import Cassette, Exchange, Transcript

_RULES = {rule.name: rule for rule in RULES}

_IN_EXCHANGES = tuple(
    fault
    for fault in RULE_FAULTS
    if fault.breaks_rule in _RULES and _RULES[fault.breaks_rule].scope is not Scope.SDK
)

_STRIDE = 997
"""A prime: steps of it come by every fault, and neighbours, which are alike, lie far apart."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """Exchanges of which one has an answer that breaks the rule `breaks`; `text` says how.

    Other rules may be broken by it too. `exchange` is the one whose answer was changed.
    """

    breaks: str
    mutation: str
    text: str
    exchanges: tuple[Exchange, ...]
    exchange: Exchange


@st.composite
def mutants(draw: st.DrawFn, valid: SearchStrategy[tuple[Exchange, ...]]) -> Mutant:
    """Draw valid exchanges and inject a fault: the one that is drawn, or else the next possible.

    Nothing is rejected: some fault can be injected into all that is valid.
    """
    exchanges = draw(valid)
    count = len(_IN_EXCHANGES)
    start = draw(st.sampled_from(range(count)))
    order = ((start + number * _STRIDE) % count for number in range(count))
    return next(_injected(exchanges, (_IN_EXCHANGES[place] for place in order)))


def _injected(
    exchanges: tuple[Exchange, ...], faults: Iterator[TranscriptFault]
) -> Iterator[Mutant]:
    valid = analyze(transcript_of(Cassette(exchanges), endpoints.recognise), endpoints.recognise)
    for fault in faults:
        for transcript in injected(fault, valid):
            changed = tuple(transcript.exchanges())
            pairs = zip(exchanges, changed, strict=False)
            answers = [new for old, new in pairs if old.response != new.response]
            if answers and _is_found(fault, transcript):
                yield Mutant(
                    fault.breaks_rule or "", fault.name, fault.description, changed, answers[0]
                )


def _is_found(fault: TranscriptFault, transcript: Transcript) -> bool:
    """Return whether the rule finds the fault: very seldom a change comes to nothing."""
    rule = _RULES[fault.breaks_rule or ""]
    return any(rule.findings(analyze(transcript, endpoints.recognise)))
