"""Breaking tool calls, and what requests say of them and of the conversation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.breaks import edit
from harness.rules.rule import answered, messages, replies, spoken
from harness.types import Exchange, LooseJson, Reply, Transcript
from harness.wire import MISSING, resolve


def _calls(reading: AnalyzedExchange) -> list[tuple[Part, str, LooseJson]]:
    """Every call, or piece of one: the part, where it is, and itself."""
    endpoint, whole = spoken(reading), reading.outcome
    if endpoint is None or not isinstance(whole, Reply) or not whole.tool_calls:
        return []
    patterns = [f"{pointer}/[]" for pointer in endpoint.fields.tool_calls]
    told = [
        (part, held) for part, _ in replies(reading) for held in edit.held(part, tuple(patterns))
    ]
    return [(part, pointer, call) for part, (pointer, call) in told]


def _whole(reading: AnalyzedExchange) -> tuple[Part | None, str, LooseJson]:
    """The only call of an answer that has it whole, and its text nowhere else."""
    told = _calls(reading)
    reply = reading.outcome
    if len(told) != 1 or not isinstance(reply, Reply) or reply.finish_reason == "length":
        return None, "", None
    return told[0]


def call_has_no_id(reading: AnalyzedExchange) -> Exchange | None:
    """A tool call has no id."""
    part, pointer, _ = _whole(reading)
    return edit.put(reading, part, f"{pointer}/id", "")


def call_has_no_name(reading: AnalyzedExchange) -> Exchange | None:
    """A tool call does not say which function."""
    part, pointer, _ = _whole(reading)
    return edit.put(reading, part, f"{pointer}/function/name", "")


def arguments_are_cut_off(reading: AnalyzedExchange) -> Exchange | None:
    """The last character of a call's arguments is lost."""
    told = _calls(reading)
    reply = reading.outcome
    if not told or not isinstance(reply, Reply) or reply.finish_reason == "length":
        return None
    part, pointer, call = told[-1]
    arguments = resolve(call, "/function/arguments")
    if not isinstance(arguments, str) or not arguments.endswith("}"):
        return None
    return edit.put(reading, part, f"{pointer}/function/arguments", arguments[:-1])


def _pieces(reading: AnalyzedExchange) -> list[tuple[Part, str, LooseJson]]:
    whole = reading.outcome
    cumulative = isinstance(whole, Reply) and whole.cumulative
    return [] if cumulative or not reading.is_stream else _calls(reading)


def first_piece_has_no_id(reading: AnalyzedExchange) -> Exchange | None:
    """The first piece of a streamed call has no id."""
    part, pointer, _ = next(iter(_pieces(reading)), (None, "", None))
    return edit.put(reading, part, f"{pointer}/id", "")


def first_piece_has_no_name(reading: AnalyzedExchange) -> Exchange | None:
    """The first piece of a streamed call has no name."""
    part, pointer, _ = next(iter(_pieces(reading)), (None, "", None))
    return edit.put(reading, part, f"{pointer}/function/name", "")


def later_piece_has_another_name(reading: AnalyzedExchange) -> Exchange | None:
    """A later piece of a call names another function."""
    told = _pieces(reading)
    for (_, _, before), (part, pointer, call) in pairwise(told):
        same = (
            resolve(call, "/index") == resolve(before, "/index")
            and resolve(call, "/index") is not MISSING
        )
        if same and resolve(call, "/id") in ("", resolve(before, "/id")):
            return edit.put(
                reading, part, "", edit.planted(part.value, f"{pointer}/function/name", "another")
            )
    return None


def call_is_of_a_plugin(reading: AnalyzedExchange) -> Exchange | None:
    """A tool call is of a type that is no function."""
    part, pointer, _ = next(iter(_calls(reading)), (None, "", None))
    return edit.put(reading, part, f"{pointer}/type", "plugin")


def call_is_of_functions(reading: AnalyzedExchange) -> Exchange | None:
    """A tool call is of the type functions."""
    part, pointer, _ = next(iter(_calls(reading)), (None, "", None))
    return edit.put(reading, part, f"{pointer}/type", "functions")


