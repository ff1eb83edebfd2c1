"""Small valid conversations in Anthropic's format, and faults that break the rules for it."""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.edit import with_body, with_text_replaced
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.analysis.sample import USER, exchange, post
from harness.providers.anthropic.endpoints import read
from harness.types import Exchange, Json
from harness.wire import compact_bytes

URL = "https://api.anthropic.com/v1/messages"
THINKING = "The user asks for the weather, so that I call the function."
SIGNATURE = "EqQBCkYIBxgCKkBexample"

_TOOL: Json = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
_HEAD: dict[str, Json] = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
}
_USAGE: dict[str, Json] = {
    "input_tokens": 8,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 24,
    "service_tier": "standard",
}
_REQUEST: dict[str, Json] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 1024,
    "messages": [USER],
    "tools": [_TOOL],
}
_CALL: dict[str, Json] = {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9"}
_CALLED: dict[str, Json] = {**_CALL, "name": "get_weather", "input": {"city": "Beijing"}}
_THOUGHT: dict[str, Json] = {"type": "thinking", "thinking": THINKING, "signature": SIGNATURE}
_RESULT: Json = {"type": "tool_result", "tool_use_id": _CALL["id"], "content": "22 degrees"}


def _whole(*content: Json, reason: str) -> Json:
    ended: dict[str, Json] = {"stop_reason": reason, "stop_sequence": None}
    return {**_HEAD, "content": [*content], **ended, "usage": _USAGE}


def events(*values: dict[str, Json]) -> bytes:
    """Return a stream of events, each named after its type."""
    named = ((str(value["type"]).encode(), compact_bytes(value)) for value in values)
    return b"".join(b"event: %s\ndata: %s\n\n" % each for each in named)


def _block(index: int, start: Json, *deltas: Json) -> list[dict[str, Json]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


_START: dict[str, Json] = {
    **_HEAD,
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {**_USAGE, "output_tokens": 1},
}
_STREAM = events(
    {"type": "message_start", "message": _START},
    *_block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": THINKING[:20]},
        {"type": "thinking_delta", "thinking": THINKING[20:]},
        {"type": "signature_delta", "signature": SIGNATURE},
    ),
    {"type": "ping"},
    *_block(
        1,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "I look"},
        {"type": "text_delta", "text": " it up."},
    ),
    *_block(
        2,
        {**_CALL, "name": "get_weather", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city": '},
        {"type": "input_json_delta", "partial_json": '"Beijing"}'},
    ),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 24},
    },
    {"type": "message_stop"},
)

_SAID: list[Json] = [_THOUGHT, {"type": "text", "text": "I look it up."}, _CALLED]
_LATER: list[Json] = [
    USER,
    {"role": "assistant", "content": _SAID},
    {"role": "user", "content": [_RESULT]},
]
_ANSWER: Json = _whole({"type": "text", "text": "It is 22 degrees."}, reason="end_turn")

SAMPLES: Mapping[str, tuple[Exchange, ...]] = {
    "anthropic tool loop": (
        post(URL, _REQUEST, _whole(*_SAID, reason="tool_use")),
        post(URL, {**_REQUEST, "messages": _LATER}, _ANSWER),
    ),
    "anthropic stream": (
        exchange("POST", URL, {**_REQUEST, "stream": True}, _STREAM, "text/event-stream"),
        post(URL, {**_REQUEST, "messages": _LATER}, _ANSWER),
    ),
    "anthropic refusal": (
        post(
            URL,
            _REQUEST,
            {
                "type": "error",
                "error": {"type": "rate_limit_error", "message": "Too many requests."},
                "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
            },
            429,
        ),
    ),
}


def _is_message(analyzed: AnalyzedExchange) -> bool:
    return analyzed.endpoint is not None and analyzed.endpoint.read is read and analyzed.accepted


def _is_stream(analyzed: AnalyzedExchange) -> bool:
    return _is_message(analyzed) and analyzed.is_stream


@exchange_fault("message_events_are_in_order", 0, 1, 2, when=_is_stream)
def anthropic_event_lost(analyzed: AnalyzedExchange, which: int) -> Exchange | None:
    """Remove the start of the message, the end of a block or the end of the message."""
    kind = (b"message_start", b"content_block_stop", b"message_stop")[which]
    body = analyzed.exchange.response.body
    start = body.find(b"event: " + kind)
    end = body.find(b"\n\n", start) + 2
    return with_body(analyzed.exchange, body[:start] + body[end:]) if start >= 0 else None


@exchange_fault("message_events_are_in_order", when=_is_stream)
def anthropic_event_after_the_end(analyzed: AnalyzedExchange) -> Exchange | None:
    """Repeat the end of the message after it."""
    body = analyzed.exchange.response.body
    return with_body(analyzed.exchange, body + events({"type": "message_stop"}))


@exchange_fault("event_names_are_types", when=_is_stream)
def anthropic_event_misnamed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Name the first event after another type than that of its data."""
    return with_text_replaced(analyzed, "event: message_start", "event: message_begin")


@exchange_fault("stop_reason_fits_blocks", "end_turn", "stop_sequence", when=_is_message)
def anthropic_call_ends_the_turn(analyzed: AnalyzedExchange, reason: str) -> Exchange | None:
    """Set the stop reason of an answer that uses a tool to another one."""
    return with_text_replaced(analyzed, '"stop_reason":"tool_use"', f'"stop_reason":"{reason}"')


@exchange_fault("cache_tokens_add_up", when=_is_message)
def anthropic_cache_miscounted(analyzed: AnalyzedExchange) -> Exchange | None:
    """Count a token more of those written to caches than their lifetimes have."""
    name = '"cache_creation_input_tokens":'
    return with_text_replaced(analyzed, f"{name}3", f"{name}4")


@exchange_fault("thinking_is_signed", when=_is_stream)
def anthropic_signature_in_pieces(analyzed: AnalyzedExchange) -> Exchange | None:
    """Send the signature of the thinking twice."""
    body = analyzed.exchange.response.body
    start = body.rfind(b"event: ", 0, max(0, body.find(b'"signature_delta"')))
    end = body.find(b"\n\n", start) + 2
    twice = body[:end] + body[start:end] + body[end:]
    return with_body(analyzed.exchange, twice) if start >= 0 else None


@exchange_fault("thinking_goes_back_unchanged", when=_is_message)
def anthropic_thinking_changed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Change a word of the thinking that the answer has and a later request repeats."""
    return with_text_replaced(analyzed, "The user asks", "The user wants")


FAULTS = faults_of(vars())
