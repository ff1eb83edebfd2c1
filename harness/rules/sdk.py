"""Rules for what an SDK returns for an answer: nothing may be lost, added or changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TypeAlias

from harness.analysis.difference import compare_by_position
from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import is_refusal
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import show, turn_place
from harness.types import (
    AccessFailure,
    Failure,
    Finding,
    Json,
    Outcome,
    Reply,
    Usage,
    View,
)
from harness.wire import MISSING, Missing, escape, resolve

Shown = tuple[View, Part, AnalyzedExchange]
"""An object of the SDK, the part of the answer that it represents, and the part's exchange."""


def _run(analyzed: AnalyzedTranscript) -> Iterator[tuple[AnalyzedTurn, Outcome]]:
    """Yield (turn, outcome) for each turn for which an SDK ran."""
    for turn in analyzed.turns:
        if turn.turn.outcome is not None:
            yield turn, turn.turn.outcome


def _retried(reading: AnalyzedExchange, following: Sequence[AnalyzedExchange]) -> bool:
    """Return whether an attempt failed and was repeated, so that the SDK shows nothing of it."""
    status, request = reading.exchange.response.status, reading.exchange.request
    is_temporary = status == 429 or status >= 500
    return is_temporary and any(
        (r.exchange.request.method, r.exchange.request.uri, r.exchange.request.body)
        == (request.method, request.uri, request.body)
        for r in following
    )


def shown_parts(turn: AnalyzedTurn) -> list[tuple[Part, AnalyzedExchange]]:
    """Return (part, exchange) for each document or event that an SDK returns as an object.

    Downloaded files, and refused attempts that were retried, are left out.
    """
    return [
        (part, reading)
        for n, reading in enumerate(turn.readings)
        if _is_shown(reading) and not _retried(reading, turn.readings[n + 1 :])
        for part in reading.parts
        if part.event is None or not _is_unshown(part, reading)
    ]


def _is_shown(reading: AnalyzedExchange) -> bool:
    """Return whether an exchange is of an endpoint whose answers a session returns."""
    endpoint = reading.checked_endpoint
    return endpoint is not None and endpoint.role not in (Role.LOOKUP, Role.FILE)


def _is_unshown(part: Part, reading: AnalyzedExchange) -> bool:
    endpoint, kind = reading.endpoint, resolve(part.value, "/type")
    return endpoint is not None and isinstance(kind, str) and kind in endpoint.unshown


def shown(turn: AnalyzedTurn, outcome: Outcome) -> list[Shown] | None:
    """Return (SDK's object, part, exchange) for each object that an SDK returned in *outcome*.

    The part is the JSON value of the exchange's response that the object represents: both are
    paired in order. If there are more or fewer parts than objects, parts that are refusals are left
    out, since an SDK may raise an exception for them. Returns None if the numbers still differ.
    """
    parts = shown_parts(turn)
    if len(parts) != len(outcome.views):
        parts = [(part, reading) for part, reading in parts if not _refuses(part, reading)]
    if len(parts) != len(outcome.views):
        return None
    pairs = zip(outcome.views, parts, strict=True)
    return [(view, part, reading) for view, (part, reading) in pairs]


def _refuses(part: Part, reading: AnalyzedExchange) -> bool:
    endpoint = reading.endpoint
    return not reading.accepted or (endpoint is not None and is_refusal(part, endpoint.fields))


