"""Exchanges, recognised and read, whoever's wire it is."""

from __future__ import annotations

import re
from dataclasses import replace
from weakref import ref

import pytest
from exchanges import recogniser

from harness.analysis.endpoint import Endpoint, Fields, Part, Role, States
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTurn, analyze, transcript_of
from harness.types import (
    Cassette,
    Exchange,
    Failure,
    Place,
    Provenance,
    Reply,
    Request,
    Response,
    Transcript,
    Turn,
)

FIELDS = Fields(content=("/text",), state=("/state",), code=("/code",))


def endpoint(name: str, method: str, path: str, role: Role) -> Endpoint:
    """Return an endpoint of an invented provider."""
    return Endpoint(name, method, re.compile(path), role, {}, {}, fields=FIELDS)


CHAT = endpoint("acme.chat", "POST", r".*/chat", Role.ANSWER)
SUBMIT = endpoint("acme.submit", "POST", r".*/tasks", Role.SUBMIT)
POLL = endpoint("acme.poll", "GET", r".*/tasks/[^/]+", Role.POLL)
FILE = endpoint("acme.file", "GET", r".*\.png", Role.FILE)
OTHER = endpoint("acme.other", "GET", r".*/models", Role.OTHER)
RECOGNISE = recogniser([CHAT, SUBMIT, POLL, FILE, OTHER])

STREAM = (
    b'id:1\nevent:result\n:200\ndata:{"text":"a"}\n\n'
    b'data: no\n\ndata: {"text":"b"}\n\ndata: [DONE]\n\n'
)


def exchange(
    path: str = "/v1/chat",
    body: bytes = b"{}",
    *,
    method: str = "POST",
    kind: str = "application/json",
    status: int = 200,
    turn: int | None = None,
) -> Exchange:
    """Return an exchange with this answer."""
    return Exchange(
        Request(method, f"https://host{path}", (), b'{"model":"m"}'),
        Response(status, "", (("Content-Type", kind),), body),
        turn=turn,
    )


def reading(found: Exchange) -> AnalyzedExchange:
    """Return an exchange, read as the third of its transcript, in turn 2."""
    return AnalyzedExchange(found, RECOGNISE(found), number=3, turn=2)


SSE = "text/event-stream; charset=utf-8"
CHATTED = exchange()
STREAMED = exchange(body=STREAM, kind=SSE)
SUBMITTED = exchange("/v1/tasks", b'{"state":"PENDING"}')
RUNNING = exchange("/v1/tasks/7", b'{"state":"RUNNING"}', method="GET")
DONE = exchange("/v1/tasks/7", b'{"state":"DONE","text":"x"}', method="GET")
PICTURE = exchange("/a.png", b"\x89PNG", method="GET", kind="image/png")
STRANGE = exchange("/else", b"hm", kind="text/plain")


# ------------------------------------------------------------------------------ recognising


@pytest.mark.parametrize(
    ("method", "uri", "fits"),
    [
        ("POST", "https://host/v1/chat", True),
        ("post", "http://127.0.0.1:8765/x/v1/chat?a=/", True),
        ("GET", "https://host/v1/chat", False),
        ("POST", "https://host/v1/chat/more", False),
        ("POST", "https://host/?path=/v1/chat", False),
        ("POST", "http://[half/v1/chat", False),
    ],
)
def test_an_endpoint_is_method_and_whole_path(method: str, uri: str, fits: bool) -> None:
    """An endpoint fits by method and whole path, whatever the host and the query."""
    assert CHAT.fits(method, uri) is fits


def test_the_first_endpoint_that_fits_is_it() -> None:
    """The first endpoint that fits is taken; its API form is its name up to the dot."""
    both = recogniser([FILE, endpoint("b.file", "GET", ".*", Role.FILE)])
    assert both(PICTURE) is FILE
    assert RECOGNISE(STRANGE) is None
    assert CHAT.dialect == "acme"


def test_the_defaults_of_an_endpoint() -> None:
    """By default a stream has no closing event, increments, and one finish reason."""
    assert not CHAT.ends_with_done
    assert not CHAT.cumulative({"stream": True})
    assert not CHAT.repeats_finish


def test_states_know_how_far_a_task_is() -> None:
    """States are ranked in the order a task goes through them; all ends rank alike."""
    states = States(("PENDING", "RUNNING"), ("DONE",), ("FAILED",))
    assert [states.rank(s) for s in ("PENDING", "RUNNING", "DONE", "FAILED")] == [0, 1, 2, 2]
    assert [states.ended(s) for s in ("RUNNING", "DONE", "FAILED")] == [False, True, True]
    assert "RUNNING" in states
    assert "GONE" not in states


