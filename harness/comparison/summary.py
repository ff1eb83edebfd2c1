"""Summaries of turns for comparison, and the names of transcripts in reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.types import Choice, Failure, Json, Medium, Reply, ToolCall, Transcript
from harness.wire import read_json, resolve
from harness.wire.images import inspect_image

TypesByPath = Mapping[str, str]
"""The types of values by path, such as `integer|null`; paths as in `analysis.shape`."""

AnswerJson = Mapping[str, Json]
"""The outcome of a turn as JSON, with the same keys for all providers; None is left out."""

PARTS = ("answer", "event", "submit", "poll", "result", "refusal", "file", "other")
"""The kinds of exchange, in the order of reports. `event` is a stream, `submit` begins a task,
`poll` finds it running, `result` finds it succeeded or failed."""


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """The compared values of a turn.

    Attributes:
        number: The turn's number, from 1.
        shapes: For each kind of exchange in `PARTS` that the turn has, the JSON types by path, such
            as `integer|null` at `/usage/total_tokens`.
        answer: The outcome of the turn, as JSON with the same keys for all providers.
        bodies: The exchanges of the turn by their kind, as in `PARTS`.
        events: Number of server-sent events.
    """

    number: int
    shapes: Mapping[str, TypesByPath]
    answer: AnswerJson
    bodies: Mapping[str, tuple[AnalyzedExchange, ...]]
    events: int


def summarize(turn: AnalyzedTurn) -> TurnSummary:
    """Return the parts of a turn that comparisons look at: formats, outcome, and exchanges."""
    bodies = _by_part(turn)
    return TurnSummary(
        number=turn.turn.number,
        shapes={part: _shape(grouped) for part, grouped in bodies.items()},
        answer=_answer(turn),
        bodies=bodies,
        events=event_count(turn),
    )


def _by_part(turn: AnalyzedTurn) -> Mapping[str, tuple[AnalyzedExchange, ...]]:
    exchanges: dict[str, list[AnalyzedExchange]] = {}
    for exchange in turn.readings:
        exchanges.setdefault(part_of(exchange), []).append(exchange)
    return {part: tuple(exchanges[part]) for part in PARTS if part in exchanges}


def types_in(turn: AnalyzedTurn) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Yield (part, path, types) for the values in each exchange of a turn, as in `summarize`.

    A path may come more than once.
    """
    for part, exchanges in _by_part(turn).items():
        for exchange in exchanges:
            yield from ((part, path, types) for path, types in _shapes_of(exchange))


def summarize_all(transcript: AnalyzedTranscript) -> tuple[TurnSummary, ...]:
    """Return the summary of each turn of *transcript*, in order."""
    return tuple(map(summarize, transcript.turns))


def part_of(exchange: AnalyzedExchange) -> str:
    """Return the kind of an exchange, one of `PARTS`, such as `answer` or `event` (a stream)."""
    role = exchange.endpoint.role if exchange.endpoint else Role.OTHER
    if exchange.is_binary:
        return "file"
    if not exchange.accepted:
        return "refusal"
    if exchange.is_stream:
        return "event"
    if role is Role.POLL:
        return "result" if _has_ended(exchange) else "poll"
    return role.value


def _has_ended(poll: AnalyzedExchange) -> bool:
    outcome, endpoint = poll.outcome, poll.endpoint
    if isinstance(outcome, Reply) and endpoint is not None:
        return any(endpoint.states.ended(state) for state in outcome.states)
    return isinstance(outcome, Failure)


def _shape(exchanges: Iterable[AnalyzedExchange]) -> TypesByPath:
    """Return the types by path of all JSON values in these exchanges together."""
    types: dict[str, set[str]] = {}
    for exchange in exchanges:
        for path, kinds in _shapes_of(exchange):
            types.setdefault(path, set()).update(kinds)
    return {path: "|".join(sorted(kinds)) for path, kinds in types.items()}


def _shapes_of(exchange: AnalyzedExchange) -> Iterable[tuple[str, Iterable[str]]]:
    if exchange.is_binary:
        return _file_shape(exchange)
    if not exchange.parts:
        return [("", {"not JSON" if exchange.exchange.response.body else "nothing"})]
    return exchange.shape.items()


def _file_shape(exchange: AnalyzedExchange) -> list[tuple[str, set[str]]]:
    image = inspect_image(exchange.exchange.response.body)
    media_type = image.media_type if image else exchange.media_type or "unknown"
    return [("/media type", {media_type}), ("/size", {image.size if image else "no picture"})]


