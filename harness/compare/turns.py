"""Two portraits of one turn, layer by layer: shape, answer, content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from itertools import zip_longest

from harness.analysis.difference import Parting, leaves, partings, similarity
from harness.analysis.exchange import AnalyzedExchange
from harness.compare.summary import PARTS, TurnSummary
from harness.compare.types import Difference, Kind, Layer, Spot
from harness.types import LooseJson
from harness.wire import MISSING, read_json, type_name

REPLY = "reply"
"""The part that is an answer in neutral terms."""

_PROSE = ("/content", "/reasoning")


def differences(left: TurnSummary | None, right: TurnSummary | None) -> Iterator[Difference]:
    """Every spot where two portraits of one turn part, layer by layer."""
    if left is None or right is None:
        yield from _missing(left or right, left is None)
        return
    yield from _shapes(left, right)
    yield from _answers(left, right)
    yield from _contents(left, right)


def _missing(there: TurnSummary | None, on_the_left: bool) -> Iterator[Difference]:
    if there is not None:
        ours, theirs = (MISSING, "present") if on_the_left else ("present", MISSING)
        yield Difference(Spot(there.number), Kind.MISSING_TURN, ours, theirs, Layer.SHAPE)


def _shapes(left: TurnSummary, right: TurnSummary) -> Iterator[Difference]:
    for part in PARTS:
        ours, theirs = left.shapes.get(part), right.shapes.get(part)
        if ours is not None and theirs is not None:
            for parting in partings(ours, theirs):
                kind = Kind.TYPE if parting.kind is Kind.VALUE else parting.kind
                spot = Spot(left.number, part, parting.path)
                yield Difference(spot, kind, parting.left, parting.right, Layer.SHAPE)
        elif ours is not None or theirs is not None:
            yield _missing_part(Spot(left.number, part), ours is None)


def _missing_part(spot: Spot, on_the_left: bool) -> Difference:
    """Whether a task is seen running is a matter of the moment; any other part is not."""
    layer = Layer.VOLATILE if spot.part == "poll" else Layer.SHAPE
    if on_the_left:
        return Difference(spot, Kind.ONLY_RIGHT, MISSING, "present", layer)
    return Difference(spot, Kind.ONLY_LEFT, "present", MISSING, layer)


def _answers(left: TurnSummary, right: TurnSummary) -> Iterator[Difference]:
    number = left.number
    if left.answer["outcome"] != right.answer["outcome"]:
        spot = Spot(number, REPLY, "/outcome")
        yield Difference(spot, Kind.OUTCOME, _outcome(left), _outcome(right), Layer.ANSWER)
        return
    for parting in partings(*map(_flat, _told(left, right))):
        kind = Kind.STATUS if parting.path == "/status" else parting.kind
        spot, alike = Spot(number, REPLY, parting.path), _alike(parting)
        yield Difference(spot, kind, parting.left, parting.right, Layer.ANSWER, alike)
    if left.events and right.events and left.events != right.events:
        spot = Spot(number, REPLY, "/events")
        yield Difference(spot, Kind.VALUE, left.events, right.events, Layer.VOLATILE)


def _told(
    left: TurnSummary, right: TurnSummary
) -> tuple[dict[str, LooseJson], dict[str, LooseJson]]:
    """Two answers; contents that are JSON, if both are, as the values that they stand for."""
    ours, theirs = dict(left.answer), dict(right.answer)
    values = tuple(json_in(told.get("content")) for told in (ours, theirs))
    if None not in values:
        ours["content"], theirs["content"] = values
    return ours, theirs


def json_in(content: LooseJson) -> LooseJson:
    """The object or list that a text is, in a code fence or not; None if it is none."""
    text = content.strip() if isinstance(content, str) else ""
    fenced = _FENCE.fullmatch(text)
    text = fenced.group(1) if fenced else text
    if not text.startswith(("{", "[")):
        return None
    return read_json(text.encode("utf-8", "replace")).value


_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)


def alike(left: TurnSummary | None, right: TurnSummary | None) -> float | None:
    """How much the texts of two answers have in common, from 0 to 1; None unless both have one."""
    texts = [side.answer.get("content") if side else None for side in (left, right)]
    ours, theirs = texts
    if isinstance(ours, str) and isinstance(theirs, str) and (ours or theirs):
        return similarity(ours, theirs)
    return None


def _alike(parting: Parting) -> float | None:
    left, right = parting.left, parting.right
    if parting.path in _PROSE and isinstance(left, str) and isinstance(right, str):
        return similarity(left, right)
    return None


def _outcome(portrait: TurnSummary) -> str:
    told = portrait.answer
    if told["outcome"] == "failure":
        return f"failure {told['status']} {told['code']}".rstrip()
    return str(told["outcome"])


def _flat(value: LooseJson) -> dict[str, LooseJson]:
    return {pointer: leaf for pointer, _, leaf in leaves(value)}


def _contents(left: TurnSummary, right: TurnSummary) -> Iterator[Difference]:
    for part in PARTS:
        both = zip_longest(left.bodies.get(part, ()), right.bodies.get(part, ()))
        for count, (ours, theirs) in enumerate(both, start=1):
            if ours is not None and theirs is not None and _comparable(ours, theirs):
                name = part if count == 1 else f"{part} {count}"
                yield from _bodies(Spot(left.number, name), ours, theirs)


def _comparable(left: AnalyzedExchange, right: AnalyzedExchange) -> bool:
    ours, theirs = left.endpoint, right.endpoint
    return (ours.name if ours else "") == (theirs.name if theirs else "")


def _bodies(spot: Spot, left: AnalyzedExchange, right: AnalyzedExchange) -> Iterator[Difference]:
    """Where two bodies hold different values at paths that both of them have. That a path has
    another type was said already, as a difference of shape."""
    volatile = left.endpoint.volatile if left.endpoint else frozenset()
    ours, theirs = _values(left), _values(right)
    types, others = _types(ours), _types(theirs)
    paths = {pointer: path for side in (ours, theirs) for pointer, (path, _) in side.items()}
    common = types.keys() & others.keys()
    sides = ({p: v for p, (path, v) in side.items() if path in common} for side in (ours, theirs))
    for parting in partings(*sides):
        path = paths.get(parting.path, "")
        if parting.kind is not Kind.TYPE or types[path] == others[path]:
            where = Spot(spot.turn, spot.part, parting.path)
            layer = _layer(path, volatile)
            yield Difference(where, parting.kind, parting.left, parting.right, layer)


def _types(values: Mapping[str, tuple[str, LooseJson]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path, value in values.values():
        found.setdefault(path, set()).add(type_name(value))
    return found


def _values(reading: AnalyzedExchange) -> dict[str, tuple[str, LooseJson]]:
    if not reading.parts:
        text = reading.exchange.response.body.decode("utf-8", "replace")
        return {"": ("", text)}
    return {pointer: (path, leaf) for pointer, path, leaf in leaves(reading.parts[0].value)}


def _layer(path: str, volatile: Set[str]) -> Layer:
    """A path is volatile if it, or anything that holds it, is."""
    while path:
        if path in volatile:
            return Layer.VOLATILE
        path = path.rpartition("/")[0]
    return Layer.CONTENT
