"""Faults in answers and refusals: fields, vocabularies, counts of tokens, times."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from itertools import islice

from harness.analysis.edit import put as put_value
from harness.analysis.edit import remove, with_header, with_status
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.analysis.reply import first
from harness.faults import select
from harness.rules.rule import answers, checked_endpoint, replies
from harness.rules.schemas import violations
from harness.types import Exchange, Failure, Json, Reply
from harness.wire import walk

_TRIED = 60
"""Values of an answer of which each is changed until the schema forbids the result."""


@exchange_fault(
    "answer_fits_schema",
    remove,
    lambda value, pointer: put_value(value, pointer, [[0]]),
    lambda value, pointer: put_value(value, pointer, None),
    when=checked_endpoint,
)
def field_against_schema(
    analyzed: AnalyzedExchange, change: Callable[[Json, str], Json]
) -> Exchange | None:
    """Remove, retype or set to null a field so that the documentation forbids it."""
    endpoint, part = analyzed.endpoint, select.first_answer(analyzed)
    if endpoint is None or part is None:
        return None
    schema = endpoint.event if analyzed.is_stream and endpoint.event else endpoint.answer
    for pointer, _ in islice(walk(part.value), 1, _TRIED):
        changed = change(part.value, pointer)
        if violations(schema, changed):
            return select.put_whole(analyzed, part, changed)
    return None


@exchange_fault("answer_fits_schema")
def count_as_string(analyzed: AnalyzedExchange) -> Exchange | None:
    """Write a count of tokens as a string."""
    return select.put(analyzed, select.field(analyzed, "total_tokens"), str)


@exchange_fault("finish_reason_is_known", "end_turn", "STOP")
def finish_reason_unknown(analyzed: AnalyzedExchange, reason: str) -> Exchange | None:
    """Replace the finish reason by one of another provider, or write it in capitals."""
    return select.put(analyzed, next(iter(select.finishing(analyzed)), None), reason)


@exchange_fault("role_is_known", "bot", "user")
def role_unknown(analyzed: AnalyzedExchange, role: str) -> Exchange | None:
    """Replace the role of the answer by one of another provider, or by `user`."""
    return select.put(analyzed, select.field(analyzed, "role"), role)


@exchange_fault("object_names_its_form", None, "text_completion")
def object_unknown(analyzed: AnalyzedExchange, name: str | None) -> Exchange | None:
    """Name another form in `object`: that of the other delivery, or one of another endpoint."""
    other = "chat.completion" if analyzed.is_stream else "chat.completion.chunk"
    checked = analyzed.endpoint and analyzed.endpoint.objects
    return (
        select.put(analyzed, select.field(analyzed, "object"), name or other) if checked else None
    )


@exchange_fault(
    "answer_says_why_it_ended", select.drop, lambda a, target: select.put(a, target, "null")
)
def finish_reason_missing(
    analyzed: AnalyzedExchange, change: Callable[[AnalyzedExchange, select.Target], Exchange | None]
) -> Exchange | None:
    """Remove the finish reason of a document, or write `null` as in an unfinished stream."""
    ends, reply = select.finishing(analyzed), analyzed.outcome
    if not ends or analyzed.is_stream or not isinstance(reply, Reply):
        return None
    return change(analyzed, ends[0]) if reply.content is not None or reply.tool_calls else None


@exchange_fault("ids_are_not_empty", "id", "request_id")
def id_empty(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the id of the answer, or of the request, to an empty string."""
    return select.put(analyzed, select.field(analyzed, name), "")


@exchange_fault("created_agrees_with_date", 86_400, -8 * 3600)
def date_wrong(analyzed: AnalyzedExchange, seconds: int) -> Exchange | None:
    """Set the header Date to a day after the time of creation, or to another time zone."""
    parts = answers(analyzed)[:1]
    created = first(parts[0].value, select.pointers(analyzed, "created")) if parts else None
    if type(created) is not int:
        return None
    return with_header(analyzed.exchange, "Date", formatdate(created + seconds, usegmt=True))


