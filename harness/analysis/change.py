"""The nouns of every comparison over time: what changed at one place, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.types import Json
from harness.wire import MISSING, Missing


class ChangeKind(StrEnum):
    """What changed at one place, from the left or older side to the right or newer one."""

    ADDED = "added"
    REMOVED = "removed"
    RETYPED = "retyped"
    NEWLY_NULL = "newly null"
    NO_LONGER_NULL = "no longer null"
    NEW_VALUE = "new value"
    """A string that was not in the vocabulary."""
    OUT_OF_FORMAT = "out of format"
    VALUE = "value"
    """Any other value."""
    REORDERED = "reordered"
    """A list with the same items in another order."""
    COUNT = "count"
    STATUS = "status"
    OUTCOME = "outcome"
    """A reply on one side, a failure on the other."""
    MISSING_TURN = "missing turn"
    ANSWER_REMOVED = "answer removed"
    ANSWER_ADDED = "answer added"
    RULE = "rule"
    """A rule or a contract is violated that was not before."""
    UNLISTED = "unlisted"
    """Stands for further changes, which are counted and not listed."""

    @property
    def is_type_change(self) -> bool:
        """Whether the JSON type is another one, null included."""
        return self in (ChangeKind.RETYPED, ChangeKind.NEWLY_NULL, ChangeKind.NO_LONGER_NULL)


class Verdict(StrEnum):
    """What a change means for programs that read the format, the least severe first.

    `wording only`: texts, ids, times and counts. `new field`: something was added or is unusual,
    and readers cope. `breaking`: something readers rely on is gone or has another type.
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
    """One place where two JSON values, or two recordings, differ.

    `path` is in the notation of `analysis.shape`, where array items share the step `[]`. `pointer`
    is the JSON pointer, into the left value or, of what was added, into the right one; empty where
    there is none. `before` and `after` are the values, `MISSING` where there is none. In recordings
    `turn` is the number of the turn (None: of the whole recording) and `part` the kind of answer.
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
        """The pointer, or the path where a shape changed."""
        return self.pointer or self.path

    @property
    def location(self) -> str:
        """Turn, part and pointer: `turn 2 answer /choices/0/message`."""
        turn = "" if self.turn is None else f"turn {self.turn}"
        return " ".join(word for word in (turn, self.part, self.where) if word)
