"""Trends: findings, times, tokens, costs and fields, each with its values over several runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.locale import mark
from harness.report import json_report
from harness.report.model import Report

TITLES = (
    mark("Findings per rule"),
    mark("Time per turn, in seconds"),
    mark("Time to the first token, in seconds"),
    mark("Tokens per run"),
    mark("Cost per run"),
    mark("Presence of fields, in percent"),
)
"""The titles of the trends, in the order in which they are shown."""

FINDINGS, TIME, FIRST_TOKEN, TOKENS, COST, FIELDS = TITLES


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run, read from its JSON report.

    Attributes:
        date: when the report was made, in UTC; empty if unknown.
        commit: the commit of the project; empty if unknown.
        values: each figure, by (title, name): the title of its trend, such as `Cost per run`, and
            the rule, target or field that it is about.
    """

    date: str
    commit: str
    values: Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure over all runs.

    Attributes:
        name: The rule, target or field that the figure is about.
        values: The value in each run, the oldest first; None if the run does not have the figure.
    """

    name: str
    values: tuple[float | None, ...]

    @property
    def known(self) -> tuple[float, ...]:
        """The values that are known, the oldest first."""
        return tuple(value for value in self.values if value is not None)

    @property
    def changed(self) -> bool:
        """Whether the figure differs between runs, or only some runs have it."""
        return len({*self.values}) > 1

    @property
    def since(self) -> int:
        """The index, from 0, of the run in which the figure took its newest value."""
        equal = takewhile(lambda value: value == self.values[-1], reversed(self.values))
        return len(self.values) - sum(1 for _ in equal)

    @property
    def points(self) -> str:
        """The points of an SVG polyline in a box of 100 by 20; the largest value is at the top."""
        top, last = max(self.known, default=0) or 1, max(1, len(self.values) - 1)
        return " ".join(
            f"{100 * position / last:.1f},{19 - 18 * value / top:.1f}"
            for position, value in enumerate(self.values)
            if value is not None
        )


def with_report(folder: Path, report: Report) -> tuple[Run, ...]:
    """Return the runs with a JSON report below *folder*, sorted by date, then the run of *report*.

    Other files are left out. Raises HarnessError if *folder* cannot be read.
    """
    if not folder.is_dir():
        raise HarnessError(
            f"{folder}: there is no such folder; write reports to it: --report {folder}/1.json"
        )
    read = (_read(path) for path in sorted(folder.rglob("*.json")))
    runs = sorted((run for run in read if run is not None), key=lambda run: run.date)
    return (*runs, run_of(json_report.document(report)))


def _read(path: Path) -> Run | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HarnessError(f"{path}: {error.strerror}") from None
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("format") != json_report.FORMAT:
        return None
    try:
        return run_of(document)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise HarnessError(f"{path}: a JSON report that is damaged") from None


def run_of(document: Mapping[str, Any]) -> Run:
    """Return the figures of the run whose JSON report is *document*."""
    made = document.get("made", {})
    return Run(str(made.get("date", "")), str(made.get("commit", "")), dict(_values(document)))


def _values(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    counts = Counter(str(found["rule"]) for found in document["findings"])
    yield from (((FINDINGS, rule), float(count)) for rule, count in counts.items())
    for model in reversed(document["models"]):  # the ranking with the most turns comes first
        target = str(model["target"])
        for title, value in ((TIME, model["total"]), (FIRST_TOKEN, model["first_token"])):
            if value is not None:
                yield (title, target), float(value)
        tokens = [model[f"{side}_tokens"]["amount"] for side in ("input", "output")]
        if None not in tokens:
            yield (TOKENS, target), float(sum(tokens))
        for cost in model["costs"]:
            yield (COST, f"{target} ({cost['currency']})"), float(cost["amount"])
    forms = document["fields"]["forms"]
    for field in document["fields"]["fields"]:
        for cell in field["forms"]:
            form = forms[cell["form"]]
            if cell["of"]:
                first, *others = cell["looked_at"] or ("–",)
                pointers = f"{first}, …" if others else first
                name = f"{form['target']} {form['endpoint']}: {field['field']} ({pointers})"
                yield (FIELDS, name), round(100 * float(cell["present"]) / float(cell["of"]), 1)


def trends(runs: Sequence[Run]) -> dict[str, tuple[Trend, ...]]:
    """Return the trends of each title, such as `Cost per run`; those that changed are first.

    A rule that a run did not break has 0 findings in that run.
    """
    shown: dict[str, tuple[Trend, ...]] = {}
    for title in TITLES:
        names = dict.fromkeys(name for run in runs for own, name in run.values if own == title)
        missing = 0.0 if title == FINDINGS else None
        every = (
            Trend(name, tuple(run.values.get((title, name), missing) for run in runs))
            for name in names
        )
        order = sorted(every, key=lambda trend: not trend.changed)
        if order:
            shown[title] = tuple(order)
    return shown
