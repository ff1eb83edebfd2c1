"""Breaking answers and refusals: fields, words, counts of tokens, times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import formatdate
from itertools import islice

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first
from harness.faults.breaks import edit
from harness.rules.rule import answers, refusals, replies, spoken
from harness.rules.schemas import violations
from harness.types import Exchange, Failure, LooseJson, Reply
from harness.wire import resolve, walk

_TRIED = 60


def _violating(
    reading: AnalyzedExchange, change: Callable[[LooseJson, str], LooseJson]
) -> Exchange | None:
    """The first part with the first change that its schema does not allow."""
    endpoint = spoken(reading)
    for part in answers(reading)[:1] if endpoint else []:
        schema = endpoint and (
            endpoint.event if reading.is_stream and endpoint.event else endpoint.answer
        )
        for pointer, _ in islice(walk(part.value), 1, _TRIED):
            changed = change(part.value, pointer)
            if schema and violations(schema, changed):
                return edit.put(reading, part, "", changed)
    return None


def field_is_missing(reading: AnalyzedExchange) -> Exchange | None:
    """A field that the documentation promises is missing."""
    return _violating(reading, edit.without)


def field_has_another_type(reading: AnalyzedExchange) -> Exchange | None:
    """A field has a type that the documentation does not give it."""
    return _violating(reading, lambda value, pointer: edit.planted(value, pointer, [[0]]))


def field_is_null(reading: AnalyzedExchange) -> Exchange | None:
    """A field is null that the documentation says is not."""
    return _violating(reading, lambda value, pointer: edit.planted(value, pointer, None))


def count_is_a_text(reading: AnalyzedExchange) -> Exchange | None:
    """A count of tokens is written as a text."""
    part, pointer = _at(reading, "total_tokens")
    told = str(resolve(part.value, pointer)) if part else ""
    return edit.put(reading, part, pointer, told)


def _ended(reading: AnalyzedExchange) -> Iterator[tuple[Part, str]]:
    """Each part with a finish reason, and where it is."""
    endpoint = spoken(reading)
    for part, reply in replies(reading):
        if endpoint is not None and endpoint.finish_reasons and reply.finish_reason:
            yield part, edit.place(part, endpoint.fields.finish_reason)


def finish_reason_is_new(reading: AnalyzedExchange) -> Exchange | None:
    """The finish reason is one of another service's."""
    part, pointer = next(_ended(reading), (None, ""))
    return edit.put(reading, part, pointer, "end_turn")


def finish_reason_is_loud(reading: AnalyzedExchange) -> Exchange | None:
    """The finish reason is written in capitals."""
    part, pointer = next(_ended(reading), (None, ""))
    return edit.put(reading, part, pointer, "STOP")


def finish_reason_is_missing(reading: AnalyzedExchange) -> Exchange | None:
    """A whole answer leaves open why it ended."""
    part, pointer = next(_ended(reading), (None, ""))
    spoke = isinstance(reading.outcome, Reply) and (
        reading.outcome.content is not None or reading.outcome.tool_calls
    )
    if reading.is_stream or part is None or not spoke:
        return None
    return edit.put(reading, part, "", edit.without(part.value, pointer))


def finish_reason_is_the_word_null(reading: AnalyzedExchange) -> Exchange | None:
    """A whole answer says that it has not ended yet."""
    part, pointer = next(_ended(reading), (None, ""))
    spoke = isinstance(reading.outcome, Reply) and (
        reading.outcome.content is not None or reading.outcome.tool_calls
    )
    return None if reading.is_stream or not spoke else edit.put(reading, part, pointer, "null")


def _at(reading: AnalyzedExchange, name: str) -> tuple[Part | None, str]:
    """The first part of an answer that has a field, and where it has it."""
    endpoint = spoken(reading)
    for part in answers(reading) if endpoint else []:
        pointer = edit.place(part, getattr(endpoint.fields, name)) if endpoint else ""
        if pointer:
            return part, pointer
    return None, ""


def bot_answers(reading: AnalyzedExchange) -> Exchange | None:
    """A bot answers, as another service calls it."""
    return edit.put(reading, *_at(reading, "role"), "bot")


def user_answers(reading: AnalyzedExchange) -> Exchange | None:
    """The user answers."""
    return edit.put(reading, *_at(reading, "role"), "user")


