"""Functions that return a changed copy of a JSON value or exchange; all other bytes are kept."""

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
    """Return a copy of *value* with *new* at the JSON pointer *pointer*.

    Missing objects are created; missing items of arrays are not.
    """
    if not pointer:
        return new
    step, _, rest = pointer[1:].partition("/")
    (key,), below = tokens(f"/{step}"), f"/{rest}" if rest else ""
    if isinstance(value, list):
        return [put(v, below, new) if str(n) == key else v for n, v in enumerate(value)]
    members = value if isinstance(value, dict) else {}
    return {**members, key: put(members.get(key), below, new)}


def put_all(value: Json, pattern: str, new: Json) -> Json:
    """Return *value* with every value that matches *pattern* replaced by *new*.

    A pattern is a JSON pointer in which `[]` matches every item of an array.
    """
    for pointer, _ in query(value, pattern):
        value = put(value, pointer, new)
    return value


def remove(value: Json, pattern: str) -> Json:
    """Return *value* without the values that match *pattern*.

    A pattern is a JSON pointer in which `[]` matches every item of an array.
    """
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
    """Return *exchange* with another response body, without the recorded sizes of its chunks."""
    return replace(exchange, response=replace(exchange.response, body=body), chunks=())


def with_header(exchange: Exchange, name: str, value: str) -> Exchange:
    """Return *exchange* with the response header *name* set to *value*.

    All other headers of that name are removed.
    """
    kept = tuple(h for h in exchange.response.headers if h[0].lower() != name.lower())
    return replace(exchange, response=replace(exchange.response, headers=(*kept, (name, value))))


def with_status(exchange: Exchange, status: int) -> Exchange:
    """Return *exchange* with another HTTP status."""
    return replace(exchange, response=replace(exchange.response, status=status))


def with_request(exchange: Exchange, body: bytes) -> Exchange:
    """Return *exchange* with another request body."""
    return replace(exchange, request=replace(exchange.request, body=body))


def with_uri(exchange: Exchange, uri: str) -> Exchange:
    """Return *exchange* with another request URL."""
    return replace(exchange, request=replace(exchange.request, uri=uri))


def change_request(analyzed: AnalyzedExchange, pointer: str, value: Json) -> Exchange | None:
    """Return the exchange with *value* at *pointer* in the JSON body of its request.

    Returns None if that body is not a JSON object.
    """
    body = analyzed.request_json.value
    if not isinstance(body, dict):
        return None
    return with_request(analyzed.exchange, compact_bytes(put(body, pointer, value)))


def replace_value(
    analyzed: AnalyzedExchange, part: Part, pointer: str, value: Json
) -> Exchange | None:
    """Return the exchange with *value* at *pointer* in one JSON value of its response.

    Returns None if there is no value at *pointer*.

    Args:
        analyzed: The exchange.
        part: The JSON value to change: the whole body, or the data of one event.
        pointer: The JSON pointer into *part*.
        value: The new value.
    """
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
    """Return the exchange with new bytes for the JSON values of its response.

    These values are the whole body, or the data of each event.

    Args:
        analyzed: The exchange.
        write: Returns the new bytes of a value, given the parsed value; None to keep the old ones.
    """
    body = analyzed.exchange.response.body
    for part in reversed(analyzed.parts):
        new = write(part.value)
        if new is not None:
            start, end = value_extent(analyzed, part)
            body = body[:start] + new + body[end:]
    return with_body(analyzed.exchange, body)


def change_values(analyzed: AnalyzedExchange, change: Callable[[Json], Json]) -> Exchange:
    """Return the exchange with each JSON value of its response replaced by the result of *change*.

    These values are the whole body, or the data of each event.
    """

    def write(value: Json) -> bytes | None:
        new = change(value)
        return None if new == value else compact_bytes(new)

    return rewrite_values(analyzed, write)


def value_extent(analyzed: AnalyzedExchange, part: Part) -> tuple[int, int]:
    """Return (start, end): the byte offsets of the JSON value *part* in the body of the response.

    If the value spans several lines of an event, the bytes between these offsets include the
    `data:` of the further lines.
    """
    body = analyzed.exchange.response.body
    start, end = 0, len(body)
    if part.event is not None:
        event = analyzed.stream.events[part.event - 1]
        last = event.data.rpartition("\n")[2]
        last_line = event.lines[-1] if event.lines else event.data_offset
        start, end = event.data_offset, last_line + len(last.encode())
    text = body[start:end]
    return end - len(text.lstrip()), start + len(text.rstrip())


# ------------------------------------------------------------------------ server-sent events


def event_blocks(analyzed: AnalyzedExchange) -> list[bytes]:
    """Return the bytes of each event of the exchange's stream, with the blank line after it."""
    body, events = analyzed.exchange.response.body, analyzed.stream.events
    starts = [*(event.offset for event in events), len(body)]
    return [body[start:end] for start, end in pairwise(starts)]


def with_text_replaced(analyzed: AnalyzedExchange, old: str, new: str) -> Exchange | None:
    """Return the exchange with the first *old* in its response body replaced by *new*.

    Returns None if the bytes of the body do not contain *old*.
    """
    body, text = analyzed.exchange.response.body, old.encode()
    changed = body.replace(text, new.encode(), 1)
    return with_body(analyzed.exchange, changed) if text in body else None


def without_event(exchange: Exchange, start: bytes) -> Exchange | None:
    """Return *exchange* without the first event of its stream whose bytes begin with *start*.

    Returns None if there is no such event.
    """
    body = exchange.response.body
    begin = body.find(start)
    end = body.find(b"\n\n", begin) + 2
    return with_body(exchange, body[:begin] + body[end:]) if begin >= 0 else None


def with_event_blocks(analyzed: AnalyzedExchange, blocks: Sequence[bytes]) -> Exchange:
    """Return the exchange with *blocks*, the bytes of events, in place of the events of its stream.

    Bytes before the first event are kept.
    """
    events = analyzed.stream.events
    head = analyzed.exchange.response.body[: events[0].offset] if events else b""
    return with_body(analyzed.exchange, head + b"".join(blocks))


def change_event(
    analyzed: AnalyzedExchange, number: int, change: Callable[[bytes], bytes]
) -> Exchange:
    """Return the exchange with the bytes of one event replaced by the result of *change*.

    Args:
        analyzed: The exchange.
        number: The number of the event, from 1; -1 is the last one.
        change: Returns the new bytes of the event, given the old ones.
    """
    blocks = event_blocks(analyzed)
    place = number - 1 if number > 0 else number
    blocks[place] = change(blocks[place])
    return with_event_blocks(analyzed, blocks)
