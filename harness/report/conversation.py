"""A transcript as a conversation: messages and answers, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from harness.analysis.endpoint import Fields, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import seen
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.comparison.matrix import TurnFigures, turn_figures
from harness.scenario.messages import content_text, message_of
from harness.types import (
    EMPTY,
    Call,
    CallKind,
    ContentPart,
    Failure,
    Json,
    Medium,
    Message,
    Outcome,
    Reply,
    shorten,
)
from harness.wire import query, walk


@dataclass(frozen=True, slots=True)
class ConversationTurn:
    """One turn of a conversation.

    Attributes:
        number: the turn's number, from 1.
        messages: the messages of the request, without those that earlier turns sent already.
        outcome: the reply or the failure; None if the response could not be read.
        figures: the tokens, times and cost of the turn.
        states: the states of an asynchronous task in order, each as (state, number of consecutive
            polls that reported it).
        files: the bytes of each file that was downloaded, such as an image.
        documents: the texts that a call to a reranking model asked to rank; else empty.
    """

    number: int
    messages: tuple[Message, ...]
    outcome: Outcome | None
    figures: TurnFigures
    states: tuple[tuple[str, int], ...] = ()
    files: tuple[bytes, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def reply(self) -> Reply | None:
        """The outcome if it is a reply, else None."""
        return self.outcome if isinstance(self.outcome, Reply) else None

    @property
    def failure(self) -> Failure | None:
        """The outcome if it is a failure, else None."""
        return self.outcome if isinstance(self.outcome, Failure) else None


def conversation(read: AnalyzedTranscript) -> Iterator[ConversationTurn]:
    """Yield the turns of the transcript *read*, without the history that requests repeat.

    What is parsed for a turn of many is not kept: it takes several times the memory of the turns.
    """
    before: tuple[Message, ...] = ()
    for kept in read.turns:
        is_kept = len(read.turns) <= _FEW
        turn = kept if is_kept else replace(kept, readings=tuple(map(replace, kept.readings)))
        messages = sent_messages(turn)
        yield _turn(read, turn, _new(messages, before))
        before = messages or before


_FEW = 50
"""The largest number of turns of which all that is parsed may be in memory."""


def _turn(
    read: AnalyzedTranscript, turn: AnalyzedTurn, messages: tuple[Message, ...]
) -> ConversationTurn:
    states = turn.outcome.states if isinstance(turn.outcome, Reply) else ()
    return ConversationTurn(
        number=turn.turn.number,
        messages=messages,
        outcome=turn.outcome,
        figures=turn_figures(read, turn),
        states=tuple((state, len(list(group))) for state, group in groupby(states)),
        files=tuple(downloads(turn)),
        documents=tuple(_documents(turn)),
    )


def downloads(turn: AnalyzedTurn) -> Iterator[bytes]:
    """Yield the bytes of each file that was downloaded in a turn, such as an image."""
    for reading in turn.readings:
        if reading.is_binary and reading.accepted:
            yield reading.exchange.response.body


def _documents(turn: AnalyzedTurn) -> Iterator[str]:
    if not isinstance(turn.outcome, Reply) or not turn.outcome.ranking:
        return
    if turn.turn.call is not None:
        yield from (part.value for part in turn.turn.call.inputs)
    elif question := next(filter(_is_question, turn.readings), None):
        for value in _given(question, "texts"):
            yield from map(content_text, value if isinstance(value, list) else ())


def _new(messages: tuple[Message, ...], before: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages that follow those of the previous request, *before*, and its answer.

    All messages are returned if they do not begin with those of *before*.
    """
    if not before or messages[: len(before)] != before:
        return messages
    rest = messages[len(before) :]
    return rest[1:] if rest and rest[0].role == "assistant" else rest


def sent_messages(turn: AnalyzedTurn) -> tuple[Message, ...]:
    """Return all messages in the request of a turn, with the history that it repeats.

    A prompt is returned as one message.
    """
    call = turn.turn.call
    if call is not None:
        return call.messages or (_asked(call),)
    first = next(filter(_is_question, turn.readings), None)
    if first is None:
        return ()
    return (
        tuple(_translated(first)) or tuple(_sent(first.request_json.value)) or tuple(_inputs(first))
    )


def _translated(reading: AnalyzedExchange) -> Iterator[Message]:
    """Yield the messages of a request in a format of its own, such as Anthropic's."""
    endpoint = reading.endpoint
    if endpoint is not None and endpoint.conversation is not None:
        for _, message in endpoint.conversation(reading.request_json.value):
            if isinstance(message, dict):
                yield _message(message)


def _asked(call: Call) -> Message:
    """Return what a call without messages asks as a message: its prompt, its inputs."""
    query = (ContentPart(Medium.TEXT, call.prompt),) if call.kind is CallKind.RERANK else ()
    return Message("user", call.prompt, parts=(*query, *call.inputs) if call.inputs else ())


def _is_question(reading: AnalyzedExchange) -> bool:
    if reading.endpoint is None:
        return not reading.is_binary
    return reading.endpoint.role in (Role.ANSWER, Role.SUBMIT)


def _sent(body: Json) -> Iterator[Message]:
    """Yield the messages of a request's body, or its prompt as a message, at any depth."""
    for pointer, value in walk(body):
        if pointer.endswith("/messages") and isinstance(value, list):
            yield from (_message(item) for item in value if isinstance(item, dict))
            return
        if pointer.endswith("/prompt") and isinstance(value, str):
            (_, beside), *_ = query(body, pointer.removesuffix("/prompt"))
            pictures = tuple(ContentPart(Medium.IMAGE, url) for url in _pictures(beside))
            parts = (ContentPart(Medium.TEXT, value), *pictures) if pictures else ()
            yield Message("user", value, parts=parts)
            return


def _pictures(beside: Json) -> Iterator[str]:
    """Yield the URLs of the pictures and films beside a prompt, from which a film is made."""
    for name, value in beside.items() if isinstance(beside, dict) else ():
        if name.endswith("_url") and isinstance(value, str):
            yield value
    for _, url in query(beside, "/media/[]/url"):
        if isinstance(url, str):
            yield url


def _inputs(reading: AnalyzedExchange) -> Iterator[Message]:
    """Yield the prompt and the inputs of a request without messages as one message."""
    given = [*_given(reading, "prompt"), *_given(reading, "texts")]
    if given:
        yield Message("user", "\n".join(_input_text(value) for value in given))


def _input_text(value: Json) -> str:
    """Return an input as text; of a picture, a film or a sound, its URL."""
    if isinstance(value, list):
        return "\n".join(map(_input_text, value))
    for name, url in value.items() if isinstance(value, dict) else ():
        if name in ("image", "video", "audio") and isinstance(url, str):
            return f"[{name}: {shorten(url)}]"
    return content_text(value)


def _given(reading: AnalyzedExchange, name: str) -> Iterator[Json]:
    """Yield the values of a field of a request, by the name of the field in `Fields`."""
    fields = reading.endpoint.fields if reading.endpoint else Fields()
    for _, value in seen(reading.request_json.value, getattr(fields, name)):
        yield value


def _message(sent: dict[str, Json]) -> Message:
    """Return a recorded message; its content is one text if it has parts of an unknown kind."""
    message, content = replace(message_of(sent), sent=EMPTY), sent.get("content")
    if isinstance(content, list) and len(message.parts) < len(content):
        return replace(message, content=content_text(content), parts=())
    return message
