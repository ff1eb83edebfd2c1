"""Do the events of one stream belong together, and does it end as it should?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from harness.reading import Part, Reading
from harness.rules.rule import show, spoken, streamed, where
from harness.types import Finding, Reply
from harness.wire import ABSENT, at


def stream_keeps_its_identity(reading: Reading) -> Iterator[Finding]:
    """Every event of a stream carries the same id, model and time of creation.

    Events of two answers in one stream mean that a proxy or a recorder mixed them.
    """
    endpoint = spoken(reading)
    parts = [part for part, _ in streamed(reading)]
    if endpoint is None or not parts:
        return
    for pointer in endpoint.fields.constant:
        began = at(parts[0].value, pointer)
        for part in parts[1:]:
            found = at(part.value, pointer)
            if ABSENT not in (began, found) and found != began:
                message = f"expected {show(began)} as in the first event, found {show(found)}"
                yield Finding(message, reading.place(pointer, part))
                break


def _finishing(told: list[tuple[Part, Reply]]) -> list[tuple[Part, Reply]]:
    return [(part, reply) for part, reply in told if reply.finish_reason is not None]


def stream_finishes_once(reading: Reading) -> Iterator[Finding]:
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
        yield Finding("expected a finish reason in the last event, found none", place)
    for part, reply in ends[1:]:
        if reply.finish_reason != ends[0][1].finish_reason or not endpoint.repeats_finish:
            place = reading.place(where(part, endpoint.fields.finish_reason), part)
            was, found = show(ends[0][1].finish_reason), show(reply.finish_reason)
            yield Finding(f"expected one finish reason, found {found} after {was}", place)


def nothing_after_finish(reading: Reading) -> Iterator[Finding]:
    """After the finish reason a stream brings neither text nor tool calls.

    A client that stops reading there would lose them; only usage may still come.
    """
    endpoint = spoken(reading)
    ended = False
    for part, reply in streamed(reading) if endpoint else []:
        if ended and (reply.tool_calls or _new_text(reply)):
            found = f"found {show(reply.content or [call.name for call in reply.tool_calls])}"
            yield Finding(
                f"expected nothing more after the finish reason, {found}", reading.place(part=part)
            )
        ended = ended or reply.finish_reason is not None


def _new_text(reply: Reply) -> bool:
    return bool(reply.content) or bool(reply.reasoning)


def usage_never_shrinks(reading: Reading) -> Iterator[Finding]:
    """The usage that a stream repeats grows or stays.

    DashScope counts along in every event [REC]; a count that falls was of another answer.
    """
    before: dict[str, int] = {}
    for part, reply in streamed(reading):
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            count = getattr(reply.usage, name) if reply.usage else None
            if count is None:
                continue
            if count < before.get(name, count):
                pointers = getattr(reading.endpoint.fields, name) if reading.endpoint else ()
                message = f"expected at least {before[name]} as before, found {count}"
                yield Finding(message, reading.place(where(part, pointers), part))
            before[name] = count


def cumulative_stream_only_grows(reading: Reading) -> Iterator[Finding]:
    """Where each event carries the whole text so far, it begins with the one before.

    So it is unless increments were asked for [DOC B3]. A text that does not continue the one
    before is an increment, and whoever shows only the last event shows a fragment.
    """
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.cumulative(reading.asked.value):
        return
    for name in ("content", "reasoning"):
        before = ""
        for part, reply in streamed(reading):
            text = getattr(reply, name)
            if not text:
                continue
            if not text.startswith(before):
                message = f"expected a text that begins with {show(before)}, found {show(text)}"
                place = reading.place(where(part, getattr(endpoint.fields, name)), part)
                yield Finding(message, place)
            before = text


def deltas_do_not_repeat(reading: Reading) -> Iterator[Finding]:
    """Where each event carries only the new piece, no event repeats the whole text so far.

    Joined, such pieces would say everything many times over.
    """
    endpoint = spoken(reading)
    if endpoint is None or endpoint.cumulative(reading.asked.value):
        return
    told = [(part, reply.content) for part, reply in streamed(reading) if reply.content]
    texts = [text for _, text in told]
    growing = all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(texts))
    if len(texts) > 2 and growing:
        part = told[-1][0]
        message = f"expected only the new piece, found the whole text so far {show(texts[-1])}"
        yield Finding(message, reading.place(where(part, endpoint.fields.content), part))
