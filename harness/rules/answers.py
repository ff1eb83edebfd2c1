"""Does an answer, or a refusal, hold what its endpoint's documentation promises?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.dialects.reader import seen
from harness.reading import Part, Reading
from harness.rules.rule import answers, refusals, replies, show, spoken, where
from harness.rules.schemas import violations
from harness.types import Finding, Reply, Usage


def answer_fits_schema(reading: Reading) -> Iterator[Finding]:
    """An answer has the documented fields, each of the documented type.

    Checked for the whole body and for each event of a stream against the endpoint's JSON Schema,
    which cites its source. Further fields are welcome: services add them without notice.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    schema = endpoint.event if reading.is_stream and endpoint.event else endpoint.answer
    for part in answers(reading):
        for pointer, message in violations(schema, part.value):
            yield Finding(message, reading.place(pointer, part))


def refusal_fits_schema(reading: Reading) -> Iterator[Finding]:
    """A refusal has the documented form of this service's errors.

    Clients read the code and the message from fixed places.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in refusals(reading):
        for pointer, message in violations(endpoint.refusal, part.value):
            yield Finding(message, reading.place(pointer, part))


def failure_has_code_and_message(reading: Reading) -> Iterator[Finding]:
    """A refusal names its reason: a code that is not empty, and a message.

    Without a code refusals cannot be told apart, nor compared across providers.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    for part in refusals(reading):
        if violations(endpoint.refusal, part.value):
            continue
        for name, pointers in (
            ("code", endpoint.fields.code),
            ("message", endpoint.fields.message),
        ):
            if not any(value for _, value in seen(part.value, pointers)):
                place = reading.place(pointers[0], part)
                yield Finding(f"expected a {name} of the refusal, found none", place)


def finish_reason_is_known(reading: Reading) -> Iterator[Finding]:
    """A finish reason is one of those the documentation lists.

    Programs branch on it; a new one falls through unseen.
    """
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.finish_reasons:
        return
    for part, reply in replies(reading):
        found = reply.finish_reason
        if found is not None and found not in endpoint.finish_reasons:
            known = ", ".join(sorted(endpoint.finish_reasons))
            place = reading.place(where(part, endpoint.fields.finish_reason), part)
            yield Finding(f"expected one of {known}, found {show(found)}", place)


def answer_says_why_it_ended(reading: Reading) -> Iterator[Finding]:
    """A whole answer of a model carries its finish reason.

    Without it a cut-off text looks like a finished one.
    """
    endpoint = spoken(reading)
    if endpoint is None or reading.is_stream:
        return
    for part, reply in replies(reading):
        spoke = reply.content is not None or bool(reply.tool_calls)
        if endpoint.finish_reasons and spoke and reply.finish_reason is None:
            place = reading.place(where(part, endpoint.fields.finish_reason), part)
            yield Finding("expected a finish reason, found none", place)


def _counted(reading: Reading) -> Iterator[tuple[Part, Usage]]:
    for part, reply in replies(reading):
        if isinstance(reply, Reply) and reply.usage is not None:
            yield part, reply.usage


def usage_adds_up(reading: Reading) -> Iterator[Finding]:
    """Input and output tokens add up to the total.

    True of every recording of both services: image and reasoning tokens are counted within.
    """
    for part, usage in _counted(reading):
        given, made, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
        if given is None or made is None or total is None or given + made == total:
            continue
        pointers = reading.endpoint.fields.total_tokens if reading.endpoint else ()
        message = f"expected {given} + {made} = {given + made} tokens in all, found {total}"
        yield Finding(message, reading.place(where(part, pointers), part))


def usage_is_not_negative(reading: Reading) -> Iterator[Finding]:
    """No token count is negative."""
    endpoint = spoken(reading)
    if endpoint is None:
        return
    fields = endpoint.fields
    for part in answers(reading):
        for pointers in (fields.input_tokens, fields.output_tokens, fields.total_tokens):
            for pointer, count in seen(part.value, pointers):
                if type(count) is int and count < 0:
                    place = reading.place(pointer, part)
                    yield Finding(f"expected a count of tokens, found {count}", place)


def ids_are_not_empty(reading: Reading) -> Iterator[Finding]:
    """An id that is there says something.

    Support asks for the request id, and tasks are found by theirs.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    fields = endpoint.fields
    pointers = dict.fromkeys(fields.id + fields.request_id + fields.task_id)
    for part in answers(reading):
        for pointer, value in seen(part.value, tuple(pointers)):
            if value == "":
                yield Finding('expected an id, found ""', reading.place(pointer, part))
