"""Faults in answers and refusals: fields, vocabularies, token counts, times."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from itertools import islice
from operator import attrgetter

from harness.analysis.edit import (
    change_values,
    put_all,
    remove,
    replace_value,
    with_header,
    with_status,
)
from harness.analysis.edit import put as put_value
from harness.analysis.endpoint import Pointers, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import exchange_fault, faults_of
from harness.analysis.reply import first
from harness.faults import select
from harness.rules.schemas import violations
from harness.types import Exchange, Failure, Json, Reply
from harness.wire import resolve, walk

_TRIED = 60
"""Number of values in an answer that are changed in turn until one change violates the schema."""


@exchange_fault(
    "answer_fits_schema",
    remove,
    lambda value, pointer: put_value(value, pointer, [[0]]),
    lambda value, pointer: put_value(value, pointer, None),
    when=attrgetter("checked_endpoint"),
)
def field_against_schema(
    analyzed: AnalyzedExchange, change: Callable[[Json, str], Json]
) -> Exchange | None:
    """Remove a field, change its type or set it to null, so that the answer violates its schema.

    *change* is called with the answer's JSON and the JSON pointer of a value, and returns the JSON
    with this value removed or replaced. The first values of the answer are tried in order; returns
    None if no such change violates the schema.
    """
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
    """Write the total token count as a string.

    Returns None if the answer has no total token count.
    """
    return select.put(analyzed, select.field(analyzed, "total_tokens"), str)


@exchange_fault(
    "choices_are_as_requested", lambda first, last: [first], lambda first, last: [first] * 2
)
def choice_lost(
    analyzed: AnalyzedExchange, change: Callable[[Json, Json], list[Json]]
) -> Exchange | None:
    """Remove the second of two choices, or repeat the first in its place.

    *change* returns the new list of choices, given the first and the second. Returns None unless
    the answer has exactly two choices.
    """
    fields, part = analyzed.fields, select.first_answer(analyzed)
    given = resolve(part.value, fields.choices) if part and fields.choices else None
    if part is None or not isinstance(given, list) or len(given) != 2:
        return None
    return select.put_whole(analyzed, part, put_value(part.value, fields.choices, change(*given)))


@exchange_fault("log_probabilities_are_not_positive")
def log_probability_positive(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the log probability of the first token to 0.5.

    Returns None if the answer has no log probabilities.
    """
    fields, part = analyzed.fields, select.first_answer(analyzed)
    pointer = f"{fields.choices}/0/logprobs/content/0/logprob"
    given = resolve(part.value, pointer) if part and fields.choices else None
    is_number = isinstance(given, int | float)
    return replace_value(analyzed, part, pointer, 0.5) if part and is_number else None


@exchange_fault(
    "log_probabilities_fit_text",
    lambda tokens: tokens[:-1],
    lambda tokens: [{"token": "X"}, *tokens[1:]],
    lambda tokens: None,
)
def log_probabilities_of_another_text(
    analyzed: AnalyzedExchange, change: Callable[[list[Json]], Json]
) -> Exchange | None:
    """Leave out the last token, change the first, or leave out all.

    The tokens are those in the list of log probabilities; *change* returns the new list. Returns
    None if the answer has no such list.
    """
    fields, part = analyzed.fields, select.first_answer(analyzed)
    pointer = f"{fields.choices}/0/logprobs/content"
    given = resolve(part.value, pointer) if part and fields.choices else None
    if part is None or not isinstance(given, list) or not given:
        return None
    return replace_value(analyzed, part, pointer, change(given))


@exchange_fault("finish_reason_is_known", "finished", "Stop")
def finish_reason_unknown(analyzed: AnalyzedExchange, reason: str) -> Exchange | None:
    """Replace the finish reason by one that no service documents, or by `Stop` with a capital.

    Returns None if the answer has no finish reason. *reason* is the new finish reason.
    """
    return select.put(analyzed, next(iter(select.finishing(analyzed)), None), reason)


@exchange_fault("role_is_known", "bot", "user")
def role_unknown(analyzed: AnalyzedExchange, role: str) -> Exchange | None:
    """Replace the role of the answer by `bot` or by `user`.

    Returns None if the answer has no role. *role* is the new role.
    """
    return select.put(analyzed, select.field(analyzed, "role"), role)


@exchange_fault(
    "fields_are_spelled_as_documented",
    str.upper,
    lambda name: f"{name}s",
    when=attrgetter("answers"),
)
def field_misspelt(analyzed: AnalyzedExchange, spell: Callable[[str], str]) -> Exchange | None:
    """Write the name of the input tokens' count in capitals, or with an s at its end.

    Returns None if the answer has no such count. *spell* returns the new name, given the recorded
    one.
    """
    endpoint, selected = analyzed.endpoint, select.field(analyzed, "input_tokens")
    if endpoint is None or endpoint.role is Role.LOOKUP or selected is None:
        return None
    parent, _, name = selected.pointer.rpartition("/")
    counts = resolve(selected.part.value, parent)
    if not isinstance(counts, dict):
        return None
    renamed: Json = {spell(key) if key == name else key: n for key, n in counts.items()}
    return replace_value(analyzed, selected.part, parent, renamed)


