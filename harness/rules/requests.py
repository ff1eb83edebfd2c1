"""Rules for the requests that an SDK sends for a call: SDKs change requests without notice."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import messages, show, turn_request, violation, wants_stream
from harness.types import Call, CallKind, Finding, Json, Message, Mode
from harness.wire import MISSING, Missing, escape, query, resolve


def _requests(analyzed: AnalyzedTranscript) -> Iterator[tuple[Call, AnalyzedExchange]]:
    """Yield each call with the request that the SDK sent for it."""
    for turn in analyzed.turns:
        request = turn_request(turn)
        if turn.turn.call is not None and request is not None:
            yield turn.turn.call, request


def model_travels(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the requested model is the one of the scenario."""
    for call, request in _requests(analyzed):
        model = resolve(request.request_json.value, "/model")
        if model != call.model:
            place = request.request_place("/model")
            yield violation(f"the model {call.model}", _shown(model), place)


def conversation_travels(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the messages, or the prompt, of a call are sent complete and unchanged.

    Compared are roles, texts, tool calls and the ids of tool results, in their order.
    """
    for call, request in _requests(analyzed):
        if call.kind is not CallKind.CHAT:
            yield from _prompt(call, request)
            continue
        pointer, sent = messages(request)
        if len(sent) != len(call.messages):
            place = request.request_place(pointer)
            yield violation(f"{len(call.messages)} messages", len(sent), place)
        for number, (message, value) in enumerate(zip(call.messages, sent, strict=False)):
            expected, actual = _of_message(message), _of_json(value)
            if expected != actual:
                place = request.request_place(f"{pointer}/{number}")
                yield violation(show(expected), show(actual), place)


def _prompt(call: Call, request: AnalyzedExchange) -> Iterator[Finding]:
    pointers = request.endpoint.fields.prompt if request.endpoint else ()
    prompt = first(request.request_json.value, pointers)
    if pointers and prompt != call.prompt:
        place = request.request_place(pointers[0])
        yield violation(f"the prompt {show(call.prompt)}", show(prompt), place)


def _of_message(message: Message) -> list[object]:
    calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    return [message.role, message.content, calls, message.tool_call_id]


def _of_json(value: Json) -> list[object]:
    pointers = ("/id", "/function/name", "/function/arguments")
    sent = query(value, "/tool_calls/[]")
    calls = [[resolve(call, pointer) or "" for pointer in pointers] for _, call in sent]
    text = text_of(resolve(value, "/content")) or ""
    return [resolve(value, "/role") or "", text, calls, resolve(value, "/tool_call_id") or ""]


def parameters_travel(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that each parameter is sent as the scenario gives it.

    The SDKs are known to change some: zhipuai moves `temperature` and `top_p` into the open range
    from 0 to 1 and adds `do_sample`. A parameter that is false or null may be left out, and a size
    may be written with `*` in place of `x`; values that differ in each run are not checked.
    """
    volatile = analyzed.transcript.provenance.volatile
    for call, request in _requests(analyzed):
        prefix = request.endpoint.fields.parameters if request.endpoint else ""
        for name, expected in call.parameters.items():
            pointer = f"{prefix}/{escape(name)}"
            actual = resolve(request.request_json.value, pointer)
            if pointer not in volatile and not _same(expected, actual):
                place = request.request_place(pointer)
                yield violation(f"{name} {show(expected)}", _shown(actual), place)


def _same(expected: Json, actual: Json | Missing) -> bool:
    if actual is MISSING:
        return expected is None or expected is False
    if isinstance(expected, str) and isinstance(actual, str):
        return expected.replace("x", "*") == actual.replace("x", "*")
    are_numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return expected == actual and (are_numbers or type(expected) is type(actual))


def delivery_travels(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request has the mode of its call: streaming, a task, or neither."""
    for call, request in _requests(analyzed):
        mode = Mode.STREAM if wants_stream(request) else Mode.SYNC
        if request.endpoint and request.endpoint.role is Role.SUBMIT:
            mode = Mode.ASYNC
        if mode is not call.mode:
            place = request.request_place()
            yield violation(f"a request for {call.mode}", f"one for {mode}", place)


def _shown(value: Json | Missing) -> str:
    return "nothing" if value is MISSING else show(value)
