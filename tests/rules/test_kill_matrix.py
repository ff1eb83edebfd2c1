"""Each rule notices what it forbids, in whatever conversation it is broken."""

from __future__ import annotations

import pytest

from harness.analysis.transcript import analyze
from harness.faults.breaks import MUTATORS
from harness.faults.breaks.examples import EXAMPLES, played, recorded
from harness.providers import endpoints
from harness.rules import RULES, check
from harness.types import Exchange, Transcript

from .kill_matrix import Matrix, examples, recordings, shipped

_SMALL = 6_000
"""Bytes of answers: longer recordings are for `make mutants`, which goes through all."""


def _size(transcript: Transcript) -> int:
    return sum(len(exchange.response.body) for exchange in transcript.exchanges())


def test_every_rule_has_a_mutation() -> None:
    """A rule that nothing breaks may never find anything."""
    assert {mutator.breaks for mutator in MUTATORS} == {rule.name for rule in RULES}
    assert len({(m.breaks, m.name) for m in MUTATORS}) == len(MUTATORS)


def test_no_mutant_survives() -> None:
    """Whatever is broken, the rule that forbids it notices; `pytest -s` prints how often."""
    matrix = Matrix()
    for transcript in examples():
        matrix.take(transcript)
    for transcript in shipped():
        matrix.take(transcript)
    for transcript in [told for told in recordings() if _size(told) < _SMALL][::6]:
        matrix.take(transcript)
    print(f"\n{matrix}")  # noqa: T201 - the matrix is for whoever asks with -s
    assert matrix.survivors == []
    assert [m.name for m in MUTATORS if not matrix.applied[m]] == []


@pytest.mark.parametrize("exchanges", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_breaks_no_rule(exchanges: tuple[Exchange, ...]) -> None:
    """What the mutations begin with is valid, on the wire and as an SDK tells it."""
    told = recorded(exchanges)
    assert check(told) == ()
    assert check(played(told)) == ()


def test_a_shipped_cassette_breaks_no_rule() -> None:
    """Replayed through the official SDKs, the shipped cassettes give no finding."""
    assert [finding for transcript in shipped() for finding in check(transcript)] == []


def test_a_mutation_changes_something_or_nothing_at_all() -> None:
    """What comes back is another conversation, or None: never the same bytes again."""
    told = recorded(EXAMPLES["dashscope image task"])
    mutants = [mutator.mutate(told) for mutator in MUTATORS]
    assert told not in mutants
    assert any(mutant is None for mutant in mutants)
    assert analyze(told, endpoints.recognise).transcript == told
