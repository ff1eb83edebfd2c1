"""Transcripts compared: shapes first, then answers in neutral terms, then values."""

from harness.compare.matrix import Facts, Matrix, Pair, Row, Table, facts, matrix
from harness.compare.nouns import Comparison, Difference, Kind, Layer, Spot, TurnComparison
from harness.compare.pairs import compare

__all__ = [
    "Comparison",
    "Difference",
    "Facts",
    "Kind",
    "Layer",
    "Matrix",
    "Pair",
    "Row",
    "Spot",
    "Table",
    "TurnComparison",
    "compare",
    "facts",
    "matrix",
]
