"""Rules for requests: what an SDK sends of a call, and the conversation that they carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import (
    Answered,
    answered,
    messages,
    show,
    turn_request,
    violation,
    wants_stream,
)
from harness.types import EMPTY, Call, CallKind, Finding, Json, Message, Mode, Reply
from harness.wire import MISSING, Missing, escape, query, read_json, resolve


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


_ROLES = ("system", "user", "assistant", "tool")


def messages_are_well_formed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the messages of a request have known roles, content, and a valid order.

    A tool message follows the assistant message that called the tool, or another tool message. The
    last message is not from the assistant, unless it is to be continued (`partial`, `prefix`). An
    assistant message may come first, as in role play (charglm, qwen-plus-character); a system
    message may come anywhere.
    """
    pointer, sent = messages(reading)
    previous = ""
    for number, value in enumerate(sent):
        message = value if isinstance(value, dict) else EMPTY
        for expected, actual in _problems(message, previous):
            place = reading.request_place(f"{pointer}/{number}")
            yield violation(expected, actual, place, "in the request")
        previous = str(message.get("role", ""))
    last = sent[-1] if sent else None
    if previous == "assistant" and not resolve(last, "/partial") and not resolve(last, "/prefix"):
        place = reading.request_place(f"{pointer}/{len(sent) - 1}")
        yield violation("a user or tool message last", "the assistant's", place, "in the request")


def _problems(message: Mapping[str, Json], previous: str) -> Iterator[tuple[str, str]]:
    role = message.get("role")
    if role not in _ROLES:
        yield f"a role among {', '.join(_ROLES)}", show(role)
    elif role == "tool" and previous not in ("assistant", "tool"):
        yield "a tool message after an assistant's", f"one after {show(previous)}"
    content = message.get("content")
    if not isinstance(content, str | list) and not message.get("tool_calls"):
        yield "content as text or a list", show(content)


def history_is_carried(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request that continues a conversation repeats all of it unchanged.

    The request begins with the messages of an earlier request, followed by the answer to it.
    Requests that begin a new conversation are not checked.
    """
    past: list[_Past] = []
    answered_requests = {id(answer.request): answer for answer in answered(analyzed)}
    for turn in analyzed.turns:
        request = turn_request(turn)
        if request is None:
            continue
        yield from _continuation(turn, request, past)
        if id(request) in answered_requests:
            past.append((turn, answered_requests[id(request)], messages(request)[1]))


_Past = tuple[AnalyzedTurn, Answered, list[Json]]
"""An earlier turn, its answer, and the messages of its request."""


def _continuation(
    turn: AnalyzedTurn, request: AnalyzedExchange, past: Sequence[_Past]
) -> Iterator[Finding]:
    pointer, sent = messages(request)
    continued = [(answer, before) for _, answer, before in past if _continues(before, sent)]
    if not continued:
        if _should_continue(turn, past):
            expected = "a request that begins with the one of the turn before"
            yield violation(expected, show(sent), request.request_place(pointer))
        return
    length = max(len(before) for _, before in continued)
    candidates = [answer.reply for answer, before in continued if len(before) == length]
    message = sent[length]
    if not any(_repeats(message, reply) for reply in candidates):
        reply = candidates[-1]
        content = show(reply.content or [call.name for call in reply.tool_calls])
        place = request.request_place(f"{pointer}/{length}")
        yield violation(f"the earlier answer {content} in the request", show(message), place)


def _continues(before: Sequence[Json], sent: Sequence[Json]) -> bool:
    """Return whether *sent* begins with the messages *before*, then an assistant message."""
    length = len(before)
    has_answer = 0 < length < len(sent) and resolve(sent[length], "/role") == "assistant"
    return has_answer and list(sent[:length]) == list(before)


def _should_continue(turn: AnalyzedTurn, past: Sequence[_Past]) -> bool:
    """Return whether the call of a turn continues the call before, whatever was sent."""
    call, earlier = turn.turn.call, past[-1][0].turn.call if past else None
    if call is None or earlier is None or not earlier.messages:
        return False
    length = len(earlier.messages)
    is_longer = len(call.messages) > length and call.messages[:length] == earlier.messages
    return is_longer and call.messages[length].role == "assistant"


def _repeats(message: Json, reply: Reply) -> bool:
    """Return whether a message has the text of a reply, apart from outer spaces, and its calls."""
    text = (text_of(resolve(message, "/content")) or "").strip()
    sent = [
        (
            resolve(call, "/id"),
            resolve(call, "/function/name"),
            _parsed(resolve(call, "/function/arguments")),
        )
        for _, call in query(message, "/tool_calls/[]")
    ]
    calls = [(call.id, call.name, _parsed(call.arguments)) for call in reply.tool_calls]
    return text == (reply.content or "").strip() and sent == calls


def _parsed(arguments: Json | Missing) -> Json | Missing:
    """Return arguments as parsed JSON, since spaces may differ; unchanged if not JSON."""
    if not isinstance(arguments, str):
        return arguments
    document = read_json(arguments.encode("utf-8", "replace"))
    return arguments if document.problem else document.value
