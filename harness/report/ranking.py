"""Which model was faster and which was cheaper, where several did the same.

Like is compared with like: targets stand together that share their scenarios, and of a scenario
those turns count that all of them answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from harness.compare import Cost, Facts, Price, facts
from harness.report.report import Report
from harness.types import Origin


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum over some turns, of which it is known in so many. None where it is known in none."""

    amount: int | None
    known: int
    of: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one target came to over all turns of a contest.

    `first_token` and `total` are the mean of a turn in seconds, None unless each turn's is known.
    `costs` has a sum for each currency; it holds `priced` of the `turns`. `prices` are those that
    were looked up, whether they sufficed or not.
    """

    target: str
    turns: int
    input_tokens: Sum
    output_tokens: Sum
    first_token: float | None
    total: float | None
    costs: tuple[Cost, ...]
    priced: int
    prices: tuple[Price, ...]

    @property
    def cost(self) -> Cost | None:
        """What all turns cost together; None unless all of it is known, in one currency."""
        return self.costs[0] if self.priced == self.turns and len(self.costs) == 1 else None


class Undecided(StrEnum):
    """Why nobody is called the cheapest."""

    UNKNOWN = "cost unknown"
    CURRENCIES = "several currencies"
    EQUAL = "same cost"


HARDLY = 0.05
"""Who is ahead by less than this part of the other's time is not called faster."""


def _is_ahead(best: float | None, other: float | None) -> bool:
    return best is not None and other is not None and best < other * (1 - HARDLY)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Targets that answered the same turns of the same scenarios, the fastest first.

    `turns` is how many each of them answered; `sandbox` says that a sandbox did so.
    """

    scenarios: tuple[str, ...]
    turns: int
    entries: tuple[Entry, ...]
    sandbox: bool

    @property
    def slowest(self) -> float:
        """The longest of their times, in seconds."""
        return max((entry.total or 0.0 for entry in self.entries), default=0.0)

    @property
    def fastest(self) -> str:
        """The target with the shortest time of a turn; empty where not all times are known, or
        another took hardly longer: that is chance."""
        best, *others = (entry.total for entry in self.entries)
        ahead = all(_is_ahead(best, other) for other in others)
        return self.entries[0].target if ahead and best is not None else ""

    @property
    def timed(self) -> bool:
        """Whether the time of every turn is known."""
        return all(entry.total is not None for entry in self.entries)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The targets of which not every turn's cost is known."""
        return tuple(entry.target for entry in self.entries if entry.priced < entry.turns)

    @property
    def undecided(self) -> Undecided | None:
        """Why nobody is the cheapest; None where somebody is."""
        if self.unpriced:
            return Undecided.UNKNOWN
        if len({cost.currency for entry in self.entries for cost in entry.costs}) > 1:
            return Undecided.CURRENCIES
        return Undecided.EQUAL if len(self.least) > 1 else None

    @property
    def least(self) -> tuple[str, ...]:
        """The targets that cost least, if all costs are known, in one currency."""
        costs = {entry.target: entry.cost for entry in self.entries}
        known = {target: cost.amount for target, cost in costs.items() if cost}
        least = min(known.values(), default=0.0)
        return tuple(target for target, amount in known.items() if amount == least)

    @property
    def cheapest(self) -> str:
        """The target that cost least; empty where that cannot be said."""
        return "" if self.undecided else self.least[0]


def verdict(contest: Ranking, named: Callable[[str], str] = str) -> str:
    """Who was fastest and who was cheapest, or why nobody can be said to be, each target as
    `named`."""
    nobody = "none, as several took about the same time" if contest.timed else "unknown"
    fastest = named(contest.fastest) if contest.fastest else nobody
    return f"fastest {fastest}; cheapest {_cheapest(contest, named)}"


def _cheapest(contest: Ranking, named: Callable[[str], str]) -> str:
    if contest.undecided is Undecided.UNKNOWN:
        return f"unknown, for the cost of {', '.join(map(named, contest.unpriced))} is"
    if contest.undecided is Undecided.CURRENCIES:
        return "unknown, for the costs are in several currencies"
    return " and ".join(map(named, contest.least))


