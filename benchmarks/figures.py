"""Figures of a benchmark: medians of interleaved runs, their spread, and a baseline of ratios."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles

NOISY = 0.2
"""The spread above which a ratio is no verdict: half of the runs differ by more than this part."""

OURS = "this tape"
PEERS = ("vcrpy", "cassetter", "aimock")
"""The tools that this tape is to be ahead of."""
STANDING = "beside peers"
"""The title of the column with the standing of this tape."""


@dataclass(frozen=True)
class Row:
    """What each tool took, run by run; in each run all tools took their turn.

    Attributes:
        label: What was measured.
        unit: `s` (seconds of a processor, or of a clock where something waits) or `B` (bytes).
        samples: The runs of each tool; all tools have the same number.
        base: The tool of ratio 1.
        why: What this tape does that its peers do not, in case one of them takes less.
    """

    label: str
    unit: str
    samples: Mapping[str, Sequence[float]]
    base: str
    why: str = ""

    def value(self, tool: str) -> float:
        """Return the median of a tool's runs."""
        return median(self.samples[tool])

    def ratio(self, tool: str) -> float:
        """Return the median of the ratios to the base, run by run."""
        return median(self._ratios(tool))

    def spread(self, tool: str) -> float:
        """Return the distance of the quartiles of these ratios, as a part of their median.

        It is infinite if a run is not above 0, as the difference of two noisy runs may be.
        """
        if min(*self.samples[tool], *self.samples[self.base]) <= 0:
            return math.inf
        ratios = self._ratios(tool)
        if len(ratios) < 2:
            return 0.0
        first, _, third = quantiles(ratios, n=4, method="inclusive")
        return (third - first) / median(ratios)

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.samples[self.base])

    def is_noisy(self, tool: str) -> bool:
        """Return whether the runs differ too much for a verdict."""
        return self.spread(tool) > NOISY

    def _ratios(self, tool: str) -> list[float]:
        pairs = zip(self.samples[tool], self.samples[self.base], strict=True)
        return [mine / base if base else math.inf for mine, base in pairs]


def cell(row: Row, tool: str) -> str:
    """Return a figure of a table: the median, and the ratio or why there is none."""
    if tool not in row.samples or row.base not in row.samples:
        return "-"
    shown = _shown(row.value(tool), row.unit)
    if math.isinf(row.spread(tool)):
        return f"{shown}  too noisy (a run of 0 or less)"
    if tool == row.base:
        return shown
    if row.is_noisy(tool):
        return f"{shown}  too noisy (±{row.spread(tool) / 2:.0%})"
    spread = f"±{row.spread(tool) / 2:.0%}" if row.runs > 1 else "(1 run)"
    return f"{shown}  {row.ratio(tool):.2f} x {spread}"


def _shown(value: float, unit: str) -> str:
    if unit == "B":
        return f"{value / 1e6:,.0f} MB" if value > _MEGABYTES else f"{value / 1e6:.1f} MB"
    if abs(value) < 1:
        return f"{value * 1000:.2f} ms"
    return f"{value:.2f} s" if abs(value) < _SECONDS else f"{value:,.0f} s"


_MEGABYTES, _SECONDS = 1e7, 60
"""Bytes and seconds from which on a figure has no decimals."""


def standing(row: Row) -> str:
    """Return whether this tape takes less than its peers, or beside which of them it does not.

    Where some runs say one thing and some the other, so that it may be chance, there is no verdict.
    Return a dash if there are no peers.
    """
    peers = [tool for tool in PEERS if tool in row.samples and OURS in row.samples]
    verdicts = {tool: _is_behind(row, tool) for tool in peers}
    ratios = [f"{replace(row, base=t).ratio(OURS):.2f} x {t}" for t in peers if verdicts[t]]
    behind = [": ".join(filter(None, (", ".join(ratios), row.why)))] if ratios else []
    undecided = [f"no verdict beside {tool}" for tool in peers if verdicts[tool] is None]
    return "; ".join(behind + undecided) or ("ahead" if peers else "-")


def _is_behind(row: Row, peer: str) -> bool | None:
    """Return whether this tape takes more than *peer*; None if the runs do not decide it.

    They do if all agree or, of many, so many that chance would give it in one of 20 cases at most.
    """
    pairs = zip(row.samples[OURS], row.samples[peer], strict=True)
    more = [mine > other for mine, other in pairs]
    for verdict in (True, False):
        if more.count(not verdict) <= _exceptions(len(more)):
            return verdict
    return None


def _exceptions(runs: int) -> int:
    """Return how many of *runs* may differ from the others: the sign test, two-sided, at 5 %."""
    allowed, chance = 0, 2 * 0.5**runs
    while (chance := chance + 2 * math.comb(runs, allowed + 1) * 0.5**runs) <= _CHANCE:
        allowed += 1
    return allowed


_CHANCE = 0.05


def document(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Return rows as JSON."""
    return [
        {
            "label": row.label,
            "unit": row.unit,
            "base": row.base,
            "tools": {
                tool: {
                    "median": row.value(tool),
                    "ratio": _finite(row.ratio(tool)),
                    "spread": _finite(row.spread(tool)),
                    "runs": list(runs),
                }
                for tool, runs in row.samples.items()
            },
        }
        for row in rows
    ]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


Baseline = Mapping[str, Mapping[str, float]]
"""The ratio and the spread of this tool, by label."""


def baseline(rows: Iterable[Row]) -> Baseline:
    """Return the ratios of this tool to what is beside it, for later runs to be compared with."""
    return {
        row.label: {"ratio": round(ratio, 3), "spread": round(spread, 3)}
        for row in rows
        for ratio, spread in _ours(row)
        if spread <= NOISY
    }


def comparable(rows: Iterable[Row], known: Baseline) -> list[str]:
    """Return the labels of the rows that a baseline has, and that are not too noisy to compare."""
    ours = ((row.label, spread) for row in rows for _, spread in _ours(row))
    return [label for label, spread in ours if label in known and spread <= NOISY]


def worse(rows: Iterable[Row], known: Baseline) -> Iterator[str]:
    """Yield a sentence for each ratio that is worse than that of the baseline by their spreads."""
    for row in rows:
        for ratio, spread in _ours(row):
            before = known.get(row.label)
            if before is None or spread > NOISY:
                continue
            least = _LEAST if row.runs > 1 else _ONE_RUN
            allowed = before["ratio"] * (1 + max(before["spread"], spread, least))
            if ratio > allowed:
                yield f"{row.label}: {ratio:.2f} x, not {before['ratio']:.2f} x as in the baseline"


_LEAST, _ONE_RUN = 0.05, NOISY
"""A change below this part is none, even if all runs agree; the second is that of a single run."""


def _ours(row: Row) -> Iterator[tuple[float, float]]:
    """Yield the ratio and spread of this tool: to the base or, if it is that, of the best other."""
    if OURS not in row.samples or len(row.samples) < 2:
        return
    if row.base != OURS:
        yield row.ratio(OURS), row.spread(OURS)
        return
    best = min((tool for tool in row.samples if tool != OURS), key=row.ratio)
    yield 1 / (row.ratio(best) or math.inf), row.spread(best)