def _answer(turn: AnalyzedTurn) -> dict[str, Json]:
    outcome = turn.outcome
    answer: dict[str, Json] = {"outcome": "unknown"}
    if isinstance(outcome, Failure):
        answer = {"outcome": "failure", "status": outcome.status, "code": outcome.code}
    elif isinstance(outcome, Reply):
        answer = {"outcome": "reply", **_reply(outcome)}
    return {**answer, "delivery": delivery(turn)}


def _reply(reply: Reply) -> dict[str, Json]:
    usage = reply.usage
    values: dict[str, Json] = {
        **_choice(reply.choices[0]),
        "usage": {name: getattr(usage, name) for name in _COUNTS} if usage else None,
        "images": len(reply.images) or None,
        "files": [f.medium for f in reply.files if f.medium is not Medium.IMAGE] or None,
        "vectors": [len(vector) for vector in reply.vectors] or None,
        "ranking": [one.index for one in reply.ranking] or None,
        "states": [state for state, _ in groupby(reply.states)] or None,
        "cumulative": reply.cumulative or None,
        "choices": {str(choice.index): _choice(choice) for choice in reply.other_choices} or None,
    }
    return {name: value for name, value in values.items() if value is not None}


_COUNTS = ("input_tokens", "output_tokens", "total_tokens")


def _choice(choice: Choice) -> dict[str, Json]:
    values: dict[str, Json] = {
        "content": choice.content,
        "reasoning": choice.reasoning,
        "finish_reason": choice.finish_reason,
        "tool_calls": [_tool_call(call) for call in choice.tool_calls] or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _tool_call(call: ToolCall) -> dict[str, Json]:
    parsed = read_json(call.arguments.encode("utf-8", "replace"))
    return {"name": call.name, "arguments": call.arguments if parsed.problem else parsed.value}


def delivery(turn: AnalyzedTurn) -> str:
    """Return how the answer was delivered: `sync`, `stream` or `task` (polled for its result)."""
    if turn.polls:
        return "task"
    return "stream" if turn.answer and turn.answer.is_stream else "sync"


def event_count(turn: AnalyzedTurn) -> int:
    """Return the number of server-sent events in a turn's streams."""
    return sum(len(exchange.stream.events) for exchange in turn.readings)


# ---------------------------------------------------------------------- names of transcripts


def name(transcript: AnalyzedTranscript) -> str:
    """Return the target of a transcript, or its file if it has none, or `unknown`."""
    recorded = transcript.transcript
    return recorded.target or recorded.source or "unknown"


def names(transcripts: Sequence[AnalyzedTranscript]) -> tuple[str, ...]:
    """Return a name for each transcript, in order: its target, such as `zhipuai/glm-4.5`.

    To tell transcripts with the same target apart, their scenario, day or file is added in
    parentheses: the first of these that is different for all of them.
    """
    twins: dict[str, list[Transcript]] = {}
    for each in transcripts:
        twins.setdefault(name(each), []).append(each.transcript)
    details = {name: _distinct_detail(several) for name, several in twins.items()}
    return tuple(_with_detail(name(each), details[name(each)], each) for each in transcripts)


_Detail: TypeAlias = Callable[[Transcript], str]


def _distinct_detail(twins: Sequence[Transcript]) -> _Detail | None:
    """Return the first detail that is different for all *twins*; None if there is none or no need.

    *twins* are the transcripts with one name.
    """
    for detail in _DETAILS if len(twins) > 1 else ():
        found = [*map(detail, twins)]
        if all(found) and len({*found}) == len(found):
            return detail
    return None


def _with_detail(name: str, detail: _Detail | None, transcript: AnalyzedTranscript) -> str:
    return f"{name} ({detail(transcript.transcript)})" if detail else name


_DETAILS: tuple[_Detail, ...] = (
    lambda transcript: transcript.scenario,
    lambda transcript: transcript.provenance.recorded_at[:10],
    lambda transcript: transcript.source,
)


def model_of(transcript: AnalyzedTranscript, exchange: AnalyzedExchange) -> tuple[str, str]:
    """Return (provider, model) of a transcript, each empty if unknown.

    They are taken from the transcript's target. If it names no model, the provider of the endpoint
    and the model in the request of *exchange* are returned.
    """
    provider, slash, model = transcript.transcript.target.partition("/")
    if slash:
        return provider, model.partition(" (")[0]
    requested = resolve(exchange.request_json.value, "/model")
    dialect = exchange.endpoint.dialect if exchange.endpoint else ""
    return dialect, requested if isinstance(requested, str) else ""


def common_scenario(transcripts: Iterable[AnalyzedTranscript]) -> str:
    """Return the scenario of the transcripts; empty if they have several or none."""
    scenarios = {transcript.transcript.scenario for transcript in transcripts} - {""}
    return scenarios.pop() if len(scenarios) == 1 else ""
