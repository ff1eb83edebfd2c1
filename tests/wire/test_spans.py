"""The byte spans of JSON values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import resolve, walk
from harness.wire.spans import Offsets, span

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)
STYLES = st.sampled_from(({}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}))


@settings(max_examples=60)
@given(value=VALUES, style=STYLES)
def test_every_value_has_its_span(value: Any, style: dict[str, Any]) -> None:
    """The bytes of a span, read as JSON, are the value that the pointer leads to."""
    text = json.dumps(value, **style).encode("utf-8", "surrogatepass")
    for pointer, expected in walk(value):
        result = span(text, pointer)
        assert result is not None
        assert json.loads(text[result.start : result.end]) == expected == resolve(value, pointer)
        assert Offsets(text).nearest(pointer) == result.start


@settings(max_examples=60)
@given(text=st.binary(max_size=40), pointer=st.text(alphabet="/a0~1", max_size=8))
def test_a_span_is_within_the_bytes(text: bytes, pointer: str) -> None:
    """Bytes that are not JSON raise nothing."""
    result, start = span(text, pointer), Offsets(text).nearest(pointer)
    assert start is None or 0 <= start < len(text)
    assert result is None or 0 <= result.start < result.end <= len(text)


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/x", "/a/0/0", "x"])
def test_a_missing_value_has_no_span(pointer: str) -> None:
    """Neither a key, nor an index, nor a member of a scalar."""
    assert span(b'{"a": [1, 2]}', pointer) is None or pointer == "x"


def test_the_nearest_offset_is_that_of_an_ancestor() -> None:
    """The innermost existing value; of a broken text, the beginning of its first value."""
    offsets = Offsets(b'{"a": {"b": [1, 2]}}')
    pointers = ("/a/b/7/c", "/a/b/1", "/a/b/01", "/c", "")
    assert [offsets.nearest(pointer) for pointer in pointers] == [12, 16, 12, 0, 0]
    assert [Offsets(text).nearest("/a") for text in (b"", b"]", b" x")] == [None, None, 1]


def test_escaped_keys_have_spans() -> None:
    """A slash, a tilde, a quote, and a character escaped by its number."""
    text = rb'{"a\/b": 1, "~": 2, "\u4e2d": 3, "\"": {"x": 4}}'
    result = [span(text, pointer) for pointer in ("/a~1b", "/~0", "/中", '/"/x')]
    assert [text[s.start : s.end] for s in result if s] == [b"1", b"2", b"3", b"4"]
