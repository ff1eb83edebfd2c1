"""JSON pointers."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.types import Json
from harness.wire import (
    MISSING,
    escape,
    query,
    resolve,
    tokens,
    walk,
)
from harness.wire.pointer import Patterns

from .values import JSON

RFC_6901: Json = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
    "~1": 9,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC_6901),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/~01", 9),
    ],
)
def test_pointers_resolve_as_in_rfc_6901(pointer: str, value: Json) -> None:
    """The examples of section 5 resolve; `~1` is unescaped before `~0`."""
    assert resolve(RFC_6901, pointer) == value
    assert query(RFC_6901, pointer) == [(pointer, value)]


def test_tokens_are_unescaped_in_order() -> None:
    """`~01` is a tilde and a 1; the leading slash may be left out."""
    assert tokens("/~01/a~1b/m~0n/[]") == ("~1", "a/b", "m~n", "[]")
    assert tokens("") == ()
    assert tokens("a/b") == ("a", "b")


@given(st.lists(st.text(), min_size=1))
def test_escaping_is_undone(keys: list[str]) -> None:
    """The tokens of escaped keys are the keys."""
    assert tokens("".join(f"/{escape(key)}" for key in keys)) == tuple(keys)


@pytest.mark.parametrize(
    "pointer", ["/no", "/foo/2", "/foo/-", "/foo/-1", "/foo/00", "/foo/٣", "/foo/0/b", "/foo/x"]
)
def test_a_pointer_to_nothing_resolves_to_missing(pointer: str) -> None:
    """MISSING is not null, and is false."""
    assert resolve(RFC_6901, pointer) is MISSING
    assert not MISSING
    assert resolve({"a": None}, "/a") is None
    assert repr(MISSING) == "absent"


def test_a_copy_of_missing_is_missing() -> None:
    """Results that come from another process are compared by identity."""
    assert pickle.loads(pickle.dumps([MISSING]))[0] is MISSING  # noqa: S301 - own bytes


def test_a_pattern_matches_every_item() -> None:
    """`[]` stands for each item of an array, and for nothing in other values."""
    value: Json = {"a": [{"b": 1}, {"c": 2}, {"b": 3}], "d": {"b": 4}}
    assert query(value, "/a/[]/b") == [("/a/0/b", 1), ("/a/2/b", 3)]
    assert query(value, "/d/[]/b") == []
    assert query(value, "/d/b") == [("/d/b", 4)]
    assert query(value, "") == [("", value)]


@given(JSON)
def test_every_walked_pointer_resolves(value: Json) -> None:
    """A pointer from `walk` resolves to the same value; parents come first."""
    walked = list(walk(value))
    assert walked[0] == ("", value)
    assert all(resolve(value, pointer) is node for pointer, node in walked)
    seen = set()
    for pointer, _ in walked:
        assert not pointer or pointer.rpartition("/")[0] in seen
        seen.add(pointer)


def test_walk_is_in_reading_order() -> None:
    """Depth first, in the order of the text; keys are escaped."""
    value: Json = {"b": [1, {"x/y": 2}], "a": 3}
    assert [p for p, _ in walk(value)] == ["", "/b", "/b/0", "/b/1", "/b/1/x~1y", "/a"]
    assert escape("~/") == "~0~1"


_KEYS = st.sampled_from(["a", "b", "0", "1", "[]", "c/d"])
_NESTED = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
)
_PATTERNS = st.lists(_KEYS.map(lambda key: "[]" if key == "[]" else escape(key)), max_size=4)


@given(_NESTED, st.lists(_PATTERNS.map(lambda keys: "".join(f"/{key}" for key in keys))))
def test_several_patterns_find_what_each_finds_first(value: Json, patterns: list[str]) -> None:
    """A walk for several patterns finds the first value of each that is not null."""
    found = {p: [item for _, item in query(value, p) if item is not None] for p in patterns}
    first = {pattern: items[0] for pattern, items in found.items() if items}
    assert Patterns(patterns).found_in(value) == first


@example({"a": [{"b": None}, {"b": 1}]}, ["/a/[]/b"])
@given(_NESTED, st.lists(_PATTERNS.map(lambda keys: "".join(f"/{key}" for key in keys))))
def test_several_patterns_find_all_that_each_finds(value: Json, patterns: list[str]) -> None:
    """A walk for several patterns finds all values of each, also nulls."""
    found = {pattern: [item for _, item in query(value, pattern)] for pattern in patterns}
    present = {pattern: items for pattern, items in found.items() if items}
    assert Patterns(patterns).all_in(value) == present


def test_a_pattern_with_an_index_finds_only_that_item() -> None:
    """The first item of an array, or the member of that name; `[]` finds any item."""
    patterns = Patterns(["/a/0", "/a/[]/b", "/a/9"])
    assert patterns.found_in({"a": [{"c": 1}, {"b": 2}]}) == {"/a/0": {"c": 1}, "/a/[]/b": 2}
    assert patterns.found_in({"a": {"0": 3}}) == {"/a/0": 3}
