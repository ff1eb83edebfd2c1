"""Strategies for streams: answers as server-sent events, incremental or cumulative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from hypothesis import strategies as st

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.reply import NONE_YET
from harness.providers.operation import ApiForm, Head, Operation, Values
from harness.strategies.answers import (
    AnswerContent,
    head_values,
    response_headers,
    token_counts,
    usage_values,
)
from harness.strategies.requests import GeneratedCall, json_bytes
from harness.strategies.schema import completed, deltas, field_pointer, requires, write_answer
from harness.types import Json, Response, ToolCall

_EVENT_STREAMS = ("text/event-stream", "text/event-stream;charset=UTF-8")


@st.composite
def stream_responses(
    draw: st.DrawFn, call: GeneratedCall, head: Head, answer: AnswerContent, request: Json
) -> Response:
    """Generate responses that stream *answer*.

    They are incremental or cumulative as *request*, the body of the request, demands.
    """
    endpoint = call.operation.endpoint
    cumulative = endpoint.cumulative(request) is not False
    steps = draw(_steps(answer))
    if cumulative:
        steps = list(accumulate(steps, _joined))
    if draw(st.booleans()):  # the finish reason in an event of its own
        steps.append(steps[-1] if cumulative else AnswerContent(content=""))
    steps[-1] = replace(steps[-1], finish_reason=answer.finish_reason)
    if endpoint.repeats_finish and draw(st.booleans()):
        steps.append(AnswerContent(content="", finish_reason=answer.finish_reason))
    counts = draw(token_counts(endpoint, _event_schema(endpoint)))
    events = list(_with_role(steps, call.operation, role_once=draw(st.booleans())))
    events = _with_usage(events, call.api, endpoint, request, counts)
    title = head_values(head, endpoint, streamed=True)
    data = [draw(_event_data(call.operation, {**title, **event})) for event in events]
    headers = draw(response_headers(call.api, head, _EVENT_STREAMS))
    return Response(200, "OK", headers, call.api.frame(data))


def _event_schema(endpoint: Endpoint) -> Schema:
    return endpoint.event or endpoint.answer


@st.composite
def _event_data(draw: st.DrawFn, operation: Operation, values: Values) -> bytes:
    schema = _event_schema(operation.endpoint)
    event = write_answer(operation.endpoint, schema, values, operation.without)
    return draw(json_bytes(draw(completed(schema, event))))


@st.composite
def _steps(draw: st.DrawFn, answer: AnswerContent) -> list[AnswerContent]:
    """Generate the pieces of *answer*: of its reasoning, then its text, then its tool calls."""
    steps = []
    if answer.reasoning is not None:
        steps += [AnswerContent(reasoning=piece) for piece in draw(deltas(answer.reasoning))]
    if answer.content is not None:
        steps += [AnswerContent(content=piece) for piece in draw(deltas(answer.content))]
    for index, call in answer.calls.items():
        pieces = _call_pieces(call, draw(deltas(call.arguments)))
        steps += [AnswerContent(calls={index: piece}) for piece in pieces]
    return steps


def _call_pieces(call: ToolCall, arguments: Sequence[str]) -> Iterator[ToolCall]:
    """Yield a piece of *call* with id and name, then pieces without them (B6 of WIRE_FACTS.md)."""
    for number, text in enumerate(arguments):
        yield ToolCall("", "", text) if number else replace(call, arguments=text)


def _joined(before: AnswerContent, step: AnswerContent) -> AnswerContent:
    """Return the next event of a cumulative stream: the event *before*, extended by *step*."""
    calls = {**before.calls}
    for index, piece in step.calls.items():
        if index in calls:
            piece = replace(calls[index], arguments=calls[index].arguments + piece.arguments)
        calls[index] = piece
    content = _concatenated(before.content, step.content)
    return AnswerContent(content, _concatenated(before.reasoning, step.reasoning), calls)


def _concatenated(before: str | None, piece: str | None) -> str | None:
    return before if piece is None else (before or "") + piece


def _with_role(
    steps: Sequence[AnswerContent], operation: Operation, *, role_once: bool
) -> Iterator[dict[str, Json]]:
    """Yield the values of each event, by names of `Fields`.

    They include the values that the schema requires in every event. The role is in every event or,
    if *role_once* and the schema allows it, only in the first one.
    """
    endpoint = operation.endpoint
    schema = _event_schema(endpoint)

    def is_required(field: str) -> bool:
        pointer = field_pointer(endpoint, schema, field, operation.without).replace("[]", "0")
        return bool(pointer) and requires(schema, pointer)

    for number, step in enumerate(steps):
        values: dict[str, Json] = {"index": 0}
        if number == 0 or not role_once or is_required("role"):
            values["role"] = "assistant"
        if is_required("finish_reason"):
            values["finish_reason"] = NONE_YET
        if is_required("content"):
            values["content"] = ""
        yield values | step.all_values()


def _with_usage(
    events: list[dict[str, Json]],
    api: ApiForm,
    endpoint: Endpoint,
    request: Json,
    counts: dict[str, Json],
) -> list[dict[str, Json]]:
    """Return *events* with token counts.

    If the schema requires them in each event, they grow; else they are at the end, if *request*
    asks for them.
    """
    if requires(_event_schema(endpoint), "/usage"):
        inputs, outputs = counts["input_tokens"], counts["output_tokens"]
        if isinstance(inputs, int) and isinstance(outputs, int):
            for number, event in enumerate(events, start=1):
                event |= usage_values(inputs, outputs * number // len(events))
        return [*events[:-1], events[-1] | counts]
    if not endpoint.tells_usage(request):
        return events
    if api.usage_apart:
        return [*events, counts]
    return [*events[:-1], events[-1] | counts]
