"""Do the events of one stream belong together, and does it end as it should?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import show, spoken, streamed, violation, where
from harness.types import Finding, LooseJson, Reply, ToolCall
from harness.wire import resolve


def stream_keeps_its_identity(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Every event of a stream carries the same id, model and time of creation.

    Events of two answers in one stream mean that a proxy or a recorder mixed them.
    """
    endpoint = spoken(reading)
    parts = [part for part, _ in streamed(reading)]
    if endpoint is None or not parts:
        return
    for pointer in endpoint.fields.constant:
        began = resolve(parts[0].value, pointer)
        for part in parts[1:]:
            found = resolve(part.value, pointer)
            if began and found and found != began:
                place = reading.place(pointer, part)
                yield violation(f"{show(began)} as in the first event", show(found), place)
                break


def _finishing(told: list[tuple[Part, Reply]]) -> list[tuple[Part, Reply]]:
    return [(part, reply) for part, reply in told if reply.finish_reason is not None]


def stream_finishes_once(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A stream tells its finish reason, once.

    A stream without one was cut off. Some models are known to repeat it (glm-4.5v [REC]); that is
    a finding only where the endpoint does not say so, or where the reasons differ.
    """
    endpoint = spoken(reading)
    told = streamed(reading)
    if endpoint is None or not endpoint.finish_reasons or not told:
        return
    ends = _finishing(told)
    if not ends:
        place = reading.place(part=told[-1][0])
        yield violation("a finish reason in the last event", "none", place)
    for part, reply in ends[1:]:
        if reply.finish_reason != ends[0][1].finish_reason or not endpoint.repeats_finish:
            place = reading.place(where(part, endpoint.fields.finish_reason), part)
            found = f"{show(reply.finish_reason)} after {show(ends[0][1].finish_reason)}"
            yield violation("one finish reason", found, place)


def nothing_after_finish(reading: AnalyzedExchange) -> Iterator[Finding]:
    """After the finish reason a stream brings neither text nor tool calls.

    A client that stops reading there would lose them; only usage may still come.
    """
    endpoint = spoken(reading)
    ended = False
    for part, reply in streamed(reading) if endpoint else []:
        if ended and (reply.tool_calls or _new_text(reply)):
            found = show(reply.content or [call.name for call in reply.tool_calls])
            yield violation("nothing more after the finish reason", found, reading.place(part=part))
        ended = ended or reply.finish_reason is not None


def _new_text(reply: Reply) -> bool:
    return bool(reply.content) or bool(reply.reasoning)


def _is_cumulative(reading: AnalyzedExchange) -> bool:
    """Whether each event repeats the whole so far: as asked for, or else as most of them do."""
    return isinstance(reading.outcome, Reply) and reading.outcome.cumulative


def cumulative_stream_only_grows(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Where each event carries the whole text so far, it begins with the one before.

    So it is unless increments were asked for [DOC B3], or the model gives nothing else. A text
    that does not continue the one before is an increment, and whoever shows only the last event
    shows a fragment.
    """
    endpoint = spoken(reading)
    if endpoint is None or not _is_cumulative(reading):
        return
    for name in ("content", "reasoning"):
        before = ""
        for part, reply in streamed(reading):
            text = getattr(reply, name)
            if not text:
                continue
            if not text.startswith(before):
                place = reading.place(where(part, getattr(endpoint.fields, name)), part)
                yield violation(f"a text that begins with {show(before)}", show(text), place)
            before = text


def cumulative_calls_only_grow(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Where each event carries the whole so far, a tool call's arguments only grow too.

    The call keeps its id and its name, and no call is lost on the way.
    """
    endpoint = spoken(reading)
    if endpoint is None or not _is_cumulative(reading):
        return
    before: tuple[ToolCall, ...] = ()
    for part, reply in streamed(reading):
        if not reply.tool_calls:
            continue
        if not _grown(before, reply.tool_calls):
            place = reading.place(where(part, endpoint.fields.tool_calls), part)
            yield violation(
                f"calls that continue {_calls(before)}", _calls(reply.tool_calls), place
            )
        before = reply.tool_calls


def _grown(before: tuple[ToolCall, ...], after: tuple[ToolCall, ...]) -> bool:
    return len(after) >= len(before) and all(
        new.arguments.startswith(old.arguments)
        and old.id in ("", new.id)
        and old.name in ("", new.name)
        for old, new in zip(before, after, strict=False)
    )


def _calls(calls: tuple[ToolCall, ...]) -> str:
    return show([[call.id, call.name, call.arguments] for call in calls])


_CHANCE = 10
"""Characters: shorter texts may begin alike by chance, as 1, 10 and 100 do."""


def deltas_do_not_repeat(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Where each event carries only the new piece, no event repeats the whole text so far.

    Joined, such pieces would say everything many times over.
    """
    endpoint = spoken(reading)
    if endpoint is None or _is_cumulative(reading):
        return
    for name in ("content", "reasoning"):
        told = [(p, text) for p, reply in streamed(reading) if (text := getattr(reply, name))]
        texts = [text for _, text in told]
        growing = all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(texts))
        if len(texts) > 2 and growing and len(texts[-1]) >= _CHANCE:
            part = told[-1][0]
            place = reading.place(where(part, getattr(endpoint.fields, name)), part)
            yield violation("only the new piece", f"the whole text so far {show(texts[-1])}", place)


_DELIVERY = ("stream", "stream_options", "incremental_output", "seed", "request_id")


def stream_equals_whole(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The same question, asked once for a stream and once for a whole answer, is answered alike.

    Models do not say the same twice, so that only what does not depend on chance is compared: the
    model's name, the count of the input tokens, and which of id, model, finish reason and usage
    are told at all.
    """
    whole: dict[str, AnalyzedExchange] = {}
    streams = [r for r in read.readings if r.is_stream and _is_comparable(r)]
    for reading in read.readings if streams else ():
        if not reading.is_stream and _is_comparable(reading):
            whole.setdefault(_asked(reading), reading)
    for reading in streams:
        other = whole.get(_asked(reading))
        for name, one, two in _parted(reading, other) if other else ():
            place = reading.place(part=reading.parts[-1])
            told = f"{name} {show(two)} as in the whole answer (exchange {other and other.number})"
            yield violation(told, show(one), place)


def _is_comparable(reading: AnalyzedExchange) -> bool:
    endpoint = spoken(reading)
    asked = isinstance(reading.request_json.value, dict)
    is_chat = endpoint is not None and endpoint.role is Role.ANSWER and bool(endpoint.event)
    return is_chat and asked and isinstance(reading.outcome, Reply)


def _asked(reading: AnalyzedExchange) -> str:
    """A question without what says how to deliver the answer."""
    name = reading.endpoint.name if reading.endpoint else ""
    return name + json.dumps(_plain(reading.request_json.value, depth=2), sort_keys=True)


def _plain(value: LooseJson, depth: int) -> LooseJson:
    if not isinstance(value, dict) or not depth:
        return value
    return {k: _plain(v, depth - 1) for k, v in value.items() if k not in _DELIVERY}


def _parted(
    reading: AnalyzedExchange, other: AnalyzedExchange
) -> Iterator[tuple[str, LooseJson, LooseJson]]:
    one, two = reading.outcome, other.outcome
    if not isinstance(one, Reply) or not isinstance(two, Reply):
        return
    for name in ("id", "model", "finish_reason"):
        here, there = getattr(one, name), getattr(two, name)
        if (here is None) != (there is None) or (name == "model" and here != there):
            yield name.replace("_", " "), here, there
    if one.usage and two.usage and one.usage.input_tokens != two.usage.input_tokens:
        yield "input tokens", one.usage.input_tokens, two.usage.input_tokens
