"""Faults in the bodies of answers: rewritten, extended and damaged JSON, and refusals.

The endpoint's schema says which members of the JSON objects in an answer are required.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from harness.analysis.edit import (
    change_values,
    put,
    put_all,
    remove,
    replace_value,
    rewrite_values,
    value_extent,
)
from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.fault import faults_of
from harness.analysis.json_schema import layers, types_of
from harness.analysis.reply import read_answer
from harness.faults.delivery import (
    Delivery,
    DeliveryFault,
    RecordedAnswer,
    content_of,
    delivery_fault,
    once_in_streams,
)
from harness.faults.network import at_event_ends
from harness.types import Exchange, Json, Reply
from harness.wire import compact_bytes, escape, query

NEW = "x_new_member"
"""Name of the JSON member that faults add; no provider has a member of this name."""

JsonEdit: TypeAlias = Callable[[Json], Json]


def _delivery(answer: RecordedAnswer, description: str, exchange: Exchange | None) -> Delivery:
    body = exchange.response.body if exchange else None
    return Delivery(description, answer.response(body))


# ------------------------------------------------------------- harmless: written differently


@delivery_fault(harmful=False)
def respelled(answer: RecordedAnswer, place: int) -> Delivery:
    """Write the JSON with spaces, ASCII escapes, and its members in reverse order.

    *place* is not used.
    """
    changed = rewrite_values(answer, lambda value: json.dumps(_reversed(value)).encode())
    return _delivery(answer, "JSON with spaces, escapes and another order", changed)


def _reversed(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _reversed(child) for name, child in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@delivery_fault(once_in_streams, harmful=False)
def data_on_many_lines(answer: RecordedAnswer, place: int) -> Delivery:
    """Write the data of each event on several `data` lines.

    *place* is not used.
    """

    def write(value: Json) -> bytes:
        return json.dumps(value, indent=1).replace("\n", "\ndata: ").encode()

    changed = rewrite_values(answer, write)
    return _delivery(answer, "each event's JSON on several data lines", changed)


# ------------------------------------------------------------------- harmless: more than before


@delivery_fault(harmful=False)
def unknown_members(answer: RecordedAnswer, place: int) -> Delivery:
    """Add an unknown member to every JSON object.

    *place* is not used.
    """
    return _delivery(answer, f"a member `{NEW}` in every object", change_values(answer, _extended))


def _extended(value: Json) -> Json:
    if isinstance(value, dict):
        kept = {name: _extended(child) for name, child in value.items()}
        return {NEW: {"note": "新", "list": [1, None]}, **kept}
    return [_extended(item) for item in value] if isinstance(value, list) else value


def _with_text(value: Json, text: str) -> Json:
    return {NEW: text, **value} if isinstance(value, dict) else value


@delivery_fault(harmful=False)
def long_line(answer: RecordedAnswer, place: int) -> Delivery:
    """Add an unknown member of 200 kB to the first JSON object.

    *place* is not used.
    """
    part = next(part for part in answer.parts if isinstance(part.value, dict))
    changed = replace_value(answer, part, "", _with_text(part.value, "长" * 70_000))
    return _delivery(answer, f"a member `{NEW}` of 200 kB", changed)


@delivery_fault(harmful=False)
def separators_in_text(answer: RecordedAnswer, place: int) -> Delivery:
    """Add an unknown member with characters that only Python treats as line ends.

    *place* is not used.
    """
    changed = change_values(answer, partial(_with_text, text="a\u2028b\u2029c\x85d"))
    return _delivery(answer, f"U+2028, U+2029 and U+0085 in a member `{NEW}`", changed)


LIMITS = (2**31, 2**53)
"""Numbers too large for a signed 32-bit integer, and for exact integers in a double."""


def _where_counted(answer: RecordedAnswer) -> Sequence[int]:
    counted = isinstance(answer.outcome, Reply) and answer.outcome.usage is not None
    return range(len(LIMITS)) if counted else ()


@delivery_fault(_where_counted, harmful=False)
def huge_counts(answer: RecordedAnswer, place: int) -> Delivery:
    """Raise token counts above the limit of 32-bit integers, or of exact integers in a double.

    *place* is 0 for the first limit, 1 for the second.
    """
    fields, more = answer.endpoint.fields, LIMITS[place]
    pointers = {
        pointer: times * more
        for places, times in (
            (fields.input_tokens, 1),
            (fields.output_tokens, 1),
            (fields.total_tokens, 2),
        )
        for pointer in places
    }

    def raised(value: Json) -> Json:
        for pattern, by in pointers.items():
            for pointer, count in query(value, pattern):
                value = put(value, pointer, count + by) if type(count) is int else value
        return value

    delivery = _delivery(answer, f"token counts raised by {more}", change_values(answer, raised))
    return replace(delivery, counts_raised=more)


# --------------------------------------------------------------------------- less than before


def _members(answer: RecordedAnswer) -> list[Member]:
    """Return the members in all parts of the answer, one `Member` for each path."""
    endpoint = answer.endpoint
    schema = endpoint.event if answer.is_stream and endpoint.event else endpoint.answer
    by_path: dict[str, Member] = {}
    for part in answer.parts:
        for member in members(schema, part.value):
            by_path[member.path] = by_path.get(member.path, member).combined(member)
    return list(by_path.values())


def _optional(answer: RecordedAnswer) -> list[tuple[str, JsonEdit]]:
    """Return the changes that keep the answer valid and its content equal, with descriptions.

    An `index` in a stream is not changed: without it, pieces could be joined in more than one way.
    """
    candidates = [
        m for m in _members(answer) if not (answer.is_stream and m.path.endswith("/index"))
    ]
    removed = [m.path for m in candidates if m.optional]
    nulled = [m.path for m in candidates if m.nullable]
    changes: list[tuple[str, JsonEdit]] = [
        *((f"{path} left out", partial(remove, pattern=path)) for path in removed),
        *((f"{path} null", partial(put_all, pattern=path, new=None)) for path in nulled),
    ]
    return [change for change in changes if _same_after(answer, change[1])]


def _same_after(answer: RecordedAnswer, change: JsonEdit) -> bool:
    parts = [replace(part, value=change(part.value)) for part in answer.parts]
    changed = read_answer(answer.endpoint, parts, answer.request_json.value)
    return content_of(changed) == content_of(answer.outcome)


@delivery_fault(lambda answer: range(len(_optional(answer))), harmful=False)
def optional_left_out(answer: RecordedAnswer, place: int) -> Delivery:
    """Remove an optional member that does not affect the content, or set it to null.

    *place* is the index of the change among all possible ones.
    """
    description, change = _optional(answer)[place]
    return _delivery(answer, description, change_values(answer, change))


def _required(answer: RecordedAnswer) -> list[str]:
    return [member.path for member in _members(answer) if member.required]


@delivery_fault(lambda answer: range(len(_required(answer))), harmful=True)
def required_left_out(answer: RecordedAnswer, place: int) -> Delivery:
    """Remove a required member everywhere in the answer.

    *place* is the index of the member among the required ones.
    """
    path = _required(answer)[place]
    changed = change_values(answer, partial(remove, pattern=path))
    return replace(_delivery(answer, f"{path} left out", changed), may_be_same=True)


# -------------------------------------------------------------------------- harmful: damaged


def _json_events(answer: RecordedAnswer) -> Sequence[int]:
    return range(len(answer.parts)) if answer.is_stream else ()


@delivery_fault(_json_events, harmful=True)
def truncated_event(answer: RecordedAnswer, place: int) -> Delivery:
    """Send only the first half of one event's JSON, between complete events.

    *place* is the index of the event, from 0.
    """
    start, end = value_extent(answer, answer.parts[place])
    body = answer.body[: (start + end) // 2] + answer.body[end:]
    description = f"half of event {answer.parts[place].event}'s JSON"
    return Delivery(description, answer.response(body), may_be_same=True)


def _characters(answer: RecordedAnswer) -> Sequence[int]:
    """Return the byte offset of each non-ASCII character; without any, of each ASCII letter."""
    leads = [place for place, byte in enumerate(answer.body) if byte >= 0xC0]
    return leads or [place for place, byte in enumerate(answer.body) if chr(byte).isalpha()]


@delivery_fault(_characters, harmful=True)
def not_utf8(answer: RecordedAnswer, place: int) -> Delivery:
    """Replace one byte of a text by FF, which UTF-8 never contains.

    *place* is the offset of the byte.
    """
    body = answer.body[:place] + b"\xff" + answer.body[place + 1 :]
    return Delivery(f"byte {place} is FF", answer.response(body), may_be_same=True)


# ------------------------------------------------------------------------- harmful: refusals

_JSON = ("Content-Type", "application/json")
_HTML = ("Content-Type", "text/html; charset=utf-8")
_SERVER_ERRORS = (
    (500, "Internal Server Error"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
)
_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>{0}</title></head>\n"
    "<body><h1>{0}</h1><hr>nginx</body></html>\n"
)


def refusal(endpoint: Endpoint, code: str) -> Json:
    """Return the body of a refusal with the error *code*, in the JSON structure of the endpoint."""
    message = "the service is overloaded, try again later"
    fields = endpoint.fields
    body: Json = {}
    for pointers, text in (
        (fields.code, code),
        (fields.message, message),
        (fields.request_id, "faults"),
    ):
        for pointer in pointers:
            if not pointer.startswith("/output/"):
                body = put(body, pointer, text)
    return body


def _refusal(answer: RecordedAnswer, code: str) -> bytes:
    return compact_bytes(refusal(answer.endpoint, code))


@delivery_fault(at_event_ends, harmful=True)
def error_event(answer: RecordedAnswer, place: int) -> Delivery:
    """Send the beginning of a stream, then an event with a refusal, and end the stream.

    *place* is the number of bytes that are sent before the event.
    """
    data = _refusal(answer, "ServiceUnavailable")
    named = any(event.event for event in answer.stream.events)
    head = b"id:99\nevent:error\n:HTTP_STATUS/503\ndata:" if named else b"data: "
    response = answer.response(answer.body[:place] + head + data + b"\n\n")
    return Delivery(f"an error event after {place} bytes of the stream", response)


@delivery_fault(harmful=True)
def refused_with_status_200(answer: RecordedAnswer, place: int) -> Delivery:
    """Send a refusal as a JSON document with status 200, even if a stream was requested.

    *place* is not used.
    """
    response = answer.response(_refusal(answer, "1305"), _JSON)
    return Delivery("a refusal in JSON with status 200", response)


@delivery_fault(harmful=True)
def too_many_requests(answer: RecordedAnswer, place: int) -> Delivery:
    """Send status 429 with `Retry-After: 1` and a refusal in the provider's JSON structure.

    *place* is not used.
    """
    response = answer.response(_refusal(answer, "1302"), _JSON, ("Retry-After", "1"))
    refused = replace(response, status=429, reason="Too Many Requests")
    return Delivery("429 with Retry-After: 1", refused)


@delivery_fault(lambda answer: range(len(_SERVER_ERRORS)), harmful=True)
def fault_in_html(answer: RecordedAnswer, place: int) -> Delivery:
    """Send status 500, 502 or 503 with an HTML page, as a gateway does.

    *place* is the index of the status in this list.
    """
    status, reason = _SERVER_ERRORS[place]
    response = answer.response(_PAGE.format(reason).encode(), _HTML)
    return Delivery(f"{status} in HTML", replace(response, status=status, reason=reason))


@delivery_fault(lambda answer: range(2), harmful=True)
def wrong_content_type(answer: RecordedAnswer, place: int) -> Delivery:
    """Send status 200 and `text/html`, with an HTML page or with the unchanged answer.

    *place* is 0 for the page, 1 for the unchanged answer.
    """
    if place == 1:
        mislabelled = answer.response(None, _HTML)
        return Delivery("the answer labelled text/html", mislabelled, may_be_same=True)
    return Delivery(
        "200 and a page in HTML", answer.response(_PAGE.format("Sign in").encode(), _HTML)
    )


FAULTS: tuple[DeliveryFault, ...] = faults_of(vars())


# ---------------------------------------------------------------------- members of an answer


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a JSON object in an answer.

    Attributes:
        path: The JSON pointer to the member, in which `[]` stands for every item of an array.
        required: Whether the schema requires the member.
        optional: Whether the member may be left out; False for one of several alternatives
            (`anyOf`).
        nullable: Whether the value may be null.
    """

    path: str
    required: bool
    optional: bool
    nullable: bool

    def combined(self, other: Member) -> Member:
        """Return this member combined with *other*, the same member in another part of an answer.

        The result is required if either is required, and optional or nullable only if both are.
        """
        return Member(
            self.path,
            required=self.required or other.required,
            optional=self.optional and other.optional,
            nullable=self.nullable and other.nullable,
        )


def members(schema: Schema, value: Json, path: str = "") -> Iterator[Member]:
    """Yield a `Member` for every member of the objects in *value*, outer objects first.

    *schema* is the JSON Schema of *value*; *path* is the JSON pointer to *value* in the answer, ""
    for the whole answer.
    """
    included = list(layers(schema))
    if isinstance(value, list):
        items = [layer["items"] for layer in included if isinstance(layer.get("items"), Mapping)]
        for item in value:
            yield from members({"allOf": items}, item, f"{path}/[]")
    if not isinstance(value, dict):
        return
    required = {name for layer in included for name in layer.get("required", ())}
    forms = [form for layer in included for form in layer.get("anyOf", ())]
    alternative = {name for form in forms for name in form.get("required", ())}
    for name, child in value.items():
        own = [
            layer["properties"][name] for layer in included if name in layer.get("properties", {})
        ]
        here = f"{path}/{escape(name)}"
        yield Member(
            here,
            required=name in required,
            optional=name not in required | alternative,
            nullable=bool(own) and all("null" in types_of(layer) for layer in own),
        )
        yield from members({"allOf": own}, child, here)
