"""Faults in streams, which show only when several events are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter

from harness.analysis.edit import (
    change_values,
    event_blocks,
    remove,
    replace_value,
    with_event_blocks,
)
from harness.analysis.edit import put as put_value
from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of, transcript_fault, with_exchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.select import (
    SelectedValue,
    finishing,
    in_part,
    one_more,
    pointers,
    put,
    targets,
)
from harness.types import Exchange, Json, Reply, Transcript
from harness.wire import Missing, resolve

_has_events = attrgetter("event_replies")


# ------------------------------------------------------------------------------------- usage


def _with_last_count(analyzed: AnalyzedExchange, name: str, change: int) -> Exchange | None:
    """Return the exchange with the last value of a token count set to the one before plus *change*.

    Returns None if there are fewer than two values, or the one before is below 1.
    """
    candidates = (in_part(analyzed, part, name) for part, _ in analyzed.event_replies)
    counts = [(t, t.value) for t in candidates if t and isinstance(t.value, int)]
    if len(counts) < 2 or counts[-2][1] < 1:
        return None
    return put(analyzed, counts[-1][0], counts[-2][1] + change)


@exchange_fault("usage_never_shrinks", "output_tokens", "total_tokens")
def count_shrinks(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the last output, or total, token count of a stream to one less than the one before.

    *name* is the count: `output_tokens` or `total_tokens`. Returns None if the stream has fewer
    than two such counts, or if the endpoint only estimates the total.
    """
    endpoint = analyzed.checked_endpoint
    if name == "total_tokens" and (endpoint is None or endpoint.estimates_input):
        return None
    return _with_last_count(analyzed, name, -1)


@exchange_fault("input_tokens_stay", 1, -1)
def input_tokens_change(analyzed: AnalyzedExchange, change: int) -> Exchange | None:
    """Set the last input token count of a stream to one more, or less, than the one before.

    Returns None if the stream has fewer than two such counts, or the service runs tools. *change*
    is the difference: 1 or -1.
    """
    endpoint = analyzed.checked_endpoint
    if endpoint is None or endpoint.estimates_input:
        return None
    if endpoint.runs_tools(analyzed.request_json.value):
        return None
    return _with_last_count(analyzed, "input_tokens", change)


@exchange_fault("usage_is_told", remove, lambda value, place: put_value(value, place, None))
def usage_missing(
    analyzed: AnalyzedExchange, change: Callable[[Json, str], Json]
) -> Exchange | None:
    """Remove the usage from every event, or set it to null.

    *change* returns an event's JSON with the value at a JSON pointer removed or replaced. Returns
    None if the response is not a finished stream with usage, or if the endpoint need not report
    usage for such a request.
    """
    endpoint, reply = analyzed.checked_endpoint, analyzed.outcome
    if endpoint is None or not analyzed.is_stream or not isinstance(reply, Reply):
        return None
    if not reply.usage or not reply.finish_reason:
        return None
    if not endpoint.tells_usage(analyzed.request_json.value):
        return None
    return change_values(analyzed, lambda value: change(value, "/usage"))


@exchange_fault("events_have_content", {}, {"role": "assistant"}, when=_has_events)
def event_without_content(analyzed: AnalyzedExchange, message: Json) -> Exchange | None:
    """Empty the message of the second event with a text, or leave nothing but its role.

    Returns None if that event has no message, or has a finish reason. *message* replaces the
    event's message: `{}`, or an object with only the role.
    """
    endpoint = analyzed.endpoint
    said = [(part, reply) for part, reply in analyzed.event_replies if reply.content]
    if endpoint is None or "events_have_content" in endpoint.exempt or len(said) < 2:
        return None
    part, reply = said[1]
    pointer = f"{analyzed.fields.choices}/0/delta"
    return None if reply.finish_reason else replace_value(analyzed, part, pointer, message)


# ---------------------------------------------------------------------------------- identity


@exchange_fault("stream_keeps_its_identity", 0, -1, when=_has_events)
def last_event_of_another_answer(analyzed: AnalyzedExchange, place: int) -> Exchange | None:
    """Change the id, or the model, in the last event.

    *place* is the index of the field in the endpoint's list of fields that stay the same in a
    stream: 0 for the first, -1 for the last. Returns None if the stream has fewer than two events,
    or if the first or the last one lacks the field.
    """
    constant, parts = (
        pointers(analyzed, "constant"),
        [part for part, _ in analyzed.event_replies],
    )
    if len(parts) < 2 or not constant:
        return None
    began, ended = (resolve(part.value, constant[place]) for part in (parts[0], parts[-1]))
    if not began or not ended or not isinstance(ended, str | int):
        return None
    other = ended + 1 if isinstance(ended, int) else f"{ended}x"
    return put(analyzed, SelectedValue(parts[-1], constant[place], ended), other)