def sdk_agrees_with_wire(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an SDK shows every field of an answer with its value and type, and no other.

    Where the answer has no value, the SDK may show an empty one (None, "", [] or {}).
    """
    for turn, outcome in _run(analyzed):
        if not outcome.views:
            continue
        pairs = shown(turn, outcome)
        if pairs is None:
            expected = f"an SDK object for each of {len(shown_parts(turn))} answers or events"
            yield violation(expected, len(outcome.views), turn_place(turn))
        for view, part, reading in pairs or ():
            for pointer, expected, actual in _differences(view.value, part.value, reading):
                yield reading.violation(expected, actual, part, pointer)


_Value: TypeAlias = "Json | Missing"


def _differences(
    shown: _Value, wire: _Value, reading: AnalyzedExchange, pointer: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield (pointer, expected, actual) for each value that the SDK shows differently."""
    for change in compare_by_position(wire, shown):
        place = pointer + change.pointer
        if not _may_differ(place, change.after, change.before, reading):
            expected, actual = _typed(change.before), _typed(change.after)
            yield place, f"{expected} as in the answer", f"{actual} in the SDK"


def _may_differ(pointer: str, shown: _Value, wire: _Value, reading: AnalyzedExchange) -> bool:
    """Return whether the SDK may show *shown* where the answer has *wire*.

    It may show an empty value, or a correct status code, where the answer has none or null, and
    a time as an object of Python's.
    """
    if isinstance(shown, datetime) and isinstance(wire, str):
        return _is_time(wire, shown)
    if wire is not MISSING and wire is not None:
        return False
    if pointer == "/status_code":
        outcome = reading.outcome
        statuses = [reading.exchange.response.status]
        statuses += [outcome.status] if isinstance(outcome, Failure) else []
        return shown is MISSING or shown in statuses
    return shown is MISSING or shown is None or shown in ("", [], {})


def _is_time(text: str, time: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) == time
    except ValueError:
        return False


def _typed(value: object) -> str:
    return "nothing" if value is MISSING else f"{type(value).__name__} {show(value)}"


_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[([0-9]+)\]|\[['\"]([^'\"]*)['\"]\]")


def _pointer(path: str) -> str:
    """Return the JSON pointer of an access path: `choices[0].message` is `/choices/0/message`."""
    return "".join("/" + escape(name or index or key) for name, index, key in _STEP.findall(path))


def access_paths_work(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the documented access paths of an SDK lead to the values of the answer.

    Most programs use a path such as `response.choices[0].message.content`.
    """
    for turn, outcome in _run(analyzed):
        for view, part, reading in shown(turn, outcome) or ():
            for path, value in view.accessed.items():
                pointer = _pointer(path)
                wire = resolve(part.value, pointer)
                if not _leads_to(value, wire, pointer, reading):
                    actual = value.error if isinstance(value, AccessFailure) else _typed(value)
                    yield reading.violation(f"{path} to give {_typed(wire)}", actual, part, pointer)


def _leads_to(
    value: Json | AccessFailure, wire: _Value, pointer: str, reading: AnalyzedExchange
) -> bool:
    if isinstance(value, AccessFailure):
        return wire is MISSING
    return not any(_differences(value, wire, reading, pointer))


def reply_agrees_with_wire(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an SDK gives the same answer as the harness reads from the bytes.

    Compared are content, reasoning, finish reason, tool calls, usage, the states of a task, the
    links to files, vectors, ranking, further choices, and whether a stream is cumulative.
    """
    for turn, outcome in _run(analyzed):
        wire = turn.outcome
        if not isinstance(outcome, Reply) or not isinstance(wire, Reply):
            continue
        actual, expected = _summary(outcome), _summary(wire)
        for name in actual:
            if actual[name] != expected[name]:
                what = f"the {name} {show(expected[name])} as in the answer"
                yield violation(what, show(actual[name]), turn_place(turn))


def _summary(reply: Reply) -> dict[str, object]:
    usage = reply.usage or Usage()
    return {
        "content": reply.content or "",
        "reasoning": reply.reasoning or "",
        "finish reason": reply.finish_reason,
        "tool calls": [[call.id, call.name, call.arguments] for call in reply.tool_calls],
        "usage": [usage.input_tokens, usage.output_tokens, usage.total_tokens],
        "task states": list(reply.states),
        "files": [file.url for file in reply.files],
        "vectors": reply.vectors,
        "ranking": [[one.index, one.score] for one in reply.ranking],
        "other choices": [asdict(choice) for choice in reply.other_choices],
        "way of streaming": "cumulative" if reply.cumulative else "piece by piece",
    }


def failure_agrees_with_wire(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an SDK reports a refusal if there was one, with its status, code and message.

    A refusal that the SDK shows as an answer would go unnoticed.
    """
    for turn, outcome in _run(analyzed):
        if not _same_kind(turn, outcome):
            expected = f"{_named(turn.outcome)} as in the answer"
            yield violation(expected, f"{_named(outcome)} in the SDK", turn_place(turn))


def _same_kind(turn: AnalyzedTurn, outcome: Outcome) -> bool:
    """Return whether the SDK's outcome and the received one are two replies, or the same refusal.

    An SDK's failure without a status agrees with a turn without an answer, or with a running task.
    """
    wire = turn.outcome
    if isinstance(outcome, Reply):
        return isinstance(wire, Reply)
    if isinstance(wire, Failure):
        message = outcome.message if wire.message else ""
        actual = (outcome.status, outcome.code, message)
        return actual == (wire.status, wire.code, wire.message)
    return outcome.status == 0 and (wire is None or _is_running(turn, wire))


def _is_running(turn: AnalyzedTurn, reply: Reply) -> bool:
    """Return whether the last state that a turn received of its task is a running one."""
    if turn.answer is None or turn.answer.endpoint is None:
        return False
    return bool(reply.states) and reply.states[-1] in turn.answer.endpoint.states.running


def _named(outcome: Outcome | None) -> str:
    if isinstance(outcome, Failure):
        parts = filter(None, (outcome.code, show(outcome.message)))
        return f"the refusal {outcome.status} {' '.join(parts)}"
    return "no answer" if outcome is None else "an answer"


def pieces_join_to_content(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the pieces of a stream in an SDK join to its text.

    The last piece of a cumulative stream is the whole text.
    """
    for turn, outcome in _run(analyzed):
        if not isinstance(outcome, Reply) or not outcome.pieces:
            continue
        joined = outcome.pieces[-1] if outcome.cumulative else "".join(outcome.pieces)
        if joined != (outcome.content or ""):
            expected = f"pieces that join to {show(outcome.content)}"
            yield violation(expected, show(joined), turn_place(turn))