@exchange_fault("reasoning_is_kept_apart", "<think>Well.</think>", "")
def reasoning_in_text(analyzed: AnalyzedExchange, tagged: str) -> Exchange | None:
    """Begin the text with reasoning in angle brackets, or with the whole reasoning."""
    reply = analyzed.outcome
    if not isinstance(reply, Reply) or reply.cumulative or not reply.reasoning:
        return None
    if not tagged and len(reply.reasoning.strip()) <= 20:
        return None
    parts = [
        part for part, reply_of_part in replies(analyzed) if (reply_of_part.content or "").strip()
    ]
    target = select.in_part(analyzed, parts[0], "content") if parts else None
    if target is None or not isinstance(target.value, str):
        return None
    return select.put(analyzed, target, (tagged or reply.reasoning) + target.value.lstrip())


# ---------------------------------------------------------------------------------- refusals


@exchange_fault("refusal_fits_schema")
def code_as_number(analyzed: AnalyzedExchange) -> Exchange | None:
    """Write the code of a refusal as a number."""
    return select.put(analyzed, select.refusal(analyzed, "code"), 1113)


@exchange_fault("refusal_fits_schema")
def message_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the message of a refusal."""
    return select.drop(analyzed, select.refusal(analyzed, "message"))


@exchange_fault("failure_has_code_and_message", "code", "message")
def refusal_unexplained(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the code or the message of a refusal to an empty string."""
    candidates = select.targets(analyzed, select.first_refusal(analyzed), name)
    certain = name == "message" or (len(candidates) == 1 and not analyzed.accepted)
    return select.put(analyzed, candidates[0], "") if candidates and certain else None


@exchange_fault("refusal_status_fits_code", 418, 500, when=checked_endpoint)
def status_of_another_code(analyzed: AnalyzedExchange, status: int) -> Exchange | None:
    """Send a refusal with a status that its code never comes with."""
    endpoint, outcome = analyzed.endpoint, analyzed.outcome
    if endpoint is None or analyzed.accepted or not isinstance(outcome, Failure):
        return None
    known = outcome.code in endpoint.statuses and status not in endpoint.statuses[outcome.code]
    return with_status(analyzed.exchange, status) if known else None


@exchange_fault("refusal_is_no_answer", 1, None)
def refusal_with_answer(analyzed: AnalyzedExchange, most: int | None) -> Exchange | None:
    """Add content to a refusal in one place, or in each place, where only answers have it."""
    part = select.first_refusal(analyzed)
    if part is None or not isinstance(part.value, dict) or not part.value:
        return None
    value: Json = part.value
    for pattern in select.pointers(analyzed, "apart")[:most]:
        value = _with_item(value, pattern)
    return select.put_whole(analyzed, part, value)


def _with_item(value: Json, pattern: str) -> Json:
    """Put something where a pattern leads to, in an array of one item where it says so."""
    head, is_array, rest = pattern.partition("/[]")
    if not is_array:
        return put_value(value, pattern, {"content": "Hello."})
    return put_value(value, head, [_with_item({}, rest) if rest else {}])


# ------------------------------------------------------------------------------------- usage


def _count(analyzed: AnalyzedExchange, *names: str) -> select.Target | None:
    """Return the first of these counts, in the first part that has all of them."""
    candidates = (select.counts(analyzed, part, *names) for part in answers(analyzed))
    return next((present[0] for present in candidates if present), None)


@exchange_fault("usage_adds_up", "total_tokens", "input_tokens")
def count_one_more(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Raise the total, or the input tokens alone, by one."""
    complete = ("total_tokens", "input_tokens", "output_tokens")
    return select.put(analyzed, _count(analyzed, name, *complete), select.one_more)


@exchange_fault("usage_is_not_negative", "output_tokens", "total_tokens")
def count_negative(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the output tokens, or the total, to -1."""
    return select.put(analyzed, _count(analyzed, name), -1)


@exchange_fault(
    "usage_details_fit", ("input_tokens", "input_parts"), ("output_tokens", "output_parts")
)
def detail_exceeds_count(analyzed: AnalyzedExchange, names: tuple[str, str]) -> Exchange | None:
    """Count more cached than input tokens, or more reasoning than output tokens."""
    target, places = _count(analyzed, names[0]), select.pointers(analyzed, names[1])
    if target is None or not places:
        return None
    value = put_value(target.part.value, places[0], select.one_more(target.value))
    return select.put_whole(analyzed, target.part, value)


FAULTS = faults_of(vars())
