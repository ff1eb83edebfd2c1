"""Are tool calls whole, allowed and answered?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.dialects.reader import seen
from harness.reading import Part, Read, Reading
from harness.rules.rule import Answered, answered, messages, replies, show, where
from harness.rules.schemas import violations
from harness.types import NOTHING, Finding, Json, Place, Reply, ToolCall
from harness.wire import at, read_json

CALLING = "tool_calls"
"""The finish reason, and the key in a message, of an answer that calls tools."""


def _whole(reading: Reading) -> Reply | None:
    return reading.outcome if isinstance(reading.outcome, Reply) else None


def _place(reading: Reading, number: int) -> Place:
    """Where a tool call stands: exactly in a whole answer, in its first event in a stream."""
    pointers = reading.endpoint.fields.tool_calls if reading.endpoint else ()
    part = next((part for part, reply in replies(reading) if reply.tool_calls), None)
    if part is None:
        return reading.place()
    pointer = where(part, pointers)
    return reading.place(pointer if reading.is_stream else f"{pointer}/{number}", part)


def tool_calls_are_complete(reading: Reading) -> Iterator[Finding]:
    """A tool call has an id of its own, a name, and a JSON object as arguments.

    Streamed pieces are joined first. The result is sent back under that id.
    """
    reply = _whole(reading)
    known: set[str] = set()
    for number, call in enumerate(reply.tool_calls if reply else ()):
        for problem in _problems(call, known):
            yield Finding(problem, _place(reading, number))
        known.add(call.id)


def _problems(call: ToolCall, known: set[str]) -> Iterator[str]:
    if not call.id:
        yield "expected an id of the tool call, found none"
    elif call.id in known:
        yield f"expected an id of its own for each tool call, found {show(call.id)} twice"
    if not call.name:
        yield "expected the name of a function, found none"
    arguments = read_json(call.arguments.encode("utf-8", "replace"))
    if arguments.problem:
        yield f"expected arguments in JSON, found {arguments.problem} in {show(call.arguments)}"
    elif not isinstance(arguments.value, dict):
        yield f"expected a JSON object as arguments, found {show(arguments.value)}"


def _declared(asked: Answered) -> dict[str, Json]:
    """The parameters' schema of each function a request offers."""
    tools = asked.asks("tools")
    functions = [at(tool, "/function") for tool in tools] if isinstance(tools, list) else []
    named = [f for f in functions if isinstance(f, dict) and isinstance(f.get("name"), str)]
    return {function["name"]: function.get("parameters") for function in named}


def tool_was_declared(read: Read) -> Iterator[Finding]:
    """A model calls only functions that the request offered.

    A program that looks the function up would fail, or run something nobody offered.
    """
    for asked in answered(read):
        declared = _declared(asked)
        for number, call in enumerate(asked.reply.tool_calls):
            if call.name and call.name not in declared:
                offered = ", ".join(declared) or "no function at all"
                message = f"expected a call of {offered}, found one of {show(call.name)}"
                yield Finding(message, _place(asked.answer, number))


def tool_arguments_fit(read: Read) -> Iterator[Finding]:
    """The arguments of a tool call fit the JSON Schema that the request declared.

    Models make mistakes here; a program that trusts them passes the mistake on.
    """
    for asked in answered(read):
        declared = _declared(asked)
        for number, call in enumerate(asked.reply.tool_calls):
            schema = declared.get(call.name)
            arguments = read_json(call.arguments.encode("utf-8", "replace"))
            if not isinstance(schema, dict) or not isinstance(arguments.value, dict):
                continue
            for pointer, problem in violations(schema, arguments.value):
                message = (
                    f"in the arguments of {call.name}{pointer and ' at ' + pointer}: {problem}"
                )
                yield Finding(message, _place(asked.answer, number))


def _finish_place(reading: Reading) -> Place:
    parts: list[Part] = [part for part, reply in replies(reading) if reply.finish_reason]
    if not parts or reading.endpoint is None:
        return reading.place()
    return reading.place(where(parts[-1], reading.endpoint.fields.finish_reason), parts[-1])


def tool_finish_has_calls(reading: Reading) -> Iterator[Finding]:
    """An answer that finished to have tools called calls at least one."""
    reply = _whole(reading)
    if reply and reply.finish_reason == CALLING and not reply.tool_calls:
        yield Finding(
            "expected a tool call, as the finish reason says, found none", _finish_place(reading)
        )


def tool_calls_finish_as_such(reading: Reading) -> Iterator[Finding]:
    """An answer that calls tools says so in its finish reason.

    DashScope said "stop" in 2024 [REC] and "tool_calls" since 2025 [REC], and a forced call may
    still end with "stop": loops that wait for the reason alone miss the call.
    """
    reply = _whole(reading)
    if reply and reply.tool_calls and reply.finish_reason == "stop":
        message = (
            f'expected the finish reason "{CALLING}" of an answer with tool calls, found "stop"'
        )
        yield Finding(message, _finish_place(reading))


def tool_results_answer_calls(reading: Reading) -> Iterator[Finding]:
    """Every tool result in a request answers an earlier call, and every call is answered.

    A result belongs to its call by `tool_call_id`, which both services document as required; with
    two calls a service that guesses can take one result for the other.
    """
    pointer, sent = messages(reading)
    open_calls: dict[str, str] = {}
    nameless = False
    for number, message in enumerate(sent):
        held = message if isinstance(message, dict) else NOTHING
        for place, call in seen(held, ("/tool_calls/[]/id",)):
            open_calls[str(call)] = f"{pointer}/{number}{place}"
        if held.get("role") == "tool":
            name = held.get("tool_call_id")
            nameless = nameless or not isinstance(name, str)
            yield from _unasked(reading, f"{pointer}/{number}", name, open_calls)
            open_calls.pop(str(name), None)
    for call, place in open_calls.items() if not nameless else ():
        message = f"expected a tool result for the call {show(call)} in the request, found none"
        yield Finding(message, reading.place(place))


def _unasked(
    reading: Reading, pointer: str, name: Json, open_calls: dict[str, str]
) -> Iterator[Finding]:
    if not isinstance(name, str):
        message = "expected a tool_call_id of the tool result in the request, found none"
        yield Finding(message, reading.place(pointer))
    elif name not in open_calls:
        wanted = ", ".join(map(show, open_calls)) or "no tool result, as no call is open"
        message = f"in the request: expected {wanted}, found a result for {show(name)}"
        yield Finding(message, reading.place(f"{pointer}/tool_call_id"))
