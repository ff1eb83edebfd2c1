"""Rules for requests: what an SDK sends of a call, and the conversation that they carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from harness.analysis.endpoint import Fields, Role
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
from harness.types import (
    EMPTY,
    Call,
    CallKind,
    Finding,
    Json,
    Message,
    Mode,
    Reasoning,
    Reply,
    with_reasoning,
)
from harness.wire import MISSING, Missing, escape, query, read_json, resolve

REASONING = "/reasoning_content"
"""The JSON pointer of the reasoning in a message."""


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

    Compared are roles, texts, tool calls, the ids of tool results and reasoning, in their order.
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
    fields = request.endpoint.fields if request.endpoint else Fields()
    pointers = fields.texts if call.kind is CallKind.EMBEDDING else fields.prompt
    prompt = first(request.request_json.value, pointers)
    if pointers and prompt != call.prompt:
        place = request.request_place(pointers[0])
        yield violation(f"the prompt {show(call.prompt)}", show(prompt), place)


def _of_message(message: Message) -> list[object]:
    calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    return [message.role, message.content, calls, message.tool_call_id, message.reasoning]


def _of_json(value: Json) -> list[object]:
    pointers = ("/id", "/function/name", "/function/arguments")
    sent = query(value, "/tool_calls/[]")
    calls = [[resolve(call, pointer) or "" for pointer in pointers] for _, call in sent]
    text = text_of(resolve(value, "/content")) or ""
    others = [resolve(value, pointer) or "" for pointer in ("/tool_call_id", REASONING)]
    return [resolve(value, "/role") or "", text, calls, *others]


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
    Requests that begin a new conversation are not checked. Reasoning has a rule of its own.
    """
    for turn, request, past in _with_past(analyzed):
        yield from _continuation(turn, request, past)


_Past = tuple[AnalyzedTurn, Answered, list[Json]]
"""An earlier turn, its answer, and the messages of its request, without reasoning."""


def _with_past(
    analyzed: AnalyzedTranscript,
) -> Iterator[tuple[AnalyzedTurn, AnalyzedExchange, list[_Past]]]:
    """Yield (turn, request, earlier turns) for each turn with a request."""
    past: list[_Past] = []
    answered_requests = {id(answer.request): answer for answer in answered(analyzed)}
    for turn in analyzed.turns:
        request = turn_request(turn)
        if request is None:
            continue
        yield turn, request, past
        if id(request) in answered_requests:
            sent = _without_reasoning(messages(request)[1])
            past.append((turn, answered_requests[id(request)], sent))


def _without_reasoning(sent: Sequence[Json]) -> list[Json]:
    return [remove_member(message, REASONING.strip("/")) for message in sent]


def remove_member(value: Json, name: str) -> Json:
    """Return *value* without its member *name*; unchanged if it is not an object."""
    if not isinstance(value, dict):
        return value
    return {key: member for key, member in value.items() if key != name}


def _continuation(
    turn: AnalyzedTurn, request: AnalyzedExchange, past: Sequence[_Past]
) -> Iterator[Finding]:
    pointer, sent = messages(request)
    sent = _without_reasoning(sent)
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
        place = request.request_place(f"{pointer}/{length}")
        expected, actual = _parted(message, candidates[-1])
        yield violation(f"the earlier answer {expected} in the request", actual, place)


_BEFORE = 30
"""Characters that are shown before the place where two texts part."""


def _parted(message: Json, reply: Reply) -> tuple[str, str]:
    """Return a reply and a message as texts that begin shortly before they part.

    If only their tool calls differ, the names of the calls and the message are returned.
    """
    expected, actual = ((text or "").strip() for text in (reply.content, _text_of(message)))
    if expected == actual or not (expected and actual):
        return show(reply.content or [call.name for call in reply.tool_calls]), show(message)
    pairs = zip(expected, actual, strict=False)
    at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(0, at - _BEFORE)
    where = f" (from character {at + 1})" if start else ""
    mark = "…" if start else ""
    return show(mark + expected[start:]), show(mark + actual[start:]) + where


def _text_of(message: Json) -> str | None:
    return text_of(resolve(message, "/content"))


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
    begins = with_reasoning(call, Reasoning.DROPPED).messages[:length]
    before = with_reasoning(earlier, Reasoning.DROPPED).messages
    is_longer = len(call.messages) > length and begins == before
    return is_longer and call.messages[length].role == "assistant"


def _repeats(message: Json, reply: Reply) -> bool:
    """Return whether a message has the text of a reply, apart from outer spaces, and its calls."""
    text = (_text_of(message) or "").strip()
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


def reasoning_is_carried(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request repeats earlier reasoning unchanged if it repeats it or has to.

    It has to where it asks the model to read earlier reasoning (`clear_thinking: false`,
    `preserve_thinking: true`) [DOC]: a model that gets none, or other, thinks without it.
    """
    for _, request, past in _with_past(analyzed):
        pointer, sent = messages(request)
        endpoint = request.endpoint
        needed = endpoint is not None and endpoint.keeps_reasoning(request.request_json.value)
        bare = _without_reasoning(sent)
        for _, answer, before in past:
            reply, number = answer.reply, len(before)
            if not _continues(before, bare) or not _repeats(bare[number], reply):
                continue
            expected, actual = reply.reasoning or "", resolve(sent[number], REASONING) or ""
            if expected.strip() and actual != expected and (actual or needed):
                place = request.request_place(f"{pointer}/{number}{REASONING if actual else ''}")
                shown = show(actual) if actual else "none"
                yield violation(f"the earlier reasoning {show(expected)}", shown, place)


def prefix_is_stable(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the messages before a repeated answer are those that it answered.

    Services cache the common beginning of requests [DOC context-cache]. A system prompt or an
    earlier question that changes, such as by the time in it, makes all after it new, and dearer.
    Give this rule the severity error to forbid it.
    """
    for _, request, past in _with_past(analyzed):
        pointer, sent = messages(request)
        bare = _without_reasoning(sent)
        for _, answer, before in past[::-1]:
            length = len(before)
            if not 0 < length < len(bare) or not answer.reply.content:
                continue
            if _repeats(bare[length], answer.reply) and bare[:length] != before:
                number = next(n for n in range(length) if bare[n] != before[n])
                place = request.request_place(f"{pointer}/{number}")
                yield violation(f"{show(before[number])} as before", show(bare[number]), place)
                break
