"""Differences between a recorded HTTP response and what an SDK returned for it.

The first comparison (level "wire") is of each JSON value in the response with the object that the
SDK made of it. If these are equal, the second one (level "reply") compares the outcome that the
harness read in the response with the SDK's outcome. A null, an object without members and a missing
member count as equal, since an attribute of an SDK's object needs some value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from harness.analysis.difference import Change, ChangeKind, compare_json, leaves
from harness.analysis.exchange import AnalyzedExchange
from harness.types import Failure, Json, Outcome, Reply
from harness.wire import MISSING, Missing, resolve, type_name
from harness.wire.text import ellipsized


class Kind(StrEnum):
    """The kind of a difference between a response and what an SDK returned for it.

    Attributes:
        LOST: A value of the response is missing in the SDK's object.
        RETYPED: A value has another JSON type.
        CHANGED: A value of the same type differs.
        INVENTED: The SDK's object has a value that is not in the response.
        CRASHED: The SDK raised an error that is not one of its own.
        REFUSED: The SDK reported a failure for a successful response.
        ACCEPTED: The SDK reported a success for an error response.
        HIDDEN: The SDK returned nothing of the response.
    """

    LOST = "lost"
    RETYPED = "retyped"
    CHANGED = "changed"
    INVENTED = "invented"
    CRASHED = "crashed"
    REFUSED = "refused though accepted"
    ACCEPTED = "accepted though refused"
    HIDDEN = "hidden"


class Level(StrEnum):
    """The level of a comparison: `reply` compares outcomes, `wire` compares JSON values."""

    REPLY = "reply"
    WIRE = "wire"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference between a response and what an SDK returned for it.

    Attributes:
        kind: The kind of the difference.
        level: The level of the comparison.
        path: The path of the value, in the notation of `analysis.shape`; for a crash, the name of
            the error's class.
        at: The JSON pointer of the value, in a stream after the number of its event.
        expected: The value in the response, or in the outcome that the harness read.
        actual: The value in what the SDK returned.
    """

    kind: Kind
    level: Level
    path: str = ""
    at: str = ""
    expected: Json | Missing = MISSING
    actual: Json | Missing = MISSING


@dataclass(frozen=True, slots=True)
class Raised:
    """An error that an SDK raised for a response.

    Attributes:
        error: The error, as `<class>: <message>`.
        documented: Whether its class is one of the SDK's own error classes.
    """

    error: str
    documented: bool


_KINDS: Mapping[ChangeKind, Kind] = {
    ChangeKind.REMOVED: Kind.LOST,
    ChangeKind.ADDED: Kind.INVENTED,
    ChangeKind.RETYPED: Kind.RETYPED,
}
"""Maps a kind of change to a kind of disagreement; every other change is `Kind.CHANGED`."""


def disagreements(reading: AnalyzedExchange, sdk: Outcome | Raised) -> Iterator[Disagreement]:
    """Yield each difference between an exchange and what an SDK returned for it.

    Args:
        reading: The harness's analysis of the exchange.
        sdk: The outcome that the SDK returned, or the error that it raised.
    """
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
    """Return the kind of difference of outcomes that cannot be compared by member, else None."""
    if wire is not None and isinstance(sdk, Reply) and not sdk.views:
        return Kind.HIDDEN
    if isinstance(wire, Failure) and isinstance(sdk, Reply):
        return Kind.ACCEPTED
    if isinstance(wire, Reply) and isinstance(sdk, Failure):
        return Kind.REFUSED
    return None


def _raised(wire: Outcome | None, sdk: Raised) -> Iterator[Disagreement]:
    """Yield a disagreement for an error that an SDK raised.

    Yield nothing if the error is documented and the harness read no outcome in the response either.
    """
    if not sdk.documented:
        name = sdk.error.partition(":")[0]
        yield Disagreement(Kind.CRASHED, Level.REPLY, name, expected=_plain(wire), actual=sdk.error)
    elif wire is not None:
        kind = Kind.REFUSED if isinstance(wire, Reply) else Kind.LOST
        yield Disagreement(kind, Level.REPLY, expected=_plain(wire), actual=sdk.error)


def _in_values(reading: AnalyzedExchange, sdk: Outcome) -> Iterator[Disagreement]:
    """Yield the differences between each JSON value of the response and the SDK's object for it."""
    unshown = reading.endpoint.unshown if reading.endpoint else frozenset()
    parts = [part for part in reading.parts if resolve(part.value, "/type") not in unshown]
    views = sdk.views
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
    """Yield a disagreement for each differing leaf: a value that is no object and no array.

    *where* is put before its JSON pointer, such as "event 2 ".
    """
    for change in compare_json(_without_empty(expected), _without_empty(actual)).changes:
        kind = _KINDS.get(change.kind, Kind.CHANGED)
        for leaf in _leaves_of(change):
            at = where + leaf.pointer
            yield Disagreement(kind, level, leaf.path, at, leaf.before, leaf.after)


def _leaves_of(change: Change) -> Iterator[Change]:
    """Yield *change* or, if it adds or removes a subtree, a change for each leaf of the subtree."""
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
    """Return an outcome as JSON, without null, empty texts, empty lists and `_NOT_COMPARED`.

    Return an empty object for None.
    """
    if outcome is None:
        return {}
    members = json.loads(json.dumps(asdict(replace(outcome, views=()))))
    return {
        name: value
        for name, value in members.items()
        if name not in _NOT_COMPARED and value not in (None, [], "")
    }


def shortened(value: Json | Missing, longest: int = 90) -> str:
    """Return a value's type and at most *longest* characters of it; "nothing" for MISSING."""
    if isinstance(value, Missing):
        return "nothing"
    return f"{type_name(value)} {ellipsized(repr(value), longest)}"
