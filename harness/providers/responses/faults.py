"""Faults that break the rules for the Responses format."""

from __future__ import annotations

from harness.analysis.edit import with_body, with_text_replaced, without_event
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.providers.responses.endpoints import read
from harness.types import Exchange


def _is_response(analyzed: AnalyzedExchange) -> bool:
    return analyzed.endpoint is not None and analyzed.endpoint.read is read and analyzed.accepted


def _is_stream(analyzed: AnalyzedExchange) -> bool:
    return _is_response(analyzed) and analyzed.is_stream


@exchange_fault("response_ends_once", when=_is_stream)
def responses_last_event_lost(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the last event.

    Returns None if the stream has no event `response.completed`.
    """
    body = analyzed.exchange.response.body
    start = body.find(b"event: response.completed")
    return with_body(analyzed.exchange, body[:start]) if start > 0 else None


@exchange_fault("response_ends_once", when=_is_stream)
def responses_event_after_the_end(analyzed: AnalyzedExchange) -> Exchange | None:
    """Repeat the last event after the end.

    Returns None if the stream has no event `response.completed`.
    """
    body = analyzed.exchange.response.body
    start = body.find(b"event: response.completed")
    return with_body(analyzed.exchange, body + body[start:]) if start > 0 else None


@exchange_fault("sequence_numbers_rise_by_one", when=_is_stream)
def responses_event_lost(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the second event.

    Returns None if the stream has no event `response.in_progress`.
    """
    return without_event(analyzed.exchange, b"event: response.in_progress")


@exchange_fault("items_are_added_first", when=_is_stream)
def responses_item_never_added(analyzed: AnalyzedExchange) -> Exchange | None:
    """Change the index of the first item to 3 in the event that adds it, but not in later ones.

    Returns None if no event adds an item with index 0.
    """
    return with_text_replaced(
        analyzed,
        '"type":"response.output_item.added","output_index":0',
        '"type":"response.output_item.added","output_index":3',
    )


@exchange_fault("deltas_join_to_items", when=_is_stream)
def responses_delta_changed(analyzed: AnalyzedExchange) -> Exchange | None:
    """Change a word of a delta, a piece of the streamed text.

    Returns None if no delta begins with "It is", which becomes "It was".
    """
    return with_text_replaced(analyzed, '"delta":"It is', '"delta":"It was')


@exchange_fault("items_end_as_they_were_done", when=_is_stream)
def responses_item_lost_at_the_end(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the message from the output of the last event.

    Returns None unless that output begins with a message, followed by a function call.
    """
    body = analyzed.exchange.response.body
    start = body.find(b'"output":[{"id":"msg')
    end = body.find(b',{"id":"fc', start)
    cut = body[: start + len(b'"output":[')] + body[end + 1 :]
    return with_body(analyzed.exchange, cut) if 0 < start < end else None


@exchange_fault("status_fits_details", when=_is_response)
def responses_complete_with_a_reason(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a reason for being incomplete to a completed response.

    Returns None if no `incomplete_details` of the answer is null.
    """
    body = analyzed.exchange.response.body
    start = body.rfind(b'"incomplete_details":null')
    reason = b'"incomplete_details":{"reason":"max_output_tokens"}'
    rest = body[start:].replace(b'"incomplete_details":null', reason, 1)
    return with_body(analyzed.exchange, body[:start] + rest) if start >= 0 else None


@exchange_fault("items_are_as_documented", when=_is_response)
def responses_item_in_an_unknown_state(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the status of completed items to `finished`, which is not documented.

    Returns None if no item of the output has the status `completed`.
    """
    body = analyzed.exchange.response.body
    start = body.rfind(b'"output":[')
    rest = body[start:].replace(b'"status":"completed"', b'"status":"finished"')
    return with_body(analyzed.exchange, body[:start] + rest) if rest != body[start:] else None


FAULTS = faults_of(vars())