def races(report: Report) -> tuple[Ranking, ...]:
    """Each scenario by itself, if several targets answered the same turns of it."""
    return tuple(
        _contest(report, {scenario: answers}) for scenario, answers in _answered(report).items()
    )


def contests(report: Report) -> tuple[Ranking, ...]:
    """All scenarios together that the same targets share, those with the most turns first."""
    together: dict[frozenset[str], dict[str, Answers]] = defaultdict(dict)
    for scenario, answers in _answered(report).items():
        together[frozenset(answers)][scenario] = answers
    made = [_contest(report, shared) for shared in together.values()]
    return tuple(sorted(made, key=lambda contest: -contest.turns))


Answers = Mapping[str, Sequence[Facts]]
"""The facts of each target about the turns that count."""


def _answered(report: Report) -> dict[str, Answers]:
    """The scenarios of which several targets answered the same turns."""
    told: dict[str, list[Facts]] = defaultdict(list)
    for matrix in report.matrices:  # they know prices, and leave repeats out
        told[matrix.scenario] += matrix.facts
    known = frozenset(told)
    for read in report.reads:
        if read.transcript.scenario not in known:
            told[read.transcript.scenario] += (facts(read, turn) for turn in read.turns)
    found = {scenario: _common(every) for scenario, every in told.items()}
    return {scenario: answers for scenario, answers in found.items() if answers}


def _common(told: Iterable[Facts]) -> Answers:
    """The turns that all targets answered but those that answered none at all; nothing where that
    leaves no turn, or one target."""
    every: dict[str, dict[int, Facts]] = defaultdict(dict)
    for one in told:
        if one.outcome == "reply":
            every[one.target][one.turn] = one
    turns = sorted(set.intersection(*map(set, every.values()))) if len(every) > 1 else []
    return {target: [mine[n] for n in turns] for target, mine in every.items()} if turns else {}


def _contest(report: Report, shared: Mapping[str, Answers]) -> Ranking:
    answers: dict[str, list[Facts]] = defaultdict(list)
    for of_one in shared.values():
        for target, told in of_one.items():
            answers[target] += told
    entries = sorted((_entry(target, told) for target, told in answers.items()), key=_time)
    sandboxed = (r for r in report.reads if r.transcript.provenance.recorded_from is Origin.SANDBOX)
    return Ranking(
        scenarios=tuple(shared),
        turns=entries[0].turns,
        entries=tuple(entries),
        sandbox=any(read.transcript.scenario in shared for read in sandboxed),
    )


def _time(entry: Entry) -> float:
    return float("inf") if entry.total is None else entry.total


def _entry(target: str, told: Sequence[Facts]) -> Entry:
    prices = dict.fromkeys(one.price for one in told if one.price is not None)
    return Entry(
        target=target,
        turns=len(told),
        input_tokens=_sum(one.input_tokens for one in told),
        output_tokens=_sum(one.output_tokens for one in told),
        first_token=_mean(one.first_token for one in told),
        total=_mean(one.total for one in told),
        costs=tuple(_costs(told)),
        priced=sum(one.cost is not None for one in told),
        prices=tuple(prices),
    )


def _sum(counts: Iterable[int | None]) -> Sum:
    every = list(counts)
    known = [count for count in every if count is not None]
    return Sum(sum(known) if known else None, len(known), len(every))


def _mean(times: Iterable[float | None]) -> float | None:
    every = list(times)
    known = [time for time in every if time is not None]
    return fmean(known) if known and len(known) == len(every) else None


def _costs(told: Sequence[Facts]) -> Iterator[Cost]:
    known = [one.cost for one in told if one.cost is not None]
    for currency in dict.fromkeys(cost.currency for cost in known):
        amounts = (cost.amount for cost in known if cost.currency == currency)
        yield Cost(round(sum(amounts), 10), currency)


def sources(found: Iterable[Ranking]) -> Mapping[Price, tuple[str, ...]]:
    """Every price that was looked up, and the targets that have it, without their labels."""
    told: dict[Price, dict[str, None]] = defaultdict(dict)
    for entry in (entry for contest in found for entry in contest.entries):
        for price in entry.prices:
            told[price][entry.target.partition(" (")[0]] = None
    return {price: tuple(targets) for price, targets in told.items()}