# ---------------------------------------------------------------------------------- reading


def test_a_stream_is_read_event_by_event() -> None:
    """Each event with JSON is a part, at its byte; invalid JSON and [DONE] are not."""
    stream = reading(STREAMED)
    assert stream.is_stream
    assert stream.parts == (
        Part({"text": "a"}, 1, STREAM.index(b'{"text":"a"}'), "result", ("200",)),
        Part({"text": "b"}, 3, STREAM.index(b'{"text":"b"}')),
    )
    assert stream.outcome == Reply(content="ab", pieces=("a", "b"))
    assert [outcome for _, outcome in stream.outcomes_by_part] == [
        Reply(content="a", pieces=("a",)),
        Reply(content="b", pieces=("b",)),
    ]


def test_a_document_is_one_part() -> None:
    """A JSON body is one part; an invalid one is none."""
    assert reading(exchange(body=b'{"text":"x"}')).parts == (Part({"text": "x"}),)
    assert reading(exchange(body=b"{")).parts == ()
    assert reading(exchange(body=b"{")).outcome is None
    assert reading(exchange()).stream.events == ()


def test_the_request_is_read() -> None:
    """The request's body is read as JSON."""
    assert reading(CHATTED).request_json.value == {"model": "m"}


def test_a_refusal_is_read_by_its_status() -> None:
    """A refusal is read by its status, also without a body, and has no outcomes by part."""
    refused = reading(exchange(body=b'{"code":"1302"}', status=429))
    assert not refused.accepted
    assert refused.outcome == Failure(429, "1302", "")
    assert refused.outcomes_by_part == ()
    assert reading(exchange(body=b"", status=500)).outcome == Failure(500, "", "")


@pytest.mark.parametrize(
    ("status", "accepted"), [(199, False), (200, True), (299, True), (300, False)]
)
def test_a_success_has_a_status_of_2xx(status: int, accepted: bool) -> None:
    """Statuses from 200 to 299 are successes."""
    assert reading(exchange(status=status)).accepted is accepted


@pytest.mark.parametrize(
    ("found", "binary"),
    [
        (PICTURE, True),
        (exchange("/a.png", method="GET", kind="text/html"), True),
        (exchange("/else", kind="Image/PNG"), True),
        (exchange("/else", kind="application/octet-stream"), True),
        (STRANGE, False),
        (exchange(kind="image/png"), False),
    ],
)
def test_a_file_is_known_by_its_endpoint_or_type(found: Exchange, binary: bool) -> None:
    """A file is known by its endpoint or media type, and has no parts."""
    assert reading(found).is_binary is binary
    if binary:
        assert reading(found).parts == ()


def test_only_answers_have_an_outcome() -> None:
    """Files, unknown exchanges and other endpoints have no outcome."""
    models = exchange("/models", b'{"text":"x"}', method="GET")
    assert [reading(e).outcome for e in (PICTURE, STRANGE, models)] == [None, None, None]


def test_a_place_is_in_the_exchange() -> None:
    """A place has the event's number and the offset of its data."""
    stream = reading(STREAMED)
    part = stream.parts[1]
    assert stream.place("/a") == Place(2, 3, None, None, "/a")
    assert stream.place("/a", part) == Place(2, 3, 3, part.offset, "/a")
    assert stream.place("/a", part, 5) == Place(2, 3, 3, 5, "/a")
    document = reading(CHATTED)
    assert document.place("", document.parts[0]) == Place(2, 3, None, None, "")


# ------------------------------------------------------------------------------------ turns


def test_the_outcome_of_a_turn_is_its_last_answer() -> None:
    """A turn's outcome is its last answer, with the states of all polls."""
    done = analyze(
        Transcript("s", "t", (Turn(1, (SUBMITTED, RUNNING, DONE, PICTURE)),)), RECOGNISE
    ).turns[0]
    assert done.answer is done.readings[2]
    assert done.polls == done.readings[:3]
    assert done.outcome == Reply(content="x", states=("PENDING", "RUNNING", "DONE"))


def test_a_turn_without_an_answer_has_no_outcome() -> None:
    """A turn without exchanges, or with unknown ones alone, has no outcome."""
    assert AnalyzedTurn(Turn(1, ()), ()).outcome is None
    assert AnalyzedTurn(Turn(1, (STRANGE,)), (reading(STRANGE),)).outcome is None


def test_a_refused_turn_stays_refused() -> None:
    """A turn whose poll is refused is a failure, whatever states came before."""
    refused = exchange("/v1/tasks/7", b'{"code":"x"}', method="GET", status=500)
    (turn,) = analyze(Transcript("s", "t", (Turn(1, (SUBMITTED, refused)),)), RECOGNISE).turns
    assert turn.outcome == Failure(500, "x", "")


