"""Rules for the events of a stream, and for a stream compared with a document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import dropwhile, islice, pairwise

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import NONE_YET, first
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import show
from harness.types import Choice, Finding, Json, Reply, ToolCall
from harness.wire import as_list, as_object, read_json, resolve


def stream_keeps_its_identity(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that every event of a stream has the same id, model and creation time.

    If they differ, a proxy or a recorder has mixed the events of two answers.
    """
    fields, parts = reading.fields, [part for part, _ in reading.event_replies]
    for pointer in fields.constant if parts else ():
        expected = parts[0].found(fields).get(pointer)
        for part in parts[1:] if expected else ():
            actual = part.found(fields).get(pointer)
            if actual and actual != expected:
                as_first = f"{show(expected)} as in the first event"
                yield reading.violation(as_first, show(actual), part, pointer)
                break


def stream_finishes_once(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a stream has one finish reason.

    A stream without one was cut off. Some models are known to repeat it (glm-4.5v [REC]): a second
    one is a violation if the endpoint does not allow repeats, if it differs from the first, or if
    the whole event came twice.
    """
    endpoint, replies = reading.checked_endpoint, reading.event_replies
    if endpoint is None or not endpoint.finish_reasons or not replies:
        return
    reasons = [(part, reply.finish_reason) for part, reply in replies]
    ends = [(part, reason) for part, reason in reasons if reason is not None]
    if not ends:
        yield reading.violation("a finish reason in the last event", "none", replies[-1][0])
    repeated = _repeated_events(reading)
    for part, reason in ends[1:]:
        is_same = reason == ends[0][1] and part.event not in repeated
        if not is_same or not endpoint.repeats_finish:
            actual = f"{show(reason)} after {show(ends[0][1])}"
            reasons_at = endpoint.fields.finish_reason
            yield reading.violation("one finish reason", actual, part, reasons_at)


def nothing_after_finish(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that neither text nor tool calls follow the finish reason of a stream.

    A client that stops at the finish reason would lose them; only usage may follow. A model that
    repeats the finish reason (glm-4.5 [REC]) may do so with each tool call, and one whose service
    runs code may do so with each step [FIELD].
    """
    has_ended, endpoint, parts = False, reading.checked_endpoint, reading.event_replies
    may_repeat = endpoint is not None and endpoint.repeats_finish
    if endpoint and may_repeat and endpoint.runs_tools(reading.request_json.value):
        ends = [number for number, (_, reply) in enumerate(parts) if reply.finish_reason]
        parts = parts[ends[-1] :] if ends else []
    for part, reply in parts:
        if may_repeat and reply.tool_calls and reply.finish_reason and not reply.content:
            has_ended = True
            continue
        if has_ended and (reply.tool_calls or reply.content or reply.reasoning):
            actual = show(reply.content or [call.name for call in reply.tool_calls])
            yield reading.violation("nothing more after the finish reason", actual, part)
        has_ended = has_ended or reply.finish_reason is not None


def _is_cumulative(reading: AnalyzedExchange) -> bool:
    """Return whether the reply is cumulative: each event has all the text so far."""
    return isinstance(reading.outcome, Reply) and reading.outcome.cumulative


def _texts(reading: AnalyzedExchange) -> Iterator[tuple[tuple[str, ...], list[tuple[Part, str]]]]:
    """Yield (pointers, texts) for content and for reasoning.

    *texts* has (part, text) for each event that has the field.
    """
    fields, replies = reading.fields, reading.event_replies
    for name in ("content", "reasoning"):
        texts = [(part, text) for part, reply in replies if (text := getattr(reply, name))]
        yield getattr(fields, name), texts


def cumulative_stream_only_grows(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that each text of a cumulative stream begins with the one before.

    A stream is cumulative unless increments were requested [DOC B3], or the model sends nothing but
    increments. A text that does not continue the one before is an increment: a program that shows
    only the last event would show a fragment.
    """
    for pointers, texts in _texts(reading) if _is_cumulative(reading) else ():
        for (_, before), (part, text) in pairwise(texts):
            if not text.startswith(before):
                expected = f"a text that begins with {show(before)}"
                yield reading.violation(expected, show(text), part, pointers)


def cumulative_calls_only_grow(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the tool calls of a cumulative stream continue those of the event before.

    Each call keeps its id and its name, and no call is lost.
    """
    if not _is_cumulative(reading):
        return
    calling = [
        (part, reply.tool_calls) for part, reply in reading.event_replies if reply.tool_calls
    ]
    for (_, before), (part, calls) in pairwise(calling):
        if not _continue(before, calls):
            expected = f"calls that continue {_listed(before)}"
            yield reading.violation(expected, _listed(calls), part, reading.fields.tool_calls)


def _continue(before: tuple[ToolCall, ...], after: tuple[ToolCall, ...]) -> bool:
    return len(after) >= len(before) and all(
        new.arguments.startswith(old.arguments)
        and old.id in ("", new.id)
        and old.name in ("", new.name)
        for old, new in zip(before, after, strict=False)
    )


def _listed(calls: tuple[ToolCall, ...]) -> str:
    return show([[call.id, call.name, call.arguments] for call in calls])


_MIN_LENGTH = 10
"""Characters: shorter texts may have the same beginning by chance, as 1, 10 and 100 do."""


def deltas_do_not_repeat(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the events of an incremental stream do not repeat the text so far.

    A client that joins the events would show each text several times. So it would if an event came
    twice: a text of more than a word, in events that are the same in each byte.
    """
    if not _is_cumulative(reading):
        yield from _repeated(reading)
    for pointers, texts in _texts(reading) if not _is_cumulative(reading) else ():
        pairs = pairwise(text for _, text in texts)
        grows = all(new.startswith(old) and len(new) > len(old) for old, new in pairs)
        if len(texts) > 2 and grows and len(texts[-1][1]) >= _MIN_LENGTH:
            part, text = texts[-1]
            expected = "only the new piece"
            yield reading.violation(expected, f"the whole text so far {show(text)}", part, pointers)


_MIN_LETTERS = 11
"""Different letters in a piece that no model says twice in a row, as it may say `really really`."""


def _repeated(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Yield a violation for each event that is the one before and has a text of several words."""
    repeated = _repeated_events(reading)
    for part, reply in reading.event_replies if repeated else ():
        text = f"{reply.content or ''}{reply.reasoning or ''}"
        if part.event in repeated and len(set(filter(str.isalpha, text))) >= _MIN_LETTERS:
            expected = "only the new piece"
            yield reading.violation(expected, f"{show(text)} again, in the same event", part)


def events_have_content(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that each event between the first text and the finish adds something to the answer.

    Its message has at least one member beside the role, which may be an empty text. An event
    without choices has token counts. Anything else has lost its content on the way.
    """
    fields = reading.fields
    names = [p.removeprefix(f"{fields.choices}/0") for p in fields.messages_of_choices]
    said = dropwhile(lambda event: not _adds(event[1]), reading.event_replies)
    for part, _ in islice(said, 1, None):
        choices = part.found(fields).get(fields.choices) if fields.choices else None
        told = ("/usage", "/prompt_filter_results")
        if choices == [] and not any(resolve(part.value, name) for name in told):
            yield reading.violation("a choice, or token counts", "neither", part)
        for number, choice in enumerate(as_list(choices)):
            if as_object(choice).get("finish_reason") not in _NOT_YET:
                continue
            for name in names:
                message = resolve(choice, name)
                if isinstance(message, dict) and not _has_more_than_role(message):
                    pointer = f"{fields.choices}/{number}{name}"
                    yield reading.violation("something that is added", show(message), part, pointer)


def _has_more_than_role(message: Mapping[str, Json]) -> bool:
    return any(value is not None for member, value in message.items() if member != "role")


def _adds(reply: Reply) -> bool:
    return bool(reply.content or reply.reasoning or reply.tool_calls)


def _repeated_events(reading: AnalyzedExchange) -> set[int | None]:
    """Return the numbers of the events whose data is that of the event before."""
    pairs = pairwise(reading.stream.events)
    return {event.number for before, event in pairs if before.data == event.data}


_NOT_YET = (None, "", NONE_YET)


def stream_equals_whole(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a stream and a document that answer the same request agree.

    Answers differ each time, so that only these are compared: the model, the number of input tokens
    and of choices, and whether an id, a model and a finish reason are present. If the request asks
    for the same answer each time (`temperature: 0`, `top_k: 1`, `do_sample: false`), the finish
    reasons and the tool calls of all choices are compared too. Input tokens are not compared if the
    service runs tools, whose results are input [REC], and nothing is if more than a day lies
    between the answers: OpenAI counted otherwise ten months later [FIELD].
    """
    whole: dict[str, list[AnalyzedExchange]] = {}
    streams = [reading for reading in analyzed.readings if _is_comparable(reading, is_stream=True)]
    for reading in analyzed.readings if streams else ():
        if _is_comparable(reading, is_stream=False):
            whole.setdefault(_question(reading), []).append(reading)
    for reading in streams:
        others = whole.get(_question(reading), ())
        for other in islice((one for one in others if _is_of_one_day(reading, one)), 1):
            for name, actual, expected in _differences(reading, other):
                source = f"as in the whole answer (exchange {other.number})"
                yield reading.violation(
                    f"{name} {show(expected)} {source}", show(actual), reading.parts[-1]
                )


_DAY = 86_400


def _is_of_one_day(reading: AnalyzedExchange, other: AnalyzedExchange) -> bool:
    """Return whether two answers were created within a day, or do not say when."""
    times = [first(one.parts[0].value, one.fields.created) for one in (reading, other)]
    given = [time for time in times if isinstance(time, int | float)]
    return len(given) < 2 or abs(given[0] - given[1]) <= _DAY


def _is_comparable(reading: AnalyzedExchange, *, is_stream: bool) -> bool:
    if reading.is_stream is not is_stream:
        return False  # of a long transcript, nothing is parsed again for this
    endpoint = reading.checked_endpoint
    if endpoint is None or endpoint.role is not Role.ANSWER or not endpoint.event:
        return False
    has_request = isinstance(reading.request_json.value, dict)
    return has_request and isinstance(reading.outcome, Reply)


def _is_deterministic(reading: AnalyzedExchange) -> bool:
    """Return whether a request asks for the same answer each time."""
    fields, request = reading.fields, reading.request_json.value
    values = (("temperature", 0), ("top_k", 1), ("do_sample", False))
    return any(resolve(request, f"{fields.parameters}/{name}") == value for name, value in values)


def _called(choice: Choice) -> list[Json]:
    """Return the names of the called functions and their arguments, as JSON if they are valid."""
    called: list[Json] = []
    for call in choice.tool_calls:
        document = read_json(call.arguments.encode("utf-8", "replace"))
        called.append([call.name, call.arguments if document.problem else document.value])
    return called


_DELIVERY = ("stream", "stream_options", "incremental_output", "seed", "request_id")


def _question(reading: AnalyzedExchange) -> str:
    """Return a request as text, without the options that say how to deliver the answer."""
    name = reading.endpoint.name if reading.endpoint else ""
    return name + json.dumps(_without_delivery(reading.request_json.value, 2), sort_keys=True)


def _without_delivery(value: Json, depth: int) -> Json:
    if not isinstance(value, dict) or not depth:
        return value
    kept = ((key, member) for key, member in value.items() if key not in _DELIVERY)
    return {key: _without_delivery(member, depth - 1) for key, member in kept}


def _differences(
    reading: AnalyzedExchange, other: AnalyzedExchange
) -> Iterator[tuple[str, object, object]]:
    stream, whole = reading.outcome, other.outcome
    if not isinstance(stream, Reply) or not isinstance(whole, Reply):
        return
    for name in ("id", "model", "finish_reason"):
        actual, expected = getattr(stream, name), getattr(whole, name)
        if (actual is None) != (expected is None) or (name == "model" and actual != expected):
            yield name.replace("_", " "), actual, expected
    if len(stream.choices) != len(whole.choices):
        yield "number of choices", len(stream.choices), len(whole.choices)
    elif _is_deterministic(reading):
        for ours, theirs in zip(stream.choices, whole.choices, strict=True):
            if ours.finish_reason != theirs.finish_reason:
                yield "finish reason", ours.finish_reason, theirs.finish_reason
            if (calls := _called(ours)) != (others := _called(theirs)):
                yield "tool calls", calls, others
    endpoint, request = reading.endpoint, reading.request_json.value
    if endpoint is not None and endpoint.runs_tools(request):
        return
    if stream.usage and whole.usage and stream.usage.input_tokens != whole.usage.input_tokens:
        yield "input tokens", stream.usage.input_tokens, whole.usage.input_tokens
