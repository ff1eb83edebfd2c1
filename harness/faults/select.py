"""Values of responses that faults change: functions to find, replace and remove them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from harness.analysis import edit
from harness.analysis.endpoint import Part, Pointers, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import seen
from harness.types import Exchange, Json, Reply


class SelectedValue(NamedTuple):
    """A value in a response.

    Attributes:
        part: The document or the stream event that holds the value.
        pointer: The JSON pointer of the value in the part.
        value: The value.
    """

    part: Part
    pointer: str
    value: Json


NewValue: TypeAlias = "Json | Callable[[Json], Json]"


def put(
    analyzed: AnalyzedExchange, target: SelectedValue | None, value: NewValue
) -> Exchange | None:
    """Return the exchange with another value at *target*; None if *target* is None.

    *value* is the new value, or a function that returns it, given the present value.
    """
    if target is None:
        return None
    new = value(target.value) if callable(value) else value
    return edit.replace_value(analyzed, target.part, target.pointer, new)


def drop(analyzed: AnalyzedExchange, target: SelectedValue | None) -> Exchange | None:
    """Return the exchange without the value at *target*; None if *target* is None."""
    if target is None:
        return None
    return put_whole(analyzed, target.part, edit.remove(target.part.value, target.pointer))


def put_whole(analyzed: AnalyzedExchange, part: Part | None, value: Json) -> Exchange | None:
    """Return the exchange with *value* as the whole JSON of *part*; None if *part* is None.

    *part* is the document or the stream event to replace.
    """
    return edit.replace_value(analyzed, part, "", value) if part else None


def pointers(analyzed: AnalyzedExchange, name: str) -> Pointers:
    """Return the JSON pointers at which the endpoint's answers hold the field *name*.

    *name* is an attribute of `Fields`, such as `finish_reason`. Empty if the rules do not check the
    endpoint.
    """
    endpoint = analyzed.checked_endpoint
    present: Pointers = getattr(endpoint.fields, name) if endpoint else ()
    return present


def targets(analyzed: AnalyzedExchange, part: Part | None, name: str) -> list[SelectedValue]:
    """Return every non-null value of the field *name* in *part*; empty if *part* is None.

    *name* is an attribute of `Fields`, such as `finish_reason`.
    """
    if part is None:
        return []
    return [
        SelectedValue(part, p, value) for p, value in seen(part.value, pointers(analyzed, name))
    ]


def in_part(analyzed: AnalyzedExchange, part: Part | None, name: str) -> SelectedValue | None:
    """Return the first non-null value of the field *name* in *part*; None if there is none.

    *name* is an attribute of `Fields`, such as `finish_reason`.
    """
    return next(iter(targets(analyzed, part, name)), None)


def first_answer(analyzed: AnalyzedExchange) -> Part | None:
    """Return the first document or stream event that is not a refusal; None if there is none."""
    return next(iter(analyzed.answers), None)


def first_refusal(analyzed: AnalyzedExchange) -> Part | None:
    """Return the first document or stream event that is a refusal; None if there is none."""
    return next(iter(analyzed.refusals), None)


def field(analyzed: AnalyzedExchange, name: str) -> SelectedValue | None:
    """Return the first value of the field *name*, except in refusals; None if there is none.

    *name* is an attribute of `Fields`, such as `finish_reason`.
    """
    return next((t for part in analyzed.answers for t in targets(analyzed, part, name)), None)


def finishing(analyzed: AnalyzedExchange) -> list[SelectedValue]:
    """Return the finish reason of each document or stream event that has one.

    Empty if no finish reasons are documented for the endpoint.
    """
    endpoint = analyzed.checked_endpoint
    if endpoint is None or not endpoint.finish_reasons:
        return []
    present = [
        in_part(analyzed, p, "finish_reason") for p, r in analyzed.replies if r.finish_reason
    ]
    return [target for target in present if target]


def refusal(analyzed: AnalyzedExchange, name: str) -> SelectedValue | None:
    """Return the value of the field *name* in the first refusal; None if there is none.

    *name* is an attribute of `Fields`, such as `finish_reason`.
    """
    return in_part(analyzed, first_refusal(analyzed), name)


def counts(analyzed: AnalyzedExchange, part: Part, *names: str) -> list[SelectedValue]:
    """Return the token counts *names* in *part*; empty if one is missing or not an integer.

    The names are attributes of `Fields`, such as `input_tokens`.
    """
    present = [in_part(analyzed, part, name) for name in names]
    whole = [target for target in present if target and isinstance(target.value, int)]
    return whole if len(whole) == len(names) else []


def state(analyzed: AnalyzedExchange) -> SelectedValue | None:
    """Return the state of the task in a response.

    None if the endpoint neither submits nor polls tasks, or if the response has no state, or one
    that the endpoint does not list.
    """
    endpoint = analyzed.checked_endpoint
    if endpoint is None or endpoint.role not in (Role.SUBMIT, Role.POLL):
        return None
    target = in_part(analyzed, first_answer(analyzed), "state")
    return target if target and target.value in endpoint.states else None


def tool_calls(analyzed: AnalyzedExchange) -> list[SelectedValue]:
    """Return every tool call of a document, or every piece of one in a stream.

    Empty if the response has no reply with tool calls.
    """
    if not isinstance(analyzed.outcome, Reply) or not analyzed.outcome.tool_calls:
        return []
    items = [f"{pointer}/[]" for pointer in pointers(analyzed, "tool_calls")]
    return [
        SelectedValue(p, *item) for p, _ in analyzed.replies for item in seen(p.value, tuple(items))
    ]


def one_more(count: Json) -> Json:
    """Return *count* plus one if it is an integer, else *count* unchanged."""
    return count + 1 if isinstance(count, int) else count