# -------------------------------------------------------------------------------- the finish


@exchange_fault("stream_finishes_once", when=_has_events)
def finish_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Replace each finish reason by the string `null`, as in events before the end.

    Returns None if the stream has no finish reason.
    """
    ends = finishing(analyzed)
    places = {t.pointer for end in ends for t in targets(analyzed, end.part, "finish_reason")}

    def open_ended(value: Json) -> Json:
        for place in places:
            value = put_value(value, place, "null") if resolve(value, place) else value
        return value

    return change_values(analyzed, open_ended) if ends else None


def _number(part: Part) -> int:
    return part.event or 1


def _inserted(analyzed: AnalyzedExchange, block: bytes, after: Part) -> Exchange:
    """Return the exchange with the event *block* inserted after another event."""
    blocks, place = event_blocks(analyzed), _number(after)
    return with_event_blocks(analyzed, [*blocks[:place], block, *blocks[place:]])


@exchange_fault("stream_finishes_once", when=_has_events)
def finish_twice(analyzed: AnalyzedExchange) -> Exchange | None:
    """Repeat the last event that has a finish reason, with another finish reason.

    Returns None if the stream has no finish reason.
    """
    end = next(iter(finishing(analyzed)[-1:]), None)
    changed = put(analyzed, end, lambda reason: "stop" if reason == "length" else "length")
    if end is None or changed is None:
        return None
    blocks = event_blocks(replace(analyzed, exchange=changed))
    return _inserted(analyzed, blocks[_number(end.part) - 1], end.part)


@exchange_fault("nothing_after_finish", "text last", "finish first", when=_has_events)
def text_after_finish(analyzed: AnalyzedExchange, how: str) -> Exchange | None:
    """Repeat an event with text after the finish reason, or move the finish reason to the start.

    Returns None if the stream has no finish reason, or no other event with text. *how* is `text
    last` for the first change, `finish first` for the second.
    """
    ends, blocks = [end.part for end in finishing(analyzed)], event_blocks(analyzed)
    texts = [p for p, reply in analyzed.event_replies if reply.content and not reply.finish_reason]
    if not ends or not texts:
        return None
    if how == "text last":
        return _inserted(analyzed, blocks[_number(texts[0]) - 1], ends[-1])
    end = blocks.pop(_number(ends[0]) - 1)
    return with_event_blocks(analyzed, [end, *blocks])


# ------------------------------------------------------------------------ cumulative streams


def _is_cumulative(analyzed: AnalyzedExchange) -> bool:
    reply = analyzed.outcome
    return bool(analyzed.event_replies) and isinstance(reply, Reply) and reply.cumulative


@exchange_fault("cumulative_stream_only_grows", "last", "middle", when=_is_cumulative)
def text_restarts(analyzed: AnalyzedExchange, where: str) -> Exchange | None:
    """Replace the last text of a cumulative stream, or cut an earlier one to one character.

    Returns None if the stream has fewer than three different texts. *where* is `last` for the first
    change, `middle` for the second.
    """
    candidates = [
        (in_part(analyzed, part, "content"), reply) for part, reply in analyzed.event_replies
    ]
    texts = [t for t, reply in candidates if t and reply.content and t.value == reply.content]
    if len({str(target.value) for target in texts}) < 3:
        return None
    if where == "last":
        return put(analyzed, texts[-1], "\u2603")
    longer = [target for target in texts if len(str(target.value)) > 1]
    later = [target for target in longer if target.value != longer[0].value]
    return put(analyzed, next(iter(later), None), lambda text: str(text)[:1])


@exchange_fault("cumulative_calls_only_grow", "arguments", "name", when=_is_cumulative)
def call_restarts(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Replace the arguments, or the name, of a tool call in its last event.

    Returns None if the stream has fewer than two events with tool calls. *name* is the member to
    replace: `arguments` or `name`.
    """
    parts = [part for part, reply in analyzed.event_replies if reply.tool_calls]
    calls = in_part(analyzed, parts[-1], "tool_calls") if len(parts) > 1 else None
    if calls is None:
        return None
    return put(analyzed, calls._replace(pointer=f"{calls.pointer}/0/function/{name}"), "\u2603")