def object_has_another_name(reading: AnalyzedExchange) -> Exchange | None:
    """The answer calls itself by the name of another form."""
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.objects:
        return None
    return edit.put(reading, *_at(reading, "object"), "text_completion")


def object_is_the_other_one(reading: AnalyzedExchange) -> Exchange | None:
    """A whole answer calls itself an event, an event a whole answer."""
    endpoint = spoken(reading)
    if endpoint is None or not endpoint.objects:
        return None
    other = "chat.completion" if reading.is_stream else "chat.completion.chunk"
    return edit.put(reading, *_at(reading, "object"), other)


def id_is_empty(reading: AnalyzedExchange) -> Exchange | None:
    """The id is an empty text."""
    return edit.put(reading, *_at(reading, "id"), "")


def request_id_is_empty(reading: AnalyzedExchange) -> Exchange | None:
    """The id of the request is an empty text."""
    return edit.put(reading, *_at(reading, "request_id"), "")


def _dated(reading: AnalyzedExchange, seconds: int) -> Exchange | None:
    endpoint = spoken(reading)
    told = answers(reading)[:1]
    created = first(told[0].value, endpoint.fields.created) if endpoint and told else None
    if type(created) is not int:
        return None
    return edit.with_header(reading.exchange, "Date", formatdate(created + seconds, usegmt=True))


def date_is_tomorrow(reading: AnalyzedExchange) -> Exchange | None:
    """The header says the answer came a day later."""
    return _dated(reading, 86_400)


def date_is_in_another_zone(reading: AnalyzedExchange) -> Exchange | None:
    """The time of creation is Beijing's, taken for UTC."""
    return _dated(reading, -8 * 3600)


def _thinking(reading: AnalyzedExchange) -> tuple[Part | None, str, str, str]:
    """The first text of an answer that has a reasoning too: part, pointer, text, reasoning."""
    endpoint, outcome = spoken(reading), reading.outcome
    if not isinstance(outcome, Reply) or outcome.cumulative or not outcome.reasoning:
        return None, "", "", ""
    for part, reply in replies(reading) if endpoint else []:
        if reply.content and reply.content.strip() and endpoint:
            pointer = edit.place(part, endpoint.fields.content)
            if isinstance(resolve(part.value, pointer), str):
                return part, pointer, reply.content, outcome.reasoning
    return None, "", "", ""


def text_begins_with_a_thought(reading: AnalyzedExchange) -> Exchange | None:
    """The text begins with a thought in angle brackets."""
    part, pointer, text, _ = _thinking(reading)
    return edit.put(reading, part, pointer, f"<think>Well.</think>{text.lstrip()}")


def text_repeats_the_reasoning(reading: AnalyzedExchange) -> Exchange | None:
    """The text begins with the whole reasoning."""
    part, pointer, text, thought = _thinking(reading)
    return edit.put(reading, part, pointer, thought + text) if len(thought.strip()) > 20 else None


# ---------------------------------------------------------------------------------- refusals


def _refused(reading: AnalyzedExchange) -> tuple[Part | None, str]:
    """A refusal and where its code is."""
    endpoint = spoken(reading)
    for part in refusals(reading)[:1] if endpoint else []:
        if endpoint and isinstance(part.value, dict) and part.value:
            return part, edit.place(part, endpoint.fields.code)
    return None, ""


def code_is_a_number(reading: AnalyzedExchange) -> Exchange | None:
    """The code of a refusal is a number."""
    part, pointer = _refused(reading)
    return edit.put(reading, part, pointer, 1113) if pointer else None


def message_is_missing(reading: AnalyzedExchange) -> Exchange | None:
    """A refusal has no message."""
    part, _ = _refused(reading)
    endpoint = reading.endpoint
    pointer = edit.place(part, endpoint.fields.message) if part and endpoint else ""
    if part is None or not pointer:
        return None
    return edit.put(reading, part, "", edit.without(part.value, pointer))


def code_is_empty(reading: AnalyzedExchange) -> Exchange | None:
    """The code of a refusal is an empty text."""
    part, _ = _refused(reading)
    endpoint = reading.endpoint
    told = [p for p, _ in edit.held(part, endpoint.fields.code)] if part and endpoint else []
    if reading.accepted or len(told) != 1:
        return None
    return edit.put(reading, part, told[0], "")


