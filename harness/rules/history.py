"""Is the conversation that requests carry whole, and in order?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import text_of
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import Answered, answered, messages, question, show, violation
from harness.types import Finding, LooseJson, Message, Reply, ToolCall
from harness.wire import query, read_json, resolve

_ROLES = ("system", "user", "assistant", "tool")


def messages_are_well_formed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The messages of a request have known roles, something to say, and a sensible order.

    A tool speaks only after an assistant that called it; the last word is not the assistant's,
    unless it is to be continued (`partial`, `prefix`). An assistant may open a conversation: in
    role play (charglm, qwen-plus-character) it does. The system may speak at any time.
    """
    pointer, sent = messages(reading)
    before = ""
    for number, message in enumerate(sent):
        held = message if isinstance(message, dict) else {}
        for expected, found in _problems(held, before):
            place = reading.request_place(f"{pointer}/{number}")
            yield violation(expected, found, place, "in the request")
        before = str(held.get("role", ""))
    last = sent[-1] if sent else None
    if before == "assistant" and not resolve(last, "/partial") and not resolve(last, "/prefix"):
        place = reading.request_place(f"{pointer}/{len(sent) - 1}")
        yield violation("a user or a tool to speak last", "the assistant", place, "in the request")


def _problems(message: Mapping[str, LooseJson], before: str) -> Iterator[tuple[str, str]]:
    role = message.get("role")
    if role not in _ROLES:
        yield f"a role among {', '.join(_ROLES)}", show(role)
    elif role == "tool" and before not in ("assistant", "tool"):
        yield "a tool result after an assistant's message", f"one after {show(before)}"
    content = message.get("content")
    if not isinstance(content, str | list) and not message.get("tool_calls"):
        yield "content as text or a list", show(content)


def history_is_carried(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A request that continues a conversation carries all of it unchanged.

    It begins with the messages of the request before, followed by the answer as it was given:
    what the model is told it said is what it said. Requests that continue nothing are let be.
    """
    past: list[_Past] = []
    told = {id(asked.asked): asked for asked in answered(read)}
    for turn in read.turns:
        asked = question(turn)
        if asked is None:
            continue
        yield from _continuation(turn, asked, past)
        if id(asked) in told:
            past.append((turn, told[id(asked)], messages(asked)[1]))


_Past = tuple[AnalyzedTurn, Answered, list[LooseJson]]
"""An earlier turn, its answer, and the messages it sent."""


def _continuation(
    turn: AnalyzedTurn, asked: AnalyzedExchange, past: Sequence[_Past]
) -> Iterator[Finding]:
    pointer, sent = messages(asked)
    begun = [(before, first) for _, before, first in past if _continues(first, sent)]
    if not begun:
        if _was_to_continue(turn, past):
            expected = "a request that begins with the one of the turn before"
            yield violation(expected, show(sent), asked.request_place(pointer))
        return
    length = max(len(first) for _, first in begun)
    nearest = [before for before, first in begun if len(first) == length]
    said = sent[length]
    if not any(_same(said, before.reply) for before in nearest):
        reply = nearest[-1].reply
        wanted = show(reply.content if reply.content else [c.name for c in reply.tool_calls])
        place = asked.request_place(f"{pointer}/{length}")
        yield violation(f"the earlier answer {wanted} in the request", show(said), place)


def _continues(first: Sequence[LooseJson], sent: Sequence[LooseJson]) -> bool:
    """Whether what is sent goes on where an earlier request ended, with an answer to it."""
    longer = bool(first) and len(sent) > len(first)
    answers = longer and resolve(sent[len(first)], "/role") == "assistant"
    return answers and list(sent[: len(first)]) == list(first)


def _was_to_continue(turn: AnalyzedTurn, past: Sequence[_Past]) -> bool:
    """Whether in our own words the call continues the turn before, whatever the wire says."""
    call, earlier = turn.turn.call, past[-1][0].turn.call if past else None
    if call is None or earlier is None or not earlier.messages:
        return False
    length = len(earlier.messages)
    goes_on = len(call.messages) > length and call.messages[:length] == earlier.messages
    return goes_on and _is_answer(call.messages[length])


def _is_answer(message: Message) -> bool:
    return message.role == "assistant"


def _same(said: LooseJson, reply: Reply) -> bool:
    """Whether a message repeats an answer: the same text (but for space around it) and calls."""
    text = (text_of(resolve(said, "/content")) or "").strip()
    calls = [_plain(resolve(call, "")) for _, call in query(said, "/tool_calls/[]")]
    return text == (reply.content or "").strip() and calls == [
        _called(call) for call in reply.tool_calls
    ]


def _plain(call: LooseJson) -> tuple[LooseJson, ...]:
    arguments = resolve(call, "/function/arguments")
    return resolve(call, "/id"), resolve(call, "/function/name"), _value(arguments)


def _called(call: ToolCall) -> tuple[LooseJson, ...]:
    return call.id, call.name, _value(call.arguments)


def _value(arguments: LooseJson) -> LooseJson:
    """Arguments by what they say: clients may write the same JSON with other spaces."""
    if not isinstance(arguments, str):
        return arguments
    document = read_json(arguments.encode("utf-8", "replace"))
    return arguments if document.problem else document.value