@exchange_fault("object_names_its_form", None, "text_completion")
def object_unknown(analyzed: AnalyzedExchange, name: str | None) -> Exchange | None:
    """Set the `object` field to the value of the other delivery mode, or of another endpoint.

    Returns None if the answer has no `object` field, or the endpoint lists no values for it. *name*
    is the new value; None for the value of the other delivery mode (stream or document).
    """
    other = "chat.completion" if analyzed.is_stream else "chat.completion.chunk"
    checked = analyzed.endpoint and analyzed.endpoint.objects
    return (
        select.put(analyzed, select.field(analyzed, "object"), name or other) if checked else None
    )


@exchange_fault(
    "answer_says_why_it_ended", select.drop, lambda a, target: select.put(a, target, "null")
)
def finish_reason_missing(
    analyzed: AnalyzedExchange,
    change: Callable[[AnalyzedExchange, select.SelectedValue], Exchange | None],
) -> Exchange | None:
    """Remove the finish reason of a document, or set it to `null` as in an unfinished stream.

    Returns None unless the response is a document with a finish reason and with content or tool
    calls. *change* gets the exchange and the finish reason, and returns the changed exchange.
    """
    ends, reply = select.finishing(analyzed), analyzed.outcome
    if not ends or analyzed.is_stream or not isinstance(reply, Reply):
        return None
    return change(analyzed, ends[0]) if reply.content is not None or reply.tool_calls else None


@exchange_fault("answer_says_something", "", " ")
def answer_emptied(analyzed: AnalyzedExchange, text: str) -> Exchange | None:
    """Empty the text of an answer that ended by itself, or set it to a space.

    Returns None if the finish reason is not `stop`, or if the answer has other content than text.
    *text* is the new text.
    """
    reply, endpoint = analyzed.outcome, analyzed.checked_endpoint
    if not isinstance(reply, Reply) or not reply.content or reply.finish_reason != "stop":
        return None
    if endpoint is None or reply.tool_calls or reply.images or reply.other_choices:
        return None

    places = endpoint.fields.content
    return change_values(analyzed, lambda value: _set(value, places, text))


