"""Bytes, read: strict JSON, server-sent events, JSON pointers and shapes."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.types import LooseJson
from harness.wire import (
    MAX_DEPTH,
    MISSING,
    Document,
    Event,
    Stream,
    at,
    escape,
    find,
    read_events,
    read_json,
    shape,
    type_name,
    walk,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "\\ud" not in json.dumps(value))

# ------------------------------------------------------------------------------------ JSON


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":[1,2.5,null,true]}', {"a": [1, 2.5, None, True]}),
        ('"你好"'.encode(), "你好"),
        (b" [] \r\n", []),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_json_is_read(body: bytes, value: LooseJson) -> None:
    """A value, and no problem."""
    assert read_json(body) == Document(value=value)


@pytest.mark.parametrize(
    ("body", "problem", "offset"),
    [
        (b"", "invalid JSON (Expecting value)", 0),
        (b'{"a": NaN}', "NaN is not JSON", 0),
        (b"[-Infinity]", "-Infinity is not JSON", 0),
        (b"[Infinity]", "Infinity is not JSON", 0),
        (b'{"a":1,"b":2,"a":1}', "the key 'a' stands twice in one object", 0),
        (b'{"x":{"b":1,"b":2}}', "the key 'b' stands twice in one object", 0),
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
def test_what_is_not_json_is_told_with_its_place(body: bytes, problem: str, offset: int) -> None:
    """The problem in words, and where it begins in bytes."""
    assert read_json(body) == Document(problem=problem, offset=offset)


def test_depth_is_bounded_exactly() -> None:
    """So many levels are read, and one more is not."""
    assert not read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).problem
    assert read_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)).problem


def test_a_number_too_long_for_python_is_a_problem() -> None:
    """Python refuses to read it; that is data, not an exception."""
    assert read_json(b"9" * 5000).problem.startswith("Exceeds the limit")


def test_a_key_twice_is_found_at_once_among_many() -> None:
    """Looking for it does not take the square of their number."""
    keys = ",".join(f'"{i}":0' for i in range(30_000))
    began = time.perf_counter()
    assert read_json(f'{{{keys},"29999":1}}'.encode()).problem
    assert time.perf_counter() - began < 2


@given(st.binary() | st.text().map(str.encode))
def test_reading_json_never_raises(body: bytes) -> None:
    """Any bytes at all; a place is inside of them."""
    assert 0 <= read_json(body).offset <= len(body)


@given(JSON)
def test_what_json_writes_is_read(value: LooseJson) -> None:
    """Python's json and ours agree on all that is strict."""
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == Document(value=value)


# ---------------------------------------------------------------------------------- events


def test_dashscopes_stream_is_read() -> None:
    """No space after the colon, a status in a comment."""
    body = b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"a":1}\n\nid:2\ndata:x\n\n'
    assert read_events(body) == Stream(
        (
            Event(1, '{"a":1}', "result", "1", ("HTTP_STATUS/200",), offset=0, data_offset=40),
            Event(2, "x", id="2", offset=49, data_offset=59),
        )
    )


def test_zhipus_stream_is_read() -> None:
    """One space after the colon belongs to the colon, and a second to the data."""
    body = b'data: {"a":1}\n\ndata:  x\n\ndata: [DONE]\n\n'
    events = read_events(body).events
    assert [event.data for event in events] == ['{"a":1}', " x", "[DONE]"]
    assert [event.data_offset for event in events] == [6, 21, 31]
    assert events[0].json == Document(value={"a": 1})


def test_several_data_lines_are_one_text() -> None:
    """Joined by a line feed; a field without a colon is empty."""
    (event,) = read_events(b"data: a\ndata\ndata:b\n\n").events
    assert (event.data, event.data_offset) == ("a\n\nb", 6)


def test_an_empty_first_data_line_keeps_its_place() -> None:
    """The value of a line without a colon begins where the line ends."""
    (event,) = read_events(b"data\ndata: b\n\n").events
    assert (event.data, event.data_offset) == ("\nb", 4)


