"""Transcripts compared: shapes first, then answers in neutral terms, then values."""

from harness.compare.fields import FIELDS, Cell, Field, FieldMatrix, Form, Site, field_matrix
from harness.compare.matrix import Facts, Matrix, Pair, Row, Table, facts, matrix
from harness.compare.nouns import Comparison, Difference, Kind, Layer, Spot, TurnComparison
from harness.compare.pairs import compare

__all__ = [
    "FIELDS",
    "Cell",
    "Comparison",
    "Difference",
    "Facts",
    "Field",
    "FieldMatrix",
    "Form",
    "Kind",
    "Layer",
    "Matrix",
    "Pair",
    "Row",
    "Site",
    "Spot",
    "Table",
    "TurnComparison",
    "compare",
    "facts",
    "field_matrix",
    "matrix",
]
