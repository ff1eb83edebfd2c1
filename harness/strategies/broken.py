"""Answers with one thing wrong: what is valid, changed by one mutation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.transcript import analyze, transcript_of
from harness.faults.breaks import MUTATORS, Mutator
from harness.providers import endpoints
from harness.rules import RULES
from harness.rules.rule import Scope
from harness.types import Cassette, Exchange, Transcript

_RULES = {rule.name: rule for rule in RULES}

_ON_THE_WIRE = tuple(m for m in MUTATORS if _RULES[m.breaks].scope is not Scope.SDK)

_STRIDE = 997
"""A prime: steps of it come by every mutation, and neighbours, which are alike, lie far apart."""


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
    """Valid exchanges, broken: by the mutation that was drawn, or another one where none applies.

    Nothing is thrown away: some mutation applies to anything that is valid.
    """
    exchanges = draw(valid)
    count = len(_ON_THE_WIRE)
    start = draw(st.sampled_from(range(count)))
    order = ((start + number * _STRIDE) % count for number in range(count))
    return next(_broken(exchanges, (_ON_THE_WIRE[place] for place in order)))


def _broken(exchanges: tuple[Exchange, ...], mutators: Iterator[Mutator]) -> Iterator[Mutant]:
    told = transcript_of(Cassette(exchanges), endpoints.recognise)
    for mutator in mutators:
        mutated = mutator.mutate(told)
        changed = tuple(mutated.exchanges()) if mutated else exchanges
        answers = [
            new
            for old, new in zip(exchanges, changed, strict=False)
            if old.response != new.response
        ]
        if mutated and answers and _notices(mutator.breaks, mutated):
            yield Mutant(mutator.breaks, mutator.name, mutator.text, changed, answers[0])


def _notices(rule: str, mutated: Transcript) -> bool:
    """Whether the rule finds what was done: a change may come to nothing, if very seldom."""
    return any(_RULES[rule].findings(analyze(mutated, endpoints.recognise)))
