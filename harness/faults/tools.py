"""Faults in tool calls, and in the messages and tools of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

from harness.analysis.edit import change_request, change_values, remove
from harness.analysis.edit import put as put_value
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of, transcript_fault, with_exchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.select import SelectedValue, finishing, pointers, put, put_whole, tool_calls
from harness.rules.requests import REASONING
from harness.rules.rule import Answered, answered, messages
from harness.types import Exchange, Json, Reply, Transcript
from harness.wire import MISSING, resolve

_ANOTHER_CALL: Json = {
    "id": "call_of_another",
    "type": "function",
    "function": {"name": "another", "arguments": "{}"},
}


def _put_member(
    analyzed: AnalyzedExchange, calls: list[SelectedValue], pointer: str, value: str
) -> Exchange | None:
    """Return the exchange with a member of the first of these tool calls replaced.

    Returns None if there is no tool call.
    """
    target = calls[0]._replace(pointer=calls[0].pointer + pointer) if calls else None
    return put(analyzed, target, value)


def _finished_calls(analyzed: AnalyzedExchange) -> list[SelectedValue]:
    """Return the tool calls of a response; empty if it was cut off by its length limit."""
    reply = analyzed.outcome
    cut = isinstance(reply, Reply) and reply.finish_reason == "length"
    return [] if cut else tool_calls(analyzed)


@exchange_fault("tool_calls_are_complete", "/id", "/function/name")
def call_incomplete(analyzed: AnalyzedExchange, pointer: str) -> Exchange | None:
    """Set the id, or the function name, of a tool call to an empty string.

    Returns None if the response does not have exactly one tool call. *pointer* is the JSON pointer
    of the value in the call: `/id` or `/function/name`.
    """
    calls = _finished_calls(analyzed)
    return _put_member(analyzed, calls, pointer, "") if len(calls) == 1 else None


@exchange_fault("tool_calls_are_complete")
def arguments_truncated(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the last character of a tool call's arguments.

    Returns None if there is no tool call whose arguments end in a brace.
    """
    calls = _finished_calls(analyzed)[-1:]
    text = resolve(calls[0].value, "/function/arguments") if calls else None
    if not isinstance(text, str) or not text.endswith("}"):
        return None
    return _put_member(analyzed, calls, "/function/arguments", text[:-1])


def _pieces(analyzed: AnalyzedExchange) -> list[SelectedValue]:
    """Return the pieces of tool calls in a stream that is not cumulative; else empty."""
    reply = analyzed.outcome
    cumulative = isinstance(reply, Reply) and reply.cumulative
    return tool_calls(analyzed) if analyzed.is_stream and not cumulative else []


@exchange_fault("tool_pieces_belong", "/id", "/function/name")
def first_piece_incomplete(analyzed: AnalyzedExchange, pointer: str) -> Exchange | None:
    """Set the id, or the function name, in the first piece of a tool call to an empty string.

    Returns None if the response is no stream with pieces of tool calls. *pointer* is the JSON
    pointer of the value in the piece: `/id` or `/function/name`.
    """
    return _put_member(analyzed, _pieces(analyzed), pointer, "")


