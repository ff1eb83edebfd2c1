"""Does an answer hold what its endpoint's documentation promises?"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen
from harness.rules.rule import answers, replies, show, spoken, violation, where
from harness.rules.schemas import violations
from harness.types import Finding, Reply
from harness.wire import resolve

_ROLE = "assistant"

_AN_HOUR = 3600


def answer_fits_schema(reading: AnalyzedExchange) -> Iterator[Finding]:
    """An answer has the documented fields, each of the documented type.

    Checked for the whole body and for each event of a stream against the endpoint's JSON Schema,
    which cites its source. Further fields are welcome: services add them without notice.
    """
    endpoint = spoken(reading)
    if endpoint is None:
        return
    schema = endpoint.event if reading.is_stream and endpoint.event else endpoint.answer
    for part in answers(reading):
        for pointer, expected, found in violations(schema, part.value):
            yield violation(expected, found, reading.place(pointer, part))


def finish_reason_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
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
            yield violation(f"one of {known}", show(found), place)


def role_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Who answers is the assistant.

    Programs send the message back as it came, and a request takes only roles it knows. A tool of
    the service's own may speak for itself, with what it found.
    """
    endpoint = spoken(reading)
    for part in answers(reading) if endpoint else []:
        for pointer, role in seen(part.value, endpoint.fields.role if endpoint else ()):
            found = resolve(part.value, pointer.removesuffix("/role") + "/tool_calls")
            if role not in (_ROLE, "") and not (role == "tool" and found):
                yield violation(f"the role {_ROLE}", show(role), reading.place(pointer, part))


def object_names_its_form(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The field `object`, where it is sent, says whether this is a whole answer or an event.

    `chat.completion` for the one, `chat.completion.chunk` for the other; Zhipu sends it since 2026.
    """
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.objects:
        return
    wanted = next(o for o in endpoint.objects if o.endswith(".chunk") is reading.is_stream)
    for part in answers(reading):
        for pointer, found in seen(part.value, endpoint.fields.object):
            if found != wanted:
                yield violation(wanted, show(found), reading.place(pointer, part))


def answer_says_why_it_ended(reading: AnalyzedExchange) -> Iterator[Finding]:
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
            yield violation("a finish reason", "none", place)


def ids_are_not_empty(reading: AnalyzedExchange) -> Iterator[Finding]:
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
                yield violation("an id", '""', reading.place(pointer, part))


def created_agrees_with_date(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The time of creation is in seconds since 1970, and within an hour of the header `Date`.

    Milliseconds, or local time taken for UTC, are hours or ages away; in all recordings the two
    are less than five seconds apart.
    """
    endpoint, date = spoken(reading), _date(reading)
    if endpoint is None or date is None:
        return
    for part in answers(reading)[:1]:
        created = first(part.value, endpoint.fields.created)
        if type(created) is int and abs(created - date) > _AN_HOUR:
            place = reading.place(where(part, endpoint.fields.created), part)
            yield violation(f"about {date}, as the header Date says", str(created), place)


def _date(reading: AnalyzedExchange) -> int | None:
    """What the header says, in seconds since 1970."""
    text = reading.exchange.response.header("date")
    try:
        return int(parsedate_to_datetime(text).timestamp()) if text else None
    except (ValueError, OverflowError, OSError):
        return None


_THINKING = "<think>"


def reasoning_is_kept_apart(reading: AnalyzedExchange) -> Iterator[Finding]:
    """What a model thinks is told apart from what it says, and only once.

    An answer with a reasoning of its own has none within its text: no `<think>` at its beginning,
    and not the same words in both. Whoever shows the text would show the thoughts.
    """
    endpoint, outcome = spoken(reading), reading.outcome
    if endpoint is None or not isinstance(outcome, Reply) or not outcome.reasoning:
        return
    said, thought = (outcome.content or "").strip(), outcome.reasoning.strip()
    told = [part for part, reply in replies(reading) if (reply.content or "").strip()]
    if not said or not told:
        return
    place = reading.place(where(told[0], endpoint.fields.content), told[0])
    if said.startswith(_THINKING):
        yield violation("the reasoning in a field of its own", f"{show(said)} too", place)
    elif len(thought) > 20 and said.startswith(thought):
        yield violation("text that is not the reasoning", show(said), place)
