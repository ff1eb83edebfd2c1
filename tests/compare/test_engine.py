"""Flat maps and where they part."""

from __future__ import annotations

from harness.analysis.difference import MAX_PATHS, Parting, leaves, partings, similarity
from harness.compare.types import Kind
from harness.wire import MISSING


def test_partings_come_in_the_order_of_their_paths() -> None:
    """Every kind of parting is found, in the order of the paths."""
    assert list(partings({"/d": 1, "/b": "1", "/a": 1}, {"/c": 1, "/b": 1, "/a": 2})) == [
        Parting("/a", Kind.VALUE, 1, 2),
        Parting("/b", Kind.TYPE, "1", 1),
        Parting("/c", Kind.ONLY_RIGHT, MISSING, 1),
        Parting("/d", Kind.ONLY_LEFT, 1, MISSING),
    ]


def test_long_texts_that_differ_at_the_end_differ() -> None:
    """Long texts are compared whole."""
    left, right = "字" * 10_000 + "a", "字" * 10_000 + "b"
    assert list(partings({"/x": left}, {"/x": right})) == [Parting("/x", Kind.VALUE, left, right)]


def test_partings_beyond_the_limit_are_counted() -> None:
    """What parts beyond the limit is not listed, but counted."""
    left = {f"/{i:06}": 1 for i in range(MAX_PATHS + 10)}
    right = left | {f"/{MAX_PATHS + 1:06}": -1, f"/{MAX_PATHS + 2:06}": True}
    assert list(partings(left, right)) == [Parting("", Kind.MORE, 2, 2)]


def test_leaves_have_pointer_and_path() -> None:
    """Everything that holds nothing else is a leaf, empty lists and objects too."""
    assert list(leaves({"a/b": [1, {}], "c": {"d": None}})) == [
        ("/a~1b/0", "/a~1b/[]", 1),
        ("/a~1b/1", "/a~1b/[]", {}),
        ("/c/d", "/c/d", None),
    ]


def test_similarity_reaches_one_only_for_equal_texts() -> None:
    """Equal texts are wholly alike, texts without a common pair not at all."""
    assert similarity("同", "同") == 1.0
    assert similarity("", "") == 1.0
    assert similarity("abc", "xyz") == 0.0
    assert similarity("", "abc") == 0.0
    assert similarity("abcabab", "ababcab") < 1.0
    assert 0.5 < similarity("今天天气很好", "今天天气不好") < 0.9
