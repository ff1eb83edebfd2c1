"""Rules for the conversation in a request: its messages, and what it repeats of earlier ones."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, takewhile
from typing import NamedTuple

from harness.analysis.endpoint import Fields
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import text_of
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.requests import REASONING
from harness.rules.rule import SentMessages, answered, show, whole_conversation
from harness.types import (
    Finding,
    Json,
    Reasoning,
    Reply,
    with_reasoning,
)
from harness.wire import Missing, as_list, as_object, query, read_json, resolve

_SAYING = ("tool_calls", "function_call", "reasoning_content", "refusal", "audio")
"""The members of an assistant's message that may stand without `content`."""


def messages_are_well_formed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the messages of a request have known roles, content, and a valid order.

    A tool message follows the assistant message that called the tool, or another tool message. The
    last message is not from the assistant, unless it is to be continued (`partial`, `prefix`, after
    a stop word of the request or an agent's `Observation:`, and always where the service documents
    no such order). An assistant message may come first, as in role play (charglm,
    qwen-plus-character); a system message may come anywhere.
    """
    sent = whole_conversation(reading)
    roles = reading.endpoint.roles if reading.endpoint else ()
    previous = ""
    for number, value in enumerate(sent.messages):
        message = as_object(value)
        for expected, actual in _problems(message, previous, roles):
            place = reading.request_place(sent.at(number))
            yield violation(expected, actual, place, "in the request")
        previous = str(message.get("role", ""))
    last = sent.messages[-1] if sent.messages else None
    goes_on = sent.pointers or resolve(last, "/partial") or resolve(last, "/prefix")
    goes_on = goes_on or bool(reading.endpoint and reading.endpoint.takes_prefill)
    goes_on = goes_on or _before_stop(_text_of(last), reading) != _text_of(last)
    if previous == "assistant" and not goes_on:
        place = reading.request_place(sent.at(len(sent.messages) - 1))
        yield violation("a user or tool message last", "the assistant's", place, "in the request")


def _problems(
    message: Mapping[str, Json], previous: str, roles: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    role = message.get("role")
    if role not in roles:
        yield f"a role among {', '.join(roles)}", show(role)
    elif role == "tool" and previous not in ("assistant", "tool"):
        yield "a tool message after an assistant's", f"one after {show(previous)}"
    content = message.get("content")
    if not isinstance(content, str | list) and not any(map(message.get, _SAYING)):
        yield "content as text or a list", show(content)


def may_continue(analyzed: AnalyzedTranscript) -> Sequence[AnalyzedTranscript]:
    """Return a tuple of the transcript if a request in it may continue an earlier one; else ().

    A request may do so if it has several messages, or if it was made by a call of a scenario.
    """
    turns = analyzed.turns if len(analyzed.readings) > 1 else ()
    if any(turn.turn.call is not None for turn in turns):
        return (analyzed,)
    sent = (request.has_history for turn in turns for request in turn.readings)
    return (analyzed,) if any(sent) else ()


def history_is_carried(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request that continues a conversation repeats all of it unchanged.

    The request begins with the messages of an earlier request, followed by the answer to it.
    Requests that begin a new conversation are not checked. Reasoning has a rule of its own. What a
    client writes after a stop word, or before it to end an answer that it cut [FIELD], or as
    `Observation:` after an `Action:`, into the assistant's message, is its own (agents) [REC]. JSON
    may be written with other spaces, and calls may have other ids if their results have the same
    ones [REC]. An answer that is one call and nothing else may be sent as the text of its
    arguments, and the client's own messages of that role may stand before it, or for an answer that
    says nothing [FIELD].
    """
    for step in _with_past(analyzed):
        yield from _continuation(step)


_UNFINISHED = ("pause_turn", "in_progress", "queued")
"""The finish reasons of answers that a further request continues."""


class _Step(NamedTuple):
    """A turn with a request.

    Attributes:
        turn: The turn.
        request: Its request.
        sent: The messages of the request.
        bare: These without reasoning.
        past: The earlier turns.
    """

    turn: AnalyzedTurn
    request: AnalyzedExchange
    sent: SentMessages
    bare: list[Json]
    past: _Past


