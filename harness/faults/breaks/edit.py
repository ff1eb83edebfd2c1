"""Changing what travelled: one value, one event, one header, and all other bytes as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness.analysis.endpoint import Part, Pointers
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.types import Exchange, LooseJson, Reply, Transcript, Turn
from harness.wire import MISSING, Event, compact_bytes, query, resolve, tokens
from harness.wire.spans import span

OfReading = Callable[[AnalyzedExchange], "Exchange | None"]
OfTurn = Callable[[AnalyzedTurn], "Turn | None"]
OfRead = Callable[[AnalyzedTranscript], "Transcript | None"]


# ------------------------------------------------------------------------ what is looked at


def of_exchange(change: OfReading) -> OfRead:
    """A change of one exchange: of the first one that it applies to."""

    def changed(read: AnalyzedTranscript) -> Transcript | None:
        for reading in read.readings:
            exchange = change(reading)
            if exchange is not None and exchange != reading.exchange:
                return swapped(read, reading, exchange)
        return None

    return _named(changed, change)


def of_turn(change: OfTurn) -> OfRead:
    """A change of one turn: of the first one that it applies to."""

    def changed(read: AnalyzedTranscript) -> Transcript | None:
        for place, told in enumerate(read.turns):
            turn = change(told)
            if turn is not None and turn != told.turn:
                turns = list(read.transcript.turns)
                turns[place] = turn
                return replace(read.transcript, turns=tuple(turns))
        return None

    return _named(changed, change)


def _named(changed: OfRead, change: Callable[..., object]) -> OfRead:
    changed.__name__, changed.__doc__ = change.__name__, change.__doc__
    return changed


def swapped(
    read: AnalyzedTranscript, reading: AnalyzedExchange, *exchanges: Exchange
) -> Transcript:
    """The transcript with other exchanges in the place of one."""
    turns = []
    for told in read.turns:
        lists = [exchanges if r is reading else (r.exchange,) for r in told.readings]
        turns.append(replace(told.turn, exchanges=tuple(e for some in lists for e in some)))
    return replace(read.transcript, turns=tuple(turns))


def reply_of(told: AnalyzedTurn) -> Reply | None:
    """What an SDK shows of a turn that came to an answer; None where either is none."""
    same = isinstance(told.outcome, Reply)
    return told.turn.outcome if same and isinstance(told.turn.outcome, Reply) else None


# ---------------------------------------------------------------------------------- exchanges


def with_body(exchange: Exchange, body: bytes) -> Exchange:
    """Another body of the answer; the sizes of the network's chunks no longer fit."""
    return replace(exchange, response=replace(exchange.response, body=body), chunks=())


def with_header(exchange: Exchange, name: str, value: str) -> Exchange:
    """Another header of the answer."""
    kept = tuple(h for h in exchange.response.headers if h[0].lower() != name.lower())
    return replace(exchange, response=replace(exchange.response, headers=(*kept, (name, value))))


def with_status(exchange: Exchange, status: int) -> Exchange:
    """Another HTTP status."""
    return replace(exchange, response=replace(exchange.response, status=status))


def with_request(exchange: Exchange, body: bytes) -> Exchange:
    """Another body of the request."""
    return replace(exchange, request=replace(exchange.request, body=body))


def with_uri(exchange: Exchange, uri: str) -> Exchange:
    """Another address."""
    return replace(exchange, request=replace(exchange.request, uri=uri))


# ----------------------------------------------------------------------------------- values


def put(
    reading: AnalyzedExchange, part: Part | None, pointer: str, value: LooseJson
) -> Exchange | None:
    """Another value at a pointer of a part; None where there is none to replace."""
    if part is None:
        return None
    text, base = _text(reading, part)
    found = span(text, pointer) if text else None
    if found is None:
        return None
    body = reading.exchange.response.body
    start, end = base + found.start, base + found.end
    return with_body(reading.exchange, body[:start] + compact_bytes(value) + body[end:])


