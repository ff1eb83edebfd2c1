"""Strategies for the contents of answers, for whole answers and refusals, and for streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from itertools import accumulate

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.reply import NONE_YET
from harness.providers.operation import ApiForm, Head, Headers, Operation, Values
from harness.rules.tools import CALLING
from harness.strategies.requests import GeneratedCall, call_json, json_bytes, tool_calls
from harness.strategies.schema import (
    completed,
    deltas,
    describes,
    field_pointer,
    links,
    requires,
    sentences,
    sounds,
    texts,
    write_answer,
)
from harness.types import EMPTY, Json, Response, ToolCall

# ------------------------------------------------------------------------------ what they say


@dataclass(frozen=True, slots=True)
class AnswerContent:
    """The content of an answer, or of one event of a stream.

    Attributes:
        content: The text; None if there is none.
        reasoning: The text of the reasoning; None if there is none.
        calls: The tool calls, or pieces of them, by index.
        finish_reason: The finish reason; None if there is none.
        values: All other values, by field (the name of an attribute of `Fields`) or by JSON
            pointer.
    """

    content: str | None = None
    reasoning: str | None = None
    calls: Mapping[int, ToolCall] = field(default_factory=dict)
    finish_reason: str | None = None
    values: Values = field(default_factory=lambda: EMPTY)

    def all_values(self) -> dict[str, Json]:
        """Return `values` and all other attributes that are not None as one dict.

        Its keys are names of fields (attributes of `Fields`), such as `tool_calls`, or JSON
        pointers.
        """
        calls: list[Json] = [call_json(index, call) for index, call in self.calls.items()]
        values: dict[str, Json] = {
            "content": self.content,
            "reasoning": self.reasoning,
            "tool_calls": calls or None,
            "finish_reason": self.finish_reason,
        }
        return {**{n: v for n, v in values.items() if v is not None}, **self.values}

    def whole_values(self) -> dict[str, Json]:
        """Return the values of a whole answer, by field (an attribute of `Fields`) or JSON pointer.

        They are `all_values` and, with a finish reason, the `index` 0 and the `role` `assistant` of
        the only choice.
        """
        choice: dict[str, Json] = {"index": 0, "role": "assistant"}
        return {**(choice if self.finish_reason else {}), **self.all_values()}


def answers(call: GeneratedCall) -> SearchStrategy[AnswerContent]:
    """Generate contents of answers to *call*, such as texts, tool calls, images or vectors."""
    match call.operation.kind:
        case "chat" | "prompt":
            return _chat(call)
        case "image":
            return _images(call)
        case "video":
            return links("mp4").map(partial(_video, call.operation))
        case "embedding":
            return _embeddings(call)
        case "speech":
            return links("wav").map(partial(_video, call.operation))
        case "transcription":
            return _transcripts(call.operation)
    return _ranking(call)


_REASONING = "Let me think: "
"""The beginning of every reasoning text, so that a test can distinguish it from other text."""


@st.composite
def _chat(draw: st.DrawFn, call: GeneratedCall) -> AnswerContent:
    operation, functions = call.operation, call.request.functions
    endpoint = operation.poll or operation.endpoint
    schema = endpoint.answer
    if operation.mode == "stream" and endpoint.event:
        schema = endpoint.event
    reasoning = None
    if field_pointer(endpoint, schema, "reasoning", operation.without) and draw(st.booleans()):
        reasoning = _REASONING + draw(texts())
    if draw(st.booleans()) and functions:
        calls = draw(tool_calls(functions))
        return AnswerContent(draw(st.none() | texts()), reasoning, calls, CALLING)
    reasons = sorted(endpoint.finish_reasons - {CALLING}, key=lambda name: (name != "stop", name))
    content, reason = draw(texts()), draw(st.sampled_from(reasons))
    if reason == "stop" and not content.strip():
        content += "OK"  # an answer that ended by itself says something
    return AnswerContent(content, reasoning, finish_reason=reason)


@st.composite
def _embeddings(draw: st.DrawFn, call: GeneratedCall) -> AnswerContent:
    request = call.request
    count, length = len(request.texts), request.dimension or draw(st.integers(1, 4))
    number = st.integers(-999, 999).map(lambda number: number / 1000)
    vector = st.lists(number, min_size=length, max_size=length)
    vectors: list[Json] = [[*draw(vector)] for _ in range(count)]
    return AnswerContent(values={"vectors": vectors, "positions": [*range(count)]})


@st.composite
def _ranking(draw: st.DrawFn, call: GeneratedCall) -> AnswerContent:
    request = call.request
    order = draw(st.permutations(range(len(request.texts))))[: request.count]
    scores = sorted((draw(st.integers(0, 1000)) / 1000 for _ in order), reverse=True)
    return AnswerContent(values={"positions": [*order], "scores": [*scores]})


@st.composite
def _images(draw: st.DrawFn, call: GeneratedCall) -> AnswerContent:
    """Generate the requested number of images; if the API has metrics, some may have failed."""
    operation, count = call.operation, call.request.count or 1
    has_metrics = bool(operation.poll and operation.poll.fields.metrics)
    succeeded = draw(st.integers(1, count)) if has_metrics else count
    failure: Json = {"code": "InternalError.Timeout", "message": "An error occurred."}
    images: list[Json] = [{operation.link: draw(links("png"))} for _ in range(succeeded)]
    values: dict[str, Json] = {operation.results: images + [failure] * (count - succeeded)}
    if has_metrics:
        values["metrics"] = metrics(count, succeeded, count - succeeded)
    # A task's images are results; beside them, a choice with a finish reason would count as one.
    return AnswerContent(finish_reason=None if operation.poll else "stop", values=values)


def _video(operation: Operation, url: str) -> AnswerContent:
    is_list = operation.results.endswith("[]")
    return AnswerContent(values={operation.results: [{operation.link: url}] if is_list else url})


def _transcripts(operation: Operation) -> SearchStrategy[AnswerContent]:
    """Generate the words of a sound or, of a task, the link to a file with them."""
    if operation.poll is None:
        return texts().map(AnswerContent)

    def answer(url: str) -> AnswerContent:
        result: Json = {operation.link: url, "subtask_status": "SUCCEEDED"}
        return AnswerContent(values={operation.results: [result], "metrics": metrics(1, 1)})

    return links("json").map(answer)


def metrics(total: int, succeeded: int = 0, failed: int = 0) -> Json:
    """Return the `metrics` of a task: `{"TOTAL": total, "SUCCEEDED": ..., "FAILED": ...}`."""
    return {"TOTAL": total, "SUCCEEDED": succeeded, "FAILED": failed}


@st.composite
def heads(draw: st.DrawFn, call: GeneratedCall) -> Head:
    """Generate the metadata of an answer to *call*: its id, model and time of creation."""
    created = draw(st.integers(1_700_000_000, 1_800_000_000))
    return Head(draw(ids(call.api, created)), call.model, created)


def ids(api: ApiForm, created: int) -> SearchStrategy[str]:
    """Generate answer ids in the format of *api*, for the time *created* in seconds since 1970."""
    forms, numbers = st.sampled_from(api.ids), st.integers(0, 2**128 - 1)
    return st.builds(lambda form, number: form(created, number), forms, numbers)


def head_values(head: Head, endpoint: Endpoint, *, streamed: bool) -> Values:
    """Return ids, model, time and `object` of an answer, by field (an attribute of `Fields`).

    `object` is present if *endpoint* lists values for it: with *streamed* the value for a stream
    event, otherwise the value for a whole answer. All other values are from *head*.
    """
    names = [name for name in sorted(endpoint.objects) if name.endswith(".chunk") is streamed]
    object_name: dict[str, Json] = {"object": names[0]} if names else {}
    ids: dict[str, Json] = {"id": head.id, "request_id": head.id}
    return {**ids, "model": head.model, "created": head.created, **object_name}


@st.composite
def token_counts(draw: st.DrawFn, endpoint: Endpoint, schema: Schema) -> dict[str, Json]:
    """Generate token counts whose total is their sum, by field (of `Fields`) or by JSON pointer.

    If *schema* has detailed counts, they may be generated too; none exceeds its total.
    """
    inputs, outputs = draw(st.integers(1, 9_999)), draw(st.integers(1, 9_999))
    if not field_pointer(endpoint, schema, "output_tokens"):
        outputs = 0  # what is only read, such as texts to embed
    values = usage_values(inputs, outputs)
    fields = endpoint.fields
    for total, parts in ((inputs, fields.input_parts), (outputs, fields.output_parts)):
        for pointer in parts:
            if describes(schema, pointer) and draw(st.booleans()):
                values[pointer] = draw(st.integers(0, total))
    return values


def usage_values(inputs: int, outputs: int) -> dict[str, Json]:
    """Return the counts `input_tokens`, `output_tokens` and their sum `total_tokens`, by name."""
    return {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": inputs + outputs}


# -------------------------------------------------------------------------------- as responses

_JSON_TYPES = ("application/json", "application/json; charset=UTF-8")


@st.composite
def response_headers(
    draw: st.DrawFn, api: ApiForm, head: Head, content_types: tuple[str, ...] = _JSON_TYPES
) -> Headers:
    """Generate the headers of a response: Content-Type, and perhaps Date and API-specific ones.

    The Content-Type is one of *content_types*; the Date is the time of creation in *head*.
    """
    content_type = draw(st.sampled_from(content_types))
    date = format_datetime(datetime.fromtimestamp(head.created, UTC), usegmt=True)
    dated = (("Date", date),) if draw(st.booleans()) else ()
    own = api.headers(head, draw(st.integers(1, 99_999))) if draw(st.booleans()) else ()
    return (("Content-Type", content_type), *dated, *own)


@st.composite
def answer_responses(
    draw: st.DrawFn, call: GeneratedCall, endpoint: Endpoint, head: Head, values: Values
) -> Response:
    """Generate successful responses of *endpoint* to *call*, with the metadata *head* and *values*.

    *values* are by field (an attribute of `Fields`) or by JSON pointer. The body is JSON, or a WAV
    file if the endpoint answers with speech.
    """
    if endpoint.speaks:
        return Response(200, "OK", (("Content-Type", "audio/wav"),), draw(sounds()))
    all_values = {**head_values(head, endpoint, streamed=False), **values}
    body = write_answer(endpoint, endpoint.answer, all_values, call.operation.without)
    content = draw(json_bytes(draw(completed(endpoint.answer, body))))
    return Response(200, "OK", draw(response_headers(call.api, head)), content)


@st.composite
def refusal_responses(draw: st.DrawFn, call: GeneratedCall) -> Response:
    """Generate refusals of *call*, with any documented error code and one of its HTTP statuses."""
    endpoint, head = call.operation.endpoint, draw(heads(call))
    code = draw(st.sampled_from(sorted(endpoint.statuses)))
    status = draw(st.sampled_from(sorted(endpoint.statuses[code])))
    values: Values = {"code": code, "message": draw(sentences()), "request_id": head.id}
    body = draw(completed(endpoint.refusal, write_answer(endpoint, endpoint.refusal, values)))
    return Response(status, "", draw(response_headers(call.api, head)), draw(json_bytes(body)))


# ------------------------------------------------------------------------------------------ streams


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