def _with_past(analyzed: AnalyzedTranscript) -> Iterator[_Step]:
    """Yield each turn with a request, and what was before it."""
    past = _Past()
    answered_requests = {id(answer.request): answer for answer in answered(analyzed)}
    for turn in analyzed.turns:
        request = turn.request
        if request is None:
            continue
        sent = whole_conversation(request)
        bare = _without_reasoning(sent.messages)
        yield _Step(turn, request, sent, bare, past)
        reply = answered_requests[id(request)].reply if id(request) in answered_requests else None
        if reply is not None and reply.finish_reason not in _UNFINISHED:
            past.add(turn, reply, sent.messages, bare)


@dataclass
class _Past:
    """Earlier requests without reasoning, and their answers, found by what they begin with.

    Each list of messages has a number, by that of the list without its last message. So each
    message is looked at once, and the work grows with the size of the transcript.

    Attributes:
        turn: The last turn; None before the first.
        steps: The number of a list of messages, by that of the list without its last message, and
            that message.
        latest: The last reply to the list of messages of a number.
        replies: The replies to it by what repeats them (see `_reply_key`), then by reasoning.
        prefixes: The last list of messages of one length with one reply: its turn, and the
            messages.
    """

    turn: AnalyzedTurn | None = None
    steps: dict[tuple[int, Hashable], int] = field(default_factory=dict)
    latest: dict[int, Reply] = field(default_factory=dict)
    replies: dict[int, dict[Hashable, dict[str, Reply]]] = field(default_factory=dict)
    prefixes: dict[tuple[int, Hashable], tuple[int, Sequence[Json]]] = field(default_factory=dict)

    def add(
        self, turn: AnalyzedTurn, reply: Reply, sent: Sequence[Json], bare: Sequence[Json]
    ) -> None:
        """Add a turn, its reply, and the messages of its request; *bare* are without reasoning."""
        for other in reply.other_choices:
            chosen = replace(
                reply,
                content=other.content,
                reasoning=other.reasoning,
                tool_calls=other.tool_calls,
                other_choices=(),
            )
            self.add(turn, chosen, sent, bare)
        number, key = 0, _reply_key(reply)
        for message in bare:
            number = self.steps.setdefault((number, _frozen(message)), len(self.steps) + 1)
        self.turn, self.latest[number] = turn, reply
        same = self.replies.setdefault(number, {}).setdefault(key, {})
        same[reply.reasoning or ""] = reply
        if reply.content:
            self.prefixes[len(bare), key] = turn.turn.number, sent

    def beginnings(self, bare: Sequence[Json]) -> Iterator[tuple[int, int]]:
        """Yield (length, number) of each earlier request that *bare* continues, shortest first."""
        for length, number in enumerate(self.numbers(bare)):
            is_answer = length < len(bare) and resolve(bare[length], "/role") == "assistant"
            if length > 0 and is_answer and number in self.replies:
                yield length, number

    def numbers(self, bare: Sequence[Json]) -> Iterator[int]:
        """Yield the number (see `steps`) of the first 0, 1, 2 ... messages, while it was sent."""
        number: int | None = 0
        for message in (*bare, None):
            if number is None:
                return
            yield number
            number = self.steps.get((number, _frozen(message)))

    def other_prefix(self, bare: Sequence[Json]) -> list[Json]:
        """Return the last messages whose answer *bare* repeats after others; empty if none."""
        numbers = list(self.numbers(bare))
        others: list[tuple[int, Sequence[Json]]] = []
        for length in range(1, len(bare)):
            own = numbers[length] if length < len(numbers) else None
            key = _message_key(bare[length])
            is_own = own is not None and key in self.replies.get(own, {})
            if (length, key) in self.prefixes and not is_own:
                others.append(self.prefixes[length, key])
        return _without_reasoning(max(others, key=lambda other: other[0], default=(0, ()))[1])


def _frozen(value: Json | Missing) -> Hashable:
    """Return a JSON value as one that can be the key of a dictionary, equal if they are."""
    if isinstance(value, dict):
        return "{", *chain.from_iterable((key, _frozen(value[key])) for key in sorted(value))
    if isinstance(value, list):
        return "[", tuple(map(_frozen, value))
    return value


def _without_reasoning(sent: Sequence[Json]) -> list[Json]:
    """Return messages without reasoning, each content that is nothing but text as one text."""
    name = REASONING.strip("/")
    return [
        {key: _as_text(member) for key, member in message.items() if key != name}
        if isinstance(message, dict)
        else message
        for message in sent
    ]


