"""A transcript whose exchanges are read, and the transcript of a cassette."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.analysis.endpoint import Endpoint, Recognise, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.types import NOTHING, Cassette, Exchange, Outcome, Reply, Transcript, Turn


@dataclass(frozen=True)
class AnalyzedTurn:
    """A turn with its exchanges read."""

    turn: Turn
    readings: tuple[AnalyzedExchange, ...]

    @cached_property
    def answer(self) -> AnalyzedExchange | None:
        """The reading that holds the answer: the last one that is not a file or a submission
        that went on to be polled."""
        told = [r for r in self.readings if r.endpoint and r.endpoint.role is not Role.FILE]
        return told[-1] if told else None

    @cached_property
    def polls(self) -> tuple[AnalyzedExchange, ...]:
        """The readings that tell the state of a task, the submission first."""
        roles = (Role.SUBMIT, Role.POLL)
        return tuple(r for r in self.readings if r.endpoint and r.endpoint.role in roles)

    @cached_property
    def outcome(self) -> Outcome | None:
        """What this turn came to on the wire, with all task states of its polls."""
        if self.answer is None:
            return None
        outcome = self.answer.outcome
        if isinstance(outcome, Reply) and self.polls:
            seen = [r.outcome.states for r in self.polls if isinstance(r.outcome, Reply)]
            outcome = replace(outcome, states=tuple(state for states in seen for state in states))
        return outcome


@dataclass(frozen=True)
class AnalyzedTranscript:
    """A transcript with every exchange read."""

    transcript: Transcript
    turns: tuple[AnalyzedTurn, ...] = field(default=())

    @cached_property
    def readings(self) -> tuple[AnalyzedExchange, ...]:
        """Every reading, in the order the exchanges travelled."""
        return tuple(reading for turn in self.turns for reading in turn.readings)


def analyze(transcript: Transcript, recognise: Recognise) -> AnalyzedTranscript:
    """Recognise and read every exchange of a transcript; lazily, each body at most once."""
    turns = []
    number = 0
    for turn in transcript.turns:
        readings = []
        for exchange in turn.exchanges:
            number += 1
            readings.append(AnalyzedExchange(exchange, recognise(exchange), number, turn.number))
        turns.append(AnalyzedTurn(turn, tuple(readings)))
    return AnalyzedTranscript(transcript, tuple(turns))


def transcript_of(
    cassette: Cassette,
    recognise: Recognise,
    *,
    source: str = "",
    ignored: Mapping[str, str] = NOTHING,
) -> Transcript:
    """A cassette's exchanges as turns, without running any SDK.

    Turns are those the harness recorded. In another tool's cassette, polls and downloaded files
    belong to the exchange before them, and everything else begins a turn.
    """
    turns: list[list[Exchange]] = []
    for exchange in map(_unpacked, cassette.exchanges):
        if turns and _belongs(exchange, turns[-1][-1], recognise(exchange)):
            turns[-1].append(exchange)
        else:
            turns.append([exchange])
    told = cassette.provenance
    return Transcript(
        scenario=told.scenario or source,
        target=told.target,
        turns=tuple(Turn(n, tuple(group)) for n, group in enumerate(turns, start=1)),
        provenance=told,
        ignored=ignored,
        source=source,
    )


_LARGEST = 2**26
"""Bytes: an answer that unpacks to more is left packed."""


def _unpacked(exchange: Exchange) -> Exchange:
    """The same with gzip undone, which vcrpy by itself leaves in an answer."""
    response = exchange.response
    if not response.body.startswith(b"\x1f\x8b"):
        return exchange
    undo = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        body = undo.decompress(response.body, _LARGEST)
    except zlib.error:
        return exchange
    if not undo.eof:
        return exchange
    told = ("content-encoding", "content-length")
    headers = tuple((n, value) for n, value in response.headers if n.lower() not in told)
    return replace(exchange, response=replace(response, headers=headers, body=body), chunks=())


def _belongs(exchange: Exchange, before: Exchange, endpoint: Endpoint | None) -> bool:
    """Whether an exchange is of the same turn as the one before it."""
    if exchange.turn is not None:
        return exchange.turn == before.turn
    if endpoint is not None:
        return endpoint.role in (Role.POLL, Role.FILE)
    return exchange.request.method == "GET" and AnalyzedExchange(exchange, endpoint).is_binary
