"""What one turn of one target came to, in figures: tokens, times, letters, cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import read_answer
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.summary import delivery, event_count, model_of, name
from harness.config.prices import NO_PRICES, Cost, Price, Prices
from harness.types import Failure, Outcome, Reply, Timing, ToolCall


@dataclass(frozen=True, slots=True)
class Facts:
    """What one turn of one target came to; None where it is unknown.

    `first_byte`, `first_token` and `total` are seconds since the turn's first request: until the
    answer's first byte, its first event with content (the first byte, if it is not a stream), and
    the end of the turn, with every poll and the time between them. `han` and `latin` are shares of
    the letters of the content, from 0 to 1. `cost` is by `price`, and None where the answer does
    not state its usage.
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


def facts(transcript: AnalyzedTranscript, turn: AnalyzedTurn, prices: Prices = NO_PRICES) -> Facts:
    """Return the figures of one turn, priced on the day it was recorded."""
    waited = _wait(turn)
    answer = turn.answer
    timing = answer.exchange.timing if answer else None
    token = first_token(answer) if answer else None
    price = _price(transcript, turn, prices)
    return Facts(
        target=name(transcript),
        turn=turn.turn.number,
        outcome=_outcome(turn),
        delivery=delivery(turn),
        first_byte=waited + timing.first_byte if timing else None,
        first_token=None if token is None else waited + token,
        total=duration(turn),
        events=event_count(turn),
        exchanges=len(turn.readings),
        price=price,
        cost=_cost(turn.outcome, price),
        **_reply_facts(turn.outcome),
    )


def _wait(turn: AnalyzedTurn) -> float:
    """Return the seconds from a turn's first request to the one that was answered."""
    starts = [e.exchange.timing.start for e in turn.readings if e.exchange.timing]
    timing = turn.answer.exchange.timing if turn.answer else None
    return max(0.0, round(timing.start - min(starts), 6)) if timing else 0.0


def duration(turn: AnalyzedTurn) -> float | None:
    """Return the seconds from a turn's first request to the end of all; None without timings."""
    timings = [e.exchange.timing for e in turn.readings if e.exchange.timing]
    start = min((timing.start for timing in timings), default=0.0)
    ends = (round(timing.start - start, 6) + timing.total for timing in timings)
    return max(ends, default=None)


def _outcome(turn: AnalyzedTurn) -> str:
    outcome = turn.outcome
    if isinstance(outcome, Failure):
        return f"failure {outcome.status} {outcome.code}".rstrip()
    return "reply" if isinstance(outcome, Reply) else "unknown"


def _reply_facts(outcome: Outcome | None) -> dict[str, Any]:
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
    """Return the shares of Han and of Latin letters among all letters; None without letters.

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


def first_token(exchange: AnalyzedExchange) -> float | None:
    """Return the seconds to the first event of a stream with content, else to the first byte."""
    timing = exchange.exchange.timing
    if timing is None:
        return None
    event = next(_events_with_content(exchange), None) if timing.arrived else None
    return timing.first_byte if event is None else _arrival(exchange, timing, event)


def _events_with_content(exchange: AnalyzedExchange) -> Iterator[Part]:
    """Yield the events with content, reasoning or a tool call, in order, each analyzed alone."""
    endpoint = exchange.endpoint
    if endpoint is None or not exchange.is_stream or not exchange.accepted:
        return
    for part in exchange.parts:
        outcome = read_answer(endpoint, (part,), exchange.request_json.value)
        if isinstance(outcome, Reply) and (
            outcome.content or outcome.reasoning or outcome.tool_calls
        ):
            yield part


def _arrival(exchange: AnalyzedExchange, timing: Timing, part: Part) -> float:
    """Return when the chunk with the last byte of an event arrived, in seconds."""
    event = exchange.stream.events[(part.event or 1) - 1]
    end = event.data_offset + len(event.data.encode())
    received = 0
    for size, arrived in zip(exchange.exchange.chunks, timing.arrived, strict=False):
        received += size
        if received >= end:
            return arrived
    return timing.total


def _price(transcript: AnalyzedTranscript, turn: AnalyzedTurn, prices: Prices) -> Price | None:
    if not turn.readings or not prices.table:
        return None
    provider, model = model_of(transcript, turn.readings[0])
    return prices.price(provider, model, transcript.transcript.provenance.recorded_at)


def _cost(outcome: Outcome | None, price: Price | None) -> Cost | None:
    if price is None or not isinstance(outcome, Reply):
        return None
    return price.of(outcome.usage, len(outcome.images), bool(outcome.reasoning))
