"""Small valid conversations in the Responses format, and faults that break the rules for it."""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.edit import with_body, with_text_replaced
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.analysis.sample import USER, exchange, post
from harness.providers.anthropic.samples import events
from harness.providers.responses.endpoints import read
from harness.types import Exchange, Json

URL = "https://api.openai.com/v1/responses"
TEXT = "It is 22 degrees in Beijing."

_TOOL: Json = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
_HEAD: dict[str, Json] = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "created_at": 1741476542,
    "model": "gpt-5.1-2025-11-13",
    "error": None,
    "incomplete_details": None,
}
_USAGE: Json = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 40},
    "total_tokens": 123,
}
_REQUEST: dict[str, Json] = {"model": "gpt-5.1", "input": [USER], "tools": [_TOOL]}
_MESSAGE: dict[str, Json] = {
    "id": "msg_67ccd2bf17f0819081ff3bb2cf6508e6",
    "type": "message",
    "status": "completed",
    "role": "assistant",
}
_PART: dict[str, Json] = {"type": "output_text", "text": TEXT, "annotations": []}
_CALL: dict[str, Json] = {
    "id": "fc_67ca09c6bedc8190a7abfec07b1a1332",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_unLAR8MvFNptuiZK6K6HCy5k",
    "name": "get_weather",
}
_ARGUMENTS = '{"city": "Beijing"}'


def _response(status: str, *output: Json, usage: Json = None) -> dict[str, Json]:
    return {**_HEAD, "status": status, "output": [*output], "usage": usage}


_SAID: Json = {**_MESSAGE, "content": [_PART]}
_CALLED: Json = {**_CALL, "arguments": _ARGUMENTS}
_WHERE: dict[str, Json] = {"item_id": _MESSAGE["id"], "output_index": 0, "content_index": 0}
_WHERE_CALLED: dict[str, Json] = {"item_id": _CALL["id"], "output_index": 1}
_EVENTS: list[dict[str, Json]] = [
    {"type": "response.created", "response": _response("in_progress")},
    {"type": "response.in_progress", "response": _response("in_progress")},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**_MESSAGE, "status": "in_progress", "content": []},
    },
    {"type": "response.content_part.added", **_WHERE, "part": {**_PART, "text": ""}},
    {"type": "response.output_text.delta", **_WHERE, "delta": TEXT[:9]},
    {"type": "response.output_text.delta", **_WHERE, "delta": TEXT[9:]},
    {"type": "response.output_text.done", **_WHERE, "text": TEXT},
    {"type": "response.content_part.done", **_WHERE, "part": _PART},
    {"type": "response.output_item.done", "output_index": 0, "item": _SAID},
    {
        "type": "response.output_item.added",
        "output_index": 1,
        "item": {**_CALL, "arguments": ""},
    },
    {"type": "response.function_call_arguments.delta", **_WHERE_CALLED, "delta": _ARGUMENTS},
    {"type": "response.function_call_arguments.done", **_WHERE_CALLED, "arguments": _ARGUMENTS},
    {"type": "response.output_item.done", "output_index": 1, "item": _CALLED},
    {
        "type": "response.completed",
        "response": _response("completed", _SAID, _CALLED, usage=_USAGE),
    },
]
_STREAM = events(*({**event, "sequence_number": n} for n, event in enumerate(_EVENTS)))

SAMPLES: Mapping[str, tuple[Exchange, ...]] = {
    "responses whole": (post(URL, _REQUEST, _response("completed", _SAID, usage=_USAGE)),),
    "responses stream": (
        exchange("POST", URL, {**_REQUEST, "stream": True}, _STREAM, "text/event-stream"),
    ),
    "responses refusal": (
        post(
            URL,
            _REQUEST,
            {
                "error": {
                    "message": "Rate limit reached.",
                    "type": "requests",
                    "param": None,
                    "code": "rate_limit_exceeded",
                }
            },
            429,
        ),
    ),
}


def _is_response(analyzed: AnalyzedExchange) -> bool:
    return analyzed.endpoint is not None and analyzed.endpoint.read is read and analyzed.accepted


def _is_stream(analyzed: AnalyzedExchange) -> bool:
    return _is_response(analyzed) and analyzed.is_stream


@exchange_fault("response_ends_once", when=_is_stream)
def responses_last_event_lost(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the last event."""
    body = analyzed.exchange.response.body
    start = body.find(b"event: response.completed")
    return with_body(analyzed.exchange, body[:start]) if start > 0 else None


@exchange_fault("response_ends_once", when=_is_stream)
def responses_event_after_the_end(analyzed: AnalyzedExchange) -> Exchange | None:
    """Repeat the last event after the end."""
    body = analyzed.exchange.response.body
    start = body.find(b"event: response.completed")
    return with_body(analyzed.exchange, body + body[start:]) if start > 0 else None


@exchange_fault("sequence_numbers_rise_by_one", when=_is_stream)
def responses_event_lost(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the second event."""
    body = analyzed.exchange.response.body
    start = body.find(b"event: response.in_progress")
    end = body.find(b"\n\n", start) + 2
    return with_body(analyzed.exchange, body[:start] + body[end:]) if start >= 0 else None


@exchange_fault("items_are_added_first", when=_is_stream)
def responses_item_never_added(analyzed: AnalyzedExchange) -> Exchange | None:
    """Give the first item another index than 0."""
    return with_text_replaced(
        analyzed,
        '"type":"response.output_item.added","output_index":0',
        '"type":"response.output_item.added","output_index":3',
    )


@exchange_fault("deltas_join_to_items", when=_is_stream)
def responses_delta_changed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Change a letter of a delta."""
    return with_text_replaced(analyzed, '"delta":"It is', '"delta":"It was')


@exchange_fault("items_end_as_they_were_done", when=_is_stream)
def responses_item_lost_at_the_end(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the message from the output of the last event."""
    body = analyzed.exchange.response.body
    start = body.find(b'"output":[{"id":"msg')
    end = body.find(b',{"id":"fc', start)
    cut = body[: start + len(b'"output":[')] + body[end + 1 :]
    return with_body(analyzed.exchange, cut) if 0 < start < end else None


@exchange_fault("status_fits_details", when=_is_response)
def responses_complete_with_a_reason(analyzed: AnalyzedExchange) -> Exchange | None:
    """Say why a response is incomplete that is completed."""
    body = analyzed.exchange.response.body
    start = body.rfind(b'"incomplete_details":null')
    reason = b'"incomplete_details":{"reason":"max_output_tokens"}'
    rest = body[start:].replace(b'"incomplete_details":null', reason, 1)
    return with_body(analyzed.exchange, body[:start] + rest) if start >= 0 else None


FAULTS = faults_of(vars())
