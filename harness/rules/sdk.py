"""Does the official SDK show what travelled: nothing lost, nothing added, nothing changed?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import is_refusal
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import show, spoken, violation
from harness.types import (
    AccessFailure,
    Failure,
    Finding,
    LooseJson,
    Outcome,
    Place,
    Reply,
    Usage,
    View,
)
from harness.wire import MISSING, escape, resolve

Shown = tuple[View, Part, AnalyzedExchange]
"""What the SDK showed, and what travelled."""


def _place(turn: AnalyzedTurn) -> Place:
    return turn.answer.place() if turn.answer else Place(turn=turn.turn.number)


def _carried_out(read: AnalyzedTranscript) -> Iterator[tuple[AnalyzedTurn, Outcome]]:
    """The turns for which an SDK ran."""
    for turn in read.turns:
        if turn.turn.outcome is not None:
            yield turn, turn.turn.outcome


def _retried(reading: AnalyzedExchange, following: Sequence[AnalyzedExchange]) -> bool:
    """Whether this was an attempt that was made again, of which an SDK shows nothing."""
    status, request = reading.exchange.response.status, reading.exchange.request
    passing = status == 429 or status >= 500
    return passing and any(
        (r.exchange.request.method, r.exchange.request.uri, r.exchange.request.body)
        == (request.method, request.uri, request.body)
        for r in following
    )


def _parts(turn: AnalyzedTurn) -> list[tuple[Part, AnalyzedExchange]]:
    """What an SDK is to show, in order: no files, no attempts that were made again."""
    return [
        (part, reading)
        for n, reading in enumerate(turn.readings)
        if spoken(reading) and not _retried(reading, turn.readings[n + 1 :])
        for part in reading.parts
    ]


def shown(turn: AnalyzedTurn, outcome: Outcome) -> list[Shown] | None:
    """Each view beside its part; None where they cannot be paired.

    An SDK raises for a refusal, or shows it, and both are fine.
    """
    parts = _parts(turn)
    if len(parts) != len(outcome.views):
        parts = [(part, reading) for part, reading in parts if not _refuses(part, reading)]
    if len(parts) != len(outcome.views):
        return None
    pairs = zip(outcome.views, parts, strict=True)
    return [(view, part, reading) for view, (part, reading) in pairs]


def _refuses(part: Part, reading: AnalyzedExchange) -> bool:
    endpoint = reading.endpoint
    return not reading.accepted or (endpoint is not None and is_refusal(part, endpoint.fields))


def sdk_agrees_with_wire(read: AnalyzedTranscript) -> Iterator[Finding]:
    """Every field the SDK shows is on the wire with the same value and type, and none is lost.

    Where the wire has nothing the SDK may show something empty (None, "", [] or {}), as both do.
    """
    for turn, outcome in _carried_out(read):
        if not outcome.views:
            continue
        pairs = shown(turn, outcome)
        if pairs is None:
            expected = f"an SDK object for each of {len(_parts(turn))} answers or events"
            yield violation(expected, str(len(outcome.views)), _place(turn))
        for view, part, reading in pairs or ():
            for pointer, expected, found in _differences(view.value, part.value, reading):
                yield violation(expected, found, reading.place(pointer, part))


def _differences(
    shown: LooseJson, wire: LooseJson, reading: AnalyzedExchange, start: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Where two JSON values part, walked together; deep ones do not exhaust the stack."""
    stack: list[tuple[str, LooseJson, LooseJson]] = [(start, shown, wire)]
    while stack:
        pointer, one, other = stack.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            keys = dict.fromkeys([*other, *one])
            stack.extend(
                (f"{pointer}/{escape(k)}", one.get(k, MISSING), other.get(k, MISSING)) for k in keys
            )
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            stack.extend((f"{pointer}/{n}", one[n], other[n]) for n in range(len(other)))
        elif not _agree(pointer, one, other, reading):
            yield pointer, f"{_said(other)} as on the wire", f"{_said(one)} in the SDK"


def _agree(pointer: str, shown: LooseJson, wire: LooseJson, reading: AnalyzedExchange) -> bool:
    if wire is MISSING or wire is None:
        if pointer == "/status_code":
            return shown in (MISSING, reading.exchange.response.status) or _failed_with(
                reading, shown
            )
        return shown is MISSING or shown is None or shown in ("", [], {})
    return type(shown) is type(wire) and shown == wire


def _failed_with(reading: AnalyzedExchange, status: LooseJson) -> bool:
    return isinstance(reading.outcome, Failure) and reading.outcome.status == status


def _said(value: LooseJson) -> str:
    return "nothing" if value is MISSING else f"{type(value).__name__} {show(value)}"


