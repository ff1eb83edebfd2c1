"""Faults that break the rules for Anthropic's format."""

from __future__ import annotations

from harness.analysis.edit import with_body, with_request, with_text_replaced, without_event
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.providers.anthropic.endpoints import events, read
from harness.types import Exchange


def _is_message(analyzed: AnalyzedExchange) -> bool:
    return analyzed.endpoint is not None and analyzed.endpoint.read is read and analyzed.accepted


def _is_stream(analyzed: AnalyzedExchange) -> bool:
    return _is_message(analyzed) and analyzed.is_stream


@exchange_fault("message_events_are_in_order", 0, 1, 2, when=_is_stream)
def anthropic_event_lost(analyzed: AnalyzedExchange, which: int) -> Exchange | None:
    """Remove the start of the message, the end of a block or the end of the message.

    *which* is 0, 1 or 2, in this order. Returns None if the stream has no such event.
    """
    kind = (b"message_start", b"content_block_stop", b"message_stop")[which]
    return without_event(analyzed.exchange, b"event: " + kind)


@exchange_fault("message_events_are_in_order", when=_is_stream)
def anthropic_event_after_the_end(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a second `message_stop` event at the end of the stream."""
    body = analyzed.exchange.response.body
    return with_body(analyzed.exchange, body + events({"type": "message_stop"}))


@exchange_fault("event_names_are_types", when=_is_stream)
def anthropic_event_misnamed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the name of the first event to a type that its data does not have.

    Returns None if the stream has no event with the name `message_start`.
    """
    return with_text_replaced(analyzed, "event: message_start", "event: message_begin")


@exchange_fault("stop_reason_fits_blocks", "end_turn", "stop_sequence", when=_is_message)
def anthropic_call_ends_the_turn(analyzed: AnalyzedExchange, reason: str) -> Exchange | None:
    """Set the stop reason of an answer that uses a tool to another one.

    *reason* is the new stop reason. Returns None if the answer has no stop reason `tool_use`.
    """
    return with_text_replaced(analyzed, '"stop_reason":"tool_use"', f'"stop_reason":"{reason}"')


@exchange_fault("cache_tokens_add_up", when=_is_message)
def anthropic_cache_miscounted(analyzed: AnalyzedExchange) -> Exchange | None:
    """Raise the count of tokens written to caches above the sum of the counts by lifetime.

    Returns None unless the first digit of the count is 3, which becomes 4.
    """
    name = '"cache_creation_input_tokens":'
    return with_text_replaced(analyzed, f"{name}3", f"{name}4")


@exchange_fault("container_is_kept", when=_is_message)
def anthropic_container_changed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Name another container in the answer than in the request."""
    asked = analyzed.exchange.request.body.replace(b"{", b'{"container":"container_a",', 1)
    whole = with_request(analyzed.exchange, asked)
    found = b'"delta":{"stop_reason"' if analyzed.is_stream else b'{"'
    container = b'"container":{"id":"container_b","expires_at":"2026-11-29T12:00:00Z"},"'
    start, name, end = whole.response.body.partition(found)
    return with_body(
        whole,
        start + name[: name.rindex(b"{") + 1] + container + name[name.rindex(b"{") + 2 :] + end,
    )


@exchange_fault("server_tools_are_complete", "input", "result", when=_is_stream)
def anthropic_service_runs_the_call(analyzed: AnalyzedExchange, damaged: str) -> Exchange | None:
    """Turn a tool call into one that the service runs; cut its input or add the result of another.

    *damaged* is `input` or `result`. Returns None if the answer has no tool call.
    """
    start, call, rest = analyzed.exchange.response.body.partition(b'"type":"tool_use"')
    if damaged == "input":
        rest = rest.replace(b'}"}}', b'"}}', 1)
    else:
        added = events(
            {
                "type": "content_block_start",
                "index": 3,
                "content_block": {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_2"},
            },
            {"type": "content_block_stop", "index": 3},
        )
        rest = rest.replace(b"event: message_delta", added + b"event: message_delta", 1)
    changed = start + b'"type":"server_tool_use"' + rest
    return with_body(analyzed.exchange, changed) if call else None


@exchange_fault("thinking_is_signed", when=_is_stream)
def anthropic_signature_in_pieces(analyzed: AnalyzedExchange) -> Exchange | None:
    """Send the signature of the thinking twice.

    Returns None if the stream has no signature.
    """
    body = analyzed.exchange.response.body
    start = body.rfind(b"event: ", 0, max(0, body.find(b'"signature_delta"')))
    end = body.find(b"\n\n", start) + 2
    twice = body[:end] + body[start:end] + body[end:]
    return with_body(analyzed.exchange, twice) if start >= 0 else None


@exchange_fault("thinking_goes_back_unchanged", when=_is_message)
def anthropic_thinking_changed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Change a word in the thinking of an answer, but not where a later request repeats it.

    Returns None if the answer does not contain "The user asks", the text that is changed.
    """
    return with_text_replaced(analyzed, "The user asks", "The user wants")


FAULTS = faults_of(vars())
