"""Rules for requests: whether an SDK sends the calls of a scenario complete and unchanged."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from itertools import groupby, zip_longest

from harness.analysis.endpoint import Endpoint, Fields, Role
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import first, text_of
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import sent_messages, show, wants_stream
from harness.rules.tools import functions
from harness.scenario.messages import is_openai
from harness.types import (
    Call,
    CallKind,
    ContentPart,
    Finding,
    Json,
    Medium,
    Message,
    Mode,
    shorten,
)
from harness.wire import MISSING, Missing, as_list, escape, query, resolve, walk

REASONING = "/reasoning_content"
"""The JSON pointer of the reasoning in a message."""


def _requests(analyzed: AnalyzedTranscript) -> Iterator[tuple[Call, AnalyzedExchange]]:
    """Yield each call with the request that the SDK sent for it."""
    for turn in analyzed.turns:
        request = turn.request
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
        sent, every = sent_messages(request), list(_expected(call, request.endpoint))
        if len(sent.messages) != len(every):
            place = request.request_place(sent.pointer)
            yield violation(f"{len(every)} messages", len(sent.messages), place)
        pairs = zip(every, sent.messages, strict=False)
        for number, ((expected, parts), value) in enumerate(pairs):
            pointer, actual = sent.at(number), _of_json(value)
            if expected != actual:
                place = request.request_place(pointer)
                yield violation(show(expected), show(actual), place)
            sent_parts = resolve(value, "/content")
            if isinstance(sent_parts, str) and not any(part.members for part in parts):
                parts = tuple(part for part in parts if part.medium is not Medium.TEXT)
            for part, sent_part in zip_longest(parts, as_list(sent_parts), fillvalue=None):
                if parts and not _carries(sent_part, part):
                    shown = show(sent_part) if sent_part else "nothing"
                    yield violation(_described(part), shown, request.request_place(pointer))


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
            is_named = part and isinstance(item, str) and _is_value(item, part)
            if not is_named and not _carries(item, part):
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