def message_is_empty(reading: AnalyzedExchange) -> Exchange | None:
    """The message of a refusal is an empty text."""
    part, _ = _refused(reading)
    endpoint = reading.endpoint
    pointer = edit.place(part, endpoint.fields.message) if part and endpoint else ""
    return edit.put(reading, part, pointer, "") if pointer else None


def _with_status(reading: AnalyzedExchange, status: int) -> Exchange | None:
    endpoint, outcome = spoken(reading), reading.outcome
    if endpoint is None or reading.accepted or not isinstance(outcome, Failure):
        return None
    known = outcome.code in endpoint.statuses and status not in endpoint.statuses[outcome.code]
    return edit.with_status(reading.exchange, status) if known else None


def status_is_a_teapots(reading: AnalyzedExchange) -> Exchange | None:
    """A refusal has a status that its code never comes with."""
    return _with_status(reading, 418)


def status_is_the_servers(reading: AnalyzedExchange) -> Exchange | None:
    """A refusal of what was asked blames the server."""
    return _with_status(reading, 500)


def refusal_has_an_answer_too(reading: AnalyzedExchange) -> Exchange | None:
    """A refusal holds an answer beside it."""
    part, _ = _refused(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or not endpoint.fields.apart:
        return None
    pattern = endpoint.fields.apart[0]
    return edit.put(reading, part, "", _with_item(part.value, pattern))


def refusal_has_all_of_an_answer(reading: AnalyzedExchange) -> Exchange | None:
    """A refusal holds something in each place where answers have it."""
    part, _ = _refused(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or not endpoint.fields.apart:
        return None
    value = part.value
    for pattern in endpoint.fields.apart:
        value = _with_item(value, pattern)
    return edit.put(reading, part, "", value)


def _with_item(value: LooseJson, pattern: str) -> LooseJson:
    """A value with something where a pattern leads to, in an array of one where it says so."""
    head, found, rest = pattern.partition("/[]")
    if not found:
        return edit.planted(value, pattern, {"content": "Hello."})
    return edit.planted(value, head, [_with_item({}, rest) if rest else {}])


# ------------------------------------------------------------------------------------- usage


def _counted(reading: AnalyzedExchange, *names: str) -> tuple[Part | None, list[tuple[str, int]]]:
    """The first part that counts these kinds of tokens: where it does, and how many there are."""
    endpoint = spoken(reading)
    for part in answers(reading) if endpoint else []:
        told = [edit.place(part, getattr(endpoint.fields, n)) for n in names] if endpoint else []
        counts = [
            (p, count) for p in told if isinstance(count := resolve(part.value, p), int) and p
        ]
        if len(counts) == len(names):
            return part, counts
    return None, []


ALL = ("total_tokens", "input_tokens", "output_tokens")


def total_is_one_more(reading: AnalyzedExchange) -> Exchange | None:
    """The total is one more than its parts."""
    part, told = _counted(reading, *ALL)
    return edit.put(reading, part, told[0][0], told[0][1] + 1) if part else None


def input_is_one_more(reading: AnalyzedExchange) -> Exchange | None:
    """The input is one more than what the total leaves for it."""
    part, told = _counted(reading, *ALL)
    return edit.put(reading, part, told[1][0], told[1][1] + 1) if part else None


def output_is_negative(reading: AnalyzedExchange) -> Exchange | None:
    """There are less than no output tokens."""
    part, told = _counted(reading, "output_tokens")
    return edit.put(reading, part, told[0][0], -1) if part else None


def total_is_negative(reading: AnalyzedExchange) -> Exchange | None:
    """There are less than no tokens in all."""
    part, told = _counted(reading, "total_tokens")
    return edit.put(reading, part, told[0][0], -1) if part else None


def _detail(reading: AnalyzedExchange, whole: str, parts: str) -> Exchange | None:
    part, told = _counted(reading, whole)
    endpoint = reading.endpoint
    if part is None or endpoint is None or not getattr(endpoint.fields, parts):
        return None
    pointer = getattr(endpoint.fields, parts)[0]
    return edit.put(reading, part, "", edit.planted(part.value, pointer, told[0][1] + 1))


def more_is_cached_than_sent(reading: AnalyzedExchange) -> Exchange | None:
    """More tokens came from the cache than were sent."""
    return _detail(reading, "input_tokens", "input_parts")


def more_is_thought_than_made(reading: AnalyzedExchange) -> Exchange | None:
    """More tokens were thought than made."""
    return _detail(reading, "output_tokens", "output_parts")