_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[([0-9]+)\]|\[['\"]([^'\"]*)['\"]\]")


def _pointer(path: str) -> str:
    """An access path as a JSON pointer: `choices[0].message` is `/choices/0/message`."""
    return "".join("/" + escape(name or index or key) for name, index, key in _STEP.findall(path))


def access_paths_work(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The access paths that the documentation shows lead to what travelled.

    `response.choices[0].message.content` is what everybody writes.
    """
    for turn, outcome in _carried_out(read):
        for view, part, reading in shown(turn, outcome) or ():
            for path, value in view.accessed.items():
                pointer = _pointer(path)
                wire = resolve(part.value, pointer)
                if not _leads_to(value, wire, pointer, reading):
                    found = value.error if isinstance(value, AccessFailure) else _said(value)
                    expected = f"{path} to give {_said(wire)}"
                    yield violation(expected, found, reading.place(pointer, part))


def _leads_to(value: LooseJson, wire: LooseJson, pointer: str, reading: AnalyzedExchange) -> bool:
    if isinstance(value, AccessFailure):
        return wire is MISSING
    return not any(_differences(value, wire, reading, pointer))


def reply_agrees_with_wire(read: AnalyzedTranscript) -> Iterator[Finding]:
    """What a provider made of the answer is what the harness itself reads on the wire.

    Two readings by two programs: the SDK's and ours. Content, reasoning, finish reason, tool
    calls, usage, the states of a task and the links to pictures.
    """
    for turn, outcome in _carried_out(read):
        wire = turn.outcome
        if not isinstance(outcome, Reply) or not isinstance(wire, Reply):
            continue
        told, seen = _summary(outcome), _summary(wire)
        for name in told:
            if told[name] != seen[name]:
                expected = f"the {name} {show(seen[name])} as on the wire"
                yield violation(expected, show(told[name]), _place(turn))


def _summary(reply: Reply) -> dict[str, LooseJson]:
    usage = reply.usage or Usage()
    return {
        "content": reply.content or "",
        "reasoning": reply.reasoning or "",
        "finish reason": reply.finish_reason,
        "tool calls": [[call.id, call.name, call.arguments] for call in reply.tool_calls],
        "usage": [usage.input_tokens, usage.output_tokens, usage.total_tokens],
        "task states": list(reply.states),
        "images": [image.url for image in reply.images],
        "other choices": [asdict(choice) for choice in reply.other_choices],
        "way of streaming": "cumulative" if reply.cumulative else "piece by piece",
    }


def failure_agrees_with_wire(read: AnalyzedTranscript) -> Iterator[Finding]:
    """An SDK reports a refusal exactly where one travelled, with its status, code and message.

    A refusal that looks like an answer is worse than one that raises.
    """
    for turn, outcome in _carried_out(read):
        if not _agrees(turn, outcome):
            expected = f"{_named(turn.outcome)} as on the wire"
            yield violation(expected, f"{_named(outcome)} in the SDK", _place(turn))


def _agrees(turn: AnalyzedTurn, outcome: Outcome) -> bool:
    """Whether the outcome of a turn is a failure where one travelled, and the same."""
    wire = turn.outcome
    if isinstance(outcome, Reply):
        return isinstance(wire, Reply)
    if isinstance(wire, Failure):
        told = (outcome.status, outcome.code, outcome.message if wire.message else "")
        return told == (wire.status, wire.code, wire.message)
    return outcome.status == 0 and (wire is None or _unfinished(turn))


def _named(outcome: Outcome | None) -> str:
    if isinstance(outcome, Failure):
        told = " ".join(part for part in (outcome.code, show(outcome.message)) if part)
        return f"the refusal {outcome.status} {told}"
    return "no answer" if outcome is None else "an answer"


def _unfinished(turn: AnalyzedTurn) -> bool:
    """Whether the turn was given up while its task was still running."""
    if turn.answer is None or turn.answer.endpoint is None:
        return False
    wire, states = turn.outcome, turn.answer.endpoint.states
    return isinstance(wire, Reply) and bool(wire.states) and wire.states[-1] in states.running


def pieces_join_to_content(read: AnalyzedTranscript) -> Iterator[Finding]:
    """What an SDK streamed piece by piece is, joined, the text it stands for.

    Of a cumulative stream the last piece is the whole text.
    """
    for turn, outcome in _carried_out(read):
        if not isinstance(outcome, Reply) or not outcome.pieces:
            continue
        joined = outcome.pieces[-1] if outcome.cumulative else "".join(outcome.pieces)
        if joined != (outcome.content or ""):
            expected = f"pieces that join to {show(outcome.content)}"
            yield violation(expected, show(joined), _place(turn))