def test_exchanges_are_numbered_through_all_turns() -> None:
    """Exchanges are numbered through all turns and know their turn."""
    turns = (Turn(1, (CHATTED, STREAMED)), Turn(4, (SUBMITTED,)))
    readings = analyze(Transcript("s", "t", turns), RECOGNISE).readings
    assert [(r.number, r.turn) for r in readings] == [(1, 1), (2, 1), (3, 4)]
    assert [r.endpoint for r in readings] == [CHAT, CHAT, SUBMIT]


def test_a_cassette_of_ours_has_the_turns_it_was_recorded_in() -> None:
    """The turns of a cassette are those it was recorded in, numbered from 1."""
    exchanges = tuple(exchange(turn=turn) for turn in (2, 2, 5, 5, 5, 6))
    told = Provenance(scenario="s", target="acme/m")
    found = transcript_of(Cassette(exchanges, told), RECOGNISE, source="a.yaml")
    assert [(turn.number, len(turn.exchanges)) for turn in found.turns] == [(1, 2), (2, 3), (3, 1)]
    assert (found.scenario, found.target, found.source) == ("s", "acme/m", "a.yaml")
    assert found.provenance is told


def test_a_cassette_of_others_has_turns_of_its_kind() -> None:
    """In another tool's cassette, polls and files belong to the turn before them."""
    unknown_file = exchange("/b", b"\x89", method="GET", kind="image/png")
    unknown_page = exchange("/b", b"<p>", method="GET", kind="text/html")
    posted_file = exchange("/b", b"\x89", kind="image/png")
    exchanges = (
        *(CHATTED, CHATTED, SUBMITTED, RUNNING, DONE, PICTURE, unknown_file),
        *(unknown_page, posted_file),
    )
    found = transcript_of(Cassette(exchanges), RECOGNISE, source="a.yaml")
    assert [len(turn.exchanges) for turn in found.turns] == [1, 1, 5, 1, 1]
    assert found.scenario == "a.yaml"


def test_a_first_poll_begins_a_turn() -> None:
    """A poll without a submission begins a turn."""
    assert len(transcript_of(Cassette((RUNNING, DONE)), RECOGNISE).turns) == 1
    assert transcript_of(Cassette(()), RECOGNISE).turns == ()


def test_a_copy_without_its_body_is_no_answer() -> None:
    """vcrpy writes a response twice if it is read twice; another empty answer has another date."""
    headers = (("Content-Type", "application/json"), ("Date", "Fri, 30 Jan 2026 09:27:21 GMT"))
    first = replace(exchange(), response=Response(200, "", headers, b"{}"))
    copy = replace(first, response=replace(first.response, body=b""))
    later = replace(copy.response, headers=(headers[0], ("Date", "Fri, 30 Jan 2026 09:27:22 GMT")))
    found = transcript_of(Cassette((first, copy, replace(copy, response=later))), RECOGNISE)
    answered = analyze(found, RECOGNISE).answered
    assert [reading.number for reading in answered.readings] == [1, 3]


def test_an_event_of_a_long_stream_is_read_as_that_of_a_short_one() -> None:
    """Whatever members it has; it may be no object at all."""
    events = ('{"text":"a"}', '{"state":"DONE"}', '{"text":"b","state":"RUNNING"}', "[1]", "{}")
    body = "".join(f"data: {event}\n\n" for event in events).encode()
    short, long = (reading(exchange(body=body * times, kind=SSE)) for times in (1, 20))
    outcomes = [outcome for _, outcome in short.outcomes_by_part]
    assert [outcome for _, outcome in long.outcomes_by_part] == outcomes * 20
    assert [reply.content for _, reply in short.replies] == ["a", None, "b", None]


def test_a_long_transcript_keeps_what_is_asked_of_each_request_without_its_body() -> None:
    """What rules ask of each is known; the body is parsed again if needed."""
    one = reading(STRANGE)
    body = one.request_json
    one.forget()
    assert not {"request_json", "parts", "response_json"} & one.__dict__.keys()
    assert {"outcome", "model", "has_history", "is_stream"} == one.__dict__.keys()
    assert one.request_json == body


def test_a_transcript_is_freed_as_soon_as_it_is_not_used() -> None:
    """It does not refer to itself, or a long one would stay until objects are looked through."""
    cassette = Cassette((STRANGE,), Provenance())
    transcript = transcript_of(cassette, RECOGNISE)
    analyzed = analyze(transcript, RECOGNISE)
    assert analyzed.answered is analyzed.distinct is analyzed
    freed = ref(analyzed)
    del analyzed
    assert freed() is None
