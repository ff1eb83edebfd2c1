"""Edits of JSON values and recorded exchanges: one thing changes, all other bytes stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.types import Exchange, Json
from harness.wire import compact_bytes, escape, query, resolve, tokens
from harness.wire.spans import span

# ------------------------------------------------------------------------------- JSON values


def put(value: Json, pointer: str, new: Json) -> Json:
    """Return *value* with *new* at a JSON pointer; missing objects on the way are created."""
    if not pointer:
        return new
    step, _, rest = pointer[1:].partition("/")
    (key,), below = tokens(f"/{step}"), f"/{rest}" if rest else ""
    if isinstance(value, list):
        return [put(v, below, new) if str(n) == key else v for n, v in enumerate(value)]
    members = value if isinstance(value, dict) else {}
    return {**members, key: put(members.get(key), below, new)}


def put_all(value: Json, pattern: str, new: Json) -> Json:
    """Return *value* with *new* at every existing place of a pattern (`[]`: every item)."""
    for pointer, _ in query(value, pattern):
        value = put(value, pointer, new)
    return value


def remove(value: Json, pattern: str) -> Json:
    """Return *value* without everything that a pattern (`[]`: every item) leads to."""
    for pointer, _ in reversed(query(value, pattern)):
        above, _, step = pointer.rpartition("/")
        holder = resolve(value, above)
        if isinstance(holder, dict):
            value = put(value, above, {k: v for k, v in holder.items() if escape(k) != step})
        elif isinstance(holder, list):
            value = put(value, above, [v for n, v in enumerate(holder) if str(n) != step])
    return value


# --------------------------------------------------------------------------------- exchanges


def with_body(exchange: Exchange, body: bytes) -> Exchange:
    """Replace the body of the response, and forget the sizes of its network chunks."""
    return replace(exchange, response=replace(exchange.response, body=body), chunks=())


def with_header(exchange: Exchange, name: str, value: str) -> Exchange:
    """Replace a header of the response."""
    kept = tuple(h for h in exchange.response.headers if h[0].lower() != name.lower())
    return replace(exchange, response=replace(exchange.response, headers=(*kept, (name, value))))


def with_status(exchange: Exchange, status: int) -> Exchange:
    """Replace the HTTP status."""
    return replace(exchange, response=replace(exchange.response, status=status))


def with_request(exchange: Exchange, body: bytes) -> Exchange:
    """Replace the body of the request."""
    return replace(exchange, request=replace(exchange.request, body=body))


def with_uri(exchange: Exchange, uri: str) -> Exchange:
    """Replace the address of the request."""
    return replace(exchange, request=replace(exchange.request, uri=uri))


def change_request(analyzed: AnalyzedExchange, pointer: str, value: Json) -> Exchange | None:
    """Put a value at a pointer of the request's JSON object; None where the request has none."""
    body = analyzed.request_json.value
    if not isinstance(body, dict):
        return None
    return with_request(analyzed.exchange, compact_bytes(put(body, pointer, value)))


def replace_value(
    analyzed: AnalyzedExchange, part: Part, pointer: str, value: Json
) -> Exchange | None:
    """Replace the value at a pointer of one part of the response; None where there is none."""
    body = analyzed.exchange.response.body
    start, end = value_extent(analyzed, part)
    extent = span(body[start:end], pointer)
    if extent is None:
        return None
    new = compact_bytes(value)
    return with_body(
        analyzed.exchange, body[: start + extent.start] + new + body[start + extent.end :]
    )


def rewrite_values(analyzed: AnalyzedExchange, write: Callable[[Json], bytes | None]) -> Exchange:
    """Replace the text of each JSON value of the response by what *write* returns, if not None."""
    body = analyzed.exchange.response.body
    for part in reversed(analyzed.parts):
        new = write(part.value)
        if new is not None:
            start, end = value_extent(analyzed, part)
            body = body[:start] + new + body[end:]
    return with_body(analyzed.exchange, body)


def change_values(analyzed: AnalyzedExchange, change: Callable[[Json], Json]) -> Exchange:
    """Change each JSON value of the response: the document, or the data of every event."""

    def write(value: Json) -> bytes | None:
        new = change(value)
        return None if new == value else compact_bytes(new)

    return rewrite_values(analyzed, write)


def value_extent(analyzed: AnalyzedExchange, part: Part) -> tuple[int, int]:
    """Return the start and the end of a part in the bytes of the response.

    Where an event has several lines of data, their field names are in between.
    """
    body = analyzed.exchange.response.body
    start, end = 0, len(body)
    if part.event is not None:
        event = analyzed.stream.events[part.event - 1]
        last = event.data.rpartition("\n")[2]
        start, end = event.data_offset, event.lines[-1] + len(last.encode())
    text = body[start:end]
    return end - len(text.lstrip()), start + len(text.rstrip())


# ------------------------------------------------------------------------ server-sent events


def event_blocks(analyzed: AnalyzedExchange) -> list[bytes]:
    """Return the bytes of each event of a stream, up to the start of the next one."""
    body, events = analyzed.exchange.response.body, analyzed.stream.events
    starts = [*(event.offset for event in events), len(body)]
    return [body[start:end] for start, end in pairwise(starts)]


def with_event_blocks(analyzed: AnalyzedExchange, blocks: Sequence[bytes]) -> Exchange:
    """Replace all events of a stream; what stands before the first one stays."""
    events = analyzed.stream.events
    head = analyzed.exchange.response.body[: events[0].offset] if events else b""
    return with_body(analyzed.exchange, head + b"".join(blocks))


def change_event(
    analyzed: AnalyzedExchange, number: int, change: Callable[[bytes], bytes]
) -> Exchange:
    """Change the bytes of one event; *number* counts from 1, negative numbers from the end."""
    blocks = event_blocks(analyzed)
    place = number - 1 if number > 0 else number
    blocks[place] = change(blocks[place])
    return with_event_blocks(analyzed, blocks)