def _as_text(content: Json) -> Json:
    """Return the text of a list of text parts, any other value unchanged.

    A text may be sent as a part, with a mark of the cache, and as it is in the next request [REC].
    """
    parts = as_list(content)
    is_text = bool(parts) and all(resolve(part, "/type") == "text" for part in parts)
    return text_of(content) if is_text else content


def _continuation(step: _Step) -> Iterator[Finding]:
    turn, request, sent, bare, past = step
    continued = list(past.beginnings(bare))
    if not continued:
        if sent.messages and _should_continue(turn, past.turn):
            expected = "a request that begins with the one of the turn before"
            yield violation(expected, show(bare), request.request_place(sent.pointer))
        return
    length, number = continued[-1]
    said = list(takewhile(lambda one: resolve(one, "/role") == "assistant", bare[length:]))
    is_spread = bool(sent.pointers) and _has_calls_of(past.latest[number], bare[length:])
    keys = {_message_key(form) for one in said for form in (one, _cut(one, request))}
    if keys & past.replies[number].keys() or is_spread:
        return
    replies = [one for same in past.replies[number].values() for one in same.values()]
    starts = range(length, length + len(said))
    pairs = [(bare[start:], one) for start in starts for one in replies]
    if not any(_repeats(found, one) or _goes_on(found[0], one, request) for found, one in pairs):
        place = request.request_place(sent.at(length))
        expected, actual = _parted(bare[length], past.latest[number])
        yield violation(f"the earlier answer {expected} in the request", actual, place)


def _cut(message: Json, request: AnalyzedExchange) -> Json:
    """Return a message with its text up to the first stop word of the request."""
    text = _text_of(message)
    if not isinstance(message, dict) or text is None:
        return message
    return {**message, "content": _before_stop(text, request)}


def _before_stop(text: str | None, request: AnalyzedExchange) -> str | None:
    fields = request.endpoint.fields if request.endpoint else Fields()
    names = ("stop", "stop_sequences")
    given = [resolve(request.request_json.value, f"{fields.parameters}/{name}") for name in names]
    for word in chain.from_iterable(one if isinstance(one, list) else [one] for one in given):
        if text and isinstance(word, str) and word:
            text = text.partition(word)[0]
    return text


def _goes_on(message: Json, reply: Reply, request: AnalyzedExchange) -> bool:
    """Return whether *message* is the whole text of a reply that a stop word cut, and goes on."""
    said, meant = _said(_text_of(message)), _said(reply.content)
    has_calls = reply.tool_calls or resolve(message, "/tool_calls")
    is_cut = _before_stop(said, request) != said and not has_calls
    return is_cut and bool(meant) and said.startswith(meant)


def _has_calls_of(reply: Reply, messages: Sequence[Json]) -> bool:
    """Return whether *messages* begin with the text of a reply and have its calls.

    In the Responses format, each call may stand before its own result.
    """
    ids = [value for one in messages for _, value in query(one, "/tool_calls/[]/id")]
    has_calls = bool(reply.tool_calls) and all(call.id in ids for call in reply.tool_calls)
    return has_calls and _said(_text_of(messages[0])) == _said(reply.content)


def _repeats(messages: Sequence[Json], reply: Reply) -> bool:
    """Return whether *messages* begin with a reply as clients may rewrite it.

    An agent replaces what it observed, JSON has other spaces, texts lose blank parts, which
    Anthropic refuses [DOC], and calls have other ids, by which the results that follow are sent. A
    call that a client made the model's only answer is sent as the text of its arguments [FIELD].
    """
    said, meant = _said(_text_of(messages[0])), _said(reply.content)
    observed = _ACTION.match(meant)
    if observed is not None:
        said, meant = said[: observed.end()], observed[0]
    ids, calls = _calls_of(messages[0])
    sent = {resolve(message, "/tool_call_id") for message in messages}
    called = [(call.name, _frozen(_parsed(call.arguments))) for call in reply.tool_calls]
    if len(called) == 1 and said and not (calls or meant):
        return _frozen(_parsed(said)) == called[0][1]
    alike = _frozen(_parsed(said)) == _frozen(_parsed(meant))
    alike = alike or "".join(said.split()) == "".join(meant.split()) or not (meant or called)
    return calls == called and alike and sent.issuperset(ids)