# ---------------------------------------------------------------------- incremental streams


@exchange_fault("deltas_do_not_repeat", "content", "reasoning", when=_has_events)
def pieces_repeat_text(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Replace each piece of text, or reasoning, by all text so far, though pieces were requested.

    *name* is the field: `content` or `reasoning`. Returns None if pieces were not requested, or if
    there are fewer than three of this field.
    """
    endpoint = analyzed.checked_endpoint
    if endpoint is None or endpoint.cumulative(analyzed.request_json.value) is not False:
        return None
    pieces = [(p, piece) for p, reply in analyzed.event_replies if (piece := getattr(reply, name))]
    if len(pieces) < 3 or len("".join(piece for _, piece in pieces)) < 10:
        return None
    changed, so_far = {}, ""
    for part, piece in pieces:
        target = in_part(analyzed, part, name)
        so_far += piece
        if target is None or target.value != piece:
            return None
        changed[part.event] = put_value(part.value, target.pointer, so_far)
    values = iter([changed.get(part.event, part.value) for part in reversed(analyzed.parts)])
    return change_values(analyzed, lambda _: next(values))


# ------------------------------------------------------------------ beside the same document


@transcript_fault("stream_equals_whole", "length", "get_time")
def stream_ends_otherwise(read: AnalyzedTranscript, other: str) -> Transcript | None:
    """Change the finish reason, or the called function, of a stream also requested as document.

    *other* is the new value: `length` replaces the finish reason, any other text the function's
    name. Returns None if no request was made with and without streaming and with sampling turned
    off (`do_sample` is false).
    """
    is_reason = other == "length"
    field, end = ("finish_reason", "") if is_reason else ("tool_calls", "/0/function/name")
    for stream in _paired_streams(read):
        asked = resolve(stream.request_json.value, f"{stream.fields.parameters}/do_sample")
        changed = _with_field_changed(read, stream, field, end, lambda value: other)
        if asked is False and changed is not None:
            return changed
    return None


@transcript_fault(
    "stream_equals_whole", ("model", lambda model: f"{model}-x"), ("input_tokens", one_more)
)
def stream_unlike_document(
    read: AnalyzedTranscript, field: tuple[str, Callable[[Json], Json]]
) -> Transcript | None:
    """Change the model, or add an input token, in a stream that was also requested as document.

    Returns None if no request was made with and without streaming. *field* is the name of an
    attribute of `Fields` and a function that returns its new value: `("input_tokens", one_more)`.
    """
    name, change = field
    changed = (_with_field_changed(read, one, name, "", change) for one in _paired_streams(read))
    return next((transcript for transcript in changed if transcript), None)


def _paired_streams(read: AnalyzedTranscript) -> Iterator[AnalyzedExchange]:
    """Yield the streams whose request was also made without streaming, and answered."""
    answered = [r for r in read.readings if not r.is_stream and isinstance(r.outcome, Reply)]
    requests = [_request(document) for document in answered]
    yield from (r for r in read.readings if r.event_replies and _request(r) in requests)


def _with_field_changed(
    read: AnalyzedTranscript,
    stream: AnalyzedExchange,
    field: str,
    end: str,
    change: Callable[[Json], Json],
) -> Transcript | None:
    """Return the transcript with a value changed in each event of *stream* that has it.

    The value is at the JSON pointers of *field*, an attribute of `Fields`, followed by *end*.
    Returns None if no event has it.
    """
    places = [pointer.replace("[]", "0") + end for pointer in pointers(stream, field)]

    def changed(value: Json) -> Json:
        for place in places:
            here = resolve(value, place)
            if here and not isinstance(here, Missing):
                value = put_value(value, place, change(here))
        return value

    exchange = change_values(stream, changed)
    return None if exchange == stream.exchange else with_exchange(read, stream, exchange)


def _request(analyzed: AnalyzedExchange) -> tuple[str, Json]:
    """Return the endpoint's name and the request's JSON without its options for streaming."""
    body = analyzed.request_json.value
    for pointer in ("/stream", "/stream_options", "/parameters/incremental_output"):
        body = remove(body, pointer)
    return analyzed.endpoint.name if analyzed.endpoint else "", body


FAULTS = faults_of(vars())
