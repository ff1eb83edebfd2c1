"""Strategies for exchanges that are valid but for one injected fault."""

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
"""A prime: such steps reach every fault, and neighbours, which are similar, lie far apart."""


@dataclass(frozen=True, slots=True)
class BrokenExchanges:
    """Exchanges of which one has a faulty answer.

    Attributes:
        rule: The rule that the answer violates; it may violate others too.
        fault: The name of the fault.
        description: What the fault changes.
        exchanges: All exchanges, the faulty one included.
        exchange: The one with the faulty answer.
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
    """Generate valid exchanges with a fault: the one that is drawn, or the next that applies.

    No example is rejected, since some fault applies to any valid exchanges.
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
    """Return whether the rule has findings: a fault may, rarely, have no effect."""
    return any(_RULES[rule].findings(analyze(transcript, endpoints.recognise)))
