"""Data types for the result of a comparison; its smallest unit is a `Difference`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.difference import Change, ChangeKind


class Layer(StrEnum):
    """The kind of information that differs, in the order of reports.

    Attributes:
        SHAPE: Paths and types of the answers' JSON.
        ANSWER: The outcome: a reply or a failure, in a form that is common to all providers.
        CONTENT: Values in the answers' JSON.
        VOLATILE: Values that differ between any two answers, such as ids and times.
    """

    SHAPE = "shape"
    ANSWER = "answer"
    CONTENT = "content"
    VOLATILE = "volatile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Change):
    """One place at which two transcripts differ.

    In the layer `shape`, `path` is set, and `before` and `after` are types. In the other layers
    `pointer` is set, and `before` and `after` are values. A difference of the kind `unlisted`
    stands for further differences that are not listed; its values are their number.

    Attributes:
        before: The type or value of the left transcript.
        after: The type or value of the right transcript.
        part: The JSON document that `pointer` refers to: the body of a kind of exchange, such as
            `answer` or `refusal`, or `reply`, the outcome of the turn.
        layer: The kind of information that differs.
        similarity: The similarity of two texts, from 0 to 1; None for other values.
        varies: Whether the value also varies between repeats of one transcript.
    """

    layer: Layer
    similarity: float | None = None
    varies: bool = False

    @property
    def lengths(self) -> tuple[int, int] | None:
        """The lengths of `before` and `after` in characters; None if one of them is not a text."""
        if isinstance(self.before, str) and isinstance(self.after, str):
            return len(self.before), len(self.after)
        return None


@dataclass(frozen=True, slots=True)
class TurnComparison:
    """The differences in one turn of two transcripts.

    Attributes:
        number: The turn's number, from 1.
        differences: Every difference.
        similarity: The similarity of the texts of the two answers, from 0 to 1; None if one answer
            has no text.
        by_position: The lists that were too long to pair their items by similarity; item n was
            compared with item n. Each is given as (part, JSON pointer).
    """

    number: int
    differences: tuple[Difference, ...] = ()
    similarity: float | None = None
    by_position: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first turn at which two transcripts differ by more than wording.

    Attributes:
        turn: The turn's number.
        reason: `turn`, `failure`, `tool call`, `finish reason`, `JSON`, `images`, `files`,
            `vectors`, `ranking` or `text`.
        difference: The most important difference in the turn.
    """

    turn: int
    reason: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two transcripts.

    Attributes:
        left: The name of one transcript.
        right: The name of the other transcript.
        turns: The differences of each turn.
        scenario: The scenario of both transcripts; empty if they have different ones.
        divergence: The first turn that differs by more than wording; None if no turn does.
    """

    left: str
    right: str
    turns: tuple[TurnComparison, ...] = ()
    scenario: str = ""
    divergence: Divergence | None = None

    @property
    def all_differences(self) -> tuple[Difference, ...]:
        """The differences of all turns and layers."""
        return tuple(difference for turn in self.turns for difference in turn.differences)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences of all layers except `volatile`."""
        return tuple(d for d in self.all_differences if d.layer is not Layer.VOLATILE)

    @property
    def by_position(self) -> tuple[str, ...]:
        """The long lists whose items were paired by position, as in `turn 1 answer /choices`."""
        return tuple(
            f"turn {turn.number} {part} {pointer}".rstrip()
            for turn in self.turns
            for part, pointer in turn.by_position
        )

    @property
    def similarity_range(self) -> tuple[float, ...]:
        """The lowest and the highest similarity of texts among the turns, from 0 to 1.

        The tuple has one number if both are equal; it is empty if no texts were compared.
        """
        shares = sorted(t.similarity for t in self.turns if t.similarity is not None)
        return tuple(dict.fromkeys((*shares[:1], *shares[-1:])))

    def of(self, layer: Layer) -> tuple[Difference, ...]:
        """Return the differences of one layer."""
        return tuple(d for d in self.all_differences if d.layer is layer)

    @property
    def same_shape(self) -> bool:
        """Whether both transcripts have the same turns, kinds of exchange, paths and types."""
        return not self.of(Layer.SHAPE)

    @property
    def same_content(self) -> bool:
        """Whether both transcripts have the same turns and values; volatile values are ignored."""
        missing = any(d.kind is ChangeKind.MISSING_TURN for d in self.all_differences)
        return not (missing or self.of(Layer.ANSWER) or self.of(Layer.CONTENT))
