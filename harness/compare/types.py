"""The nouns of a comparison: differences, each at one place and in one layer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.change import Change, ChangeKind


class Layer(StrEnum):
    """What a difference is about, in the order of reports: the most fundamental first."""

    SHAPE = "shape"
    ANSWER = "answer"
    CONTENT = "content"
    VOLATILE = "volatile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Change):
    """One place where two transcripts differ; `before` is the left side, `after` the right one.

    In the layer `shape` the sides are types and `path` says where; elsewhere they are values, and
    `pointer` leads into the body or, for the part `reply`, into the answer in neutral terms. For
    the kind `unlisted` they are the number of further differences. `similarity` of two texts is
    from 0 to 1. `varies` says that repeats of one side differ at this place as well.
    """

    layer: Layer
    similarity: float | None = None
    varies: bool = False

    @property
    def lengths(self) -> tuple[int, int] | None:
        """The lengths of two texts in characters; None unless both are texts."""
        if isinstance(self.before, str) and isinstance(self.after, str):
            return len(self.before), len(self.after)
        return None


@dataclass(frozen=True, slots=True)
class TurnComparison:
    """One turn of two transcripts, and every difference in it.

    `similarity` is that of the texts of the two answers, from 0 to 1; None unless both have one.
    `by_position` are lists too large to be aligned by similarity, as part and JSON pointer.
    """

    number: int
    differences: tuple[Difference, ...] = ()
    similarity: float | None = None
    by_position: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first turn that differs by more than wording, and the difference that shows it.

    `reason` is `turn`, `failure`, `tool call`, `finish reason`, `JSON`, `images` or `text`.
    """

    turn: int
    reason: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two transcripts, `left` and `right` by name, and the differences of each turn.

    `divergence` is the first turn that differs by more than wording; None if none does.
    """

    left: str
    right: str
    turns: tuple[TurnComparison, ...] = ()
    scenario: str = ""
    divergence: Divergence | None = None

    @property
    def all_differences(self) -> tuple[Difference, ...]:
        """Every difference, the volatile ones included."""
        return tuple(difference for turn in self.turns for difference in turn.differences)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences that matter: all but those of the layer `volatile`."""
        return tuple(d for d in self.all_differences if d.layer is not Layer.VOLATILE)

    @property
    def by_position(self) -> tuple[str, ...]:
        """The long lists whose items were paired by position: `turn 1 answer /choices`."""
        return tuple(
            f"turn {turn.number} {part} {pointer}".rstrip()
            for turn in self.turns
            for part, pointer in turn.by_position
        )

    def of(self, layer: Layer) -> tuple[Difference, ...]:
        """Return the differences of one layer."""
        return tuple(d for d in self.all_differences if d.layer is layer)

    @property
    def same_shape(self) -> bool:
        """Whether both sides have the same turns, parts, paths and types."""
        return not self.of(Layer.SHAPE)

    @property
    def same_content(self) -> bool:
        """Whether both sides have the same turns and, volatile values apart, the same values."""
        missing = any(d.kind is ChangeKind.MISSING_TURN for d in self.all_differences)
        return not (missing or self.of(Layer.ANSWER) or self.of(Layer.CONTENT))
