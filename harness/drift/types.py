"""What is said of drift: changes, each with its evidence, and one verdict for each target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    """What a change means for whoever reads the format, the least first.

    `wording only`: texts, ids, times and counts. `new field`: something was added or became odd,
    and readers cope. `breaking`: what readers rely on is gone, or something else.
    """

    SAME = "same"
    WORDING = "wording only"
    NEW_FIELD = "new field"
    BREAKING = "breaking"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return tuple(Verdict).index(self)


class Kind(StrEnum):
    """What happened at one place."""

    REMOVED = "removed"
    RETYPED = "retyped"
    NEWLY_NULL = "newly null"
    ADDED = "added"
    FILLED = "no longer null"
    NEW_VALUE = "new value"
    STATUS = "status"
    NO_ANSWER = "answer gone"
    OTHER_ANSWER = "answer added"
    RULE = "rule"
    VALUE = "value"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Change:
    """One place where the new recording is not as the old one.

    `part` is the endpoint and the form of answer; `path` is in the notation of `analysis.shape`.
    `before` and `after` are types, such as `integer|null`, or for the kinds "new value", "status"
    and "count" what was there, with what the service said where it refused; for the kind "rule"
    `after` is the finding. `why` says why a change weighs less than its kind alone would.
    """

    verdict: Verdict
    kind: Kind
    turn: int | None
    part: str = ""
    path: str = ""
    before: str = ""
    after: str = ""
    rule: str = ""
    why: str = ""

    def __str__(self) -> str:
        turn = f"turn {self.turn}" if self.turn is not None else ""
        where = ", ".join(word for word in (turn, self.part, self.path) if word)
        if self.kind is Kind.RULE:
            return f"{where}: {self.rule}: {self.after}" if where else f"{self.rule}: {self.after}"
        told = f"{where}: {self.kind}: {self.before or 'nothing'} -> {self.after or 'nothing'}"
        return f"{told} ({self.why})" if self.why else told


@dataclass(frozen=True, slots=True)
class Drift:
    """Two recordings of one scenario with one target, and what changed from the old to the new.

    `old` and `new` are where they lie. `notes` are circumstances under which they are compared.
    """

    scenario: str
    target: str
    old: str
    new: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The gravest of all changes."""
        return max((c.verdict for c in self.changes), key=lambda v: v.rank, default=Verdict.SAME)

    def of(self, verdict: Verdict) -> tuple[Change, ...]:
        """The changes of one weight."""
        return tuple(change for change in self.changes if change.verdict is verdict)

    def joined(self, others: Iterable[Drift]) -> Drift:
        """What changed in any of several new recordings of the same; each change once."""
        every = (self, *others)
        changes = dict.fromkeys(change for one in every for change in one.changes)
        return replace(
            self,
            changes=tuple(sorted(changes, key=lambda c: -c.verdict.rank)),
            notes=tuple(dict.fromkeys(note for one in every for note in one.notes)),
        )
