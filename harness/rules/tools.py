"""Are tool calls whole, allowed and answered?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Fields, Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import FUNCTION, seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import (
    Answered,
    answered,
    answers,
    messages,
    replies,
    show,
    spoken,
    streamed,
    violation,
    where,
)
from harness.rules.schemas import violations
from harness.types import EMPTY, Finding, LooseJson, Place, Reply, ToolCall
from harness.wire import read_json, resolve

CALLING = "tool_calls"
"""The finish reason, and the key in a message, of an answer that calls tools."""

CUT_OFF = "length"
"""The finish reason of an answer that was cut off, in the middle of a call too."""


def _whole(reading: AnalyzedExchange) -> Reply | None:
    return reading.outcome if isinstance(reading.outcome, Reply) else None


def _place(reading: AnalyzedExchange, number: int) -> Place:
    """Where a tool call stands: exactly in a whole answer, in its first event in a stream."""
    pointers = reading.endpoint.fields.tool_calls if reading.endpoint else ()
    part = next((part for part, reply in replies(reading) if reply.tool_calls), None)
    if part is None:
        return reading.place()
    pointer = where(part, pointers)
    return reading.place(pointer if reading.is_stream else f"{pointer}/{number}", part)


def tool_calls_are_complete(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A tool call has an id of its own, a name, and a JSON object as arguments.

    Streamed pieces are joined first. The result is sent back under that id.
    """
    reply = _whole(reading)
    known: set[str] = set()
    for number, call in enumerate(reply.tool_calls if reply else ()):
        cut_off = reply is not None and reply.finish_reason == CUT_OFF
        for expected, found in _problems(call, known, cut_off):
            yield violation(expected, found, _place(reading, number))
        known.add(call.id)


def _problems(call: ToolCall, known: set[str], cut_off: bool) -> Iterator[tuple[str, str]]:
    if not call.id:
        yield "an id of the tool call", "none"
    elif call.id in known:
        yield "an id of its own for each tool call", f"{show(call.id)} twice"
    if not call.name:
        yield "the name of a function", "none"
    arguments = read_json(call.arguments.encode("utf-8", "replace"))
    if arguments.problem and not cut_off:
        yield "arguments in JSON", f"{arguments.problem} in {show(call.arguments)}"
    elif not arguments.problem and not isinstance(arguments.value, dict):
        yield "a JSON object as arguments", show(arguments.value)


def _pieces(reading: AnalyzedExchange) -> Iterator[tuple[Part, str, LooseJson, int]]:
    """Each piece of a streamed call: its event, its pointer, itself, and its index."""
    endpoint = reading.endpoint
    for part, _ in streamed(reading) if endpoint else ():
        for pointer, calls in seen(part.value, endpoint.fields.tool_calls if endpoint else ()):
            for number, call in enumerate(calls if isinstance(calls, list) else ()):
                if resolve(call, "/type") not in (None, "", FUNCTION):
                    continue  # a tool of the service's own, whose pieces have a form of theirs
                index = resolve(call, "/index")
                yield part, f"{pointer}/{number}", call, index if type(index) is int else number


