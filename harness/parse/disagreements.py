"""Differences between what an SDK reads and what travelled.

Compared twice: each JSON value that travelled with the object the SDK made of it (level "wire"),
and, where these are equal, the outcomes that both come to (level "reply"). A null, an object
without members and a missing member are equal here: an SDK's attribute needs some value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from harness.analysis.change import Change, ChangeKind
from harness.analysis.difference import compare_json, leaves
from harness.analysis.exchange import AnalyzedExchange
from harness.types import Failure, Json, Outcome, Reply
from harness.wire import MISSING, Missing, type_name


class Kind(StrEnum):
    """How an SDK's reading differs from what travelled."""

    LOST = "lost"
    RETYPED = "retyped"
    CHANGED = "changed"
    INVENTED = "invented"
    CRASHED = "crashed"
    REFUSED = "refused though accepted"
    ACCEPTED = "accepted though refused"
    HIDDEN = "hidden"


class Level(StrEnum):
    """What is compared: the outcomes, or the JSON values."""

    REPLY = "reply"
    WIRE = "wire"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference.

    Attributes:
        kind: Its kind.
        level: What was compared.
        path: Where it is, in the notation of `analysis.shape`; of a crash, the error's class.
        at: The number of the event, in a stream, and the JSON pointer.
        expected: What travelled, or what the harness reads.
        actual: What the SDK reads.
    """

    kind: Kind
    level: Level
    path: str = ""
    at: str = ""
    expected: Json | Missing = MISSING
    actual: Json | Missing = MISSING


@dataclass(frozen=True, slots=True)
class Raised:
    """An error that an SDK raised; `documented` is whether it is one of the SDK's own."""

    error: str
    documented: bool


_KINDS: Mapping[ChangeKind, Kind] = {
    ChangeKind.REMOVED: Kind.LOST,
    ChangeKind.ADDED: Kind.INVENTED,
    ChangeKind.RETYPED: Kind.RETYPED,
}
"""The kinds of disagreement by kind of change; any other change is `changed`."""


def disagreements(reading: AnalyzedExchange, sdk: Outcome | Raised) -> Iterator[Disagreement]:
    """Yield each difference between an exchange and what an SDK reads in it."""
    wire = reading.outcome
    if isinstance(sdk, Raised):
        yield from _raised(wire, sdk)
        return
    kind = _kind(wire, sdk)
    if kind is not None:
        yield Disagreement(kind, Level.REPLY, expected=_plain(wire), actual=_plain(sdk))
    in_values = tuple(_in_values(reading, sdk))
    yield from in_values
    if kind is None and not in_values:
        yield from _compared(_plain(wire or Reply()), _plain(sdk), Level.REPLY)


def _kind(wire: Outcome | None, sdk: Outcome) -> Kind | None:
    """Return how the outcomes differ as a whole; None where their members can be compared."""
    if wire is not None and isinstance(sdk, Reply) and not sdk.views:
        return Kind.HIDDEN
    if isinstance(wire, Failure) and isinstance(sdk, Reply):
        return Kind.ACCEPTED
    if isinstance(wire, Reply) and isinstance(sdk, Failure):
        return Kind.REFUSED
    return None


def _raised(wire: Outcome | None, sdk: Raised) -> Iterator[Disagreement]:
    """Yield a disagreement, unless the SDK documents the error and there is nothing to read."""
    if not sdk.documented:
        name = sdk.error.partition(":")[0]
        yield Disagreement(Kind.CRASHED, Level.REPLY, name, expected=_plain(wire), actual=sdk.error)
    elif wire is not None:
        kind = Kind.REFUSED if isinstance(wire, Reply) else Kind.LOST
        yield Disagreement(kind, Level.REPLY, expected=_plain(wire), actual=sdk.error)


def _in_values(reading: AnalyzedExchange, sdk: Outcome) -> Iterator[Disagreement]:
    """Compare each JSON value that travelled with the object that the SDK made of it."""
    parts, views = reading.parts, sdk.views
    if not views or (isinstance(sdk, Failure) and len(parts) != len(views)):
        return
    if len(parts) != len(views):
        kind = Kind.LOST if len(views) < len(parts) else Kind.INVENTED
        yield Disagreement(kind, Level.WIRE, "events", expected=len(parts), actual=len(views))
        return
    for number, (part, view) in enumerate(zip(parts, views, strict=True), start=1):
        where = f"event {number} " if reading.is_stream else ""
        yield from _compared(part.value, view.value, Level.WIRE, where)


def _compared(
    expected: Json, actual: Json, level: Level, where: str = ""
) -> Iterator[Disagreement]:
    """Yield a disagreement for each leaf that is lost, invented or another one."""
    for change in compare_json(_without_empty(expected), _without_empty(actual)).changes:
        kind = _KINDS.get(change.kind, Kind.CHANGED)
        for leaf in _leaves_of(change):
            at = where + leaf.pointer
            yield Disagreement(kind, level, leaf.path, at, leaf.before, leaf.after)


def _leaves_of(change: Change) -> Iterator[Change]:
    """Yield a change for each leaf of a subtree that only one side has."""
    if not isinstance(change.before, Missing) and not isinstance(change.after, Missing):
        yield change
        return
    subtree = change.after if isinstance(change.before, Missing) else change.before
    for pointer, path, leaf in [] if isinstance(subtree, Missing) else leaves(subtree):
        sides = (MISSING, leaf) if subtree is change.after else (leaf, MISSING)
        yield Change(change.kind, change.path + path, change.pointer + pointer, *sides)


def _without_empty(value: Json) -> Json:
    """Return a value without its members that are null or an empty object."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = ((key, _without_empty(member)) for key, member in value.items())
    return {key: member for key, member in members if member is not None and member != {}}


_NOT_COMPARED = frozenset({"views", "cumulative", "retry_after"})


def _plain(outcome: Outcome | None) -> Json:
    """Return an outcome as JSON; an empty text is left out, like an absent one."""
    if outcome is None:
        return {}
    members = json.loads(json.dumps(asdict(replace(outcome, views=()))))
    return {
        name: value
        for name, value in members.items()
        if name not in _NOT_COMPARED and value not in (None, [], "")
    }


def shortened(value: Json | Missing, longest: int = 90) -> str:
    """Return a value's type and beginning, for a line of a report."""
    if isinstance(value, Missing):
        return "nothing"
    text = repr(value)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return f"{type_name(value)} {text}"
