"""Rules for requests: what an SDK sends of a call, and the conversation that they carry."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice, takewhile, zip_longest

from harness.analysis.endpoint import Endpoint, Fields, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import (
    answered,
    conversation,
    show,
    turn_request,
    violation,
    wants_stream,
    whole_conversation,
)
from harness.rules.tools import functions
from harness.scenario.messages import is_openai
from harness.types import (
    EMPTY,
    Call,
    CallKind,
    ContentPart,
    Finding,
    Json,
    Message,
    Mode,
    Reasoning,
    Reply,
    shorten,
    with_reasoning,
)
from harness.wire import MISSING, Missing, escape, query, read_json, resolve, walk

REASONING = "/reasoning_content"
"""The JSON pointer of the reasoning in a message."""


def _requests(analyzed: AnalyzedTranscript) -> Iterator[tuple[Call, AnalyzedExchange]]:
    """Yield each call with the request that the SDK sent for it."""
    for turn in analyzed.turns:
        request = turn_request(turn)
        if turn.turn.call is not None and request is not None:
            yield turn.turn.call, request


def model_travels(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the requested model is the one of the scenario."""
    for call, request in _requests(analyzed):
        model = resolve(request.request_json.value, "/model")
        if model != call.model:
            place = request.request_place("/model")
            yield violation(f"the model {call.model}", _shown(model), place)


