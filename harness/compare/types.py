"""What a comparison says: differences, each at a spot, of a kind, in a layer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.difference import Kind
from harness.types import LooseJson
from harness.wire import MISSING, Missing


class Layer(StrEnum):
    """What a difference is about, from the deepest to the least: the order they are told in."""

    SHAPE = "shape"
    ANSWER = "answer"
    CONTENT = "content"
    VOLATILE = "volatile"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where two transcripts part: a turn, a kind of part of its answer, and a path in it.

    Paths of the layer "shape" are those of `analysis.shape`; the others are JSON pointers, into
    the body or, for the part "reply", into the answer in neutral terms.
    """

    turn: int
    part: str = ""
    path: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (f"turn {self.turn}", self.part, self.path) if word)


@dataclass(frozen=True, slots=True)
class Difference:
    """One spot where two transcripts part. `left` and `right` are types in the layer "shape",
    values elsewhere, and `ABSENT` where there is nothing; for the kind "more" they are the number
    of further paths that part and are not listed. `similarity` of two texts is between 0 and 1.
    `varies` says that repeats of one of the two differ there as well.
    """

    spot: Spot
    kind: Kind
    left: LooseJson | Missing
    right: LooseJson | Missing
    layer: Layer
    similarity: float | None = None
    varies: bool = False

    @property
    def lengths(self) -> tuple[int, int] | None:
        """How many characters two texts have; None unless both are texts."""
        if isinstance(self.left, str) and isinstance(self.right, str):
            return len(self.left), len(self.right)
        return None


@dataclass(frozen=True, slots=True)
class TurnComparison:
    """One turn on two sides, and every spot where they part.

    `alike` is how much the texts of their answers have in common, from 0 to 1; None unless both
    have one.
    """

    number: int
    differences: tuple[Difference, ...] = ()
    alike: float | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where two conversations part: the turn, why in a word, and the difference that shows it.

    `why` is `turn`, `failure`, `tool call`, `finish reason`, `JSON`, `images` or `text`.
    """

    turn: int
    why: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two transcripts, and where their shapes, answers and contents part.

    `divergence` is the first turn in which they part by more than wording.
    """

    left: str
    right: str
    turns: tuple[TurnComparison, ...] = ()
    scenario: str = ""
    divergence: Divergence | None = None

    @property
    def told(self) -> tuple[Difference, ...]:
        """Every difference, those that any two answers have included."""
        return tuple(difference for turn in self.turns for difference in turn.differences)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences that matter: all but those of the layer "volatile"."""
        return tuple(d for d in self.told if d.layer is not Layer.VOLATILE)

    def of(self, layer: Layer) -> tuple[Difference, ...]:
        """The differences of one layer."""
        return tuple(d for d in self.told if d.layer is layer)

    @property
    def same_shape(self) -> bool:
        """Whether both sides have the same turns, parts, paths and types."""
        return not self.of(Layer.SHAPE)

    @property
    def same_content(self) -> bool:
        """Whether both sides have the same turns and, volatile values apart, say the same."""
        missing = any(d.kind is Kind.MISSING_TURN for d in self.told)
        return not (missing or self.of(Layer.ANSWER) or self.of(Layer.CONTENT))


__all__ = [
    "MISSING",
    "Comparison",
    "Difference",
    "Divergence",
    "Kind",
    "Layer",
    "Spot",
    "TurnComparison",
]
