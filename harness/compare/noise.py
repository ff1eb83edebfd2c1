"""What varies between repeats of one recording is no difference between two models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from harness.analysis.transcript import AnalyzedTranscript
from harness.compare.types import Difference, Layer, Spot, TurnComparison

_VALUES = (Layer.ANSWER, Layer.CONTENT)


def repeats_of(
    read: AnalyzedTranscript, among: Sequence[AnalyzedTranscript]
) -> tuple[AnalyzedTranscript, ...]:
    """Those that are recordings of the same scenario with the same target."""
    return tuple(other for other in among if other is not read and _same(other) == _same(read))


def _same(read: AnalyzedTranscript) -> tuple[str, str]:
    told = read.transcript
    return told.scenario, told.provenance.target or told.target


def varying(differences: Iterable[Difference]) -> frozenset[Spot]:
    """Where the values of two repeats differ."""
    return frozenset(d.spot for d in differences if d.layer in _VALUES)


def settled(turn: TurnComparison, noise: Set[Spot]) -> TurnComparison:
    """The same, with differences in values put aside where repeats differ too."""
    return replace(turn, differences=tuple(_settled(d, noise) for d in turn.differences))


def _settled(told: Difference, noise: Set[Spot]) -> Difference:
    if told.layer in _VALUES and any(_is_within(told.spot, spot) for spot in noise):
        return replace(told, layer=Layer.VOLATILE, varies=True)
    return told


def _is_within(spot: Spot, held: Spot) -> bool:
    path = spot.path == held.path or spot.path.startswith(held.path + "/")
    return path and (spot.turn, spot.part) == (held.turn, held.part)
