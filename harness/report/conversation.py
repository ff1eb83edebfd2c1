"""A transcript as a conversation: messages and answers, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.comparison import Facts, facts
from harness.scenario.messages import message_of
from harness.types import EMPTY, Failure, Json, Message, Outcome, Reply
from harness.wire import walk


@dataclass(frozen=True, slots=True)
class ConversationTurn:
    """One turn of a conversation.

    Attributes:
        messages: the messages of the request that earlier turns do not have.
        outcome: the reply or the failure; None if the response could not be read.
        states: the states of a task in order, each with the number of polls that reported it.
        files: the bytes of each file that was downloaded, such as an image.
    """

    number: int
    messages: tuple[Message, ...]
    outcome: Outcome | None
    facts: Facts
    states: tuple[tuple[str, int], ...] = ()
    files: tuple[bytes, ...] = ()

    @property
    def reply(self) -> Reply | None:
        """The outcome if it is a reply, else None."""
        return self.outcome if isinstance(self.outcome, Reply) else None

    @property
    def failure(self) -> Failure | None:
        """The outcome if it is a failure, else None."""
        return self.outcome if isinstance(self.outcome, Failure) else None


def conversation(read: AnalyzedTranscript) -> tuple[ConversationTurn, ...]:
    """Return every turn of a transcript, without the history that requests repeat."""
    turns: list[ConversationTurn] = []
    before: tuple[Message, ...] = ()
    for turn in read.turns:
        messages = sent_messages(turn)
        turns.append(_turn(read, turn, _new(messages, before)))
        before = messages or before
    return tuple(turns)


def _turn(
    read: AnalyzedTranscript, turn: AnalyzedTurn, messages: tuple[Message, ...]
) -> ConversationTurn:
    states = turn.outcome.states if isinstance(turn.outcome, Reply) else ()
    fetched = (r for r in turn.readings if r.is_binary and r.accepted)
    return ConversationTurn(
        number=turn.turn.number,
        messages=messages,
        outcome=turn.outcome,
        facts=facts(read, turn),
        states=tuple((state, len(list(group))) for state, group in groupby(states)),
        files=tuple(reading.exchange.response.body for reading in fetched),
    )


def _new(messages: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages that follow those of the previous request, *before*, and its answer.

    All messages are returned if they do not begin with those of *before*.
    """
    if not before or messages[: len(before)] != before:
        return messages
    rest = messages[len(before) :]
    return rest[1:] if rest and rest[0].role == "assistant" else rest


def sent_messages(turn: AnalyzedTurn) -> tuple[Message, ...]:
    """Return the messages that a turn's request sent, history included; a prompt is one message."""
    call = turn.turn.call
    if call is not None:
        return call.messages or (Message("user", call.prompt),)
    first = next((r for r in turn.readings if not r.is_binary and _is_question(r)), None)
    return tuple(_sent(first.request_json.value)) if first else ()


def _is_question(reading: AnalyzedExchange) -> bool:
    return reading.endpoint is None or reading.endpoint.role in (Role.ANSWER, Role.SUBMIT)


def _sent(body: Json) -> Iterator[Message]:
    """Yield the messages of a request's body, or its prompt as a message, at any depth."""
    for pointer, value in walk(body):
        if pointer.endswith("/messages") and isinstance(value, list):
            yield from (
                replace(message_of(item), sent=EMPTY) for item in value if isinstance(item, dict)
            )
            return
        if pointer.endswith("/prompt") and isinstance(value, str):
            yield Message("user", value)
            return
