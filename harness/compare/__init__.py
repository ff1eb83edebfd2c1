"""Transcripts compared: shapes first, then answers in neutral terms, then values."""

from harness.compare.facts import Facts, facts
from harness.compare.fields import FIELDS, Cell, Field, FieldMatrix, Form, Site, field_matrix
from harness.compare.matrix import Matrix, Pair, Row, Table, matrix, side_by_side
from harness.compare.pairs import compare
from harness.compare.types import Comparison, Difference, Divergence, Layer, TurnComparison
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
