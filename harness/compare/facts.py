"""What one turn of one target came to, in numbers and few words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import read_answer
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.names import model_of, name
from harness.compare.summary import delivery, events
from harness.config.prices import NO_PRICES, Cost, Price, Prices
from harness.types import Failure, Outcome, Reply, Timing, ToolCall


@dataclass(frozen=True, slots=True)
class Facts:
    """What one turn of one target came to; None where it cannot be told.

    `first_byte`, `first_token` and `total` are seconds since the turn's first request: to the
    answer's first byte, to its first event that says anything (the first byte, if it is no
    stream), and to the end of all, with every poll and the time between them. `han` and `latin`
    are shares of the letters of the content, from 0 to 1. `cost` is by `price`, and None where
    the answer does not tell what it is counted by.
    """

    target: str
    turn: int
    outcome: str
    delivery: str
    content_length: int | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_byte: float | None = None
    total: float | None = None
    events: int = 0
    exchanges: int = 0
    first_token: float | None = None
    han: float | None = None
    latin: float | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    images: int = 0
    price: Price | None = None
    cost: Cost | None = None
    content: str | None = None


def facts(read: AnalyzedTranscript, turn: AnalyzedTurn, prices: Prices = NO_PRICES) -> Facts:
    """What one turn came to, priced on the day it was recorded."""
    waited, total = _waited(turn), lasted(turn)
    first = turn.answer.exchange.timing if turn.answer else None
    token = first_token(turn.answer) if turn.answer else None
    price = _price(read, turn, prices)
    return Facts(
        target=name(read),
        turn=turn.turn.number,
        outcome=_outcome(turn),
        delivery=delivery(turn),
        first_byte=waited + first.first_byte if first else None,
        first_token=None if token is None else waited + token,
        total=total,
        events=events(turn),
        exchanges=len(turn.readings),
        price=price,
        cost=_cost(turn.outcome, price),
        **_said(turn.outcome),
    )


def _waited(turn: AnalyzedTurn) -> float:
    """Seconds from a turn's first request to the one that was answered."""
    starts = [r.exchange.timing.start for r in turn.readings if r.exchange.timing]
    answered = turn.answer.exchange.timing if turn.answer else None
    return max(0.0, round(answered.start - min(starts), 6)) if answered else 0.0


def lasted(turn: AnalyzedTurn) -> float | None:
    """Seconds from a turn's first request to the end of all of them; None where nobody noted it."""
    timings = [r.exchange.timing for r in turn.readings if r.exchange.timing]
    began = min((timing.start for timing in timings), default=0.0)
    ends = (round(timing.start - began, 6) + timing.total for timing in timings)
    return max(ends, default=None)


def _outcome(turn: AnalyzedTurn) -> str:
    outcome = turn.outcome
    if isinstance(outcome, Failure):
        return f"failure {outcome.status} {outcome.code}".rstrip()
    return "reply" if isinstance(outcome, Reply) else "unknown"


def _said(outcome: Outcome | None) -> dict[str, Any]:
    if not isinstance(outcome, Reply):
        return {}
    usage, content = outcome.usage, outcome.content
    han, latin = scripts(content or "")
    return {
        "content": content,
        "content_length": None if content is None else len(content),
        "han": han,
        "latin": latin,
        "finish_reason": outcome.finish_reason,
        "tool_calls": outcome.tool_calls,
        "images": len(outcome.images),
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
    }


def scripts(text: str) -> tuple[float | None, float | None]:
    """The shares of Han and of Latin letters among all letters; None where there is no letter.

    >>> scripts("GLM 好")
    (0.25, 0.75)
    """
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return None, None
    han = sum(1 for letter in letters if _is_han(letter))
    latin = sum(1 for letter in letters if letter < "\u0250")
    return round(han / len(letters), 3), round(latin / len(letters), 3)


_HAN = (
    ("\u3400", "\u4dbf"),
    ("\u4e00", "\u9fff"),
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U000323af"),
)
"""CJK unified and compatibility ideographs, from the first to the last of each block."""


def _is_han(letter: str) -> bool:
    return any(first <= letter <= last for first, last in _HAN)


def first_token(reading: AnalyzedExchange) -> float | None:
    """Seconds to the first event of a stream that says anything; else to the first byte."""
    timing = reading.exchange.timing
    if timing is None:
        return None
    told = next(_telling(reading), None) if timing.arrived else None
    return timing.first_byte if told is None else _arrival(reading, timing, told)


def _telling(reading: AnalyzedExchange) -> Iterator[Part]:
    """The events with content, reasoning or a tool call, in order; read one by one, until found."""
    endpoint = reading.endpoint
    if endpoint is None or not reading.is_stream or not reading.accepted:
        return
    for part in reading.parts:
        outcome = read_answer(endpoint, (part,), reading.request_json.value)
        if isinstance(outcome, Reply) and (
            outcome.content or outcome.reasoning or outcome.tool_calls
        ):
            yield part


def _arrival(reading: AnalyzedExchange, timing: Timing, part: Part) -> float:
    """When the chunk came that holds the last byte of an event."""
    event = reading.stream.events[(part.event or 1) - 1]
    end = event.data_offset + len(event.data.encode())
    seen = 0
    for size, arrived in zip(reading.exchange.chunks, timing.arrived, strict=False):
        seen += size
        if seen >= end:
            return arrived
    return timing.total


def _price(read: AnalyzedTranscript, turn: AnalyzedTurn, prices: Prices) -> Price | None:
    if not turn.readings or not prices.table:
        return None
    provider, model = model_of(read, turn.readings[0])
    return prices.price(provider, model, read.transcript.provenance.recorded_at)


def _cost(outcome: Outcome | None, price: Price | None) -> Cost | None:
    if price is None or not isinstance(outcome, Reply):
        return None
    return price.of(outcome.usage, len(outcome.images), bool(outcome.reasoning))
