"""The types for a change between two JSON values or recordings: its kind and its severity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.types import Json
from harness.wire import MISSING, Missing


class ChangeKind(StrEnum):
    """The kind of a change, from the left or older side to the right or newer one."""

    ADDED = "added"
    REMOVED = "removed"
    RETYPED = "retyped"
    NEWLY_NULL = "newly null"
    NO_LONGER_NULL = "no longer null"
    NEW_VALUE = "new value"
    """A string that is not among the values seen before."""
    OUT_OF_FORMAT = "out of format"
    """A string that does not match the format of all strings seen before."""
    VALUE = "value"
    """A value of the same type changed."""
    REORDERED = "reordered"
    """A list has the same items in another order."""
    COUNT = "count"
    """An item occurs more or less often in a list."""
    STATUS = "status"
    """The HTTP status changed."""
    OUTCOME = "outcome"
    """One side is a reply, the other a failure."""
    MISSING_TURN = "missing turn"
    """One side lacks a whole turn."""
    ANSWER_REMOVED = "answer removed"
    ANSWER_ADDED = "answer added"
    RULE = "rule"
    """A rule or contract is violated that was not violated before."""
    UNLISTED = "unlisted"
    """A placeholder for all further changes, which are only counted."""

    @property
    def is_type_change(self) -> bool:
        """Whether the JSON type changed, also to or from null."""
        return self in (ChangeKind.RETYPED, ChangeKind.NEWLY_NULL, ChangeKind.NO_LONGER_NULL)


class Verdict(StrEnum):
    """The severity of a change for programs that parse the responses; the least severe is first.

    `wording only`: only texts, ids, times or counts changed. `new field`: something was added or is
    unusual, which such programs can ignore. `breaking`: something that they rely on was removed or
    has another type.
    """

    SAME = "same"
    WORDING = "wording only"
    NEW_FIELD = "new field"
    BREAKING = "breaking"

    @property
    def rank(self) -> int:
        """The severity as a number, 0 for `same`."""
        return tuple(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two JSON values or recordings.

    Attributes:
        kind: The kind of the change.
        path: The path, as in `analysis.shape`: a JSON pointer with `[]` for all items of an array.
        pointer: The JSON pointer into the left value, or into the right one if the value was added;
            "" if the change is not at one value.
        before: The left or older value; `MISSING` if there is none.
        after: The right or newer value; `MISSING` if there is none.
        turn: The number of the turn in a recording, from 1; None for the whole recording.
        part: The kind of the answer in a recording; "" outside of recordings.
    """

    kind: ChangeKind
    path: str = ""
    pointer: str = ""
    before: Json | Missing = MISSING
    after: Json | Missing = MISSING
    turn: int | None = None
    part: str = ""

    @property
    def where(self) -> str:
        """The pointer; the path if there is no pointer."""
        return self.pointer or self.path

    @property
    def location(self) -> str:
        """The turn, part and pointer as text, such as `turn 2 answer /choices/0/message`."""
        turn = "" if self.turn is None else f"turn {self.turn}"
        return " ".join(word for word in (turn, self.part, self.where) if word)