def test_a_byte_order_mark_is_passed_over_and_counted() -> None:
    """Offsets are those of the body, mark included; a second mark is none."""
    body = b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n"
    stream = read_events(body)
    assert stream.events == (Event(1, "x", offset=3, data_offset=9),)
    assert stream.problems == ((12, "unknown field '\\ufeffdata'"),)


def test_comments_belong_to_the_event_they_stand_before() -> None:
    """Also where a blank line is between; a block of comments alone is no event."""
    stream = read_events(b": ping\n\n:ok\ndata:x\n\ndata:y\n\n:bye\n\n")
    assert [event.comments for event in stream.events] == [(" ping", "ok"), ()]
    assert [event.offset for event in stream.events] == [8, 20]
    assert not stream.problems


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b"data: x\n", [(0, "the last event is not closed by a blank line")]),
        (
            b"data: x\n\ndata: y",
            [
                (9, "the stream ends in the middle of a line"),
                (9, "the last event is not closed by a blank line"),
            ],
        ),
        (b"data: x\n\n: ke", [(9, "the stream ends in the middle of a line")]),
        (b"data: x\ndat: y\n\n", [(8, "unknown field 'dat'")]),
        (b"data: \xff\xfe\n\n", [(6, "a line is not UTF-8")]),
    ],
)
def test_deviations_are_told_with_their_place(body: bytes, problems: list[tuple[int, str]]) -> None:
    """What a client would pass over in silence."""
    assert list(read_events(body).problems) == problems


def test_an_event_that_was_never_closed_says_so() -> None:
    """It is kept, but is not complete."""
    assert [e.complete for e in read_events(b"data: x\n\ndata: y\n").events] == [True, False]


NASTY = st.sampled_from(["\n", "\r", "\r\n", ":", " ", "data", "id", "event", "\ufeff", "\0", "你"])
STREAMS = st.lists(NASTY | st.text(max_size=3)).map("".join).map(str.encode) | st.binary()

LINES = st.lists(
    st.sampled_from(["", ":c", "data: x", "data:你", "id:1", "event: e", "data", "huh: 1"])
    | st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8)
)


@given(STREAMS)
def test_reading_events_never_raises(body: bytes) -> None:
    """Any bytes at all; events are numbered, their places inside the body and in order."""
    stream = read_events(body)
    assert [event.number for event in stream.events] == list(range(1, len(stream.events) + 1))
    assert all(one.offset < other.offset for one, other in pairwise(stream.events))
    assert all(0 <= offset < len(body) for offset, _ in stream.problems)


@given(LINES, st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1))
def test_the_kind_of_line_end_does_not_matter(lines: list[str], ends: list[str]) -> None:
    """Line feeds, carriage returns, both: the same events."""
    ends = [ends[i % len(ends)] for i in range(len(lines))]
    for i in range(1, len(lines)):  # a return and a feed around an empty line would be one end
        if not lines[i] and ends[i - 1] == "\r" and ends[i] != "\r":
            ends[i] = "\r"
    mixed = "".join(line + end for line, end in zip(lines, ends, strict=True))
    plain = "".join(line + "\n" for line in lines)
    assert _said(mixed.encode()) == _said(plain.encode())


@given(STREAMS, STREAMS)
def test_streams_can_be_joined_where_one_is_whole(one: bytes, other: bytes) -> None:
    """Reading both together is reading one after the other."""
    assume(not other.startswith(b"\xef\xbb\xbf"))  # inside a stream, a mark is no mark
    one += b"\n\ndata: |\n\n"
    assert _said(one + other) == _said(one) + _said(other)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1)))
def test_events_that_were_written_are_read(written: list[list[str]]) -> None:
    """Split into lines and joined again, the data is what it was."""
    texts = ["\n".join(part.replace("\r", "").replace("\n", "") for part in t) for t in written]
    body = "".join("".join(f"data: {line}\n" for line in text.split("\n")) + "\n" for text in texts)
    assert [event.data for event in read_events(body.encode()).events] == texts


