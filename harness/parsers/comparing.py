"""Where an SDK's reading of an answer and the harness's own part.

Compared twice: the answers both come to (level "reply"), and each JSON value that travelled with
the object the SDK made of it (level "wire"). A null and a missing member are the same here: an
SDK's attribute has to say something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from harness.compare.engine import leaves, partings
from harness.compare.nouns import Kind as Way
from harness.reading import Reading
from harness.types import Failure, Image, Json, Outcome, Reply, ToolCall, Usage
from harness.wire import ABSENT, Absent, type_name


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

    `path` is in the notation of `wire.shape`; `at` is the JSON pointer, after the number of the
    event where the answer is a stream.
    """

    kind: Kind
    level: Level
    path: str = ""
    at: str = ""
    ours: Json | Absent = ABSENT
    theirs: Json | Absent = ABSENT


@dataclass(frozen=True, slots=True)
class Raised:
    """An SDK raised instead of answering; `typed` says whether that error is one of its own."""

    error: str
    typed: bool


_WAYS: Mapping[Way, Kind] = {
    Way.ONLY_LEFT: Kind.LOST,
    Way.ONLY_RIGHT: Kind.INVENTED,
    Way.TYPE: Kind.RETYPED,
    Way.VALUE: Kind.CHANGED,
    Way.MORE: Kind.CHANGED,
}


def disagreements(reading: Reading, theirs: Outcome | Raised) -> Iterator[Disagreement]:
    """Every path where an SDK's reading parts from the harness's own."""
    ours = reading.outcome
    if isinstance(theirs, Raised):
        yield from _raised(ours, theirs)
        return
    if ours is not None and not theirs.views and isinstance(theirs, Reply):
        yield Disagreement(Kind.HIDDEN, Level.REPLY, ours=_said(ours))
    elif isinstance(ours, Failure) and isinstance(theirs, Reply):
        yield Disagreement(Kind.ACCEPTED, Level.REPLY, ours=_said(ours), theirs=_said(theirs))
    elif isinstance(ours, Reply) and isinstance(theirs, Failure):
        yield Disagreement(Kind.REFUSED, Level.REPLY, ours=_said(ours), theirs=_said(theirs))
    else:
        yield from _parted(_said(ours or Reply()), _said(theirs), Level.REPLY)
    yield from _values(reading, theirs)


def _raised(ours: Outcome | None, theirs: Raised) -> Iterator[Disagreement]:
    """An error of the SDK's own is right where there is nothing to be read."""
    if not theirs.typed:
        yield Disagreement(Kind.CRASHED, Level.REPLY, ours=_said(ours), theirs=theirs.error)
    elif ours is not None:
        kind = Kind.REFUSED if isinstance(ours, Reply) else Kind.LOST
        yield Disagreement(kind, Level.REPLY, ours=_said(ours), theirs=theirs.error)


def _values(reading: Reading, theirs: Outcome) -> Iterator[Disagreement]:
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


def _parted(ours: Json, theirs: Json, level: Level, where: str = "") -> Iterator[Disagreement]:
    left, right = _flat(ours), _flat(theirs)
    if _same(left, right):
        return
    for parting in partings(_values_of(left), _values_of(right)):
        path, _ = left.get(parting.path) or right.get(parting.path) or ("", None)
        kind = _WAYS[parting.kind]
        yield Disagreement(kind, level, path, where + parting.path, parting.left, parting.right)


_Flat = Mapping[str, tuple[str, Json]]


def _flat(value: Json) -> _Flat:
    """Pointer to (path, value) of every leaf that is neither null nor an object without members."""
    found = ((at, (path, leaf)) for at, path, leaf in leaves(value))
    return {at: told for at, told in found if told[1] is not None and told[1] != {}}


def _values_of(flat: _Flat) -> Mapping[str, Json]:
    return {at: value for at, (_, value) in flat.items()}


def _same(left: _Flat, right: _Flat) -> bool:
    """Whether two flat maps are equal, types included; most are, and deepdiff takes its time."""
    return left == right and all(type(left[at][1]) is type(right[at][1]) for at in left)


_NOT_SAID = frozenset({"views", "cumulative", "retry_after"})


def _said(outcome: Outcome | None) -> Json:
    """An answer in neutral terms as JSON, nothing that was not said."""
    told = ((f.name, _json(getattr(outcome, f.name))) for f in fields(outcome)) if outcome else ()
    nothing: tuple[Json, ...] = (None, [], "") if isinstance(outcome, Failure) else (None, [])
    return {name: v for name, v in told if name not in _NOT_SAID and v not in nothing}


def _json(value: Json) -> Json:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, Usage | ToolCall | Image):
        return {f.name: _json(getattr(value, f.name)) for f in fields(value)}
    return value


def shortened(value: Json | Absent, longest: int = 60) -> str:
    """A value as a line of a report: its type and how it begins."""
    if isinstance(value, Absent):
        return "nothing"
    told = repr(value)
    told = told if len(told) <= longest else told[: longest - 1] + "…"
    return f"{type_name(value)} {told}"
