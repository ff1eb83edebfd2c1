"""Are tokens counted, and do the counts agree?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Endpoint, Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import seen
from harness.rules.rule import answers, replies, show, spoken, streamed, violation, where
from harness.types import Failure, Finding, Reply, Usage

COUNTS = ("input_tokens", "output_tokens", "total_tokens")


def _counted(reading: AnalyzedExchange) -> Iterator[tuple[Part, Usage]]:
    for part, reply in replies(reading):
        if isinstance(reply, Reply) and reply.usage is not None:
            yield part, reply.usage


def usage_adds_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Input and output tokens add up to the total.

    True of every recording of both services: image and reasoning tokens are counted within.
    """
    for part, usage in _counted(reading):
        given, made, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
        if given is None or made is None or total is None or given + made == total:
            continue
        pointers = reading.endpoint.fields.total_tokens if reading.endpoint else ()
        expected = f"{given} + {made} = {given + made} tokens in all"
        yield violation(expected, str(total), reading.place(where(part, pointers), part))


def usage_is_not_negative(reading: AnalyzedExchange) -> Iterator[Finding]:
    """No token count is negative."""
    endpoint = spoken(reading)
    if endpoint is None:
        return
    fields = endpoint.fields
    counts = (*(getattr(fields, name) for name in COUNTS), fields.input_parts, fields.output_parts)
    for part in answers(reading):
        for pointers in counts:
            for pointer, count in seen(part.value, pointers):
                if type(count) is int and count < 0:
                    yield violation("a count of tokens", str(count), reading.place(pointer, part))


def usage_details_fit(reading: AnalyzedExchange) -> Iterator[Finding]:
    """What is counted in detail is within what is counted in all.

    Cached and image tokens are input, reasoning tokens are output; none is counted beside it.
    """
    endpoint = spoken(reading)
    for part, usage in _counted(reading) if endpoint else ():
        for pointer, count, most in _details(part, usage, endpoint):
            yield violation(f"at most {most}", str(count), reading.place(pointer, part))


def _details(part: Part, usage: Usage, endpoint: Endpoint | None) -> Iterator[tuple[str, int, int]]:
    if endpoint is None:
        return
    for most, pointers in (
        (usage.input_tokens, endpoint.fields.input_parts),
        (usage.output_tokens, endpoint.fields.output_parts),
    ):
        for pointer, count in seen(part.value, pointers):
            if most is not None and type(count) is int and count > most:
                yield pointer, count, most


def usage_is_told(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A stream that ended counts its tokens where its service always does, or was asked to.

    Zhipu does in the last event; the OpenAI-compatible form does on `include_usage`.
    """
    endpoint = spoken(reading)
    told = streamed(reading)
    if endpoint is None or not told or not endpoint.tells_usage(reading.request_json.value):
        return
    ended = any(reply.finish_reason for _, reply in told)
    if ended and not any(reply.usage for _, reply in told):
        yield violation("a count of the tokens", "none", reading.place(part=told[-1][0]))


def usage_never_shrinks(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The usage that a stream repeats grows or stays.

    DashScope counts along in every event [REC]; a count that falls was of another answer.
    """
    before: dict[str, int] = {}
    for part, reply in streamed(reading):
        for name in COUNTS:
            count = getattr(reply.usage, name) if reply.usage else None
            if count is None:
                continue
            if count < before.get(name, count):
                place = reading.place(where(part, _pointers(reading, name)), part)
                yield violation(f"at least {before[name]} as before", str(count), place)
            before[name] = count


def input_tokens_stay(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The input tokens that a stream repeats are the same in every event.

    What was asked does not change while it is answered [REC].
    """
    if isinstance(reading.outcome, Failure):
        return
    before: int | None = None
    for part, reply in streamed(reading):
        count = reply.usage.input_tokens if reply.usage else None
        if count is not None and before is not None and count != before:
            place = reading.place(where(part, _pointers(reading, "input_tokens")), part)
            yield violation(f"{before} as before", show(count), place)
            return
        before = count if before is None else before


def _pointers(reading: AnalyzedExchange, name: str) -> tuple[str, ...]:
    return getattr(reading.endpoint.fields, name) if reading.endpoint else ()