def conversation_travels(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the messages, or the prompt and inputs, of a call are sent complete and unchanged.

    Compared are roles, texts, images, audio, videos, tool calls, the ids of tool results and
    reasoning, in their order.
    """
    for call, request in _requests(analyzed):
        if call.kind is not CallKind.CHAT:
            yield from _prompt(call, request)
            continue
        sent, every = conversation(request), list(_expected(call, request.endpoint))
        if len(sent.messages) != len(every):
            place = request.request_place(sent.pointer)
            yield violation(f"{len(every)} messages", len(sent.messages), place)
        pairs = zip(every, sent.messages, strict=False)
        for number, ((expected, parts), value) in enumerate(pairs):
            place = request.request_place(sent.at(number))
            actual = _of_json(value)
            if expected != actual:
                yield violation(show(expected), show(actual), place)
            sent_parts = resolve(value, "/content")
            for part, sent_part in zip_longest(parts, _items(sent_parts), fillvalue=None):
                if parts and not _carries(sent_part, part):
                    yield violation(
                        _described(part), show(sent_part) if sent_part else "nothing", place
                    )


def _expected(
    call: Call, endpoint: Endpoint | None
) -> Iterator[tuple[list[object], tuple[ContentPart, ...]]]:
    """Yield each message of a call, as `_of_json` returns it, and its parts.

    A message that the scenario gives as JSON counts by its members, in the endpoint's own format
    if it has one. Parameters may add messages, such as `system`.
    """
    translate = endpoint.conversation if endpoint else None
    own = endpoint.fields.own_messages[0][1:] if endpoint and translate else ""
    added = translate(call.members) if translate else []
    yield from ((_of_json(one), ()) for _, one in added)
    messages = () if own in call.members else call.messages

    def is_own(message: Message) -> bool:
        return bool(message.sent) and not (translate and is_openai(message.sent))

    for as_json, group in groupby(messages, is_own):
        if not as_json:
            yield from ((_of_message(message), message.parts) for message in group)
            continue
        sent: list[Json] = [dict(message.sent) for message in group]
        given = [one for _, one in translate({own: sent})] if translate else sent
        yield from ((_of_json(one), ()) for one in given)


def _items(value: Json | Missing) -> list[Json]:
    return value if isinstance(value, list) else []


def _described(part: ContentPart | None) -> str:
    return f"{part.medium} {shorten(part.value)}" if part else "no further part"


def _carries(sent: Json, part: ContentPart | None) -> bool:
    """Return whether a part of a sent content is *part*, in the form of either service.

    A file is sent in the part itself, or uploaded and named by a URL that ends with its name.
    """
    if part is None or not isinstance(sent, dict):
        return False
    places = ("", "/url", "/data")
    names = (part.medium.value, f"{part.medium}_url", "input_audio")
    values = (resolve(sent, f"/{name}{place}") for name in names for place in places)
    text = next((value for value in values if isinstance(value, str)), "")
    same_members = all(sent.get(name) == value for name, value in part.members.items())
    return same_members and _is_value(text, part)


def _is_value(text: str, part: ContentPart) -> bool:
    if part.path is None:
        return text == part.value
    if text.startswith("oss:"):
        return text.endswith(f"/{part.path.name}")
    try:
        data = part.path.read_bytes()
        if text.encode("utf-8", "surrogateescape") == data:
            return True  # a field of a form
        return b64decode(text.rpartition(",")[2], validate=True) == data
    except (ValueError, OSError):
        return False


def _prompt(call: Call, request: AnalyzedExchange) -> Iterator[Finding]:
    """Yield the findings of a call without messages: of its prompt, its texts and its files."""
    fields = request.endpoint.fields if request.endpoint else Fields()
    body = request.request_json.value
    if fields.texts:
        sent = first(body, fields.texts)
        items = sent if isinstance(sent, list) else [sent]
        place = request.request_place(fields.texts[0])
        for part, item in zip_longest(call.parts, items, fillvalue=None):
            if not (part and item == part.value) and not _carries(item, part):
                yield violation(_described(part), show(item) if item else "nothing", place)
    has_prompt = fields.prompt and (not fields.texts or call.kind is CallKind.RERANK)
    if has_prompt and call.prompt and (prompt := first(body, fields.prompt)) != call.prompt:
        place = request.request_place(fields.prompt[0])
        yield violation(f"the prompt {show(call.prompt)}", show(prompt), place)
    texts = [value for _, value in walk(body) if isinstance(value, str)]
    for part in () if fields.texts else call.media:
        if not any(_is_value(text, part) for text in texts):
            yield violation(_described(part), "nothing of it", request.request_place())


def _of_message(message: Message) -> list[object]:
    calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    return [message.role, message.content, calls, message.tool_call_id, message.reasoning]


def _of_json(value: Json) -> list[object]:
    pointers = ("/id", "/function/name", "/function/arguments")
    sent = query(value, "/tool_calls/[]")
    calls = [[resolve(call, pointer) or "" for pointer in pointers] for _, call in sent]
    text = text_of(resolve(value, "/content")) or ""
    others = [resolve(value, pointer) or "" for pointer in ("/tool_call_id", REASONING)]
    return [resolve(value, "/role") or "", text, calls, *others]


def parameters_travel(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that each parameter is sent as the scenario gives it.

    The SDKs are known to change some: zhipuai moves `temperature` and `top_p` into the open range
    from 0 to 1 and adds `do_sample`. A parameter that is false or null may be left out, and a size
    may be written with `*` in place of `x`; values that differ in each run are not checked.
    """
    volatile = analyzed.transcript.provenance.volatile
    for call, request in _requests(analyzed):
        prefix = request.endpoint.fields.parameters if request.endpoint else ""
        prompts = request.endpoint.fields.prompt if request.endpoint else ()
        beside = [prompt.rpartition("/")[0] for prompt in prompts]
        for name, expected in call.members.items():
            pointer = f"{prefix}/{escape(name)}"
            actual = resolve(request.request_json.value, pointer)
            if actual is MISSING and prefix:  # some are sent beside the prompt
                body = request.request_json.value
                values = (resolve(body, f"{parent}/{escape(name)}") for parent in beside)
                actual = next((value for value in values if value is not MISSING), MISSING)
            if request.endpoint and request.endpoint.conversation and name == "tools":
                expected, actual = (_names(value) for value in (expected, actual))
            if pointer not in volatile and not _same(expected, actual):
                place = request.request_place(pointer)
                yield violation(f"{name} {show(expected)}", _shown(actual), place)


def _names(tools: Json | Missing) -> Json:
    """Return the names of tools, whose other members have other places in some formats."""
    given = None if isinstance(tools, Missing) else tools
    return [function.get("name") for function in functions(given)]


def _same(expected: Json, actual: Json | Missing) -> bool:
    if actual is MISSING:
        return expected is None or expected is False
    if isinstance(expected, str) and isinstance(actual, str):
        return expected.replace("x", "*") == actual.replace("x", "*")
    are_numbers = isinstance(expected, int | float) and isinstance(actual, int | float)
    return expected == actual and (are_numbers or type(expected) is type(actual))


def delivery_travels(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request has the mode of its call: streaming, a task, or neither."""
    for call, request in _requests(analyzed):
        mode = Mode.STREAM if wants_stream(request) else Mode.SYNC
        if request.endpoint and request.endpoint.role is Role.SUBMIT:
            mode = Mode.ASYNC
        if mode is not call.mode:
            place = request.request_place()
            yield violation(f"a request for {call.mode}", f"one for {mode}", place)


def _shown(value: Json | Missing) -> str:
    return "nothing" if value is MISSING else show(value)


_SAYING = ("tool_calls", "function_call", "reasoning_content", "refusal", "audio")
"""The members of an assistant's message that may stand without `content`."""


def messages_are_well_formed(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the messages of a request have known roles, content, and a valid order.

    A tool message follows the assistant message that called the tool, or another tool message. The
    last message is not from the assistant, unless it is to be continued (`partial`, `prefix`, after
    a stop word of the request, and always in Anthropic's format). An assistant message may come
    first, as in role play (charglm, qwen-plus-character); a system message may come anywhere.
    """
    sent = whole_conversation(reading)
    roles = reading.endpoint.roles if reading.endpoint else ()
    previous = ""
    for number, value in enumerate(sent.messages):
        message = value if isinstance(value, dict) else EMPTY
        for expected, actual in _problems(message, previous, roles):
            place = reading.request_place(sent.at(number))
            yield violation(expected, actual, place, "in the request")
        previous = str(message.get("role", ""))
    last = sent.messages[-1] if sent.messages else None
    goes_on = sent.pointers or resolve(last, "/partial") or resolve(last, "/prefix")
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


def history_is_carried(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request that continues a conversation repeats all of it unchanged.

    The request begins with the messages of an earlier request, followed by the answer to it.
    Requests that begin a new conversation are not checked. Reasoning has a rule of its own. What a
    client writes after a stop word, into the assistant's message, is its own (agents that read
    `Action:` and add `Observation:`) [REC].
    """
    for turn, request, past in _with_past(analyzed):
        yield from _continuation(turn, request, past)


_UNFINISHED = ("pause_turn", "in_progress", "queued")
"""The finish reasons of answers that a further request continues."""


def _with_past(
    analyzed: AnalyzedTranscript,
) -> Iterator[tuple[AnalyzedTurn, AnalyzedExchange, _Past]]:
    """Yield (turn, request, earlier turns) for each turn with a request."""
    past = _Past()
    answered_requests = {id(answer.request): answer for answer in answered(analyzed)}
    for turn in analyzed.turns:
        request = turn_request(turn)
        if request is None:
            continue
        yield turn, request, past
        reply = answered_requests[id(request)].reply if id(request) in answered_requests else None
        if reply is not None and reply.finish_reason not in _UNFINISHED:
            past.add(turn, reply, whole_conversation(request).messages)


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
        prefixes: The lists of messages of one length with one reply, by their numbers: when they
            were sent last, and the messages.
    """

    turn: AnalyzedTurn | None = None
    steps: dict[tuple[int, Hashable], int] = field(default_factory=dict)
    latest: dict[int, Reply] = field(default_factory=dict)
    replies: dict[int, dict[Hashable, dict[str, Reply]]] = field(default_factory=dict)
    prefixes: dict[tuple[int, Hashable], dict[int, tuple[int, list[Json]]]] = field(
        default_factory=dict
    )

    def add(self, turn: AnalyzedTurn, reply: Reply, sent: Sequence[Json]) -> None:
        """Add a turn, its reply, and the messages of its request."""
        for other in reply.other_choices:
            chosen = replace(
                reply,
                content=other.content,
                reasoning=other.reasoning,
                tool_calls=other.tool_calls,
                other_choices=(),
            )
            self.add(turn, chosen, sent)
        number, bare, key = 0, _without_reasoning(sent), _reply_key(reply)
        for message in bare:
            number = self.steps.setdefault((number, _frozen(message)), len(self.steps) + 1)
        self.turn, self.latest[number] = turn, reply
        same = self.replies.setdefault(number, {}).setdefault(key, {})
        same[reply.reasoning or ""] = reply
        if reply.content:
            prefixes = self.prefixes.setdefault((len(bare), key), {})
            prefixes.pop(number, None)  # the last one sent is last
            prefixes[number] = turn.turn.number, bare

    def beginnings(self, bare: Sequence[Json]) -> Iterator[tuple[int, int]]:
        """Yield (length, number) of each earlier request that *bare* continues, shortest first."""
        for length, number in enumerate(self.numbers(bare)):
            is_answer = length < len(bare) and resolve(bare[length], "/role") == "assistant"
            if length > 0 and is_answer and number in self.replies:
                yield length, number

    def numbers(self, bare: Sequence[Json]) -> Iterator[int]:
        """Yield the number of the first 0, 1, 2 ... messages, as long as they were sent before."""
        number: int | None = 0
        for message in (*bare, None):
            if number is None:
                return
            yield number
            number = self.steps.get((number, _frozen(message)))

    def other_prefix(self, bare: Sequence[Json]) -> list[Json]:
        """Return the last messages whose answer *bare* repeats after others; empty if none."""
        numbers = list(self.numbers(bare))
        others: list[tuple[int, list[Json]]] = []
        for length in range(1, len(bare)):
            own = numbers[length] if length < len(numbers) else None
            sent = self.prefixes.get((length, _message_key(bare[length])), {})
            others += islice((sent[n] for n in reversed(sent) if own not in sent), 1)
        return max(others, key=lambda other: other[0], default=(0, []))[1]


def _frozen(value: Json | Missing) -> Hashable:
    """Return a JSON value as one that can be the key of a dictionary, equal if they are."""
    if isinstance(value, dict):
        return "{", frozenset((key, _frozen(member)) for key, member in value.items())
    if isinstance(value, list):
        return "[", tuple(map(_frozen, value))
    return value


def _without_reasoning(sent: Sequence[Json]) -> list[Json]:
    return [remove_member(message, REASONING.strip("/")) for message in sent]


def remove_member(value: Json, name: str) -> Json:
    """Return *value* without its member *name*; unchanged if it is not an object."""
    if not isinstance(value, dict):
        return value
    return {key: member for key, member in value.items() if key != name}


def _continuation(turn: AnalyzedTurn, request: AnalyzedExchange, past: _Past) -> Iterator[Finding]:
    sent = whole_conversation(request)
    bare = _without_reasoning(sent.messages)
    continued = list(past.beginnings(bare))
    if not continued:
        if _should_continue(turn, past.turn):
            expected = "a request that begins with the one of the turn before"
            yield violation(expected, show(bare), request.request_place(sent.pointer))
        return
    length, number = continued[-1]
    cut = _cut(bare[length], request)
    is_spread = bool(sent.pointers) and _has_calls_of(past.latest[number], bare[length:])
    keys = {_message_key(bare[length]), _message_key(cut)}
    if not keys & past.replies[number].keys() and not is_spread:
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
    given = resolve(request.request_json.value, f"{fields.parameters}/stop")
    for word in given if isinstance(given, list) else [given]:
        if text and isinstance(word, str) and word:
            text = text.partition(word)[0]
    return text


def _has_calls_of(reply: Reply, messages: Sequence[Json]) -> bool:
    """Return whether *messages* begin with the text of a reply and have its calls.

    In the Responses format, each call may stand before its own result.
    """
    ids = {value for one in messages for _, value in query(one, "/tool_calls/[]/id")}
    has_calls = bool(reply.tool_calls) and all(call.id in ids for call in reply.tool_calls)
    return has_calls and _said(_text_of(messages[0])) == _said(reply.content)


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
    names = ("/id", "/function/name")
    calls = (
        (
            *(_frozen(resolve(call, name)) for name in names),
            _frozen(_parsed(resolve(call, "/function/arguments"))),
        )
        for _, call in query(message, "/tool_calls/[]")
    )
    return _said(_text_of(message)), tuple(calls)


def _reply_key(reply: Reply) -> Hashable:
    """Return what `_message_key` returns of a message that repeats *reply*."""
    calls = ((call.id, call.name, _frozen(_parsed(call.arguments))) for call in reply.tool_calls)
    return _said(reply.content), tuple(calls)


_THINKING = re.compile(r"\s*<think>.*?</think>", re.DOTALL)


def _said(text: str | None) -> str:
    """Return a text without the reasoning that some models begin it with, and outer spaces."""
    return _THINKING.sub("", text or "", count=1).strip()


def _parsed(arguments: Json | Missing) -> Json | Missing:
    """Return arguments as parsed JSON, since spaces may differ; unchanged if not JSON."""
    if not isinstance(arguments, str):
        return arguments
    document = read_json(arguments.encode("utf-8", "replace"))
    return arguments if document.problem else document.value


def reasoning_is_carried(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a request repeats earlier reasoning unchanged if it repeats it or has to.

    It has to where it asks the model to read earlier reasoning (`clear_thinking: false`,
    `preserve_thinking: true`) [DOC]: a model that gets none, or other, thinks without it.
    """
    for _, request, past in _with_past(analyzed):
        sent, endpoint = whole_conversation(request), request.endpoint
        needed = endpoint is not None and endpoint.keeps_reasoning(request.request_json.value)
        bare = _without_reasoning(sent.messages)
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
    for _, request, past in _with_past(analyzed):
        sent = whole_conversation(request)
        bare = _without_reasoning(sent.messages)
        before = past.other_prefix(bare)
        if before:
            number = next(n for n, message in enumerate(before) if bare[n] != message)
            place = request.request_place(sent.at(number))
            yield violation(f"{show(before[number])} as before", show(bare[number]), place)
