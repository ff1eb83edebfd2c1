"""What of a turn is compared: the shapes of its parts, its answer in neutral terms, its bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.shape import shape
from harness.analysis.transcript import AnalyzedTurn
from harness.types import Choice, Failure, LooseJson, Reply, ToolCall
from harness.wire import read_json
from harness.wire.images import inspect_image

Shape = Mapping[str, str]
"""Paths, as in `analysis.shape`, and the types found there, such as `integer|null`."""

PARTS = ("answer", "event", "submit", "poll", "result", "refusal", "file", "other")
"""The kinds of part, in the order they are told. A poll is one of a task still running; a result
is the last one, or a task that failed."""

WITH_VALUES = ("answer", "submit", "result", "refusal", "other")
"""The kinds of part whose values are compared too: what a stream and a task that is still running
say on the way depends on the moment."""


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """A turn as it is compared."""

    number: int
    shapes: Mapping[str, Shape]
    answer: Mapping[str, LooseJson]
    bodies: Mapping[str, tuple[AnalyzedExchange, ...]]
    events: int


def portrait(turn: AnalyzedTurn) -> TurnSummary:
    """Take from a turn what is compared."""
    grouped: dict[str, list[AnalyzedExchange]] = {}
    for reading in turn.readings:
        grouped.setdefault(part_of(reading), []).append(reading)
    kinds = [kind for kind in PARTS if kind in grouped]
    return TurnSummary(
        number=turn.turn.number,
        shapes={kind: _shape(grouped[kind]) for kind in kinds},
        answer=answer(turn),
        bodies={kind: tuple(grouped[kind]) for kind in kinds if kind in WITH_VALUES},
        events=events(turn),
    )


def part_of(reading: AnalyzedExchange) -> str:
    """Which kind of part an exchange is."""
    role = reading.endpoint.role if reading.endpoint else Role.OTHER
    if reading.is_binary:
        return "file"
    if not reading.accepted:
        return "refusal"
    if reading.is_stream:
        return "event"
    if role is Role.POLL:
        return "result" if _ended(reading) else "poll"
    return role.value


def _ended(reading: AnalyzedExchange) -> bool:
    outcome, endpoint = reading.outcome, reading.endpoint
    if isinstance(outcome, Reply) and endpoint is not None:
        return any(endpoint.states.ended(state) for state in outcome.states)
    return isinstance(outcome, Failure)


def _shape(readings: Iterable[AnalyzedExchange]) -> Shape:
    """The union of the shapes of all JSON values in these readings."""
    found: dict[str, set[str]] = {}
    for reading in readings:
        for path, types in _shape_of(reading):
            found.setdefault(path, set()).update(types)
    return {path: "|".join(sorted(types)) for path, types in found.items()}


def _shape_of(reading: AnalyzedExchange) -> Iterable[tuple[str, Iterable[str]]]:
    if reading.is_binary:
        return _file(reading)
    if not reading.parts:
        return [("", {"not JSON" if reading.exchange.response.body else "nothing"})]
    return [item for part in reading.parts for item in shape(part.value).items()]


def _file(reading: AnalyzedExchange) -> list[tuple[str, set[str]]]:
    response = reading.exchange.response
    shown = inspect_image(response.body)
    declared = (response.header("content-type") or "").partition(";")[0].strip().lower()
    media_type = shown.media_type if shown else declared or "unknown"
    return [("/media type", {media_type}), ("/size", {shown.size if shown else "no picture"})]


def answer(turn: AnalyzedTurn) -> dict[str, LooseJson]:
    """What a turn came to, in terms that belong to no provider; what was not said is left out."""
    outcome = turn.outcome
    if isinstance(outcome, Failure):
        told: dict[str, LooseJson] = {
            "outcome": "failure",
            "status": outcome.status,
            "code": outcome.code,
        }
    elif isinstance(outcome, Reply):
        told = {"outcome": "reply", **_reply(outcome)}
    else:
        told = {"outcome": "unknown"}
    return {**told, "delivery": delivery(turn)}


def _reply(reply: Reply) -> dict[str, LooseJson]:
    usage = reply.usage
    told = {
        **_choice(reply.choices[0]),
        "usage": usage
        and {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
        },
        "images": len(reply.images) or None,
        "states": [state for state, _ in groupby(reply.states)] or None,
        "cumulative": reply.cumulative or None,
        "choices": {str(choice.index): _choice(choice) for choice in reply.other_choices} or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _choice(choice: Choice) -> dict[str, LooseJson]:
    told = {
        "content": choice.content,
        "reasoning": choice.reasoning,
        "finish_reason": choice.finish_reason,
        "tool_calls": [_tool_call(call) for call in choice.tool_calls] or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _tool_call(call: ToolCall) -> dict[str, LooseJson]:
    parsed = read_json(call.arguments.encode("utf-8", "replace"))
    return {"name": call.name, "arguments": call.arguments if parsed.problem else parsed.value}


def delivery(turn: AnalyzedTurn) -> str:
    """How the answer came: at once, as a stream, or as a task."""
    if turn.polls:
        return "task"
    return "stream" if turn.answer and turn.answer.is_stream else "sync"


def events(turn: AnalyzedTurn) -> int:
    """How many server-sent events a turn's streams have."""
    return sum(len(reading.stream.events) for reading in turn.readings)
