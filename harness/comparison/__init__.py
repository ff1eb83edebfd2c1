"""Comparison of transcripts: the formats of their answers, their meaning, and their values.

`compare` compares two transcripts, `matrix` all targets of a scenario; `field_matrix` says where
answers have each field. A turn of a transcript may have several exchanges with a provider, each
of one kind (an answer, events of a stream, a poll of a task ...): see `summary.PARTS`.
"""

from harness.comparison.fields import (
    FIELDS,
    AnswerForm,
    Field,
    FieldCell,
    FieldMatrix,
    Site,
    field_matrix,
)
from harness.comparison.matrix import (
    Matrix,
    PathRow,
    PathTable,
    TargetPair,
    TurnFigures,
    facts,
    matrix,
    side_by_side,
)
from harness.comparison.pairs import compare
from harness.comparison.types import Comparison, Difference, Divergence, Layer, TurnComparison
from harness.config.prices import NO_PRICES, SHIPPED, Cost, Price, Prices, load

__all__ = [
    "FIELDS",
    "NO_PRICES",
    "SHIPPED",
    "AnswerForm",
    "Comparison",
    "Cost",
    "Difference",
    "Divergence",
    "Field",
    "FieldCell",
    "FieldMatrix",
    "Layer",
    "Matrix",
    "PathRow",
    "PathTable",
    "Price",
    "Prices",
    "Site",
    "TargetPair",
    "TurnComparison",
    "TurnFigures",
    "compare",
    "facts",
    "field_matrix",
    "load",
    "matrix",
    "side_by_side",
]
