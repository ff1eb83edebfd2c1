"""Comparison of transcripts: the formats of their answers, their meaning, and their values.

`compare` compares two transcripts, `matrix` all targets of a scenario; `field_matrix` says where
answers have each field. A turn of a transcript may have several exchanges with a provider, each
of one kind (an answer, events of a stream, a poll of a task ...): see `summary.PARTS`.
"""

from harness.comparison.fields import FIELDS, Cell, Field, FieldMatrix, Form, Site, field_matrix
from harness.comparison.matrix import Facts, Matrix, Pair, Row, Table, facts, matrix, side_by_side
from harness.comparison.pairs import compare
from harness.comparison.types import Comparison, Difference, Divergence, Layer, TurnComparison
from harness.config.prices import NO_PRICES, SHIPPED, Cost, Price, Prices, load

__all__ = [
    "FIELDS",
    "NO_PRICES",
    "SHIPPED",
    "Cell",
    "Comparison",
    "Cost",
    "Difference",
    "Divergence",
    "Facts",
    "Field",
    "FieldMatrix",
    "Form",
    "Layer",
    "Matrix",
    "Pair",
    "Price",
    "Prices",
    "Row",
    "Site",
    "Table",
    "TurnComparison",
    "compare",
    "facts",
    "field_matrix",
    "load",
    "matrix",
    "side_by_side",
]
