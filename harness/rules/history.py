"""Is the conversation that requests carry whole, and in order?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.dialects.reader import text_of
from harness.reading import Read, Reading, ReadTurn
from harness.rules.rule import Answered, answered, messages, question, show
from harness.types import Finding, Json, Message, Reply, ToolCall
from harness.wire import at, find, read_json

_ROLES = ("system", "user", "assistant", "tool")


def messages_are_well_formed(reading: Reading) -> Iterator[Finding]:
    """The messages of a request have known roles, something to say, and a sensible order.

    The system speaks first if at all, then the user; a tool only after an assistant that called
    it; the last word is not the assistant's, unless it is to be continued (`partial`).
    """
    pointer, sent = messages(reading)
    before = ""
    for number, message in enumerate(sent):
        held = message if isinstance(message, dict) else {}
        for problem in _problems(held, before):
            yield Finding(f"in the request: {problem}", reading.place(f"{pointer}/{number}"))
        before = str(held.get("role", ""))
    if before == "assistant" and not at(sent[-1], "/partial"):
        message = "in the request: expected a user or a tool to speak last, found the assistant"
        yield Finding(message, reading.place(f"{pointer}/{len(sent) - 1}"))


def _problems(message: Mapping[str, Json], before: str) -> Iterator[str]:
    role = message.get("role")
    if role not in _ROLES:
        yield f"expected a role among {', '.join(_ROLES)}, found {show(role)}"
    elif role == "system" and before not in ("", "system"):
        yield f"expected the system message at the beginning, found one after {before}"
    elif role == "tool" and before not in ("assistant", "tool"):
        yield f"expected a tool result after an assistant's message, found one after {show(before)}"
    elif role == "assistant" and before in ("", "system"):
        yield "expected a user's message first, found the assistant's"
    content = message.get("content")
    if not isinstance(content, str | list) and not message.get("tool_calls"):
        yield f"expected content as text or a list, found {show(content)}"


def history_is_carried(read: Read) -> Iterator[Finding]:
    """A request that continues a conversation carries all of it unchanged.

    It begins with the messages of the request before, followed by the answer as it was given:
    what the model is told it said is what it said. Requests that continue nothing are let be.
    """
    past: list[tuple[ReadTurn, Answered]] = []
    told = {id(asked.asked): asked for asked in answered(read)}
    for turn in read.turns:
        asked = question(turn)
        if asked is None:
            continue
        yield from _continuation(turn, asked, past)
        if id(asked) in told:
            past.append((turn, told[id(asked)]))


def _continuation(
    turn: ReadTurn, asked: Reading, past: Sequence[tuple[ReadTurn, Answered]]
) -> Iterator[Finding]:
    pointer, sent = messages(asked)
    begun = [(before, messages(before.asked)[1]) for _, before in past]
    begun = [(before, first) for before, first in begun if _continues(first, sent)]
    if not begun:
        if _was_to_continue(turn, past):
            found = f"found {show(sent)}"
            message = f"expected a request that begins with the one of the turn before, {found}"
            yield Finding(message, asked.place(pointer))
        return
    length = max(len(first) for _, first in begun)
    nearest = [before for before, first in begun if len(first) == length]
    said = sent[length]
    if not any(_same(said, before.reply) for before in nearest):
        reply = nearest[-1].reply
        wanted = show(reply.content if reply.content else [c.name for c in reply.tool_calls])
        message = f"expected the earlier answer {wanted} in the request, found {show(said)}"
        yield Finding(message, asked.place(f"{pointer}/{length}"))


def _continues(first: Sequence[Json], sent: Sequence[Json]) -> bool:
    """Whether what is sent goes on where an earlier request ended, with an answer to it."""
    longer = bool(first) and len(sent) > len(first) and list(sent[: len(first)]) == list(first)
    return longer and at(sent[len(first)], "/role") == "assistant"


def _was_to_continue(turn: ReadTurn, past: Sequence[tuple[ReadTurn, Answered]]) -> bool:
    """Whether in our own words the call continues the turn before, whatever the wire says."""
    call, earlier = turn.turn.call, past[-1][0].turn.call if past else None
    if call is None or earlier is None or not earlier.messages:
        return False
    length = len(earlier.messages)
    goes_on = len(call.messages) > length and call.messages[:length] == earlier.messages
    return goes_on and _is_answer(call.messages[length])


def _is_answer(message: Message) -> bool:
    return message.role == "assistant"


def _same(said: Json, reply: Reply) -> bool:
    """Whether a message repeats an answer: the same text, the same tool calls."""
    text = text_of(at(said, "/content")) or ""
    calls = [_plain(at(call, "")) for _, call in find(said, "/tool_calls/[]")]
    return text == (reply.content or "") and calls == [_called(call) for call in reply.tool_calls]


def _plain(call: Json) -> tuple[Json, ...]:
    arguments = at(call, "/function/arguments")
    return at(call, "/id"), at(call, "/function/name"), _value(arguments)


def _called(call: ToolCall) -> tuple[Json, ...]:
    return call.id, call.name, _value(call.arguments)


def _value(arguments: Json) -> Json:
    """Arguments by what they say: clients may write the same JSON with other spaces."""
    if not isinstance(arguments, str):
        return arguments
    document = read_json(arguments.encode("utf-8", "replace"))
    return arguments if document.problem else document.value
