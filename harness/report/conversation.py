"""A transcript as a conversation: who said what, turn by turn, for any renderer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from harness.analysis.endpoint import Role
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare import Facts, facts
from harness.types import Failure, LooseJson, Outcome, Reply, ToolCall
from harness.wire import walk


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a conversation."""

    role: str
    text: str
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Talk:
    """One turn of a conversation: what was asked anew, and what came back.

    `states` are a task's states, each with how often it was seen in a row; `files` the bytes of
    what was fetched.
    """

    number: int
    asked: tuple[Said, ...]
    outcome: Outcome | None
    facts: Facts
    states: tuple[tuple[str, int], ...] = ()
    files: tuple[bytes, ...] = ()

    @property
    def reply(self) -> Reply | None:
        """The answer, if it was one."""
        return self.outcome if isinstance(self.outcome, Reply) else None

    @property
    def failure(self) -> Failure | None:
        """The refusal, if it was one."""
        return self.outcome if isinstance(self.outcome, Failure) else None


def conversation(read: AnalyzedTranscript) -> tuple[Talk, ...]:
    """Every turn of a transcript; what earlier turns said already is not repeated."""
    talks: list[Talk] = []
    before: tuple[Said, ...] = ()
    for turn in read.turns:
        asked = _asked(turn)
        talks.append(_talk(read, turn, _new(asked, before)))
        before = asked or before
    return tuple(talks)


def _talk(read: AnalyzedTranscript, turn: AnalyzedTurn, asked: tuple[Said, ...]) -> Talk:
    outcome = turn.outcome
    states = outcome.states if isinstance(outcome, Reply) else ()
    fetched = (r for r in turn.readings if r.is_binary and r.accepted)
    return Talk(
        number=turn.turn.number,
        asked=asked,
        outcome=outcome,
        facts=facts(read, turn),
        states=tuple((state, len(list(group))) for state, group in groupby(states)),
        files=tuple(reading.exchange.response.body for reading in fetched),
    )


def _new(asked: tuple[Said, ...], before: tuple[Said, ...]) -> tuple[Said, ...]:
    """What is said for the first time: the past is repeated in every request."""
    if not before or asked[: len(before)] != before:
        return asked
    rest = asked[len(before) :]
    return rest[1:] if rest and rest[0].role == "assistant" else rest


def _asked(turn: AnalyzedTurn) -> tuple[Said, ...]:
    call = turn.turn.call
    if call is not None:
        said = tuple(Said(m.role, m.content, m.tool_calls) for m in call.messages)
        return said or (Said("user", call.prompt),)
    first = next((r for r in turn.readings if not r.is_binary and _is_question(r.endpoint)), None)
    return tuple(_sent(first.request_json.value)) if first else ()


def _is_question(endpoint: object) -> bool:
    return getattr(endpoint, "role", None) in (Role.ANSWER, Role.SUBMIT, None)


def _sent(body: LooseJson) -> Iterator[Said]:
    """The messages, or else the prompt, of a request's body, wherever its provider puts them."""
    for pointer, value in walk(body):
        if pointer.endswith("/messages") and isinstance(value, list):
            yield from (_message(item) for item in value if isinstance(item, dict))
            return
        if pointer.endswith("/prompt") and isinstance(value, str):
            yield Said("user", value)
            return


def _message(sent: dict[str, LooseJson]) -> Said:
    calls = sent.get("tool_calls")
    return Said(
        role=str(sent.get("role", "")),
        text=_text(sent.get("content")),
        tool_calls=tuple(_tool_calls(calls) if isinstance(calls, list) else ()),
    )


def _text(content: LooseJson) -> str:
    """A message's content as text, also where it is made of pieces."""
    if isinstance(content, list):
        return "\n".join(_text(piece) for piece in content)
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return str(content["text"])
    if content is None or isinstance(content, str):
        return content or ""
    return json.dumps(content, ensure_ascii=False)


def _tool_calls(calls: list[LooseJson]) -> Iterator[ToolCall]:
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            name, arguments = function.get("name"), function.get("arguments")
            yield ToolCall(str(call.get("id", "")), str(name or ""), _text(arguments))