@exchange_fault("tool_pieces_belong")
def later_piece_with_another_name(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the function name in a later piece of a tool call to another function.

    Returns None if no tool call has a later piece.
    """
    for before, piece in pairwise(_pieces(analyzed)):
        index = resolve(piece.value, "/index")
        same = index is not MISSING and index == resolve(before.value, "/index")
        if same and resolve(piece.value, "/id") in ("", resolve(before.value, "/id")):
            value = put_value(piece.part.value, f"{piece.pointer}/function/name", "another")
            return put_whole(analyzed, piece.part, value)
    return None


@exchange_fault("tool_type_is_known", "plugin", "functions")
def call_type_unknown(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the type of a tool call to `plugin`, or to `functions`.

    Returns None if there is no tool call. *name* is the new type.
    """
    return _put_member(analyzed, tool_calls(analyzed), "/type", name)


# --------------------------------------------------------------------------- requested tools


def _with_tools(
    read: AnalyzedTranscript, change: Callable[[Json], Json], *, keep: bool = True
) -> Transcript | None:
    """Return the transcript with the tools of the first request changed whose answer calls one.

    Returns None if no answer calls a requested tool.

    Args:
        read: The transcript.
        change: Returns the changed tool.
        keep: Whether the tools are kept; if not, the list is emptied.
    """
    for turn in answered(read):
        tools = turn.requested("tools") if turn.reply.tool_calls else None
        called = {call.name for call in turn.reply.tool_calls}
        if not isinstance(tools, list) or not called & {
            str(resolve(tool, "/function/name")) for tool in tools
        }:
            continue
        place = pointers(turn.request, "tools")[0]
        new: Json = [change(tool) for tool in tools] if keep else []
        exchange = change_request(turn.request, place, new)
        return with_exchange(read, turn.request, exchange)
    return None


@transcript_fault("tool_was_declared", True, False)
def other_tools_requested(read: AnalyzedTranscript, keep: bool) -> Transcript | None:
    """Rename the requested functions, or remove them, although the answer calls one.

    Returns None if no answer calls a requested function. *keep* is true to rename them, false to
    remove them.
    """
    return _with_tools(read, lambda tool: put_value(tool, "/function/name", "other"), keep=keep)


@transcript_fault(
    "tool_arguments_fit",
    {"type": "object", "required": ["no_such_argument"]},
    {"type": "string"},
)
def other_arguments_required(read: AnalyzedTranscript, schema: Json) -> Transcript | None:
    """Replace the parameter schema of the requested functions by one that the call violates.

    Returns None if no answer calls a requested function. *schema* is the new schema.
    """
    return _with_tools(read, lambda tool: put_value(tool, "/function/parameters", schema))


# ------------------------------------------------------------------------- the finish reason


@exchange_fault("tool_finish_has_calls", when=finishing)
def finish_without_calls(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the finish reason of an answer without tool calls to `tool_calls`.

    Returns None if the answer has tool calls.
    """
    reply = analyzed.outcome
    if not isinstance(reply, Reply) or reply.tool_calls:
        return None
    return put(analyzed, finishing(analyzed)[-1], "tool_calls")


@exchange_fault("tool_finish_has_calls", when=tool_calls)
def calls_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the tool calls of an answer with the finish reason `tool_calls`.

    Returns None if the answer has another finish reason.
    """
    reply = analyzed.outcome
    if not isinstance(reply, Reply) or reply.finish_reason != "tool_calls":
        return None

    def without(value: Json) -> Json:
        for pointer in pointers(analyzed, "tool_calls"):
            value = remove(value, pointer)
        return value

    return change_values(analyzed, without) if finishing(analyzed) else None


@exchange_fault("tool_calls_finish_as_such", when=tool_calls)
def calls_finish_with_stop(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the finish reason of an answer with tool calls to `stop`."""
    places = {end.pointer for end in finishing(analyzed)}

    def stopped(value: Json) -> Json:
        for place in places:
            if resolve(value, place) not in (MISSING, None, "null"):
                value = put_value(value, place, "stop")
        return value

    return change_values(analyzed, stopped)


@exchange_fault("tool_calls_finish_as_such", when=finishing)
def call_added_to_stop(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a tool call to a document with the finish reason `stop`.

    Returns None if the response is not such a document, or if it has tool calls.
    """
    part, reply = finishing(analyzed)[-1].part, analyzed.outcome
    if analyzed.is_stream or not isinstance(reply, Reply):
        return None
    places = [
        place
        for place in pointers(analyzed, "tool_calls")
        if isinstance(resolve(part.value, place.rpartition("/")[0]), dict)
    ]
    if reply.tool_calls or reply.finish_reason != "stop" or not places:
        return None
    return put_whole(analyzed, part, put_value(part.value, places[0], [_ANOTHER_CALL]))


# ---------------------------------------------------------------------------------- messages


def _tool_result(analyzed: AnalyzedExchange) -> str:
    """Return the JSON pointer of the first tool result in a request; empty if there is none."""
    pointer, sent = messages(analyzed)
    results = (
        f"{pointer}/{n}"
        for n, message in enumerate(sent)
        if resolve(message, "/role") == "tool"
        and isinstance(resolve(message, "/tool_call_id"), str)
    )
    return next(results, "")


@exchange_fault("tool_results_answer_calls", when=_tool_result)
def result_of_another_call(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the call id of a tool result to the id of a call that was never made.

    Returns None if the request has no JSON object.
    """
    return change_request(analyzed, f"{_tool_result(analyzed)}/tool_call_id", "call_of_another")


@exchange_fault("tool_results_answer_calls", "/tool_call_id", "", when=_tool_result)
def result_incomplete(analyzed: AnalyzedExchange, pointer: str) -> Exchange | None:
    """Remove the call id from a tool result, or remove the result.

    *pointer* is the JSON pointer of the removed value in the result; empty for the whole result.
    Returns None if the request has no JSON object.
    """
    body = remove(analyzed.request_json.value, _tool_result(analyzed) + pointer)
    return change_request(analyzed, "", body)


def _last_message(analyzed: AnalyzedExchange) -> str:
    """Return the JSON pointer of the last message in a request; empty if there is none."""
    pointer, sent = messages(analyzed)
    return f"{pointer}/{len(sent) - 1}" if sent else ""


@exchange_fault("messages_are_well_formed", when=_last_message)
def role_human(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the role of the first message to `human`, as another provider calls the user.

    Returns None if the request has no JSON object.
    """
    return change_request(analyzed, f"{messages(analyzed)[0]}/0/role", "human")


@exchange_fault("messages_are_well_formed", when=_last_message)
def assistant_last(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a message of the assistant at the end of the request.

    Returns None if the request has no JSON object.
    """
    pointer, sent = messages(analyzed)
    return change_request(analyzed, pointer, [*sent, {"role": "assistant", "content": "It"}])


@exchange_fault("messages_are_well_formed", when=_last_message)
def message_without_content(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the content of the last message to null.

    Returns None if the message has tool calls.
    """
    has_calls = resolve(messages(analyzed)[1][-1], "/tool_calls")
    return (
        None if has_calls else change_request(analyzed, f"{_last_message(analyzed)}/content", None)
    )


def _pairs(read: AnalyzedTranscript) -> Iterator[tuple[Answered, Answered, int]]:
    """Yield each answered turn with each later one that has more messages, and its own number."""
    for before, later in combinations(answered(read), 2):
        length = len(messages(before.request)[1])
        if len(messages(later.request)[1]) > length:
            yield before, later, length


def _continues(pair: tuple[Answered, Answered, int]) -> bool:
    """Return whether the later request of a pair begins with the messages of the earlier one."""
    before, later, length = pair
    first = messages(before.request)[1]
    return bool(first) and messages(later.request)[1][:length] == first


@transcript_fault(
    "history_is_carried", ("/content", "Something else."), ("/tool_calls", [_ANOTHER_CALL])
)
def history_changed(read: AnalyzedTranscript, member: tuple[str, Json]) -> Transcript | None:
    """Change an earlier answer as a later request repeats it: its text, or its tool calls.

    Returns None if no later request repeats an answer. *member* is (JSON pointer in the repeated
    message, new value), such as `("/content", "...")`.
    """
    for _, later, length in filter(_continues, _pairs(read)):
        pointer, sent = messages(later.request)
        if resolve(sent[length], "/role") == "assistant":
            place = f"{pointer}/{length}{member[0]}"
            exchange = change_request(later.request, place, member[1])
            return with_exchange(read, later.request, exchange)
    return None


@transcript_fault("reasoning_is_carried", "Something else.", "")
def reasoning_changed(read: AnalyzedTranscript, reasoning: str) -> Transcript | None:
    """Change earlier reasoning as a later request repeats it, or empty it where it is needed.

    Returns None if no later request repeats reasoning. *reasoning* is the new reasoning.
    """
    for before, later, length in _pairs(read):
        pointer, sent = messages(later.request)
        said, endpoint = resolve(sent[length], REASONING), later.request.endpoint
        needed = endpoint and endpoint.keeps_reasoning(later.request.request_json.value)
        if said and said == before.reply.reasoning and (reasoning or needed):
            exchange = change_request(later.request, f"{pointer}/{length}{REASONING}", reasoning)
            return with_exchange(read, later.request, exchange)
    return None


@transcript_fault("prefix_is_stable")
def first_message_changed(read: AnalyzedTranscript) -> Transcript | None:
    """Change the first message of a request that repeats an answer, as by the time of day.

    Returns None if no request repeats an answer with text.
    """
    for before, later, length in filter(_continues, _pairs(read)):
        pointer, sent = messages(later.request)
        repeated = resolve(sent[length], "/content")
        if isinstance(repeated, str) and repeated and repeated == before.reply.content:
            exchange = change_request(later.request, f"{pointer}/0/content", "It is 12:01.")
            return with_exchange(read, later.request, exchange)
    return None


FAULTS = faults_of(vars())
