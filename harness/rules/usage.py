"""Rules for token counts."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.endpoint import Pointers, may_have
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import all_seen, first
from harness.rules.rule import show
from harness.types import Finding, Json, Reply, Usage
from harness.wire import Missing, escape, resolve

_COUNTS: tuple[str, ...] = ("input_tokens", "output_tokens", "total_tokens")


def _pointers(reading: AnalyzedExchange, name: str) -> Pointers:
    pointers: Pointers = getattr(reading.fields, name)
    return pointers


def usage_adds_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that input and output tokens add up to the total.

    They do in every recording of both services; image tokens are included in the input tokens,
    reasoning tokens in the output tokens [REC]. Some other services add the latter to the total, or
    leave them out of it.
    """
    for part, reply in reading.replies:
        usage = reply.usage or Usage()
        given, made, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
        if made is None and reading.fields.vectors:
            made = 0
        if given is None or made is None or total is None or given + made == total:
            continue
        apart = first(part.value, reading.fields.reasoning_apart)
        if type(apart) is int and abs(total - given - made) == apart:
            continue
        expected = f"{given} + {made} = {given + made} tokens in total"
        yield reading.violation(expected, total, part, _pointers(reading, "total_tokens"))


def usage_is_not_negative(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that no token count is negative, nor any other count beside them, and all are numbers.

    The details differ between services, and the schemas do not have all of them.
    """
    for name in _COUNTS:
        for part, pointer, count in reading.values(_pointers(reading, name)):
            if type(count) is int and count < 0 and not pointer.startswith(_USAGES):
                yield reading.violation("a count of tokens", count, part, pointer)
    for part in reading.answers:
        for base in _USAGES if may_have(part.value, _USAGES) else ():
            for pointer, count in _no_counts(resolve(part.value, base), base):
                yield reading.violation("a count of tokens", show(count), part, pointer)


_USAGES = ("/usage", "/message/usage", "/response/usage", "/usageMetadata", "/x_groq/usage")
_COUNTED = ("tokens", "characters", "count", "Count")


def _no_counts(usage: Json | Missing, pointer: str) -> Iterator[tuple[str, Json]]:
    """Yield (pointer, value) of each negative number, and each text or truth value for a count."""
    items = enumerate(usage) if isinstance(usage, list) else ()
    for name, value in usage.items() if isinstance(usage, dict) else items:
        if isinstance(value, dict | list):
            yield from _no_counts(value, f"{pointer}/{escape(name)}")
        elif isinstance(value, str | bool):
            if str(name).endswith(_COUNTED):
                yield f"{pointer}/{escape(name)}", value
        elif isinstance(value, int | float) and value < 0:
            yield f"{pointer}/{escape(name)}", value


def usage_details_fit(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a detailed token count is not larger than the count that includes it.

    Cached and image tokens are input, reasoning tokens are output.
    """
    told = (("input_tokens", "input_parts"), ("output_tokens", "output_parts"))
    details_at = [pointer for _, details in told for pointer in _pointers(reading, details)]
    if not reading.refusals and not any(map(reading.has, details_at)):
        return
    for part, reply in reading.replies:
        for name, details in told:
            limit = getattr(reply.usage, name) if reply.usage else None
            for pointer, count in all_seen(part, reading.fields, _pointers(reading, details)):
                if limit is not None and type(count) is int and count > limit:
                    yield reading.violation(f"at most {limit}", count, part, pointer)


def output_is_counted(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the output tokens count the text, and the details the reasoning if they do so.

    An answer with text or reasoning has at least one output token. The models of 2026
    (since qwen3.5 and glm-5.3) count the tokens of the reasoning apart [DOC], [REC]; they are
    paid for.
    """
    endpoint, outcome = reading.checked_endpoint, reading.outcome
    if endpoint is None or not isinstance(outcome, Reply) or outcome.usage is None:
        return
    fields, counted = endpoint.fields, [part for part, r in reading.replies if r.usage]
    text = (outcome.content or "").strip() or (outcome.reasoning or "").strip()
    if text and outcome.usage.output_tokens == 0:
        expected = "at least 1 output token for the text"
        yield reading.violation(expected, 0, counted[-1], fields.output_tokens)
    if not (outcome.reasoning or "").strip():
        return
    details = [count for _, _, count in reading.values(fields.reasoning_tokens)]
    is_complete = not reading.is_stream or any(r.finish_reason for _, r in reading.replies)
    if is_complete and endpoint.counts_reasoning(reading.request_json.value) and not any(details):
        expected = "a count of the reasoning's tokens"
        actual = show(details[-1]) if details else "none"
        yield reading.violation(expected, actual, counted[-1], fields.reasoning_tokens)


def usage_is_told(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a complete stream has token counts if they are promised or were requested.

    Zhipu sends them in the last event, the OpenAI-compatible API if `include_usage` is set.
    """
    endpoint, parts = reading.checked_endpoint, reading.event_replies
    if endpoint is None or not parts or not endpoint.tells_usage(reading.request_json.value):
        return
    is_complete = any(reply.finish_reason for _, reply in parts)
    if is_complete and not any(reply.usage for _, reply in parts):
        yield reading.violation("a count of the tokens", "none", parts[-1][0])


def usage_never_shrinks(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the token counts in a stream never become smaller.

    DashScope sends counts in every event [REC]; a smaller count belongs to another answer. Gemini
    estimates the input tokens, and so the total, until the last event [REC], and Anthropic may
    compact the input [FIELD].
    """
    largest: dict[str, int] = {}
    endpoint = reading.checked_endpoint
    names = _COUNTS
    if endpoint is not None and endpoint.estimates_input:
        names = ("output_tokens",)
    elif endpoint is not None and endpoint.runs_tools(reading.request_json.value):
        names = ("output_tokens", "total_tokens")
    for part, reply in reading.event_replies:
        for name in names:
            count = getattr(reply.usage, name) if reply.usage else None
            if count is None:
                continue
            if count < largest.get(name, count):
                expected = f"at least {largest[name]} as before"
                yield reading.violation(expected, count, part, _pointers(reading, name))
            largest[name] = count


def input_tokens_stay(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the input tokens are the same in every event of a stream.

    The request does not change while it is answered [REC]. They may grow if the service itself runs
    tools, whose results are input too, such as a web search [DOC]; of estimates, those in the last
    event may differ.
    """
    expected: int | None = None
    endpoint = reading.checked_endpoint
    if endpoint is not None and endpoint.runs_tools(reading.request_json.value):
        return
    events = reading.event_replies
    for part, reply in events[:-1] if endpoint and endpoint.estimates_input else events:
        count = reply.usage.input_tokens if reply.usage else None
        if count is not None and expected is not None and count != expected:
            yield reading.violation(
                f"{expected} as before", count, part, _pointers(reading, "input_tokens")
            )
            return
        expected = count if expected is None else expected
