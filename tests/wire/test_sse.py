"""Server-sent events."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.wire import (
    Document,
    Event,
    Stream,
    read_events,
    read_lines,
)


def test_a_stream_of_dashscope_is_read() -> None:
    """No space after the colon, a status in a comment."""
    body = b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"a":1}\n\nid:2\ndata:x\n\n'
    assert read_events(body) == Stream(
        (
            Event(1, '{"a":1}', "result", "1", ("HTTP_STATUS/200",), offset=0, data_offset=40),
            Event(2, "x", id="2", offset=49, data_offset=59),
        )
    )


def test_a_stream_of_zhipu_is_read() -> None:
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


def test_an_offset_in_several_data_lines_is_found_in_the_body() -> None:
    """In each line; beyond the data it is the beginning of the data."""
    body = b"data: abc\ndata: de\ndata: f\n\n"
    (event,) = read_events(body).events
    assert event.data == "abc\nde\nf"
    assert [body[event.byte(offset)] for offset in (0, 2, 4, 5, 7)] == list(b"acdef")
    assert event.byte(9) == event.data_offset


def test_an_empty_first_data_line_keeps_its_place() -> None:
    """The value of a line without a colon begins where the line ends."""
    (event,) = read_events(b"data\ndata: b\n\n").events
    assert (event.data, event.data_offset) == ("\nb", 4)


def test_a_byte_order_mark_is_skipped() -> None:
    """Offsets count it; a second one is part of a field name."""
    body = b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n"
    stream = read_events(body)
    assert stream.events == (Event(1, "x", offset=3, data_offset=9),)
    assert stream.problems == ((12, "unknown field '\\ufeffdata'"),)


def test_comments_belong_to_the_next_event() -> None:
    """Also across a blank line; comments alone are no event."""
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
def test_deviations_are_kept_as_problems(body: bytes, problems: list[tuple[int, str]]) -> None:
    """What a client would ignore is a problem with its byte offset."""
    assert list(read_events(body).problems) == problems


def test_an_unfinished_event_is_not_complete() -> None:
    """It is kept, and marked as incomplete."""
    assert [e.complete for e in read_events(b"data: x\n\ndata: y\n").events] == [True, False]


@pytest.mark.parametrize("line", [b"retry: 100", b"retry", b"id: 7", b"event: error", b"data:"])
def test_every_field_of_the_grammar_is_known(line: bytes) -> None:
    """event, id, retry and data are no deviations, with a value or without one."""
    stream = read_events(b"data: x\n" + line + b"\n\n")
    assert stream.problems == ()
    assert [event.data.strip() for event in stream.events] == ["x"]


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
    assert all(first.offset < second.offset for first, second in pairwise(stream.events))
    assert all(0 <= offset < len(body) for offset, _ in stream.problems)


@given(LINES, st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1))
def test_the_kind_of_line_end_does_not_matter(lines: list[str], ends: list[str]) -> None:
    """Line feeds, carriage returns or both give the same events."""
    ends = [ends[i % len(ends)] for i in range(len(lines))]
    for i in range(1, len(lines)):  # a return and a feed around an empty line would be one end
        if not lines[i] and ends[i - 1] == "\r" and ends[i] != "\r":
            ends[i] = "\r"
    mixed = "".join(line + end for line, end in zip(lines, ends, strict=True))
    plain = "".join(line + "\n" for line in lines)
    assert _content(mixed.encode()) == _content(plain.encode())


@given(STREAMS, STREAMS)
def test_joined_streams_have_the_events_of_both(first: bytes, second: bytes) -> None:
    """If the first stream is complete."""
    assume(not second.startswith(b"\xef\xbb\xbf"))  # inside a stream, a mark is no mark
    first += b"\n\ndata: |\n\n"
    assert _content(first + second) == _content(first) + _content(second)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1)))
def test_events_that_were_written_are_read(written: list[list[str]]) -> None:
    """Split into lines and joined again, the data is what it was."""
    texts = ["\n".join(part.replace("\r", "").replace("\n", "") for part in t) for t in written]
    body = "".join("".join(f"data: {line}\n" for line in text.split("\n")) + "\n" for text in texts)
    assert [event.data for event in read_events(body.encode()).events] == texts


@given(STREAMS)
def test_offsets_point_at_the_bytes_meant(body: bytes) -> None:
    """`offset` is that of the first line, `data_offset` that of the first data value."""
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


def _content(body: bytes) -> list[Any]:
    return [(e.data, e.event, e.id, e.comments, e.complete) for e in read_events(body).events]


def test_lines_of_json_are_events_without_a_name() -> None:
    """Empty lines are none, and the events are counted from 1."""
    stream = read_lines(b'{"a": 1}\n\n{"a": 2}\n{"a": 3}')
    assert [(event.number, event.data, event.offset) for event in stream.events] == [
        (1, '{"a": 1}', 0),
        (2, '{"a": 2}', 10),
        (3, '{"a": 3}', 19),
    ]


def test_events_with_equal_data_have_one_document() -> None:
    """So that it is parsed and judged once; long ones are not kept for that."""
    short, long = b'data: {"a": [1]}\n\n', b'data: {"a": "' + b"x" * 2000 + b'"}\n\n'
    first, second, third, fourth = read_events(2 * short + 2 * long).events
    assert first.json is second.json
    assert third.json is not fourth.json
    assert third.json == fourth.json