def _asking(
    read: AnalyzedTranscript, pointer: str, value: Callable[[LooseJson], LooseJson]
) -> Transcript | None:
    """The request of an answer with tool calls, with another value below each of its tools."""
    for asked in answered(read):
        endpoint = asked.asked.endpoint
        tools = asked.asks("tools")
        if endpoint is None or not asked.reply.tool_calls or not isinstance(tools, list):
            continue
        called = {call.name for call in asked.reply.tool_calls}
        if not called & {resolve(tool, "/function/name") for tool in tools}:
            continue
        new = [edit.planted(t, pointer, value(resolve(t, pointer))) for t in tools]
        exchange = edit.ask(asked.asked, endpoint.fields.tools[0], new)
        if exchange is not None:
            return edit.swapped(read, asked.asked, exchange)
    return None


def other_tools_were_offered(read: AnalyzedTranscript) -> Transcript | None:
    """The request offers functions of other names than the one that is called."""
    return _asking(read, "/function/name", lambda name: f"{name}_2")


def no_tools_were_offered(read: AnalyzedTranscript) -> Transcript | None:
    """The request offers no functions at all."""
    for asked in answered(read):
        endpoint = asked.asked.endpoint
        if endpoint and asked.reply.tool_calls and asked.asks("tools"):
            exchange = edit.ask(asked.asked, endpoint.fields.tools[0], [])
            return edit.swapped(read, asked.asked, exchange) if exchange else None
    return None


def another_argument_was_required(read: AnalyzedTranscript) -> Transcript | None:
    """The function that is called requires an argument that the call has not."""
    schema = {"type": "object", "required": ["no_such_argument"]}
    return _asking(read, "/function/parameters", lambda _: schema)


def arguments_are_of_another_type(read: AnalyzedTranscript) -> Transcript | None:
    """The function that is called takes no object at all."""
    return _asking(read, "/function/parameters", lambda _: {"type": "string"})


def _finishing(reading: AnalyzedExchange) -> list[tuple[Part, str]]:
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.finish_reasons:
        return []
    return [
        (part, edit.place(part, endpoint.fields.finish_reason))
        for part, reply in replies(reading)
        if reply.finish_reason
    ]


def finish_promises_calls(reading: AnalyzedExchange) -> Exchange | None:
    """An answer without tool calls ended to have tools called."""
    told, whole = _finishing(reading), reading.outcome
    if not told or not isinstance(whole, Reply) or whole.tool_calls:
        return None
    return edit.put(reading, *told[-1], "tool_calls")


def calls_are_left_out(reading: AnalyzedExchange) -> Exchange | None:
    """An answer that ended to have tools called calls none."""
    told, calls, whole = _finishing(reading), _calls(reading), reading.outcome
    if not told or not calls or not isinstance(whole, Reply):
        return None
    if whole.finish_reason != "tool_calls":
        return None
    endpoint = reading.endpoint
    patterns = endpoint.fields.tool_calls if endpoint else ()

    def without(value: LooseJson) -> LooseJson:
        for pattern in patterns:
            value = edit.without(value, pattern)
        return value

    return edit.put_all(reading, without)


def calls_finish_with_stop(reading: AnalyzedExchange) -> Exchange | None:
    """An answer with tool calls ended as any other."""
    told, calls = _finishing(reading), _calls(reading)
    if not told or not calls:
        return None
    pointers = [pointer for _, pointer in told]

    def stopped(value: LooseJson) -> LooseJson:
        for pointer in pointers:
            if resolve(value, pointer) not in (MISSING, None, "null"):
                value = edit.planted(value, pointer, "stop")
        return value

    return edit.put_all(reading, stopped)


# --------------------------------------------------------------------------------- requests


_ADDED: LooseJson = {
    "id": "call_of_another",
    "type": "function",
    "function": {"name": "another", "arguments": "{}"},
}