@given(STREAMS)
def test_offsets_point_at_the_bytes_meant(body: bytes) -> None:
    """An event's offset is its first line's; its data's offset is its first data value's."""
    for event in read_events(body).events:
        first = re.split(rb"[\r\n]", body[event.offset :], maxsplit=1)[0]
        assert first
        assert event.offset in (0, 3) or body[event.offset - 1 : event.offset] in (b"\r", b"\n")
        if event.data_offset:
            line = event.data.split("\n")[0]
            value = re.split(rb"[\r\n]", body[event.data_offset :], maxsplit=1)[0]
            assert value.decode("utf-8", "replace") == line
            before = re.split(rb"[\r\n]", body[: event.data_offset])[-1]
            assert before.removeprefix(b"\xef\xbb\xbf") in (b"data", b"data:", b"data: ")


def _said(body: bytes) -> list[Any]:
    return [(e.data, e.event, e.id, e.comments, e.complete) for e in read_events(body).events]


# -------------------------------------------------------------------------------- pointers

RFC_6901: LooseJson = {
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
def test_pointers_lead_where_rfc_6901_says(pointer: str, value: LooseJson) -> None:
    """The examples of its section 5, and the order of unescaping."""
    assert at(RFC_6901, pointer) == value


@pytest.mark.parametrize(
    "pointer", ["/no", "/foo/2", "/foo/-", "/foo/-1", "/foo/00", "/foo/٣", "/foo/0/b", "/foo/x"]
)
def test_a_pointer_to_nothing_finds_absent(pointer: str) -> None:
    """Absent is not null, and is false."""
    assert at(RFC_6901, pointer) is MISSING
    assert not MISSING
    assert at({"a": None}, "/a") is None
    assert repr(MISSING) == "absent"


def test_a_pattern_finds_every_item() -> None:
    """`[]` is each item of an array, and nothing in anything else."""
    value = {"a": [{"b": 1}, {"c": 2}, {"b": 3}], "d": {"b": 4}}
    assert find(value, "/a/[]/b") == [("/a/0/b", 1), ("/a/2/b", 3)]
    assert find(value, "/d/[]/b") == []
    assert find(value, "/d/b") == [("/d/b", 4)]
    assert find(value, "") == [("", value)]


@given(JSON)
def test_every_place_that_is_walked_can_be_found_again(value: LooseJson) -> None:
    """A pointer that walk gives leads at to the same value; parents come first."""
    walked = list(walk(value))
    assert walked[0] == ("", value)
    assert all(at(value, pointer) is found for pointer, found in walked)
    seen = set()
    for pointer, _ in walked:
        assert not pointer or pointer.rpartition("/")[0] in seen
        seen.add(pointer)


def test_walking_is_in_reading_order() -> None:
    """Depth first, as the text is read; keys are escaped."""
    value = {"b": [1, {"x/y": 2}], "a": 3}
    assert [p for p, _ in walk(value)] == ["", "/b", "/b/0", "/b/1", "/b/1/x~1y", "/a"]
    assert escape("~/") == "~0~1"


def test_a_shape_is_paths_and_types() -> None:
    """Items of an array share one path; true is no integer."""
    value = {"a": [1, None, {"b": True}], "c": 1.0, "d": ""}
    assert shape(value) == {
        "": {"object"},
        "/a": {"array"},
        "/a/[]": {"integer", "null", "object"},
        "/a/[]/b": {"boolean"},
        "/c": {"number"},
        "/d": {"string"},
    }
    assert type_name(b"") == "bytes"


@given(JSON)
def test_a_shape_has_every_place(value: LooseJson) -> None:
    """What is walked is in the shape, with its type."""
    shaped = shape(value)
    for pointer, found in walk(value):
        paths = [p for p in shaped if _is_at(p, pointer)]
        assert any(type_name(found) in shaped[path] for path in paths)


def _is_at(path: str, pointer: str) -> bool:
    one, other = path.split("/"), pointer.split("/")
    return len(one) == len(other) and all(
        a == b or (a == "[]" and b.isdigit()) for a, b in zip(one, other, strict=True)
    )