def tool_pieces_belong(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The pieces of a streamed tool call belong to it: the first has an id and a name.

    Later ones have neither, or the same (DashScope's have `id: ""` [REC B6]; Zhipu's calls come
    whole [REC A2]). A piece with another name under the same id is of another call, and its
    arguments would be added to those of this one.
    """
    outcome = reading.outcome
    if not isinstance(outcome, Reply) or outcome.cumulative:
        return
    known: dict[int, tuple[str, str]] = {}
    for part, pointer, call, index in _pieces(reading):
        told = tuple(v if isinstance(v, str) else "" for v in (resolve(call, "/id"), _named(call)))
        own, name = known.get(index, ("", ""))
        if index not in known and not (told[0] and told[1]):
            place = reading.place(pointer, part)
            yield violation("a first piece with an id and a name", show(call), place)
        elif told[0] in ("", own) and name and told[1] not in ("", name):
            place = reading.place(pointer, part)
            yield violation(
                f"a piece of the call of {show(name)}", f"one of {show(told[1])}", place
            )
        known[index] = (told[0] or own, told[1] or name)


def _named(call: LooseJson) -> LooseJson:
    return resolve(call, "/function/name")


def tool_type_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A tool call is of the type function, or of a type that it has a field for.

    Zhipu names its own tools so (a search, a browser). Programs look under `function`.
    """
    endpoint = spoken(reading)
    for part in answers(reading) if endpoint else []:
        for pointer, calls in seen(part.value, endpoint.fields.tool_calls if endpoint else ()):
            for number, call in enumerate(calls if isinstance(calls, list) else ()):
                kind = resolve(call, "/type")
                if isinstance(kind, str) and kind and kind not in call:
                    place = reading.place(f"{pointer}/{number}/type", part)
                    yield violation("the type function", show(kind), place)


def _calling(read: AnalyzedTranscript) -> Iterator[Answered]:
    return (asked for asked in answered(read) if asked.reply.tool_calls)


def _declared(asked: Answered) -> dict[str, LooseJson]:
    """The parameters' schema of each function a request offers."""
    tools = asked.asks("tools")
    functions = [resolve(tool, "/function") for tool in tools] if isinstance(tools, list) else []
    declared = [function for function in functions if isinstance(function, dict)]
    named = ((function.get("name"), function.get("parameters")) for function in declared)
    return {name: parameters for name, parameters in named if isinstance(name, str)}


def tool_was_declared(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A model calls only functions that the request offered.

    A program that looks the function up would fail, or run something nobody offered.
    """
    for asked in _calling(read):
        if not isinstance(asked.asked.request_json.value, dict):
            continue  # a question that nobody recorded
        declared = _declared(asked)
        for number, call in enumerate(asked.reply.tool_calls):
            if call.name and call.name not in declared:
                offered = ", ".join(declared) or "no function at all"
                found = f"one of {show(call.name)}"
                yield violation(f"a call of {offered}", found, _place(asked.answer, number))


def tool_arguments_fit(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The arguments of a tool call fit the JSON Schema that the request declared.

    Models make mistakes here; a program that trusts them passes the mistake on.
    """
    for asked in _calling(read):
        declared = _declared(asked)
        for number, call in enumerate(asked.reply.tool_calls):
            schema = declared.get(call.name)
            arguments = read_json(call.arguments.encode("utf-8", "replace"))
            if not isinstance(schema, dict) or not isinstance(arguments.value, dict):
                continue
            within = f"in the arguments of {call.name}"
            for pointer, expected, found in violations(schema, arguments.value):
                place = _place(asked.answer, number)
                yield violation(expected, found, place, within + (pointer and " at " + pointer))


def _finish_place(reading: AnalyzedExchange) -> Place:
    parts: list[Part] = [part for part, reply in replies(reading) if reply.finish_reason]
    if not parts or reading.endpoint is None:
        return reading.place()
    return reading.place(where(parts[-1], reading.endpoint.fields.finish_reason), parts[-1])


def tool_finish_has_calls(reading: AnalyzedExchange) -> Iterator[Finding]:
    """An answer that finished to have tools called calls at least one."""
    reply = _whole(reading)
    if reply and reply.finish_reason == CALLING and not _calls_any(reading):
        yield violation("a tool call, as the finish reason says", "none", _finish_place(reading))


def _calls_any(reading: AnalyzedExchange) -> bool:
    """Whether any tool is called, one of the service's own included."""
    pointers = reading.endpoint.fields.tool_calls if reading.endpoint else ()
    return any(calls for part in reading.parts for _, calls in seen(part.value, pointers))


def tool_calls_finish_as_such(reading: AnalyzedExchange) -> Iterator[Finding]:
    """An answer that calls tools says so in its finish reason.

    DashScope said "stop" in 2024 [REC] and "tool_calls" since 2025 [REC]: loops that wait for the
    reason alone miss the call. A call that `tool_choice` forces ends with "stop", as OpenAI's do.
    """
    reply = _whole(reading)
    if reply and reply.tool_calls and reply.finish_reason == "stop" and not _is_forced(reading):
        expected = f'the finish reason "{CALLING}" of an answer with tool calls'
        yield violation(expected, '"stop"', _finish_place(reading))


def _is_forced(reading: AnalyzedExchange) -> bool:
    """Whether a request names the function that is to be called, or says that one has to be."""
    fields = reading.endpoint.fields if reading.endpoint else Fields()
    choice = resolve(reading.request_json.value, f"{fields.parameters}/tool_choice")
    return isinstance(choice, dict) or choice == "required"


def tool_results_answer_calls(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Every tool result in a request answers an earlier call, and every call is answered.

    A result belongs to its call by `tool_call_id`, which both services document as required; with
    two calls a service that guesses can take one result for the other.
    """
    pointer, sent = messages(reading)
    open_calls: dict[str, str] = {}
    nameless = False
    for number, message in enumerate(sent):
        held = message if isinstance(message, dict) else EMPTY
        for place, call in seen(held, ("/tool_calls/[]/id",)):
            open_calls[str(call)] = f"{pointer}/{number}{place}"
        if held.get("role") == "tool":
            name = held.get("tool_call_id")
            nameless = nameless or not isinstance(name, str)
            yield from _unasked(reading, f"{pointer}/{number}", name, open_calls)
            open_calls.pop(str(name), None)
    for call, place in open_calls.items() if not nameless else ():
        expected = f"a tool result for the call {show(call)} in the request"
        yield violation(expected, "none", reading.request_place(place))


def _unasked(
    reading: AnalyzedExchange, pointer: str, name: LooseJson, open_calls: dict[str, str]
) -> Iterator[Finding]:
    if not isinstance(name, str):
        expected = "a tool_call_id of the tool result in the request"
        yield violation(expected, "none", reading.request_place(pointer))
    elif name not in open_calls:
        wanted = ", ".join(map(show, open_calls)) or "no tool result, as no call is open"
        place = reading.request_place(f"{pointer}/tool_call_id")
        yield violation(wanted, f"a result for {show(name)}", place, "in the request")
