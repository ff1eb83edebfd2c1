"""A strategy for valid exchanges with one injected fault."""

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

_WIRE_FAULTS = tuple(
    fault
    for fault in RULE_FAULTS
    if fault.breaks_rule in _RULES and _RULES[fault.breaks_rule].scope is not Scope.SDK
)

_STRIDE = 997
"""The step between two faults that are tried; a prime, so that every fault is tried once.

It is large because adjacent faults are similar.
"""


@dataclass(frozen=True, slots=True)
class BrokenExchanges:
    """Exchanges in which one answer has a fault.

    Attributes:
        rule: The name of the rule that the answer violates; it may violate others too.
        fault: The name of the fault.
        description: The change that the fault makes, in one sentence.
        exchanges: All exchanges, including the faulty one.
        exchange: The exchange with the faulty answer.
    """

    rule: str
    fault: str
    description: str
    exchanges: tuple[Exchange, ...]
    exchange: Exchange


@st.composite
def broken_exchanges(
    draw: st.DrawFn, valid: SearchStrategy[tuple[Exchange, ...]]
) -> BrokenExchanges:
    """Generate exchanges with one fault, from the strategy *valid*.

    If the drawn fault cannot be injected, the next one is tried. At least one of them can be
    injected into any valid exchanges, so no example is rejected.
    """
    exchanges = draw(valid)
    count = len(_WIRE_FAULTS)
    start = draw(st.sampled_from(range(count)))
    order = ((start + number * _STRIDE) % count for number in range(count))
    return next(_injected(exchanges, (_WIRE_FAULTS[index] for index in order)))


def _injected(
    exchanges: tuple[Exchange, ...], faults: Iterator[TranscriptFault]
) -> Iterator[BrokenExchanges]:
    valid = analyze(transcript_of(Cassette(exchanges), endpoints.recognise), endpoints.recognise)
    for fault in faults:
        rule = fault.breaks_rule or ""
        for transcript in injected(fault, valid):
            changed = tuple(transcript.exchanges())
            pairs = zip(exchanges, changed, strict=False)
            faulty = next((new for old, new in pairs if old.response != new.response), None)
            if faulty and _is_violated(rule, transcript):
                yield BrokenExchanges(rule, fault.name, fault.description, changed, faulty)


def _is_violated(rule: str, transcript: Transcript) -> bool:
    """Return whether *rule* has findings in *transcript*; rarely, a fault has no effect."""
    return any(_RULES[rule].findings(analyze(transcript, endpoints.recognise)))
