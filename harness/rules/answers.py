"""Rules for the fields of an answer or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TypeVar

from harness.analysis.endpoint import Fields, Part, Role
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import first, is_whole, seen, status_of
from harness.rules.members import documented, misspelt
from harness.rules.rule import show
from harness.rules.schemas import violations, violations_of
from harness.types import Finding, Json, Place, Reply
from harness.wire import Missing, as_list, as_object, escape, query, resolve, tokens

T = TypeVar("T")


def answer_fits_schema(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an answer has the documented fields, each of the documented type.

    The whole body, or each event of a stream, is checked against the endpoint's JSON Schema, which
    cites its source. Additional fields are allowed: services add them without notice.
    """
    endpoint = reading.checked_endpoint
    if endpoint is None:
        return
    schema = endpoint.event if reading.is_stream else endpoint.answer
    if schema is None:
        return
    violations_in = _once_each(violations_of(schema))
    for part in reading.answers:
        for pointer, expected, actual in violations_in(part.value):
            yield reading.violation(expected, actual, part, pointer)
    for choice in (reading, *reading.other_choices):
        unknown = _unknown_texts(choice, alone=not _says_nothing(choice))
        for place in islice(unknown, 1):
            actual = f"an unknown field {place.pointer} has a text"
            yield violation("a text in a documented field", actual, place)


def _once_each(judge: Callable[[Json], list[T]]) -> Callable[[Json], list[T]]:
    """Return *judge*, which is called once for all events with equal data: they share their value.

    The values must live longer than the function.
    """
    known: dict[int, list[T]] = {}

    def judged(value: Json) -> list[T]:
        key = id(value)
        if key not in known:
            known[key] = judge(value)
        return known[key]

    return judged


def finish_reason_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a finish reason is documented.

    Programs branch on the finish reason, and do not handle a new one.
    """
    endpoint = reading.checked_endpoint
    if endpoint is None or not endpoint.finish_reasons:
        return
    for part, reply in reading.replies:
        reason = reply.finish_reason
        if reason is not None and reason not in endpoint.finish_reasons:
            expected = f"one of {', '.join(sorted(endpoint.finish_reasons))}"
            yield reading.violation(expected, show(reason), part, endpoint.fields.finish_reason)


def role_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an answer has the role assistant.

    Programs send the message back unchanged, and a request accepts known roles only. There are two
    exceptions: a message with the calls and results of the service's own tools may have the role
    tool, and an event of a stream may have no role [FIELD MiniMax].
    """
    allowed = ("assistant", "") if reading.is_stream else ("assistant",)
    for part, pointer, role in reading.values(reading.fields.role):
        if role in allowed:
            continue
        calls = resolve(part.value, pointer.removesuffix("/role") + "/tool_calls")
        if not (role == "tool" and calls):
            yield reading.violation("the role assistant", show(role), part, pointer)


