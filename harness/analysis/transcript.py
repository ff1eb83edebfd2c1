"""A transcript whose exchanges are read, and the transcript of a cassette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count

from harness.analysis.endpoint import Endpoint, Recognise, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.types import EMPTY, Cassette, Exchange, Outcome, Reply, Transcript, Turn
from harness.wire.codings import GZIP, inflate, with_plain_body


@dataclass(frozen=True)
class AnalyzedTurn:
    """A turn with its exchanges read."""

    turn: Turn
    readings: tuple[AnalyzedExchange, ...]

    @cached_property
    def answer(self) -> AnalyzedExchange | None:
        """The exchange that holds the answer: the last one that did not fetch a file."""
        known = [r for r in self.readings if r.endpoint and r.endpoint.role is not Role.FILE]
        return known[-1] if known else None

    @cached_property
    def polls(self) -> tuple[AnalyzedExchange, ...]:
        """The exchanges that report the state of a task, its submission first."""
        roles = (Role.SUBMIT, Role.POLL)
        return tuple(r for r in self.readings if r.endpoint and r.endpoint.role in roles)

    @cached_property
    def outcome(self) -> Outcome | None:
        """The outcome of the turn as it travelled, with the task states of all its polls."""
        if self.answer is None:
            return None
        outcome = self.answer.outcome
        if isinstance(outcome, Reply) and self.polls:
            polled = [r.outcome.states for r in self.polls if isinstance(r.outcome, Reply)]
            outcome = replace(outcome, states=tuple(state for states in polled for state in states))
        return outcome


@dataclass(frozen=True)
class AnalyzedTranscript:
    """A transcript with every exchange read."""

    transcript: Transcript
    turns: tuple[AnalyzedTurn, ...] = field(default=())

    @cached_property
    def readings(self) -> tuple[AnalyzedExchange, ...]:
        """Every exchange, in the order in which they travelled."""
        return tuple(reading for turn in self.turns for reading in turn.readings)


def analyze(transcript: Transcript, recognise: Recognise) -> AnalyzedTranscript:
    """Return *transcript* with the endpoint of each exchange; bodies are read when needed."""
    numbers = count(1)
    turns = (
        AnalyzedTurn(
            turn,
            tuple(
                AnalyzedExchange(exchange, recognise(exchange), next(numbers), turn.number)
                for exchange in turn.exchanges
            ),
        )
        for turn in transcript.turns
    )
    return AnalyzedTranscript(transcript, tuple(turns))


def transcript_of(
    cassette: Cassette,
    recognise: Recognise,
    *,
    source: str = "",
    ignored: Mapping[str, str] = EMPTY,
) -> Transcript:
    """Return the exchanges of a cassette as turns, without running any SDK.

    Turns are those that were recorded. In another tool's cassette, polls and downloaded files
    belong to the exchange before them, and everything else begins a turn.

    Args:
        cassette: The cassette.
        recognise: Finds the endpoint of an exchange.
        source: The cassette's file; names the transcript if no scenario does.
        ignored: The rules that do not apply, each with the reason.
    """
    turns: list[list[Exchange]] = []
    for exchange in map(_decompressed, cassette.exchanges):
        if turns and _continues(exchange, turns[-1][-1], recognise(exchange)):
            turns[-1].append(exchange)
        else:
            turns.append([exchange])
    provenance = cassette.provenance
    return Transcript(
        scenario=provenance.scenario or source,
        target=provenance.target,
        turns=tuple(Turn(n, tuple(group)) for n, group in enumerate(turns, start=1)),
        provenance=provenance,
        ignored=ignored,
        source=source,
    )


def _decompressed(exchange: Exchange) -> Exchange:
    """Undo gzip, which vcrpy leaves in an answer unless it is told to decode."""
    body = exchange.response.body
    plain = inflate(body) if body.startswith(GZIP) else None
    if plain is None or not plain.complete:
        return exchange
    response = with_plain_body(exchange.response, plain.data)
    return replace(exchange, response=response, chunks=())


def _continues(exchange: Exchange, before: Exchange, endpoint: Endpoint | None) -> bool:
    """Return whether an exchange belongs to the turn of the one before it."""
    if exchange.turn is not None:
        return exchange.turn == before.turn
    if endpoint is not None:
        return endpoint.role in (Role.POLL, Role.FILE)
    return exchange.request.method == "GET" and AnalyzedExchange(exchange, endpoint).is_binary
