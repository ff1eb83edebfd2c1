"""Laws of learning: the order of recordings does not matter, and nobody breaks what they taught."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.recorded import FOLDERS, contract_of, exchanges, halves, learn
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.contracts.clause import clause_tree, schema
from harness.contracts.contract import Contract, merge
from harness.contracts.files import dumps, loads
from harness.contracts.judge import Judge
from harness.providers.endpoints import recognise
from harness.types import Exchange, Request, Response, Transcript, Turn

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["stop", "length", "12345678", "你好", "", "2025-01-01T00:00:00Z"])
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "yes", "编号", "k-12345"]), inner, max_size=3)
    ),
    max_leaves=8,
)
MODELS = st.sampled_from(["alpha", "beta-2025-01-01", "gamma", None, 7])


def recording(bodies: Sequence[tuple[Any, Any]]) -> AnalyzedTranscript:
    """One that asks a model and is answered with a body, for each of these pairs."""
    url = "https://api.example/api/paas/v4/chat/completions"
    kind = (("content-type", "application/json"),)
    answered = [
        Exchange(
            Request("POST", url, body=json.dumps({"model": model}).encode()),
            Response(200, headers=kind, body=json.dumps({"choices": body}).encode()),
        )
        for model, body in bodies
    ]
    turns = tuple(Turn(n, (exchange,)) for n, exchange in enumerate(answered, start=1))
    return analyze(Transcript("s", "t", turns), recognise)


RECORDINGS = st.lists(st.lists(st.tuples(MODELS, JSON), min_size=1, max_size=4), max_size=4)


def named(
    recordings: Sequence[Sequence[tuple[Any, Any]]], name: str
) -> list[tuple[str, AnalyzedTranscript]]:
    """Recordings with names of their own."""
    return [(f"{name}{n}.yaml", recording(bodies)) for n, bodies in enumerate(recordings)]


@settings(max_examples=20)
@given(RECORDINGS, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(recordings: list[list[tuple[Any, Any]]], order: Random) -> None:
    """Nor does it matter how often a recording is given."""
    values = named(recordings, "r")
    mixed = values + values[:1]
    order.shuffle(mixed)
    assert learn(mixed) == learn(values)
    assert dumps(learn(mixed)) == dumps(learn(values))


@settings(max_examples=20)
@given(RECORDINGS)
def test_nobody_breaks_what_they_taught(
    recordings: list[list[tuple[Any, Any]]],
) -> None:
    """A contract accepts all that it was learnt from, and so does every schema in it."""
    values = named(recordings, "r")
    contract = learn(values)
    judge = Judge(contract)
    assert [finding for _, one in values for finding in judge.check(one)] == []
    for section, node in contract.sections.items():
        made = {family: schema(clause_tree(section, node), family) for family in node.counts}
        for told_schema in made.values():
            Draft202012Validator.check_schema(told_schema)


@pytest.mark.slow
@settings(max_examples=20)
@given(RECORDINGS, RECORDINGS)
def test_learning_adds_up(
    first: list[list[tuple[Any, Any]]], second: list[list[tuple[Any, Any]]]
) -> None:
    """What both teach together is what they teach one after the other, in memory and by file."""
    ours, theirs = named(first, "a"), named(second, "b")
    together = learn([*ours, *theirs])
    assert learn(theirs, learn(ours)) == together
    assert dumps(learn(theirs, loads(dumps(learn(ours))))) == dumps(together)


@pytest.mark.slow
@settings(max_examples=20)
@given(RECORDINGS)
def test_a_file_holds_the_contract(recordings: list[list[tuple[Any, Any]]]) -> None:
    """What is read back is written the same."""
    text = dumps(learn(named(recordings, "r")))
    assert dumps(loads(text)) == text


@pytest.mark.slow
def test_real_halves_add_up() -> None:
    """The same for recordings of services, or the shipped ones."""
    ours, theirs = halves(FOLDERS[-1], 3, by="exchange")
    every = exchanges(FOLDERS[-1])
    assert merge(contract_of(ours), contract_of(theirs)) == contract_of(every)
    assert contract_of(every[::-1]) == contract_of(every)


def test_no_recordings_teach_nothing() -> None:
    """And that is a contract too, which can be read back."""
    assert loads(dumps(Contract())) == Contract()
