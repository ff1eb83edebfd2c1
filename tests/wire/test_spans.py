"""A JSON pointer is found in the bytes, wherever they have their spaces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.types import LooseJson
from harness.wire import resolve, walk
from harness.wire.spans import nearest_span, span

VALUES: st.SearchStrategy[LooseJson] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)
STYLES = st.sampled_from(({}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}))


@settings(max_examples=150, deadline=None)
@given(value=VALUES, style=STYLES)
def test_every_value_is_found_where_it_stands(
    value: LooseJson, style: dict[str, LooseJson]
) -> None:
    """The bytes of a span, read as JSON, are the value that the pointer leads to."""
    text = json.dumps(value, **style).encode("utf-8", "surrogatepass")
    for pointer, expected in walk(value):
        found = span(text, pointer)
        assert found is not None
        assert json.loads(text[found.start : found.end]) == expected == resolve(value, pointer)


@settings(max_examples=150, deadline=None)
@given(text=st.binary(max_size=40), pointer=st.text(alphabet="/a0~1", max_size=8))
def test_any_bytes_give_a_span_within_them_or_none(text: bytes, pointer: str) -> None:
    """What is no JSON is no error."""
    found = span(text, pointer)
    assert found is None or 0 <= found.start < found.end <= len(text)


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/x", "/a/0/0", "x"])
def test_what_is_not_there_is_not_found(pointer: str) -> None:
    """Neither a key nor a number nor anything below a plain value."""
    assert span(b'{"a": [1, 2]}', pointer) is None or pointer == "x"


def test_what_is_missing_is_where_it_should_be_held() -> None:
    """The innermost value that is there."""
    text = b'{"a": {"b": [1, 2]}}'
    found = nearest_span(text, "/a/b/7/c")
    assert found is not None
    assert text[found.start : found.end] == b"[1, 2]"
    assert nearest_span(b"", "/a") is None


def test_keys_that_are_written_with_signs_are_found() -> None:
    """A slash, a tilde and a letter written as its number."""
    text = rb'{"a\/b": 1, "~": 2, "\u4e2d": 3, "\"": {"x": 4}}'
    found = [span(text, pointer) for pointer in ("/a~1b", "/~0", "/中", '/"/x')]
    assert [text[s.start : s.end] for s in found if s] == [b"1", b"2", b"3", b"4"]
