"""Is what was asked what travelled? SDKs change requests in silence."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import messages, question, show, violation, wants_stream
from harness.types import Call, CallKind, Finding, LooseJson, Message, Mode
from harness.wire import MISSING, escape, query, resolve


def _asked(read: AnalyzedTranscript) -> Iterator[tuple[Call, AnalyzedExchange]]:
    """Every call beside the request that an SDK made of it."""
    for turn in read.turns:
        reading = question(turn)
        if turn.turn.call is not None and reading is not None:
            yield turn.turn.call, reading


def model_travels(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The model that is asked for is the one that the scenario names."""
    for call, reading in _asked(read):
        found = resolve(reading.request_json.value, "/model")
        if found != call.model:
            yield violation(
                f"the model {call.model}", _said(found), reading.request_place("/model")
            )


def conversation_travels(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The messages, or the prompt, that are sent are those of the call: none lost, none changed.

    Roles, texts, tool calls and the ids of tool results, in the same order.
    """
    for call, reading in _asked(read):
        if call.kind is not CallKind.CHAT:
            yield from _prompt(call, reading)
            continue
        pointer, sent = messages(reading)
        if len(sent) != len(call.messages):
            place = reading.request_place(pointer)
            yield violation(f"{len(call.messages)} messages", str(len(sent)), place)
        for number, (line, held) in enumerate(zip(call.messages, sent, strict=False)):
            if _line(line) != _held(held):
                place = reading.request_place(f"{pointer}/{number}")
                yield violation(show(_line(line)), show(_held(held)), place)


def _prompt(call: Call, reading: AnalyzedExchange) -> Iterator[Finding]:
    fields = reading.endpoint.fields if reading.endpoint else None
    if fields is not None and fields.prompt:
        found = first(reading.request_json.value, fields.prompt)
        if found != call.prompt:
            place = reading.request_place(fields.prompt[0])
            yield violation(f"the prompt {show(call.prompt)}", show(found), place)


def _line(line: Message) -> list[LooseJson]:
    calls = [[call.id, call.name, call.arguments] for call in line.tool_calls]
    return [line.role, line.content, calls, line.tool_call_id]


def _held(held: LooseJson) -> list[LooseJson]:
    pointers = ("/id", "/function/name", "/function/arguments")
    calls = [
        [resolve(call, p) or "" for p in pointers] for _, call in query(held, "/tool_calls/[]")
    ]
    text = text_of(resolve(held, "/content")) or ""
    return [resolve(held, "/role") or "", text, calls, resolve(held, "/tool_call_id") or ""]


def parameters_travel(read: AnalyzedTranscript) -> Iterator[Finding]:
    """Each parameter is sent as the scenario gives it.

    The SDKs are known to change some: zhipuai moves `temperature` and `top_p` into the open range
    from 0 to 1 and sets `do_sample` beside. Such an answer was not asked for like this. A parameter
    that is false or null may be left out, and a size be written with another sign; what is random
    is another in every run.
    """
    volatile = read.transcript.provenance.volatile
    for call, reading in _asked(read):
        start = reading.endpoint.fields.parameters if reading.endpoint else ""
        for name, wanted in call.parameters.items():
            pointer = f"{start}/{escape(name)}"
            found = resolve(reading.request_json.value, pointer)
            if pointer not in volatile and not _same(wanted, found):
                place = reading.request_place(pointer)
                yield violation(f"{name} {show(wanted)}", _said(found), place)


def _same(wanted: LooseJson, found: LooseJson) -> bool:
    if found is MISSING:
        return wanted is None or wanted is False
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted.replace("x", "*") == found.replace("x", "*")
    numbers = isinstance(wanted, int | float) and isinstance(found, int | float)
    return bool(wanted == found) and (numbers or type(wanted) is type(found))


def delivery_travels(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A call for a stream asks for one, one for a task submits one, and the others do neither."""
    for call, reading in _asked(read):
        role = reading.endpoint.role if reading.endpoint else Role.OTHER
        found = (
            Mode.ASYNC
            if role is Role.SUBMIT
            else Mode.STREAM
            if wants_stream(reading)
            else Mode.SYNC
        )
        if found is not call.mode:
            yield violation(
                f"a request for {call.mode}", f"one for {found}", reading.request_place()
            )


def _said(value: LooseJson) -> str:
    return "nothing" if value is MISSING else show(value)
