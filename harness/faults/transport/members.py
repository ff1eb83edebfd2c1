"""Answers whose JSON is spelled otherwise, says more than before, or says less."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

from harness.faults.transport.events import reworded, reworded_once
from harness.faults.transport.recorded import Recorded
from harness.faults.transport.schema import Member, members, nulled, without
from harness.faults.transport.sent import Sent
from harness.types import LooseJson, Reply
from harness.wire import query

NEW = "x_new_member"
"""The name of a member that no dialect has."""


def respelled(recorded: Recorded, spot: int) -> Sent:
    """The JSON has spaces, escapes for all but ASCII, and its members in another order."""
    body = reworded(recorded, _reversed, lambda value: json.dumps(value).encode())
    return Sent("JSON with spaces, escapes and another order", recorded.response(body))


def _reversed(value: LooseJson) -> LooseJson:
    if isinstance(value, dict):
        return {name: _reversed(child) for name, child in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def unknown_members(recorded: Recorded, spot: int) -> Sent:
    """Every object has a member that nobody knows."""
    body = reworded(recorded, _with_new)
    return Sent(f"a member `{NEW}` in every object", recorded.response(body))


def _with_new(value: LooseJson) -> LooseJson:
    if isinstance(value, dict):
        kept = {name: _with_new(child) for name, child in value.items()}
        return {NEW: {"note": "新", "list": [1, None]}, **kept}
    return [_with_new(item) for item in value] if isinstance(value, list) else value


def long_line(recorded: Recorded, spot: int) -> Sent:
    """A member that nobody knows holds 200 kB, once in the answer."""
    body = reworded_once(recorded, partial(_with, text="长" * 70_000))
    return Sent(f"a member `{NEW}` of 200 kB", recorded.response(body))


def separators_in_text(recorded: Recorded, spot: int) -> Sent:
    """A member that nobody knows holds characters that only Python takes for ends of lines."""
    body = reworded(recorded, partial(_with, text="a\u2028b\u2029c\x85d"))
    what = f"U+2028, U+2029 and U+0085 in a member `{NEW}`"
    return Sent(what, recorded.response(body))


def _with(value: LooseJson, text: str) -> LooseJson:
    return {NEW: text, **value} if isinstance(value, dict) else value


LIMITS = (2**31, 2**53)
"""The least numbers that a 32-bit integer, and a double, cannot hold."""


def with_counts(recorded: Recorded) -> Sequence[int]:
    """The limits, where tokens were counted."""
    outcome = recorded.outcome
    counted = isinstance(outcome, Reply) and outcome.usage is not None
    return range(len(LIMITS)) if counted else ()


def huge_counts(recorded: Recorded, spot: int) -> Sent:
    """Token counts are beyond what 32 bits, or a double, can hold."""
    by = LIMITS[spot]
    body = reworded(recorded, partial(_raised, recorded=recorded, by=by))
    return Sent(f"token counts raised by {by}", recorded.response(body), raised=by)


def _raised(value: LooseJson, recorded: Recorded, by: int) -> LooseJson:
    fields = recorded.endpoint.fields
    for pointers, times in (
        (fields.input_tokens, 1),
        (fields.output_tokens, 1),
        (fields.total_tokens, 2),
    ):
        for pointer in pointers:
            value = _added(value, pointer, times * by)
    return value


def _added(value: LooseJson, pointer: str, more: int) -> LooseJson:
    """The value with a number at a pointer raised, if there is one."""
    if [type(found) for _, found in query(value, pointer)] != [int]:
        return value
    step, _, rest = pointer[1:].partition("/")
    child = value[step]
    return {**value, step: _added(child, f"/{rest}", more) if rest else child + more}


Change = tuple[str, Callable[[LooseJson], LooseJson]]


def optional_changes(recorded: Recorded) -> list[Change]:
    """What the schema lets an answer leave out, or say null for, and still say the same.

    An index in a stream says which piece goes on where: without it there is more than one reading.
    """
    streamed = "/index" if recorded.is_stream else None
    listed = [m for m in _members(recorded) if not (streamed and m.path.endswith(streamed))]
    drops = [(f"{m.path} left out", partial(without, path=m.path)) for m in listed if m.optional]
    nulls = [(f"{m.path} null", partial(nulled, path=m.path)) for m in listed if m.nullable]
    return [change for change in (*drops, *nulls) if recorded.keeps_after(change[1])]


def optional_members(recorded: Recorded) -> Sequence[int]:
    """The changes of `optional_changes`, counted from 0."""
    return range(len(optional_changes(recorded)))


def optional_left_out(recorded: Recorded, spot: int) -> Sent:
    """A member that the schema does not promise, and that says nothing of the answer, is missing
    or null."""
    what, change = optional_changes(recorded)[spot]
    return Sent(what, recorded.response(reworded(recorded, change)))


def required_paths(recorded: Recorded) -> list[str]:
    """The members that the schema promises."""
    return [member.path for member in _members(recorded) if member.required]


def required_members(recorded: Recorded) -> Sequence[int]:
    """The paths of `required_paths`, counted from 0."""
    return range(len(required_paths(recorded)))


def required_left_out(recorded: Recorded, spot: int) -> Sent:
    """A member that the schema promises is missing, everywhere in the answer."""
    path = required_paths(recorded)[spot]
    body = reworded(recorded, partial(without, path=path))
    return Sent(f"{path} left out", recorded.response(body), keeps=True)


def _members(recorded: Recorded) -> list[Member]:
    """Every member of the answer, once; promised if any part of the answer promises it."""
    endpoint = recorded.endpoint
    schema = endpoint.event if recorded.is_stream and endpoint.event else endpoint.answer
    found: dict[str, Member] = {}
    for part in recorded.reading.parts:
        for member in members(schema, part.value):
            known = found.get(member.path, member)
            found[member.path] = Member(
                member.path,
                required=known.required or member.required,
                optional=known.optional and member.optional,
                nullable=known.nullable and member.nullable,
            )
    return list(found.values())
