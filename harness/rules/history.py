"""Rules for the conversation that requests carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import text_of
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import Answered, answered, messages, show, turn_request, violation
from harness.types import EMPTY, Finding, Json, Reply
from harness.wire import Missing, query, read_json, resolve

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
