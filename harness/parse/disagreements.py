"""Where an SDK's reading of an answer and the harness's own part.

Compared twice: each JSON value that travelled with the object the SDK made of it (level "wire"),
and, where these are the same, the answers that both come to (level "reply"). A null, an object
without members and a missing member are the same here: an SDK's attribute has to say something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from harness.analysis.change import Change, ChangeKind
from harness.analysis.difference import compare_json, leaves
from harness.analysis.exchange import AnalyzedExchange
from harness.types import Choice, Failure, Image, LooseJson, Outcome, Reply, ToolCall, Usage
from harness.wire import MISSING, Missing, type_name


class Kind(StrEnum):
    """How an SDK's reading parts from what travelled."""

    LOST = "lost"
    RETYPED = "retyped"
    CHANGED = "changed"
    INVENTED = "invented"
    CRASHED = "crashed"
    REFUSED = "refused though accepted"
    ACCEPTED = "accepted though refused"
    HIDDEN = "hidden"


class Level(StrEnum):
    """What is compared: the answers in neutral terms, or the JSON values."""

    REPLY = "reply"
    WIRE = "wire"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One path where they part. `ours` is the harness's reading or the wire, `theirs` the SDK's.

    `path` is in the notation of `analysis.shape`; `at` is the JSON pointer, after the number of the
    event where the answer is a stream.
    """

    kind: Kind
    level: Level
    path: str = ""
    at: str = ""
    ours: LooseJson | Missing = MISSING
    theirs: LooseJson | Missing = MISSING


@dataclass(frozen=True, slots=True)
class Raised:
    """An SDK raised instead of answering; `typed` says whether that error is one of its own."""

    error: str
    typed: bool


_KINDS: Mapping[ChangeKind, Kind] = {
    ChangeKind.REMOVED: Kind.LOST,
    ChangeKind.ADDED: Kind.INVENTED,
    ChangeKind.RETYPED: Kind.RETYPED,
}
"""The kinds of disagreement by kind of change; any other change is `changed`."""


def disagreements(reading: AnalyzedExchange, theirs: Outcome | Raised) -> Iterator[Disagreement]:
    """Every path where an SDK's reading parts from the harness's own."""
    ours = reading.outcome
    if isinstance(theirs, Raised):
        yield from _raised(ours, theirs)
        return
    kind = _kind(ours, theirs)
    if kind is not None:
        yield Disagreement(kind, Level.REPLY, ours=_said(ours), theirs=_said(theirs))
    wire = tuple(_values(reading, theirs))
    yield from wire
    if kind is None and not wire:
        yield from _parted(_said(ours or Reply()), _said(theirs), Level.REPLY)


def _kind(ours: Outcome | None, theirs: Outcome) -> Kind | None:
    """How the answers part as a whole; None where their members may be compared."""
    if ours is not None and isinstance(theirs, Reply) and not theirs.views:
        return Kind.HIDDEN
    if isinstance(ours, Failure) and isinstance(theirs, Reply):
        return Kind.ACCEPTED
    if isinstance(ours, Reply) and isinstance(theirs, Failure):
        return Kind.REFUSED
    return None


def _raised(ours: Outcome | None, theirs: Raised) -> Iterator[Disagreement]:
    """An error of the SDK's own is right where there is nothing to be read."""
    if not theirs.typed:
        name = theirs.error.partition(":")[0]
        yield Disagreement(Kind.CRASHED, Level.REPLY, name, ours=_said(ours), theirs=theirs.error)
    elif ours is not None:
        kind = Kind.REFUSED if isinstance(ours, Reply) else Kind.LOST
        yield Disagreement(kind, Level.REPLY, ours=_said(ours), theirs=theirs.error)


def _values(reading: AnalyzedExchange, theirs: Outcome) -> Iterator[Disagreement]:
    """Each JSON value that travelled beside the object the SDK made of it."""
    sent, made = [part.value for part in reading.parts], [view.value for view in theirs.views]
    if not made or (isinstance(theirs, Failure) and len(sent) != len(made)):
        return
    if len(sent) != len(made):
        kind = Kind.LOST if len(made) < len(sent) else Kind.INVENTED
        yield Disagreement(kind, Level.WIRE, "events", ours=len(sent), theirs=len(made))
        return
    for number, (ours, it) in enumerate(zip(sent, made, strict=True), start=1):
        where = f"event {number} " if reading.is_stream else ""
        yield from _parted(ours, it, Level.WIRE, where)


def _parted(
    ours: LooseJson, theirs: LooseJson, level: Level, where: str = ""
) -> Iterator[Disagreement]:
    """Yield a disagreement for each leaf that is lost, invented or another one."""
    for change in compare_json(_without_empty(ours), _without_empty(theirs)).changes:
        kind = _KINDS.get(change.kind, Kind.CHANGED)
        for leaf in _leaves_of(change):
            yield Disagreement(
                kind, level, leaf.path, where + leaf.pointer, leaf.before, leaf.after
            )


def _leaves_of(change: Change) -> Iterator[Change]:
    """Yield a change for each leaf of a subtree that only one side has."""
    if not isinstance(change.before, Missing) and not isinstance(change.after, Missing):
        yield change
        return
    subtree = change.after if isinstance(change.before, Missing) else change.before
    for pointer, path, leaf in [] if isinstance(subtree, Missing) else leaves(subtree):
        sides = (MISSING, leaf) if subtree is change.after else (leaf, MISSING)
        yield Change(change.kind, change.path + path, change.pointer + pointer, *sides)


def _without_empty(value: LooseJson) -> LooseJson:
    """Return a value without its members that are null or an empty object."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = ((key, _without_empty(member)) for key, member in value.items())
    return {key: member for key, member in members if member is not None and member != {}}


_NOT_SAID = frozenset({"views", "cumulative", "retry_after"})


def _said(outcome: Outcome | None) -> LooseJson:
    """An answer in neutral terms as JSON; an empty text says as little as none."""
    told = ((f.name, _json(getattr(outcome, f.name))) for f in fields(outcome)) if outcome else ()
    return {name: v for name, v in told if name not in _NOT_SAID and v not in (None, [], "")}


def _json(value: LooseJson) -> LooseJson:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, Usage | ToolCall | Image | Choice):
        return {f.name: _json(getattr(value, f.name)) for f in fields(value)}
    return value


def shortened(value: LooseJson | Missing, longest: int = 90) -> str:
    """A value as a line of a report: its type and how it begins."""
    if isinstance(value, Missing):
        return "nothing"
    told = repr(value)
    told = told if len(told) <= longest else told[: longest - 1] + "…"
    return f"{type_name(value)} {told}"