_ACTION = re.compile(r".*?\nAction:.*?(?=\s*(?:```\s*)?(?:\nObservation:|\Z))", re.DOTALL)
"""What a model says before the observation that an agent writes."""


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


def _should_continue(turn: AnalyzedTurn, before_it: AnalyzedTurn | None) -> bool:
    """Return whether the call of a turn continues the call before, whatever was sent."""
    call, earlier = turn.turn.call, before_it.turn.call if before_it else None
    if call is None or earlier is None or not earlier.messages:
        return False
    length = len(earlier.messages)
    begins = with_reasoning(call, Reasoning.DROPPED).messages[:length]
    before = with_reasoning(earlier, Reasoning.DROPPED).messages
    is_longer = len(call.messages) > length and begins == before
    return is_longer and call.messages[length].role == "assistant"


def _message_key(message: Json) -> Hashable:
    """Return the text of a message, apart from outer spaces, and its calls."""
    ids, calls = _calls_of(message)
    return _said(_text_of(message)), tuple((i, *call) for i, call in zip(ids, calls, strict=True))


def _calls_of(message: Json) -> tuple[list[Hashable], list[tuple[Hashable, Hashable]]]:
    """Return the ids of the calls in a message, and the (name, arguments) of each."""
    calls = [call for _, call in query(message, "/tool_calls/[]")]
    return [_frozen(resolve(call, "/id")) for call in calls], [
        (
            _frozen(resolve(call, "/function/name")),
            _frozen(_parsed(resolve(call, "/function/arguments"))),
        )
        for call in calls
    ]


def _reply_key(reply: Reply) -> Hashable:
    """Return what `_message_key` returns of a message that repeats *reply*."""
    calls = ((call.id, call.name, _frozen(_parsed(call.arguments))) for call in reply.tool_calls)
    return _said(reply.content), tuple(calls)


_THINKING = re.compile(r"\s*<(think|thinking)>.*?</\1>", re.DOTALL)


def _said(text: str | None) -> str:
    """Return a text without outer spaces and the reasoning that models or clients write into it."""
    return _THINKING.sub("", text or "").strip()


def _parsed(arguments: Json | Missing) -> Json | Missing:
    """Return arguments as parsed JSON, since spaces may differ; unchanged if not JSON.

    No arguments are repeated as an empty object.
    """
    if not isinstance(arguments, str):
        return arguments
    if arguments.strip() in ("", "null"):
        return {}
    document = read_json(arguments.encode("utf-8", "replace"))
    return arguments if document.problem else document.value


def reasoning_is_carried(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request repeats earlier reasoning unchanged if it repeats it or has to.

    It has to where it asks the model to read earlier reasoning (`clear_thinking: false`,
    `preserve_thinking: true`) [DOC]: a model that gets none, or other, thinks without it.
    """
    for _, request, sent, bare, past in _with_past(analyzed):
        endpoint = request.endpoint
        needed = endpoint is not None and endpoint.keeps_reasoning(request.request_json.value)
        for length, number in past.beginnings(bare):
            thoughts = past.replies[number].get(_message_key(bare[length]), {})
            expected = next((text for text in reversed(thoughts) if text.strip()), "")
            actual = resolve(sent.messages[length], REASONING) or ""
            is_repeated = isinstance(actual, str) and bool(actual) and actual in thoughts
            if expected and not is_repeated and (actual or needed):
                place = request.request_place(sent.at(length, REASONING if actual else ""))
                shown = show(actual) if actual else "none"
                yield violation(f"the earlier reasoning {show(expected)}", shown, place)


def prefix_is_stable(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the messages before a repeated answer are those that it answered.

    Services cache the common beginning of requests [DOC context-cache]. A system prompt or an
    earlier question that changes, such as by the time in it, makes all after it new, and dearer.
    Give this rule the severity error to forbid it.
    """
    for _, request, sent, bare, past in _with_past(analyzed):
        before = past.other_prefix(bare)
        if before:
            number = next(n for n, message in enumerate(before) if bare[n] != message)
            place = request.request_place(sent.at(number))
            yield violation(f"{show(before[number])} as before", show(bare[number]), place)
