"""What many parsed exchanges come to: a table, and each disagreement with its smallest example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.parse.disagreements import Disagreement
from harness.parse.run import Parsed, Verdict

Signature = tuple[str, str, str, str, str]
"""(parser, endpoint, kind, level, path): what makes two disagreements the same one."""


@dataclass(frozen=True, slots=True)
class Row:
    """All exchanges of one endpoint and mode, as one parser read them."""

    endpoint: str
    mode: str
    parser: str
    verdicts: Mapping[Verdict, int]

    @property
    def exchanges(self) -> int:
        """How many there were."""
        return sum(self.verdicts.values())


@dataclass(frozen=True)
class Defect:
    """One disagreement, with the smallest exchange that shows it, and how many do."""

    parser: str
    endpoint: str
    disagreement: Disagreement
    exchanges: int
    source: str
    number: int
    size: int

    @property
    def signature(self) -> Signature:
        """What it is known by."""
        told = self.disagreement
        return self.parser, self.endpoint, told.kind.value, told.level.value, told.path


def rows(parsed: Iterable[Parsed]) -> list[Row]:
    """The table: endpoint, mode and parser, in this order."""
    counted: dict[tuple[str, str, str], Counter[Verdict]] = {}
    for one in parsed:
        mode = "stream" if one.reading.is_stream else "sync"
        counted.setdefault((_endpoint(one), mode, one.parser), Counter())[one.verdict] += 1
    return [Row(*key, counted[key]) for key in sorted(counted)]


def defects(parsed: Iterable[Parsed]) -> list[Defect]:
    """Every disagreement once, with the smallest body among the exchanges that show it."""
    smallest: dict[Signature, Defect] = {}
    seen: Counter[Signature] = Counter()
    for one in parsed:
        firsts = {defect.signature: defect for defect in reversed(list(_each(one)))}
        for signature, defect in firsts.items():
            seen[signature] += 1
            known = smallest.setdefault(signature, defect)
            if (defect.size, defect.source) < (known.size, known.source):
                smallest[signature] = defect
    return [_counted(smallest[signature], seen[signature]) for signature in sorted(smallest)]


def _each(one: Parsed) -> Iterable[Defect]:
    size = len(one.reading.exchange.response.body)
    for told in one.disagreements:
        yield Defect(one.parser, _endpoint(one), told, 1, one.source, one.reading.number, size)


def _counted(defect: Defect, exchanges: int) -> Defect:
    told = defect.disagreement
    where = (defect.source, defect.number, defect.size)
    return Defect(defect.parser, defect.endpoint, told, exchanges, *where)


def _endpoint(one: Parsed) -> str:
    return one.reading.endpoint.name if one.reading.endpoint else "unknown"
