"""Analyzed transcripts: all exchanges with their endpoints; and the transcript of a cassette."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count, pairwise

from harness.analysis.endpoint import Recognise, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import with_words
from harness.types import Cassette, Exchange, Outcome, Reply, Transcript, Turn
from harness.wire.codings import GZIP, inflate, with_plain_body


@dataclass(frozen=True, slots=True)
class AnalyzedTurn:
    """A turn of a transcript, with the analysis of its exchanges.

    It has slots, since a long transcript has no room for a table of attributes for each turn.

    Attributes:
        turn: The turn.
        readings: Its exchanges, analyzed, in order.
        answer: The exchange with the answer: the last one of a known endpoint, except file
            downloads; None if there is none.
        polls: The exchanges that report the state of a task: its submission and its polls, in
            order.
    """

    turn: Turn
    readings: tuple[AnalyzedExchange, ...]
    answer: AnalyzedExchange | None = field(init=False, repr=False, compare=False)
    polls: tuple[AnalyzedExchange, ...] = field(init=False, repr=False, compare=False)
    _outcome: tuple[Outcome | None] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        known = [reading for reading in self.readings if reading.endpoint]
        answer = next((reading for reading in reversed(known) if not _is_file(reading)), None)
        polls = [r for r in known if r.endpoint and r.endpoint.role in (Role.SUBMIT, Role.POLL)]
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "polls", tuple(polls))

    @property
    def request(self) -> AnalyzedExchange | None:
        """The last exchange that asks for an answer or submits a task; None if there is none."""
        for reading in reversed(self.readings):
            if reading.endpoint and reading.endpoint.role in (Role.ANSWER, Role.SUBMIT):
                return reading
        return None

    @property
    def outcome(self) -> Outcome | None:
        """The reply or failure in the recorded answer, with the task states of all polls.

        None if it cannot be parsed.
        """
        outcome = self.answer.outcome if self.answer else None
        if not (isinstance(outcome, Reply) and (self.polls or outcome.files)):
            return outcome
        if self._outcome is None:
            object.__setattr__(self, "_outcome", (self._outcome_of_all(outcome),))
        return self._outcome[0] if self._outcome else None

    def _outcome_of_all(self, outcome: Reply) -> Outcome:
        """Return the *outcome* of the answer with what the other exchanges add to it."""
        if self.polls:
            polled = [r.outcome.states for r in self.polls if isinstance(r.outcome, Reply)]
            outcome = replace(outcome, states=tuple(state for states in polled for state in states))
        if self.answer and self.answer.endpoint and outcome.files:
            bodies = (r.exchange.response.body for r in self.readings if _is_file(r))
            outcome = with_words(outcome, bodies, self.answer.endpoint.fields)
        return outcome


def _is_file(reading: AnalyzedExchange) -> bool:
    return reading.endpoint is not None and reading.endpoint.role is Role.FILE


_AT_ONCE = 50


@dataclass(frozen=True)
class AnalyzedTranscript:
    """A transcript, with the analysis of its exchanges.

    Attributes:
        transcript: The transcript.
        turns: Its turns, with their exchanges analyzed, in order.
    """

    transcript: Transcript
    turns: tuple[AnalyzedTurn, ...] = field(default=())

    @property
    def distinct(self) -> AnalyzedTranscript:
        """This transcript without exchanges that repeat the one before without its body."""
        return self._without_copies or self

    @cached_property
    def _without_copies(self) -> AnalyzedTranscript | None:
        """What `distinct` is; None for the transcript itself, which would never be freed."""
        copies = copies_of(reading.exchange for reading in self.readings)
        if not copies:
            return None
        return replace(self, turns=tuple(_without(turn, copies) for turn in self.turns))

    @property
    def answered(self) -> AnalyzedTranscript:
        """This transcript with only the exchanges that rules check.

        Duplicates, exchanges that a network failure ended, and all exchanges of a turn that ended
        with such a failure are left out.
        """
        return self._without_failures or self.distinct

    @cached_property
    def _without_failures(self) -> AnalyzedTranscript | None:
        """What `answered` is; None if there were no network failures."""
        if not any(reading.exchange.broken_off for reading in self.readings):
            return None
        return replace(self, turns=tuple(map(_answered, self.distinct.turns)))

    def parts(self) -> Iterator[AnalyzedTranscript]:
        """Yield the transcript in parts of some turns; of several, each forgets what was parsed.

        Otherwise the parsed bodies of a long transcript would fill the memory.
        """
        if len(self.turns) <= _AT_ONCE:
            yield self
            return
        for start in range(0, len(self.turns), _AT_ONCE):
            part = replace(self, turns=self.turns[start : start + _AT_ONCE])
            yield part
            for reading in part.readings:
                reading.forget()

    @cached_property
    def readings(self) -> tuple[AnalyzedExchange, ...]:
        """The analyzed exchanges of all turns, in order."""
        return tuple(reading for turn in self.turns for reading in turn.readings)

    @cached_property
    def choices(self) -> tuple[AnalyzedExchange, ...]:
        """All exchanges, then a copy for each further choice in an answer, with that one alone."""
        return (*self.readings, *(one for r in self.readings for one in r.other_choices))

    @cached_property
    def streams(self) -> tuple[AnalyzedExchange, ...]:
        """The exchanges whose answer is a stream."""
        return tuple(reading for reading in self.readings if reading.is_stream)

    @cached_property
    def refused(self) -> tuple[AnalyzedExchange, ...]:
        """The exchanges with a part that is a refusal."""
        return tuple(reading for reading in self.readings if reading.refusals)

    @cached_property
    def streamed_choices(self) -> tuple[AnalyzedExchange, ...]:
        """The items of `choices` that are streams."""
        return tuple(choice for choice in self.choices if choice.is_stream)

    @cached_property
    def reports(self) -> tuple[AnalyzedExchange, ...]:
        """The exchanges of all turns that submit or poll a task, in order."""
        return tuple(reading for turn in self.turns for reading in turn.polls)

    @cached_property
    def is_of_sdk(self) -> bool:
        """Whether an SDK made any of the calls, so that the arguments of calls are known."""
        return any(turn.turn.call or turn.turn.outcome for turn in self.turns)


def _answered(turn: AnalyzedTurn) -> AnalyzedTurn:
    if turn.readings and turn.readings[-1].exchange.broken_off:
        return replace(turn, readings=())
    whole = (reading for reading in turn.readings if not reading.exchange.broken_off)
    return replace(turn, readings=tuple(whole))


def _without(turn: AnalyzedTurn, copies: Container[int]) -> AnalyzedTurn:
    kept = (reading for reading in turn.readings if id(reading.exchange) not in copies)
    return replace(turn, readings=tuple(kept))


def copies_of(exchanges: Iterable[Exchange]) -> Container[int]:
    """Return the `id(...)` of each exchange that repeats the one before it, without its body.

    vcrpy writes such a duplicate if the caller reads a raw response twice [REC].
    """
    return {id(one) for before, one in pairwise(exchanges) if _lost_its_body(one, before)}


def _lost_its_body(exchange: Exchange, before: Exchange) -> bool:
    """Return whether *exchange* is a copy of the exchange *before*, except that the body is empty.

    All headers agree, the time among them.
    """
    response = exchange.response
    if response.body or not before.response.body or not response.header("Date"):
        return False
    same = replace(response, body=before.response.body) == before.response
    return same and exchange.request == before.request


def analyze(transcript: Transcript, recognise: Recognise) -> AnalyzedTranscript:
    """Return *transcript* with the endpoint of each exchange, which *recognise* finds.

    Bodies are parsed on first use.
    """
    numbers, provider = count(1), provider_of(transcript.provenance.target or transcript.target)
    turns = (
        AnalyzedTurn(
            turn,
            tuple(
                AnalyzedExchange(
                    exchange, recognise(exchange, provider), next(numbers), turn.number
                )
                for exchange in turn.exchanges
            ),
        )
        for turn in transcript.turns
    )
    return AnalyzedTranscript(transcript, tuple(turns))


def provider_of(target: str) -> str:
    """Return the provider of a target as text, such as `zhipuai/glm-4`; "" if it names none."""
    return target.partition("/")[0] if "/" in target else ""


def transcript_of(cassette: Cassette, recognise: Recognise, *, source: str = "") -> Transcript:
    """Return the exchanges of a cassette, grouped to turns, without the outcomes of an SDK.

    A cassette of this tool has the number of each exchange's turn. In any other cassette, each
    exchange begins a turn, except polls and downloads, which belong to the turn before.

    Args:
        cassette: The cassette.
        recognise: Returns the endpoint of an exchange.
        source: The file of the cassette; it is the name of the transcript if there is no scenario.
    """
    turns: list[list[Exchange]] = []
    provider = provider_of(cassette.provenance.target)
    for exchange in map(_decompressed, cassette.exchanges):
        if turns and _continues(exchange, turns[-1][-1], recognise, provider):
            turns[-1].append(exchange)
        else:
            turns.append([exchange])
    provenance = cassette.provenance
    return Transcript(
        scenario=provenance.scenario or source,
        target=provenance.target,
        turns=tuple(Turn(n, tuple(group)) for n, group in enumerate(turns, start=1)),
        provenance=provenance,
        source=source,
    )


def _decompressed(exchange: Exchange) -> Exchange:
    """Return *exchange* with a gzip response body decompressed; by default, vcrpy records it so."""
    body = exchange.response.body
    plain = inflate(body) if body.startswith(GZIP) else None
    if plain is None or not plain.complete:
        return exchange
    response = with_plain_body(exchange.response, plain.data)
    return replace(exchange, response=response, chunks=())


def _continues(exchange: Exchange, before: Exchange, recognise: Recognise, provider: str) -> bool:
    """Return whether *exchange* belongs to the same turn as the exchange *before*."""
    if exchange.turn is not None:
        return exchange.turn == before.turn
    endpoint = recognise(exchange, provider)
    if endpoint is not None:
        return endpoint.role in (Role.POLL, Role.FILE)
    return exchange.request.method == "GET" and AnalyzedExchange(exchange, endpoint).is_binary
