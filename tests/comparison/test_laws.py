"""What holds for any two transcripts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.difference import ChangeKind
from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import matrix
from harness.comparison.pairs import compare
from harness.comparison.types import Difference
from harness.types import Exchange

from .exchanges import exchange, transcript_of

"""Whole transcripts take a while to draw on a busy machine; that is no fault of theirs."""

LETTERS = "ab_~/[]0北京\n\0\ud800"  # what paths are made of, and half a character
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(LETTERS, max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(LETTERS, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
TEXTS = st.text(LETTERS, max_size=6)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "text": TEXTS,
        "finish": st.sampled_from(["stop", "length"]),
        "state": st.sampled_from(["WAITING", "RUNNING", "DONE", "BROKEN", "?"]),
        "tools": st.lists(st.tuples(TEXTS, TEXTS).map(list), max_size=2),
        "more": VALUES,
    },
)
BODIES = (VALUES | FIELDS).map(json.dumps).map(str.encode) | st.binary(max_size=20)
EVENTS = st.lists(FIELDS.map(json.dumps), max_size=3).map(
    lambda transcript_of: "".join(f"data: {event}\n\n" for event in transcript_of).encode()
)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """An exchange of any endpoint with any body."""
    path = draw(st.sampled_from(["/chat", "/talk", "/tasks", "/tasks/1", "/files/1", "/else"]))
    if draw(st.booleans()):
        return exchange(draw(EVENTS), path, "text/event-stream")
    return exchange(draw(BODIES), path, status=draw(st.sampled_from([200, 200, 401, 500])))


TURNS = st.lists(st.lists(exchanges(), max_size=4), max_size=3)
READS = TURNS.map(lambda turns: transcript_of(*turns))


OPPOSITES = {
    ChangeKind.ADDED: ChangeKind.REMOVED,
    ChangeKind.REMOVED: ChangeKind.ADDED,
    ChangeKind.NEWLY_NULL: ChangeKind.NO_LONGER_NULL,
    ChangeKind.NO_LONGER_NULL: ChangeKind.NEWLY_NULL,
}


def sides(difference: Difference, swapped: bool = False) -> str:
    """Return all but the positions of list items, optionally seen from the other side."""
    before, after, kind = difference.before, difference.after, difference.kind
    if swapped:
        before, after, kind = after, before, OPPOSITES.get(kind, kind)
    place = difference.turn, difference.part, difference.path, difference.layer
    return repr((*place, kind, before, after, difference.similarity))


@pytest.mark.slow
@given(TURNS)
@settings(max_examples=60)
def test_nothing_differs_from_itself(turns: list[list[Exchange]]) -> None:
    """A transcript compared with itself has no difference at all, not even a volatile one."""
    assert compare(transcript_of(*turns), transcript_of(*turns)).all_differences == ()


@pytest.mark.slow
@given(READS, READS)
@settings(max_examples=60)
def test_a_comparison_is_the_same_from_both_sides(
    left: AnalyzedTranscript, right: AnalyzedTranscript
) -> None:
    """Swapping the sides swaps every difference; positions in lists are those of the left side."""
    there = compare(left, right).all_differences
    back = compare(right, left).all_differences
    assert sorted(map(sides, there)) == sorted(sides(each, swapped=True) for each in back)


@pytest.mark.slow
@given(st.lists(READS, max_size=3))
@settings(max_examples=30)
def test_a_matrix_has_every_pair_and_never_raises(reads: list[AnalyzedTranscript]) -> None:
    """Any transcripts can be put side by side."""
    result = matrix(reads)
    assert len(result.pairs) == len(reads) * (len(reads) - 1) // 2
    assert all(len(row.types) == len(reads) for table in result.tables for row in table.rows)


def test_deep_answers_are_compared() -> None:
    """An answer as deep as may be is compared."""
    deep = b'{"a":' * 198 + b"1" + b"}" * 198
    other = b'{"a":' * 198 + b"2" + b"}" * 198
    (result,) = compare(
        transcript_of([exchange(deep)]), transcript_of([exchange(other)])
    ).all_differences
    assert (result.before, result.after) == (1, 2)