def object_names_its_form(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the field `object`, if it is sent, distinguishes a document from an event.

    `chat.completion` or `chat.completion.chunk`; Zhipu sends it since 2026.
    """
    endpoint = reading.checked_endpoint
    if endpoint is None or not endpoint.objects:
        return
    expected = next(o for o in endpoint.objects if o.endswith(".chunk") is reading.is_stream)
    for part, pointer, value in reading.values(endpoint.fields.object):
        is_repeat = is_whole(part) and isinstance(resolve(part.value, "/choices/0/message"), dict)
        if value not in (expected, "" if reading.is_stream else None) and not is_repeat:
            yield reading.violation(expected, show(value), part, pointer)


def answer_says_why_it_ended(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a non-streaming answer of a model has a finish reason.

    Without it, a text that was cut off looks like a complete one.
    """
    endpoint = reading.checked_endpoint
    if endpoint is None or reading.is_stream or not endpoint.finish_reasons:
        return
    for part, reply in reading.replies:
        has_content = reply.content is not None or bool(reply.tool_calls)
        if has_content and reply.finish_reason is None:
            yield reading.violation("a finish reason", "none", part, endpoint.fields.finish_reason)


_ENDED_ITSELF = ("stop", "end_turn", "STOP", "completed")
_SAYING_NOTHING: tuple[Json, ...] = (
    *("", [], {}),
    *("text", "message", "thinking", "redacted_thinking", "reasoning"),  # types of blocks
)


def answer_says_something(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an answer that ended by itself has a text, a tool call or another result.

    GLM-5.3 was seen to think for long and then to stop with no text and 0 tokens [FIELD]: a program
    that goes on with the answer goes on with nothing. Anthropic documents such answers, after
    results of tools [DOC]. A model may be asked for an empty text: it neither thinks nor counts
    tokens [FIELD].
    """
    outcome = reading.outcome
    if not _says_nothing(reading) or any(_unknown_texts(reading)):
        return  # a text in an unknown field is reported with the schema
    ends = [part for part, reply in reading.replies if reply.finish_reason]
    thought = ", but reasoning" if isinstance(outcome, Reply) and outcome.reasoning else ""
    expected = "a text, a tool call or another result"
    yield reading.violation(expected, f"none{thought}", ends[-1], reading.fields.content)


def _says_nothing(reading: AnalyzedExchange) -> bool:
    """Return whether an answer ended by itself, fits its schema and has no result."""
    endpoint, outcome = reading.checked_endpoint, reading.outcome
    if endpoint is None or not endpoint.finish_reasons or not isinstance(outcome, Reply):
        return False
    if outcome.finish_reason not in _ENDED_ITSELF or (outcome.content or "").strip():
        return False
    if outcome.usage and outcome.usage.output_tokens == 0 and not outcome.reasoning:
        return False
    results = (*endpoint.fields.tool_calls, *endpoint.fields.images, *endpoint.fields.others)
    if any(value not in _SAYING_NOTHING for _, _, value in reading.values(results)):
        return False
    schema = True if reading.is_stream else endpoint.answer
    return not any(violations(schema, part.value) for part in reading.parts)


_KNOWN_TEXTS = frozenset(
    {
        *("role", "name", "id", "type", "status", "phase", "refusal", "reasoning", "signature"),
        "thought_signature",
    }
)
"""Members of messages that services are known to send and that are not the text of the answer."""


def _unknown_texts(reading: AnalyzedExchange, *, alone: bool = False) -> Iterator[Place]:
    """Yield the place of each undocumented member of a message or delta that has a text.

    With *alone*, only if the member for the text is missing; in a stream, if all others are, too.
    """
    endpoint = reading.endpoint
    if endpoint is None:
        return
    messages = endpoint.fields.messages_of_choices
    known: dict[str, Set[str]] = {}
    for part, message, value in reading.values(messages):
        members = as_object(value)
        if message not in known:
            known[message] = _KNOWN_TEXTS | documented(endpoint, message).keys()
        unknown = members.keys() - known[message]
        if not unknown:
            continue
        needed = (members.keys() - unknown - {"role"}) if reading.is_stream else {"content"}
        if alone and any(members.get(name) is not None for name in needed):
            continue
        for name, member in members.items():
            pointer = f"{message}/{escape(name)}"
            texts = [member, *(text for _, text in query(member, "/[]/text"))]
            is_text = any(isinstance(text, str) and text.strip() for text in texts)
            if is_text and name in unknown:
                yield reading.place(pointer, part)


def fields_are_spelled_as_documented(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that no field has nearly the name of a documented one that is missing.

    With `finishReason`, or `texts` in place of `text`, a program that reads the documented field
    finds nothing. New fields are allowed if their names are new. Only the first of several events
    with the same field is reported.
    """
    endpoint, reported = reading.checked_endpoint, set[str]()
    if endpoint is None or endpoint.role is Role.LOOKUP:
        return
    known = documented(endpoint)
    misspelt_in = _once_each(lambda value: misspelt(value, known))
    for part in reading.answers:
        for pointer, name in misspelt_in(part.value):
            if pointer not in reported:
                reported.add(pointer)
                actual = show(tokens(pointer)[-1])
                yield reading.violation(f"the field {show(name)}", actual, part, pointer)


def choices_are_as_requested(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an answer has as many choices as were requested (`n`), numbered from 0.

    Programs find a choice by its index, and pay for all of them [DOC]. Several prompts in a request
    have choices of their own.
    """
    fields, outcome = reading.fields, reading.outcome
    requested = resolve(reading.request_json.value, f"{fields.parameters}/n")
    prompts = first(reading.request_json.value, fields.prompt)
    if type(requested) is int and isinstance(prompts, list):
        requested *= sum(isinstance(prompt, str | list) for prompt in prompts) or 1
    if not fields.choices or not isinstance(outcome, Reply) or outcome.images:
        return
    indices_of = [(part, _indices(part, fields)) for part in reading.answers]
    for part, indices in indices_of:
        is_beyond = type(requested) is int and any(
            type(index) is int and index >= max(1, requested) for index in indices
        )
        is_beyond = is_beyond or any(type(index) is int and index < 0 for index in indices)
        if is_beyond or (len(indices) > 1 and len(set(map(str, indices))) < len(indices)):
            expected = "an index of its own for each choice"
            yield reading.violation(expected, show(indices), part, fields.choices)
    count = len(outcome.choices)
    is_complete = any(choice.finish_reason for choice in outcome.choices)
    parts, choices = reading.answers, (fields.choices,)
    numbers = {str(index): index for _, indices in indices_of for index in indices}
    highest = max((n for n in numbers.values() if type(n) is int), default=-1)
    if is_complete and highest >= len(numbers):
        expected = "indices from 0 without gaps"
        yield reading.violation(expected, show(sorted(numbers)), parts[-1], choices)
    if type(requested) is int and requested > count and is_complete:
        expected = f"{requested} choices, as requested"
        yield reading.violation(expected, count, parts[-1], choices)


def _indices(part: Part, fields: Fields) -> list[Json]:
    """Return the index of each choice in *part* that has one."""
    choices = as_list(part.found(fields).get(fields.choices))
    return [one["index"] for one in choices if isinstance(one, dict) and "index" in one]


def log_probabilities_are_not_positive(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that no log probability is positive, since a probability is at most 1."""
    probabilities = f"{reading.fields.choices}/[]/logprobs"
    if not reading.has(probabilities):
        return
    tokens = f"{probabilities}/content/[]"
    pointers = (f"{tokens}/logprob", f"{tokens}/top_logprobs/[]/logprob")
    for part, pointer, value in reading.values(pointers):
        if not isinstance(value, int | float) or value > _ROUNDING:
            yield reading.violation("a log probability of at most 0", show(value), part, pointer)


_ROUNDING = 0.001
"""The largest log probability that rounding may cause."""


def log_probabilities_fit_text(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that requested log probabilities are there, and that their tokens join to the text.

    Programs find the probability of a word by its tokens. Reasoning and calls have none [DOC], and
    special tokens may follow the text. A token that is part of a character has its `bytes`.
    """
    fields, outcome = reading.fields, reading.outcome
    asked = resolve(reading.request_json.value, f"{fields.parameters}/logprobs") is True
    if not asked or not fields.choices or not isinstance(outcome, Reply) or outcome.tool_calls:
        return
    text = (outcome.content or "").strip()
    tokens = list(reading.values((f"{fields.choices}/0/logprobs/content/[]",)))
    if text and not tokens:
        part = next(part for part, reply in reading.replies if reply.content)
        yield reading.violation("log probabilities, as requested", "none", part, fields.content)
    joined = b""
    for part, pointer, item in tokens:
        token, sent = resolve(item, "/token"), resolve(item, "/bytes")
        if not isinstance(token, str) or any(mark in token for mark in _OWN_WRITING):
            return
        own = _as_bytes(sent)
        if own is not None and own != token.encode("utf-8", "replace") and token.isprintable():
            yield reading.violation(f"the bytes of {show(token)}", show(sent), part, pointer)
        joined += token.encode("utf-8", "replace") if own is None else own
    if outcome.cumulative:
        return
    if tokens and not joined.strip().startswith(text.encode("utf-8", "replace")):
        part, pointer, _ = tokens[-1]
        actual = show(joined.decode("utf-8", "replace"))
        yield reading.violation(f"tokens of the text {show(text)}", actual, part, pointer)


_OWN_WRITING = ("\ufffd", "\\x", "\u0120", "\u010a", "\u2581", "<0x")
"""What tokens have that is no text: parts of characters, and signs of tokenizers for spaces."""


def _as_bytes(sent: Json | Missing) -> bytes | None:
    numbers = as_list(sent)
    found = [n for n in numbers if isinstance(n, int) and 0 <= n < 256]
    return bytes(found) if found and len(found) == len(numbers) else None


def ids_are_not_empty(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that an id, if it is sent, is not empty.

    The service's support asks for the request id, and a task is polled by its id. Azure's events
    about its content filter are no part of the answer: `object` is empty, too [DOC].
    """
    fields = reading.fields
    pointers = tuple(dict.fromkeys(fields.id + fields.request_id + fields.task_id))
    for part, pointer, value in reading.values(pointers):
        if value == "" and resolve(part.value, "/object") != "":
            yield reading.violation("an id", '""', part, pointer)


_MAX_CLOCK_DIFFERENCE = 3600
"""Largest difference in seconds; in all recordings it is less than five."""


def created_agrees_with_date(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the creation time is in seconds since 1970, within an hour of the header `Date`.

    Milliseconds, or local time taken for UTC, differ by hours or more; in all recordings the two
    times are less than five seconds apart.
    """
    pointers = reading.fields.created
    for part in reading.answers[:1] if pointers else ():
        created = first(part.value, pointers)
        if type(created) is not int or not created:
            continue
        expected, date = "a time in seconds since 1970" if created < 0 else "", _date(reading)
        if not expected and date and abs(created - date) > _MAX_CLOCK_DIFFERENCE:
            expected = f"about {date}, as in the header Date"
        if expected:
            yield reading.violation(expected, created, part, pointers)


def _date(reading: AnalyzedExchange) -> int | None:
    """Return the header `Date` in seconds since 1970; None if it is missing or invalid."""
    text = reading.exchange.response.header("date")
    try:
        return int(parsedate_to_datetime(text).timestamp()) if text else None
    except (ValueError, OverflowError, OSError):
        return None


def reasoning_is_kept_apart(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the reasoning of a model is not in its text too.

    If an answer has a reasoning field, its text must not begin with `<think>` or with the
    reasoning: a program that shows the text would show the reasoning.
    """
    outcome = reading.outcome
    if not isinstance(outcome, Reply) or not outcome.reasoning:
        return
    text, reasoning = (outcome.content or "").strip(), outcome.reasoning.strip()
    parts = [part for part, reply in reading.replies if (reply.content or "").strip()]
    if not text or not parts:
        return
    part, pointers = parts[0], reading.fields.content
    if text.startswith("<think>"):
        expected = "the reasoning in a field of its own"
        yield reading.violation(expected, f"{show(text)} too", part, pointers)
    elif len(reasoning) > 20 and text.startswith(reasoning):
        yield reading.violation("text that is not the reasoning", show(text), part, pointers)


def refusal_fits_schema(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has the documented form of the service's errors.

    Clients read the code and the message at fixed places.
    """
    endpoint = reading.checked_endpoint
    schema = endpoint.refusal if endpoint else True
    for part in reading.refusals:
        for pointer, expected, actual in violations(schema, part.value):
            yield reading.violation(expected, actual, part, pointer)


def failure_has_code_and_message(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has a code and a message, neither empty.

    Without a code, refusals cannot be distinguished, or compared across providers. Some services
    in OpenAI's format have none.
    """
    endpoint, fields = reading.checked_endpoint, reading.fields
    for part in reading.refusals:
        is_text = isinstance(part.value, str)
        if endpoint is None or is_text or violations(endpoint.refusal, part.value):
            continue
        code = (("code", fields.code),) if endpoint.statuses else ()
        for name, pointers in (*code, ("message", fields.message)):
            said = (value for _, value in seen(part.value, pointers) if value)
            if pointers and all(isinstance(v, dict) and "message" in v for v in said):
                yield reading.violation(f"a {name} of the refusal", "none", part, pointers[0])


def refusal_status_fits_code(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the HTTP status of a refusal is documented for its code.

    401 for an invalid key, 429 for too many requests, 400 for an invalid request. Clients decide by
    the status whether to retry. Undocumented codes are ignored.
    """
    endpoint = reading.checked_endpoint
    for part in reading.refusals[:1] if endpoint else ():
        status = reading.exchange.response.status if not reading.accepted else status_of(part)
        code = first(part.value, reading.fields.code)
        statuses = endpoint.statuses.get(code) if endpoint and isinstance(code, str) else None
        if statuses and status >= 400 and status not in statuses:
            expected = f"the status {' or '.join(map(str, sorted(statuses)))} with the code {code}"
            yield reading.violation(expected, status, part, reading.fields.code)


def refusal_is_no_answer(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a refusal has nothing of an answer: no choices, no text, no results.

    A program might treat the refusal as an answer, or the answer as a refusal.
    """
    for part in reading.refusals:
        for pointer, value in seen(part.value, reading.fields.apart):
            yield reading.violation("nothing but the refusal", show(value), part, pointer)
