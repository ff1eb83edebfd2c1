"""No rule ever raises, whatever travelled and whatever an SDK made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from exchanges import data_events, stream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.analysis.edit import with_body, with_header, with_status
from harness.providers.rules import check
from harness.providers.samples import SAMPLES as VALID
from harness.types import Exchange, Expectation, Failure, Json, Reply, ToolCall, Turn, Usage, View
from harness.wire import compact_bytes, walk

from .dashscope_exchanges import named_events
from .making import foreign

pytestmark = pytest.mark.slow

SOME = settings(suppress_health_check=list(HealthCheck))

KINDS = ("application/json", "text/event-stream", "image/png", "text/html; charset=gbk", "")
WORDS = st.sampled_from(("choices", "delta", "tool_calls", "id", "output", "results", "error"))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)
BODIES = st.binary(max_size=60) | VALUES.map(compact_bytes)
ENDPOINTS = {name: exchanges for name, exchanges in VALID.items() if name != "dashscope websocket"}

NO_JSON = ("zhipu speech", "zhipu transcription")
"""The conversations with a sound as answer, and with a form as request."""

CONVERSATIONS = st.sampled_from([v for name, v in ENDPOINTS.items() if name not in NO_JSON])


def changed(value: Any, draw: st.DataObject) -> Any:
    """The same JSON with one value in it replaced by any other."""
    pointers = [pointer for pointer, _ in walk(value)]
    chosen = draw.draw(st.sampled_from(pointers))
    return _put(value, chosen.split("/")[1:], draw.draw(VALUES))


def _put(value: Any, steps: list[str], new: Any) -> Any:
    if not steps:
        return new
    if isinstance(value, list):
        return [_put(v, steps[1:], new) if str(i) == steps[0] else v for i, v in enumerate(value)]
    return {k: _put(v, steps[1:], new) if k == steps[0] else v for k, v in value.items()}


@SOME
@given(
    exchanges=st.sampled_from(list(ENDPOINTS.values())),
    body=BODIES,
    kind=st.sampled_from(KINDS),
    status=st.sampled_from([101, 200, 204, 404, 503]),
)
def test_no_rule_raises_on_any_answer(
    exchanges: tuple[Exchange, ...], body: bytes, kind: str, status: int
) -> None:
    """Any bytes, under any content type and status, as whole answer or as events."""
    for form in (body, b"data:" + body + b"\n\n", b"id:1\nevent:error\ndata: " + body):
        last = with_header(with_body(exchanges[-1], form), "content-type", kind)
        check(foreign(*exchanges[:-1], with_status(last, status)))


@SOME
@given(exchanges=CONVERSATIONS, data=st.data())
def test_no_rule_raises_on_an_answer_with_one_value_changed(
    exchanges: tuple[Exchange, ...], data: st.DataObject
) -> None:
    """One value of the first answer is of any other type, as answer and as event."""
    try:
        value = json.loads(exchanges[0].response.body)
    except ValueError:
        event = exchanges[0].response.body.decode().partition("data:")[2].partition("\n")[0]
        value = json.loads(event)
    altered = changed(value, data)
    for body in (
        compact_bytes(altered),
        data_events(altered, value, altered),
        named_events(value, altered),
    ):
        check(foreign(with_body(exchanges[0], body), *exchanges[1:]))


@SOME
@given(exchanges=CONVERSATIONS, data=st.data())
def test_no_rule_raises_on_any_request(
    exchanges: tuple[Exchange, ...], data: st.DataObject
) -> None:
    """One value of a request is of any other type, or the request is any bytes."""
    for whole in exchanges:
        sent = whole.request.body
        body = (
            compact_bytes(changed(json.loads(sent), data))
            if sent
            else data.draw(st.binary(max_size=9))
        )
        altered_request = replace(whole, request=replace(whole.request, body=body))
        check(foreign(*exchanges, altered_request, *exchanges))


CALLS = st.builds(ToolCall, st.text(max_size=3), st.text(max_size=3), st.text(max_size=9))
VIEWS = st.builds(View, VALUES, st.dictionaries(st.text(max_size=9), VALUES, max_size=2))
OUTCOMES = st.builds(
    Reply,
    content=st.none() | st.text(max_size=9),
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    usage=st.none() | st.builds(Usage),
    pieces=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    views=st.lists(VIEWS, max_size=3).map(tuple),
) | st.builds(Failure, st.integers(), st.text(), st.text(), views=st.lists(VIEWS).map(tuple))
EXPECTATIONS = st.builds(
    Expectation,
    contains=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    json_schema=st.none() | st.dictionaries(WORDS | st.just("$ref"), VALUES, max_size=3),
    pointers=st.lists(st.text(max_size=9), max_size=2).map(tuple),
    failure=st.text(max_size=3),
)


@SOME
@given(exchanges=CONVERSATIONS, outcome=OUTCOMES, expect=EXPECTATIONS)
def test_no_rule_raises_on_any_outcome(
    exchanges: tuple[Exchange, ...], outcome: Reply | Failure, expect: Expectation
) -> None:
    """An SDK may show anything, and an author may expect anything."""
    turn = Turn(1, exchanges, outcome=outcome, expect=expect)
    check(replace(foreign(), turns=(turn,)))


@given(address=st.text(max_size=20) | st.sampled_from(["http://[", "//[::1", "http://a:b/x.png"]))
def test_no_rule_raises_on_any_address(address: str) -> None:
    """A request may go anywhere."""
    (whole,) = VALID["zhipu sync"]
    check(foreign(replace(whole, request=replace(whole.request, uri=address)), whole))


@pytest.mark.parametrize("name", ["type", "output_index", "content_index"])
def test_an_event_whose_type_or_index_is_a_list_is_read(name: str) -> None:
    """It is no key of a dictionary."""
    events: list[dict[str, Json]] = [
        {"type": "response.created"},
        {"type": "response.output_text.delta", "delta": "4", "output_index": 0, name: []},
        {"type": "response.content_part.done", "output_index": 0, name: []},
    ]
    asked: Json = {"model": "m", "input": "2 + 2?", "stream": True}
    uri = "https://api.openai.com/v1/responses"
    assert check(foreign(stream(uri, asked, data_events(*events))))


def test_no_rule_finds_anything_where_nothing_was_said() -> None:
    """An empty conversation is a valid one."""
    assert check(foreign()) == ()
