"""Strict JSON reading and compact writing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.types import Json
from harness.wire import (
    MAX_DEPTH,
    Document,
    compact,
    compact_bytes,
    read_json,
    type_name,
)

from .values import JSON


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":[1,2.5,null,true]}', {"a": [1, 2.5, None, True]}),
        ('"你好"'.encode(), "你好"),
        (b" [] \r\n", []),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_strict_json_is_read(body: bytes, value: Json) -> None:
    """The document has a value and no problem."""
    assert read_json(body) == Document(value=value)


@pytest.mark.parametrize(
    ("body", "problem", "offset"),
    [
        (b"", "invalid JSON (Expecting value)", 0),
        (b'{"a": NaN}', "NaN is not JSON", 0),
        (b"[-Infinity]", "-Infinity is not JSON", 0),
        (b"[Infinity]", "Infinity is not JSON", 0),
        (b'{"a":1,"b":2,"a":1}', "duplicate key 'a' in one object", 0),
        (b'{"x":{"a":1,"b":1,"b":2}}', "duplicate key 'b' in one object", 0),
        (b'{"a":\xff}', "not UTF-8: invalid start byte", 5),
        ('{"你":"'.encode() + b"\xe4\xbd", "not UTF-8: unexpected end of data", 8),
        ('{"你好": 1x}'.encode(), "invalid JSON (Expecting ',' delimiter)", 12),
        (b"{} {}", "invalid JSON (Extra data)", 3),
        (b"\xef\xbb\xbf{}", "invalid JSON (Unexpected UTF-8 BOM (decode using utf-8-sig))", 0),
        (b'"a\nb"', "invalid JSON (Invalid control character at)", 2),
        (b"[" * 100_000, "nested too deep", 0),
        (b"[" * 300 + b"]" * 300, f"nested deeper than {MAX_DEPTH}", 0),
    ],
)
def test_invalid_json_is_a_problem_with_its_offset(body: bytes, problem: str, offset: int) -> None:
    """The document has the problem and its byte offset."""
    assert read_json(body) == Document(problem=problem, offset=offset)


def test_depth_is_bounded_exactly() -> None:
    """MAX_DEPTH levels are read, and one more is refused."""
    assert not read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).problem
    assert read_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)).problem


@pytest.mark.parametrize("before", [b'"[{"', b"[]", b"{}"], ids=["text", "arrays", "objects"])
def test_nesting_is_limited_in_long_texts_too(before: bytes) -> None:
    """Brackets in texts do not count there, nor those beside the nested ones."""
    long = b'"' + b"x" * 2**17 + b'"'
    many = b",".join([before] * 2 * MAX_DEPTH)
    for depth, is_refused in ((MAX_DEPTH - 1, False), (MAX_DEPTH, True)):
        inner = b"[" * depth + b"]" * depth
        assert bool(read_json(b"[" + long + b"," + inner + b"]").problem) == is_refused
        assert (
            bool(read_json(b"[" + many + b"," + long + b"," + inner + b"]").problem) == is_refused
        )


def test_a_number_too_long_for_python_is_a_problem() -> None:
    """Python's limit on digits is a problem, not an exception."""
    assert read_json(b"9" * 5000).problem.startswith("Exceeds the limit")


def test_a_duplicate_key_is_found_in_linear_time() -> None:
    """One duplicate among 30,000 keys is found long before a quadratic search would end."""
    keys = ",".join(f'"{i}":0' for i in range(30_000))
    began = time.perf_counter()
    assert read_json(f'{{{keys},"29999":1}}'.encode()).problem
    assert time.perf_counter() - began < 60


@given(st.binary() | st.text().map(str.encode))
def test_reading_json_never_raises(body: bytes) -> None:
    """For any bytes; the offset is within them."""
    assert 0 <= read_json(body).offset <= len(body)


@given(JSON)
def test_written_json_is_read_back(value: Json) -> None:
    """What `compact_bytes` writes, `read_json` reads."""
    assert read_json(compact_bytes(value)) == Document(value=value)


def test_compact_json_has_no_spaces_and_keeps_chinese() -> None:
    """As the services write it; keys are sorted on request only."""
    value: Json = {"b": [1, "你"], "a": None}
    assert compact(value) == '{"b":[1,"你"],"a":null}'
    assert compact(value, sort_keys=True) == '{"a":null,"b":[1,"你"]}'
    with pytest.raises(ValueError, match="Out of range"):
        compact(float("nan"), allow_nan=False)


def test_a_lone_surrogate_is_escaped() -> None:
    """UTF-8 cannot hold it, and JSON can."""
    assert compact_bytes({"你": "\ud83d"}) == b'{"\\u4f60":"\\ud83d"}'


def test_a_boolean_is_no_integer() -> None:
    """Types are named as in JSON Schema; other types by their Python name."""
    values: tuple[object, ...] = (None, True, 1, 1.0, "", [], {}, b"")
    names = [type_name(value) for value in values]
    expected = ["null", "boolean", "integer", "number", "string", "array", "object", "bytes"]
    assert names == expected
