"""Rules for tool calls: complete, declared and answered."""

from __future__ import annotations

from collections.abc import Iterator
from operator import is_

from harness.analysis.endpoint import Fields, Part
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import FUNCTION, all_seen, first, pointer_to, seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import Answered, answered, show, whole_conversation
from harness.rules.schemas import violations
from harness.types import Finding, Json, Place, Reply, ToolCall
from harness.wire import as_list, as_object, read_json, resolve, text_at

CALLING = "tool_calls"
"""The finish reason of an answer that calls tools."""

CUT_OFF = frozenset({"length", "max_tokens", "incomplete"})
"""The finish reasons of an answer that was cut off, possibly within a call."""


def _place(reading: AnalyzedExchange, number: int) -> Place:
    """Return the place of tool call *number* in a document, or of the first calls in a stream.

    Returns the place of the whole answer if there are no calls.
    """
    part = next((part for part, reply in reading.replies if reply.tool_calls), None)
    if part is None:
        return reading.place()
    pointer = pointer_to(part, reading.fields.tool_calls)
    return reading.place(pointer if reading.is_stream else f"{pointer}/{number}", part)


def tool_calls_are_complete(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a tool call has a unique id, a name, and a JSON object as arguments.

    The pieces of a stream are joined first. A program sends the tool's result back with the id.
    Several models send no arguments ("" or null) to a function that requires none [FIELD].
    """
    reply = reading.outcome if isinstance(reading.outcome, Reply) else Reply()
    ids: set[str] = set()
    for number, call in enumerate(reply.tool_calls):
        may_lack = reply.finish_reason in CUT_OFF or _requires_nothing(call, reading)
        for expected, actual in _problems(call, ids, may_lack, _may_lack_ids(reading)):
            yield violation(expected, actual, _place(reading, number))
        ids.add(call.id)


def _may_lack_ids(reading: AnalyzedExchange) -> bool:
    """Return whether the service is known to send empty ids, for its calls too."""
    endpoint = reading.checked_endpoint
    return endpoint is not None and "ids_are_not_empty" in endpoint.exempt


def _requires_nothing(call: ToolCall, reading: AnalyzedExchange) -> bool:
    """Return whether a call has no arguments and the request says that its function needs none."""
    if call.arguments.strip() not in ("", "null"):
        return False
    schemas = _parameters(first(reading.request_json.value, reading.fields.tools))
    return call.name in schemas and not resolve(schemas[call.name], "/required")


def _problems(
    call: ToolCall, ids: set[str], may_lack: bool, may_lack_id: bool
) -> Iterator[tuple[str, str]]:
    if not call.id and not may_lack_id:
        yield "an id of the tool call", "none"
    elif call.id and call.id in ids:
        yield "a unique id for each tool call", f"{show(call.id)} twice"
    if not call.name:
        yield "the name of a function", "none"
    arguments = read_json(call.arguments.encode("utf-8", "replace"))
    if may_lack and not isinstance(arguments.value, dict):
        return
    if arguments.problem:
        yield "arguments in JSON", f"{arguments.problem} in {show(call.arguments)}"
    elif not isinstance(arguments.value, dict):
        yield "a JSON object as arguments", show(arguments.value)


def _sent_calls(part: Part, reading: AnalyzedExchange) -> Iterator[tuple[int, str, Json]]:
    """Yield (number, pointer, value) for each call, or piece of a call, in a part."""
    for pointer, calls in all_seen(part, reading.fields, reading.fields.tool_calls):
        for number, call in enumerate(as_list(calls)):
            yield number, f"{pointer}/{number}", call


def tool_pieces_belong(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a streamed tool call begins with an id and a name, which later pieces keep.

    Each call has the next index, from 0. Later pieces have neither, or the same (DashScope's have
    `id: ""` [REC B6]; Zhipu's calls come whole [REC A2]). A piece with another name and the same id
    belongs to another call, and its arguments would be appended to those of this call.
    """
    outcome = reading.outcome
    if not isinstance(outcome, Reply) or outcome.cumulative:
        return
    may_lack_id = _may_lack_ids(reading)
    known: dict[int, tuple[str, str]] = {}
    indices: set[int] = set()
    for part, _ in reading.event_replies:
        for number, pointer, piece in _sent_calls(part, reading):
            index = resolve(piece, "/index")
            index = index if type(index) is int else number
            if index > len(indices):
                expected = f"the index {len(indices)} of the next call"
                yield reading.violation(expected, index, part, f"{pointer}/index")
            indices.add(index)
            if resolve(piece, "/type") not in (None, "", FUNCTION):
                continue  # a tool of the service, whose pieces have a form of their own
            new_id, new_name = _text(piece, "/id"), _text(piece, "/function/name")
            call_id, name = known.get(index, ("", ""))
            place = reading.place(pointer, part)
            if index not in known and not ((new_id or may_lack_id) and new_name):
                yield violation("a first piece with an id and a name", show(piece), place)
            elif new_id in ("", call_id) and name and new_name not in ("", name):
                yield violation(f"a piece of the call of {show(name)}", show(new_name), place)
            known[index] = (new_id or call_id, new_name or name)


def _text(value: Json, pointer: str) -> str:
    return text_at(value, pointer) or ""


def tool_type_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check a tool call's type, which names a field of the call, and its index, counted from 0.

    Programs read the call's field `function`. Zhipu's own tools (a search, a browser) stand under
    the name of their type, and Moonshot's `builtin_function` under `function` [DOC]. Clients join
    the pieces of a stream by the index, which is only checked for its sign there.
    """
    for part, pointer, calls in reading.values(reading.fields.tool_calls):
        for number, call in enumerate(as_list(calls)):
            kind, index = _text(call, "/type").removeprefix("builtin_"), resolve(call, "/index")
            is_empty = not reading.is_stream and resolve(call, "/type") == ""
            is_other = index != number and not reading.is_stream
            if is_empty or (type(index) is int and (index < 0 or is_other)):
                expected = "the type function" if is_empty else f"the index {number}"
                name = "type" if is_empty else "index"
                actual = show(kind if is_empty else index)
                yield reading.violation(expected, actual, part, f"{pointer}/{number}/{name}")
            if kind and isinstance(call, dict) and kind not in call:
                yield reading.violation(
                    "the type function", show(kind), part, f"{pointer}/{number}/type"
                )


def _parameters(tools: Json) -> dict[str, Json]:
    """Return the parameter schemas of the functions in *tools*, by function name."""
    declared: dict[str, Json] = {}
    for function in functions(tools):
        if isinstance(name := function.get("name"), str):
            declared[name] = function.get("parameters") or function.get("input_schema")
    return {name: _lower_types(schema) for name, schema in declared.items()}


def _lower_types(schema: Json) -> Json:
    """Return a schema with types such as Gemini's `STRING` [DOC] in lower case.

    A schema without any is returned as it is, the same object.
    """
    if isinstance(schema, list):
        items = [_lower_types(item) for item in schema]
        return schema if all(map(is_, items, schema)) else items
    if not isinstance(schema, dict):
        return schema
    lower = {name: _lower_types(member) for name, member in schema.items()}
    kind = schema.get("type")
    if isinstance(kind, str) and kind.isupper():
        lower["type"] = kind.lower()
    return schema if all(map(is_, lower.values(), schema.values())) else lower


def functions(tools: Json) -> Iterator[dict[str, Json]]:
    """Yield the declaration of each function in *tools*, the list of tools of a request.

    It is the tool's member `function`, or the tool itself; it may contain further tools.
    """
    for tool in as_list(tools):
        function = resolve(tool, "/function") or tool
        if isinstance(function, dict):
            yield function
            yield from functions(function.get("tools"))


def tool_was_declared(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a model calls only functions that the request declared.

    A program that looks the function up would fail, or run an unintended one. A stored prompt of
    OpenAI's may declare functions that the request does not have.
    """
    for turn in answered(analyzed):
        calls = list(_calls(turn))
        request = turn.request.request_json.value if calls else None
        if not isinstance(request, dict) or isinstance(request.get("prompt"), dict):
            continue  # no call, a request that was not recorded, or a stored prompt
        declared = _parameters(turn.requested("tools"))
        for answer, number, call in calls:
            if call.name and call.name not in declared:
                expected = f"a call of {', '.join(declared) or 'no function at all'}"
                place = _place(answer, number)
                yield violation(expected, f"one of {show(call.name)}", place)


def _calls(turn: Answered) -> Iterator[tuple[AnalyzedExchange, int, ToolCall]]:
    """Yield (answer, number, call) for each tool call of all choices."""
    for number, call in enumerate(turn.reply.tool_calls):
        yield turn.answer, number, call
    for choice in turn.answer.other_choices if turn.reply.other_choices else ():
        calls = choice.outcome.tool_calls if isinstance(choice.outcome, Reply) else ()
        for number, call in enumerate(calls):
            yield choice, number, call


def tool_arguments_fit(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the arguments of a tool call fit the JSON Schema that the request declared.

    Models make mistakes here, and a program that trusts them fails later.
    """
    for turn in answered(analyzed):
        calls = list(_calls(turn))
        declared = _parameters(turn.requested("tools")) if calls else {}
        for answer, number, call in calls:
            schema = declared.get(call.name)
            arguments = read_json(call.arguments.encode("utf-8", "replace"))
            if not isinstance(schema, dict) or not isinstance(arguments.value, dict):
                continue
            for pointer, expected, actual in violations(schema, arguments.value):
                within = f"in the arguments of {call.name}{pointer and ' at ' + pointer}"
                yield violation(expected, actual, _place(answer, number), within)


def _finish_part(reading: AnalyzedExchange) -> Part | None:
    parts = [part for part, reply in reading.replies if reply.finish_reason]
    return parts[-1] if parts else None


def tool_finish_has_calls(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an answer with the finish reason tool_calls calls a tool."""
    reply, pointers = reading.outcome, reading.fields.tool_calls
    if not isinstance(reply, Reply) or reply.finish_reason != CALLING:
        return
    if not any(calls for part in reading.parts for _, calls in seen(part.value, pointers)):
        expected, pointers = "a tool call, as the finish reason says", reading.fields.finish_reason
        yield reading.violation(expected, "none", _finish_part(reading), pointers)


def tool_calls_finish_as_such(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an answer with tool calls does not have the finish reason `stop`.

    DashScope gave "stop" in 2024 [REC] and "tool_calls" since 2025 [REC]: a loop that waits for
    "tool_calls" misses the call. A call that `tool_choice` forces ends with "stop", as OpenAI's do.
    """
    reply = reading.outcome
    if not isinstance(reply, Reply) or not reply.tool_calls or _is_forced(reading):
        return
    if reply.finish_reason == "stop":
        expected = f'the finish reason "{CALLING}" of an answer with tool calls'
        pointers = reading.fields.finish_reason
        yield reading.violation(expected, '"stop"', _finish_part(reading), pointers)


def _is_forced(reading: AnalyzedExchange) -> bool:
    """Return whether a request names the function to be called, or requires a call."""
    fields = reading.endpoint.fields if reading.endpoint else Fields()
    choice = resolve(reading.request_json.value, f"{fields.parameters}/tool_choice")
    return isinstance(choice, dict) or choice == "required"


def tool_results_answer_calls(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that every tool result in a request answers an earlier call, and every call has one.

    A result belongs to its call by `tool_call_id`, which both services document as required; with
    two calls a service without it could take one result for the other.
    """
    sent = whole_conversation(reading)
    open_calls: dict[str, str] = {}
    has_ids = True
    for number, value in enumerate(sent.messages):
        message = as_object(value)
        for pointer, call in seen(message, ("/tool_calls/[]/id",)):
            open_calls[str(call)] = sent.at(number, pointer)
        if message.get("role") == "tool":
            call_id = message.get("tool_call_id")
            has_ids = has_ids and isinstance(call_id, str)
            inner = "/tool_call_id" if isinstance(call_id, str) else ""
            yield from _unknown_call(reading, sent.at(number, inner), call_id, open_calls)
            open_calls.pop(str(call_id), None)
    for call, pointer in open_calls.items() if has_ids else ():
        expected = f"a tool result for the call {show(call)} in the request"
        yield violation(expected, "none", reading.request_place(pointer))


def _unknown_call(
    reading: AnalyzedExchange, pointer: str, call_id: Json, open_calls: dict[str, str]
) -> Iterator[Finding]:
    if not isinstance(call_id, str):
        expected = "a tool_call_id of the tool result in the request"
        yield violation(expected, "none", reading.request_place(pointer))
    elif call_id not in open_calls:
        expected = ", ".join(map(show, open_calls)) or "no tool result, as no call is open"
        place = reading.request_place(pointer)
        yield violation(expected, f"a result for {show(call_id)}", place, "in the request")
