"""The difference between two JSON values."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.difference import (
    MAX_CHANGES,
    Change,
    ChangeKind,
    _identical,
    compare_by_position,
    compare_json,
    leaves,
    similarity,
)
from harness.types import Json
from harness.wire import MISSING


def summary(left: Json, right: Json) -> list[tuple[str, str, object, object]]:
    """Return the changes as (kind, pointer, before, after)."""
    changes = compare_json(left, right).changes
    return [(change.kind.value, change.pointer, change.before, change.after) for change in changes]


def test_changes_are_sorted_by_pointer() -> None:
    """Every kind of change has its name; the order of keys does not matter."""
    left: Json = {"d": 1, "b": "1", "a": 1, "e": None, "f": 2, "x": {"p": 1, "q": 2}}
    right: Json = {"x": {"q": 2, "p": 1}, "c": 1, "b": 1, "a": 2, "e": 1, "f": None}
    assert summary(left, right) == [
        ("value", "/a", 1, 2),
        ("retyped", "/b", "1", 1),
        ("added", "/c", MISSING, 1),
        ("removed", "/d", 1, MISSING),
        ("no longer null", "/e", None, 1),
        ("newly null", "/f", 2, None),
    ]


def test_types_count() -> None:
    """1, 1.0 and true are three values, also within equal containers and as items."""
    assert summary({"a": [1]}, {"a": [True]}) == [("retyped", "/a/0", 1, True)]
    assert summary([1.0, 2.0], [1, 2.0]) == [("retyped", "/0", 1.0, 1)]


def test_a_missing_subtree_is_one_change() -> None:
    """What only one side has is not listed leaf by leaf."""
    subtree: Json = {"in": 1, "out": [2, 3]}
    assert summary({"usage": subtree}, {}) == [("removed", "/usage", subtree, MISSING)]


def test_paths_share_a_step_for_items() -> None:
    """The pointer has the position of an item, the path does not."""
    assert compare_json({"a/b": [{"c": 1}]}, {"a/b": [{"c": 2}]}).changes == (
        Change(ChangeKind.VALUE, "/a~1b/[]/c", "/a~1b/0/c", 1, 2),
    )


def item(number: int, **members: Json) -> Json:
    """Return an object as answers list them."""
    return {"id": number, "name": f"n{number}", "more": {"of": [number]}, **members}


@pytest.mark.parametrize("count", [3, 500])
def test_an_inserted_item_is_one_change(count: int) -> None:
    """Later items are compared with those they were, in short lists and in long ones."""
    items = [item(n) for n in range(count)]
    left, right = [*items], [items[0], "new", *items[1:]]
    assert summary(left, right) == [("added", "/1", MISSING, "new")]
    assert summary(right, left) == [("removed", "/1", "new", MISSING)]


@pytest.mark.parametrize("count", [3, 500])
def test_an_insertion_does_not_hide_another_change(count: int) -> None:
    """An item that changed, too, is paired with the one it was."""
    items = [item(n) for n in range(count)]
    changed = [items[0], "new", item(1, name="changed"), *items[2:]]
    assert sorted(summary(items, changed))[-1] == ("value", "/1/name", "n1", "changed") or (
        count == 500
    )
    assert len(summary(items, changed)) <= 2 + (count == 500)


def test_two_insertions_far_apart_are_two_changes() -> None:
    """Items between two insertions in a long list are equal, and the list is reported."""
    items = [item(n) for n in range(500)]
    result = compare_json({"x": items}, {"x": [*items[:9], "a", *items[9:400], "b", *items[400:]]})
    assert [(change.kind, change.pointer) for change in result.changes] == [
        (ChangeKind.ADDED, "/x/401"),
        (ChangeKind.ADDED, "/x/9"),
    ]
    assert result.by_position == ("/x",)


def test_similar_items_are_paired() -> None:
    """Where every item changed and one was inserted, each is paired with the most similar one."""
    left = [item(n) for n in range(3)]
    right: list[Json] = [{"other": True}, *(item(n, name=f"m{n}") for n in range(3))]
    assert summary(left, right) == [
        ("added", "/0", MISSING, {"other": True}),
        ("value", "/0/name", "n0", "m0"),
        ("value", "/1/name", "n1", "m1"),
        ("value", "/2/name", "n2", "m2"),
    ]


def test_another_order_is_a_change_of_the_list() -> None:
    """The same items in another order are one change, and not one for each item."""
    assert summary({"x": ["a", "b", "c"]}, {"x": ["c", "a", "b"]}) == [
        ("reordered", "/x", ["a", "b", "c"], ["c", "a", "b"])
    ]


def test_numbers_are_compared_by_position() -> None:
    """Vectors of the same length are compared number by number."""
    assert summary([0.1, 0.2, 0.3], [0.3, 0.2, 0.1]) == [
        ("value", "/0", 0.1, 0.3),
        ("value", "/2", 0.3, 0.1),
    ]


def test_items_can_all_be_paired_by_position() -> None:
    """Moved items differ at their places; a list with another number of items is one change."""
    changes = compare_by_position({"a": [1, 2], "b": ["x"]}, {"a": [2, 1], "b": ["x", "y"]})
    assert sorted((change.pointer, change.before, change.after) for change in changes) == [
        ("/a/0", 1, 2),
        ("/a/1", 2, 1),
        ("/b", ["x"], ["x", "y"]),
    ]
    assert [*compare_by_position(MISSING, 1)] == [Change(ChangeKind.ADDED, after=1)]


def test_changes_beyond_the_limit_are_counted() -> None:
    """The first ones are listed."""
    left: Json = {f"{n:06}": 1 for n in range(MAX_CHANGES + 10)}
    right: Json = {f"{n:06}": 2 for n in range(MAX_CHANGES + 10)}
    result = compare_json(left, right)
    assert (len(result.changes), result.unlisted) == (MAX_CHANGES, 10)


LETTERS = "ab_~/[]0北京\n\0\ud800"  # what paths are made of, and half a character
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from([0.0, 1.0, 2.5])
    | st.text(LETTERS, max_size=3)
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(LETTERS, max_size=2), inner)
    ),
    max_leaves=20,
)
OPPOSITES = {
    ChangeKind.ADDED: ChangeKind.REMOVED,
    ChangeKind.REMOVED: ChangeKind.ADDED,
    ChangeKind.NEWLY_NULL: ChangeKind.NO_LONGER_NULL,
    ChangeKind.NO_LONGER_NULL: ChangeKind.NEWLY_NULL,
}


@pytest.mark.slow
@given(VALUES, VALUES)
@settings(max_examples=100)
def test_no_change_means_the_same_json(left: Json, right: Json) -> None:
    """Two values have a change exactly where they are different JSON."""
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert same == (not compare_json(left, right).changes)


@pytest.mark.slow
@given(VALUES, VALUES)
@settings(max_examples=100)
def test_swapped_sides_give_the_opposite_changes(left: Json, right: Json) -> None:
    """Only the positions of list items depend on the side."""
    there, back = compare_json(left, right).changes, compare_json(right, left).changes
    assert sorted(repr((c.kind, c.path, c.before, c.after)) for c in there) == sorted(
        repr((OPPOSITES.get(c.kind, c.kind), c.path, c.after, c.before)) for c in back
    )


def test_leaves_have_pointer_and_path() -> None:
    """Scalars are leaves, and empty lists and objects."""
    assert list(leaves({"a/b": [1, {}], "c": {"d": None}})) == [
        ("/a~1b/0", "/a~1b/[]", 1),
        ("/a~1b/1", "/a~1b/[]", {}),
        ("/c/d", "/c/d", None),
    ]


def test_similarity_reaches_one_only_for_equal_texts() -> None:
    """Texts without a common pair of characters reach 0."""
    assert similarity("同", "同") == 1.0
    assert similarity("", "") == 1.0
    assert similarity("abc", "xyz") == 0.0
    assert similarity("", "abc") == 0.0
    assert similarity("abcabab", "ababcab") < 1.0
    assert 0.5 < similarity("今天天气很好", "今天天气不好") < 0.9


@given(st.text(LETTERS), st.text(LETTERS))
def test_similarity_is_symmetric_and_bounded(left: str, right: str) -> None:
    """It does not depend on the order of two texts; only equal texts reach 1."""
    assert similarity(left, right) == similarity(right, left)
    assert 0 <= similarity(left, right) <= 1
    assert (similarity(left, right) == 1) == (left == right)


@given(*[st.text("ab", max_size=8)] * 4)
def test_similarity_is_the_share_of_common_pairs(
    start: str, left: str, right: str, end: str
) -> None:
    """Also of texts that begin and end alike, of which only the middle is looked at."""
    first, second = start + left + end, start + right + end
    pairs = [Counter(pairwise(["", *text, ""])) for text in (first, second)]
    shared = (pairs[0] & pairs[1]).total()
    share = round(2 * shared / (len(first) + len(second) + 2), 3)
    assert similarity(first, second) == (1 if first == second else min(0.999, share))


SCALARS = st.sampled_from([None, True, False, 0, 1, 0.0, -0.0, 1.0, "", "a"])
SMALL = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(SMALL, SMALL)
@settings(max_examples=500)
def test_values_are_identical_if_they_are_written_alike(left: Json, right: Json) -> None:
    """Types, the sign of zero and the order of keys count, as in the text of the values."""
    assert _identical(left, right) == (left == right and repr(left) == repr(right))


def test_a_long_text_is_compared_without_a_copy() -> None:
    """Its text as Python writes it would take a multiple of its memory."""
    long = "a" * 2**22
    left: Json = {"text": long + "b", "number": 1}
    right: Json = {"text": long + "b", "number": 1}
    tracemalloc.start()
    try:
        assert _identical(left, right)
        assert tracemalloc.get_traced_memory()[1] < 2**16
    finally:
        tracemalloc.stop()