@exchange_fault("ids_are_not_empty", "id", "request_id")
def id_empty(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the id of the answer, or of the request, to an empty string.

    *name* is the field: `id` for the id of the answer, `request_id` for that of the request.
    Returns None if the answer has no such field.
    """
    return select.put(analyzed, select.field(analyzed, name), "")


@exchange_fault("created_agrees_with_date", 86_400, -8 * 3600)
def date_wrong(analyzed: AnalyzedExchange, seconds: int) -> Exchange | None:
    """Set the Date header to a day after, or 8 hours before, the creation time in the answer.

    Returns None if the answer has no creation time. *seconds* is the time from the creation to the
    new date.
    """
    parts = analyzed.answers[:1]
    created = first(parts[0].value, select.pointers(analyzed, "created")) if parts else None
    if type(created) is not int:
        return None
    return with_header(analyzed.exchange, "Date", formatdate(created + seconds, usegmt=True))


@exchange_fault("reasoning_is_kept_apart", "<think>Well.</think>", "")
def reasoning_in_text(analyzed: AnalyzedExchange, tagged: str) -> Exchange | None:
    """Insert reasoning before the text: some in `<think>` tags, or the whole reasoning.

    *tagged* is the text to insert; if it is empty, the reply's whole reasoning is inserted. Returns
    None if the reply is cumulative, has no text or no reasoning, or too little reasoning to insert.
    """
    reply = analyzed.outcome
    if not isinstance(reply, Reply) or reply.cumulative or not reply.reasoning:
        return None
    if not tagged and len(reply.reasoning.strip()) <= 20:
        return None
    parts = [
        part for part, reply_of_part in analyzed.replies if (reply_of_part.content or "").strip()
    ]
    target = select.in_part(analyzed, parts[0], "content") if parts else None
    if target is None or not isinstance(target.value, str):
        return None
    return select.put(analyzed, target, (tagged or reply.reasoning) + target.value.lstrip())


# ---------------------------------------------------------------------------------- refusals


@exchange_fault("refusal_fits_schema")
def code_as_number(analyzed: AnalyzedExchange) -> Exchange | None:
    """Replace the error code of a refusal by a number.

    Returns None if the response is no refusal with a code.
    """
    return select.put(analyzed, select.refusal(analyzed, "code"), 1113)


@exchange_fault("refusal_fits_schema")
def message_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the error message of a refusal.

    Returns None if the response is no refusal with a message.
    """
    return select.drop(analyzed, select.refusal(analyzed, "message"))


@exchange_fault("failure_has_code_and_message", "code", "message")
def refusal_unexplained(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the error code or the error message of a refusal to an empty string.

    *name* is the field: `code` or `message`. Returns None if there is no such field, or if the
    change could turn the refusal into an answer.
    """
    candidates = select.targets(analyzed, select.first_refusal(analyzed), name)
    certain = name == "message" or (len(candidates) == 1 and not analyzed.accepted)
    return select.put(analyzed, candidates[0], "") if candidates and certain else None


@exchange_fault("refusal_status_fits_code", 418, 500, when=attrgetter("checked_endpoint"))
def status_of_another_code(analyzed: AnalyzedExchange, status: int) -> Exchange | None:
    """Set the HTTP status of a refusal to one that its error code never comes with.

    *status* is the new HTTP status. Returns None if the response is not a refusal, if the endpoint
    does not list the statuses of its error code, or if *status* is one of them.
    """
    endpoint, outcome = analyzed.endpoint, analyzed.outcome
    if endpoint is None or analyzed.accepted or not isinstance(outcome, Failure):
        return None
    known = outcome.code in endpoint.statuses and status not in endpoint.statuses[outcome.code]
    return with_status(analyzed.exchange, status) if known else None


@exchange_fault("refusal_is_no_answer", 1, None)
def refusal_with_answer(analyzed: AnalyzedExchange, most: int | None) -> Exchange | None:
    """Add answer content to a refusal: in the first, or in each, field that only answers have.

    *most* is the largest number of fields to add; None for all. Returns None if the response is not
    a refusal.
    """
    part = select.first_refusal(analyzed)
    if part is None or not isinstance(part.value, dict) or not part.value:
        return None
    value: Json = part.value
    for pattern in select.pointers(analyzed, "apart")[:most]:
        value = _with_item(value, pattern)
    return select.put_whole(analyzed, part, value)


def _with_item(value: Json, pattern: str) -> Json:
    """Return *value* with content added at *pattern*; `[]` becomes an array of one item."""
    head, is_array, rest = pattern.partition("/[]")
    if not is_array:
        return put_value(value, pattern, {"content": "Hello."})
    return put_value(value, head, [_with_item({}, rest) if rest else {}])


# ------------------------------------------------------------------------------------- usage


def _count(analyzed: AnalyzedExchange, *names: str) -> select.SelectedValue | None:
    """Return the first of the token counts *names*, from the first part that has all of them.

    Returns None if no part has all of them.
    """
    candidates = (select.counts(analyzed, part, *names) for part in analyzed.answers)
    return next((present[0] for present in candidates if present), None)


@exchange_fault("usage_adds_up", "total_tokens", "input_tokens")
def count_one_more(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Raise the total, or the input tokens alone, by one.

    Returns None if the answer has no complete token counts. *name* is the count to raise:
    `total_tokens` or `input_tokens`.
    """
    complete = ("total_tokens", "input_tokens", "output_tokens")
    return select.put(analyzed, _count(analyzed, name, *complete), select.one_more)


@exchange_fault("usage_is_not_negative", "output_tokens", "total_tokens")
def count_negative(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the output tokens, or the total, to -1.

    *name* is the count to set: `output_tokens` or `total_tokens`. Returns None if the answer does
    not have it.
    """
    return select.put(analyzed, _count(analyzed, name), -1)


@exchange_fault(
    "usage_details_fit", ("input_tokens", "input_parts"), ("output_tokens", "output_parts")
)
def detail_exceeds_count(analyzed: AnalyzedExchange, names: tuple[str, str]) -> Exchange | None:
    """Set the cached tokens above the input tokens, or the reasoning above the output tokens.

    *names* are two attributes of `Fields`: the count, such as `input_tokens`, and its parts, such
    as `input_parts`. Returns None if the answer lacks the count or the endpoint the parts.
    """
    target, places = _count(analyzed, names[0]), select.pointers(analyzed, names[1])
    if target is None or not places:
        return None
    value = put_value(target.part.value, places[0], select.one_more(target.value))
    return select.put_whole(analyzed, target.part, value)


@exchange_fault("output_is_counted")
def output_uncounted(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the number of output tokens to 0, though there is text.

    Returns None if the answer has no token counts, or no text.
    """
    reply = analyzed.outcome
    if not isinstance(reply, Reply) or not (reply.content or "").strip() or reply.usage is None:
        return None
    places = select.pointers(analyzed, "output_tokens")
    return change_values(analyzed, lambda value: _set(value, places, 0))


@exchange_fault("output_is_counted", 0, None)
def reasoning_uncounted(analyzed: AnalyzedExchange, count: int | None) -> Exchange | None:
    """Set the number of the reasoning's tokens to 0, or to null.

    *count* is the new number. Returns None if the answer has no reasoning, no count of its tokens,
    or need not have that count.
    """
    reply, endpoint = analyzed.outcome, analyzed.checked_endpoint
    if endpoint is None or not isinstance(reply, Reply) or not (reply.reasoning or "").strip():
        return None
    if not reply.usage or not endpoint.counts_reasoning(analyzed.request_json.value):
        return None
    if select.field(analyzed, "reasoning_tokens") is None:
        return None
    places = select.pointers(analyzed, "reasoning_tokens")
    return change_values(analyzed, lambda value: _set(value, places, count))


def _set(value: Json, places: Pointers, new: Json) -> Json:
    """Return *value* with *new* for each value at *places*."""
    for place in places:
        value = put_all(value, place, new)
    return value


FAULTS = faults_of(vars())