def _text(reading: AnalyzedExchange, part: Part) -> tuple[bytes, int]:
    """The bytes of a part and where they begin; none where they stand on several lines."""
    if part.event is None:
        return reading.exchange.response.body, 0
    event = reading.stream.events[part.event - 1]
    return (event.data.encode() if len(event.lines) == 1 else b""), event.data_offset


def put_all(reading: AnalyzedExchange, change: Callable[[LooseJson], LooseJson]) -> Exchange | None:
    """Every part, changed by a function; None where any stands on several lines."""
    body = reading.exchange.response.body
    for part in reversed(reading.parts):
        text, base = _text(reading, part)
        found = span(text, "") if text else None
        if found is None:
            return None
        new = change(part.value)
        if new != part.value:
            body = body[: base + found.start] + compact_bytes(new) + body[base + found.end :]
    return with_body(reading.exchange, body)


def ask(reading: AnalyzedExchange, pointer: str, value: LooseJson) -> Exchange | None:
    """Another value at a pointer of the request; one that is not there is added."""
    asked = reading.request_json.value
    if not isinstance(asked, dict):
        return None
    return with_request(reading.exchange, compact_bytes(planted(asked, pointer, value)))


def planted(value: LooseJson, pointer: str, new: LooseJson) -> LooseJson:
    """A JSON value with another value at a pointer, whose objects are made where they miss."""
    if not pointer:
        return new
    step, _, rest = pointer[1:].partition("/")
    key, below = tokens("/" + step)[0], "/" + rest if rest else ""
    if isinstance(value, list):
        return [planted(v, below, new) if str(n) == key else v for n, v in enumerate(value)]
    held = dict(value) if isinstance(value, dict) else {}
    return {**held, key: planted(held.get(key), below, new)}


def without(value: LooseJson, pointer: str) -> LooseJson:
    """A JSON value without what a pointer leads to."""
    above, _, step = pointer.rpartition("/")
    held = resolve(value, above)
    if isinstance(held, dict):
        return planted(value, above, {k: v for k, v in held.items() if k != step})
    if isinstance(held, list):
        return planted(value, above, [v for n, v in enumerate(held) if str(n) != step])
    return value


def held(part: Part, pointers: Pointers) -> Iterator[tuple[str, LooseJson]]:
    """Every (pointer, value) of a part that any of the pointers leads to, nulls left out."""
    for pattern in pointers:
        yield from ((p, v) for p, v in query(part.value, pattern) if v is not None)


def place(part: Part, pointers: Pointers) -> str:
    """The first of the pointers that leads to something; empty where none does."""
    return next((pointer for pointer, _ in held(part, pointers)), "")


def concrete(pointers: Pointers) -> list[str]:
    """The pointers, with the first item for every item of an array."""
    return [pointer.replace("[]", "0") for pointer in pointers]


# ------------------------------------------------------------------------------------ events


def blocks(reading: AnalyzedExchange) -> list[bytes]:
    """The bytes of each event with all that stands before the next one."""
    body, events = reading.exchange.response.body, reading.stream.events
    starts = [event.offset for event in events]
    ends = [*starts[1:], len(body)] if starts else []
    return [body[start:end] for start, end in zip(starts, ends, strict=True)]


def with_blocks(reading: AnalyzedExchange, told: Sequence[bytes]) -> Exchange:
    """The exchange with these events; what stood before the first one stays."""
    events = reading.stream.events
    head = reading.exchange.response.body[: events[0].offset] if events else b""
    return with_body(reading.exchange, head + b"".join(told))


def with_block(reading: AnalyzedExchange, number: int, block: bytes) -> Exchange:
    """The exchange with another event of this number."""
    told = blocks(reading)
    told[number - 1] = block
    return with_blocks(reading, told)


def one_line(event: Event) -> bool:
    """Whether an event's data stands on one line, so that it can be replaced as it is."""
    return len(event.lines) == 1


def asks(reading: AnalyzedExchange, pointer: str) -> bool:
    """Whether a request holds something at a pointer."""
    return resolve(reading.request_json.value, pointer) is not MISSING