def call_is_added_to_an_end(reading: AnalyzedExchange) -> Exchange | None:
    """An answer that ended as any other calls a tool beside its text."""
    told, whole, endpoint = _finishing(reading), reading.outcome, reading.endpoint
    if reading.is_stream or not told or endpoint is None or not isinstance(whole, Reply):
        return None
    if whole.tool_calls or whole.finish_reason != "stop":
        return None
    part = told[-1][0]
    for pointer in endpoint.fields.tool_calls:
        if isinstance(resolve(part.value, pointer.rpartition("/")[0]), dict):
            return edit.put(reading, part, "", edit.planted(part.value, pointer, [_ADDED]))
    return None


def _results(reading: AnalyzedExchange) -> list[tuple[str, LooseJson]]:
    """The tool results in a request that name their call."""
    pointer, sent = messages(reading)
    return [
        (f"{pointer}/{n}", held)
        for n, held in enumerate(sent)
        if resolve(held, "/role") == "tool" and isinstance(resolve(held, "/tool_call_id"), str)
    ]


def result_is_for_another_call(reading: AnalyzedExchange) -> Exchange | None:
    """A tool result names a call that nobody made."""
    for pointer, _ in _results(reading):
        return edit.ask(reading, f"{pointer}/tool_call_id", "call_of_another")
    return None


def result_names_no_call(reading: AnalyzedExchange) -> Exchange | None:
    """A tool result does not say which call it answers."""
    for pointer, held in _results(reading):
        return edit.ask(reading, pointer, edit.without(held, "/tool_call_id"))
    return None


def result_is_lost(reading: AnalyzedExchange) -> Exchange | None:
    """A tool call in a request is never answered."""
    pointer, sent = messages(reading)
    for place, _ in _results(reading):
        kept = [held for n, held in enumerate(sent) if f"{pointer}/{n}" != place]
        return edit.ask(reading, pointer, kept)
    return None


def human_asks(reading: AnalyzedExchange) -> Exchange | None:
    """A message is from a human, as another service calls the user."""
    pointer, sent = messages(reading)
    return edit.ask(reading, f"{pointer}/0/role", "human") if sent else None


def assistant_speaks_last(reading: AnalyzedExchange) -> Exchange | None:
    """The assistant speaks last, and nobody asks it to go on."""
    pointer, sent = messages(reading)
    said = {"role": "assistant", "content": "It"}
    return edit.ask(reading, pointer, [*sent, said]) if sent else None


def message_says_nothing(reading: AnalyzedExchange) -> Exchange | None:
    """A message has no content."""
    pointer, sent = messages(reading)
    last = f"{pointer}/{len(sent) - 1}"
    if not sent or resolve(sent[-1], "/tool_calls"):
        return None
    return edit.ask(reading, f"{last}/content", None)


def _continued(
    read: AnalyzedTranscript, change: Callable[[LooseJson], LooseJson]
) -> Transcript | None:
    """A request that continues an earlier one, with another answer in the midst."""
    told = list(answered(read))
    for n, before in enumerate(told):
        first = messages(before.asked)[1]
        for asked in told[n + 1 :]:
            pointer, sent = messages(asked.asked)
            goes_on = first and sent[: len(first)] == first and len(sent) > len(first)
            if not goes_on or resolve(sent[len(first)], "/role") != "assistant":
                continue
            changed = change(sent[len(first)])
            exchange = edit.ask(asked.asked, f"{pointer}/{len(first)}", changed)
            if exchange is not None:
                return edit.swapped(read, asked.asked, exchange)
    return None


def earlier_answer_is_changed(read: AnalyzedTranscript) -> Transcript | None:
    """The model is told that it said something else."""
    return _continued(read, lambda said: edit.planted(said, "/content", "Something else."))


def earlier_call_is_added(read: AnalyzedTranscript) -> Transcript | None:
    """The model is told that it called a tool that it did not call."""
    return _continued(read, lambda said: edit.planted(said, "/tool_calls", [_ADDED]))
