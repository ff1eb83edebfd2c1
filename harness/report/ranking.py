"""Rankings of targets by speed and cost.

Targets are ranked together if they have scenarios in common; only turns that all of them answered
count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import Matrix, Outline, TurnFigures, outline
from harness.config.prices import Cost, Price
from harness.types import Origin

_LISTED = 3
"""The largest number of scenarios in the name of a compared group."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of token counts over turns.

    Attributes:
        amount: the sum of the known counts; None if no turn's count is known.
        known: the number of turns whose count is known.
        of: the number of all turns.
    """

    amount: int | None
    known: int
    of: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The totals of one target over all turns of a ranking.

    Attributes:
        target: the name of the target.
        turns: the number of turns.
        input_tokens: the sum of the input tokens.
        output_tokens: the sum of the output tokens.
        first_token: mean seconds to a turn's first token; None unless known for every turn.
        total: mean seconds of a turn; None unless known for every turn.
        costs: the known costs of turns, summed for each currency.
        priced: the number of turns whose cost is known.
        prices: the prices of the models, including those of turns whose cost is unknown.
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
        """The cost of all turns; None if a turn's cost is unknown or currencies differ."""
        return self.costs[0] if self.priced == self.turns and len(self.costs) == 1 else None


class Undecided(StrEnum):
    """The reason why no single target is the cheapest."""

    UNKNOWN = "cost unknown"
    CURRENCIES = "several currencies"
    EQUAL = "same cost"


MARGIN = 0.05
"""A target is faster than another only if it saves more than this share of the other's time."""


def _is_ahead(best: float | None, other: float | None) -> bool:
    return best is not None and other is not None and best < other * (1 - MARGIN)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Targets that answered the same turns of the same scenarios, the fastest first.

    Attributes:
        scenarios: the names of the scenarios.
        turns: the number of turns that each target answered.
        entries: the targets with their totals, the fastest first.
        sandbox: whether any answer was recorded from the sandbox.
    """

    scenarios: tuple[str, ...]
    turns: int
    entries: tuple[Entry, ...]
    sandbox: bool

    @property
    def slowest(self) -> float:
        """The longest mean time of a target, in seconds; 0 if no time is known."""
        return max((entry.total or 0.0 for entry in self.entries), default=0.0)

    @property
    def fastest(self) -> str:
        """The target with the shortest mean time; empty if a time is unknown or there is a tie.

        It is a tie if the target saves at most `MARGIN` (5 %) of another target's time.
        """
        best, *others = (entry.total for entry in self.entries)
        ahead = all(_is_ahead(best, other) for other in others)
        return self.entries[0].target if ahead and best is not None else ""

    @property
    def timed(self) -> bool:
        """Whether the time of every turn is known."""
        return all(entry.total is not None for entry in self.entries)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The targets with a turn whose cost is unknown."""
        return tuple(entry.target for entry in self.entries if entry.priced < entry.turns)

    @property
    def undecided(self) -> Undecided | None:
        """The reason why no single target is the cheapest; None if `cheapest` names one."""
        if self.unpriced:
            return Undecided.UNKNOWN
        if len({cost.currency for entry in self.entries for cost in entry.costs}) > 1:
            return Undecided.CURRENCIES
        return Undecided.EQUAL if len(self.least) > 1 else None

    @property
    def least(self) -> tuple[str, ...]:
        """The targets with the lowest known cost; several if there is a tie."""
        costs = {entry.target: entry.cost.amount for entry in self.entries if entry.cost}
        least = min(costs.values(), default=0.0)
        return tuple(target for target, amount in costs.items() if amount == least)

    @property
    def cheapest(self) -> str:
        """The target with the lowest cost; empty if there is a tie or costs cannot be compared."""
        return "" if self.undecided else self.least[0]

    def verdict(self, shown: Callable[[str], str] = str) -> str:
        """Return `fastest: X; cheapest: Y` with names of targets, or `tie` or `unknown` instead.

        *shown* is a function that formats the name of a target.
        """
        undecided = "tie" if self.timed else "unknown"
        fastest = shown(self.fastest) if self.fastest else undecided
        return f"fastest: {fastest}; cheapest: {self._cheapest(shown)}"

    def _cheapest(self, shown: Callable[[str], str]) -> str:
        if self.undecided is Undecided.UNKNOWN:
            return (
                f"unknown (no price, or no token counts, of {', '.join(map(shown, self.unpriced))})"
            )
        if self.undecided is Undecided.CURRENCIES:
            return "unknown (different currencies)"
        tie = "tie: " if self.undecided else ""
        return tie + ", ".join(map(shown, self.least))


def scenario_rankings(
    matrices: Sequence[Matrix], outlines: Sequence[Outline]
) -> tuple[Ranking, ...]:
    """Return a ranking for each scenario in which several targets answered the same turns.

    The figures of a scenario are taken from its matrix or, if it has none, from its *outlines*.
    """
    sandboxed = _sandboxed(outlines)
    found = _answered(matrices, outlines)
    return tuple(_ranking({scenario: answers}, sandboxed) for scenario, answers in found.items())


def rankings(matrices: Sequence[Matrix], outlines: Sequence[Outline]) -> tuple[Ranking, ...]:
    """Return a ranking for each group of targets that answered the same scenarios.

    If A and B answered scenarios 1 and 2, and A, B and C answered 3, there are two rankings. The
    one with the most turns is first. The figures of a scenario are taken from its matrix or, if it
    has none, from its *outlines*.
    """
    together: dict[frozenset[str], dict[str, Answers]] = defaultdict(dict)
    for scenario, answers in _answered(matrices, outlines).items():
        together[frozenset(answers)][scenario] = answers
    sandboxed = _sandboxed(outlines)
    ranked = [_ranking(shared, sandboxed) for shared in together.values()]
    return tuple(sorted(ranked, key=lambda ranking: -ranking.turns))


def rank_groups(
    groups: Sequence[Sequence[AnalyzedTranscript]], matrices: Sequence[Matrix]
) -> tuple[Ranking, ...]:
    """Return rankings by speed and cost of the targets in each group of compared recordings.

    *matrices* has the comparison of each group, in order. Each group counts as one scenario; groups
    with the same targets share one ranking.
    """
    named: list[Matrix] = []
    outlines: list[Outline] = []
    for group, found in zip(groups, matrices, strict=True):
        scenario = scenarios_of(group)
        named.append(replace(found, scenario=scenario))
        outlines += [replace(outline(one), scenario=scenario) for one in group]
    return rankings(named, outlines)


def scenarios_of(reads: Sequence[AnalyzedTranscript]) -> str:
    """Return the names of the scenarios of *reads* as one text: `a ↔ b`.

    Of more than three, only three are named: `a ↔ b ↔ c ↔ 2 more`.
    """
    found = list(dict.fromkeys(one.transcript.scenario for one in reads))
    more = [f"{len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return " ↔ ".join([*found[:_LISTED], *more])


def price_sources(rankings: Iterable[Ranking]) -> Mapping[Price, tuple[str, ...]]:
    """Return every price that the rankings use, each with the names of its targets.

    A label in parentheses after a target's name, such as `(2026-07-01)`, is removed.
    """
    sources: dict[Price, dict[str, None]] = defaultdict(dict)
    for entry in (entry for ranking in rankings for entry in ranking.entries):
        for price in entry.prices:
            sources[price][entry.target.partition(" (")[0]] = None
    return {price: tuple(targets) for price, targets in sources.items()}


Answers = Mapping[str, Sequence[TurnFigures]]
"""The figures of the turns that all targets answered, by target."""


def _answered(matrices: Sequence[Matrix], outlines: Sequence[Outline]) -> dict[str, Answers]:
    """Return the answers of each scenario in which several targets answered the same turns."""
    found: dict[str, list[TurnFigures]] = defaultdict(list)
    for matrix in matrices:  # they have prices, and leave repeats out
        found[matrix.scenario] += matrix.figures
    compared = frozenset(found)
    for one in outlines:
        if one.scenario not in compared:
            found[one.scenario] += one.figures
    common = {scenario: _common(every) for scenario, every in found.items()}
    return {scenario: answers for scenario, answers in common.items() if answers}


def _common(every: Iterable[TurnFigures]) -> Answers:
    """Return the figures of the turns that all targets answered, by target.

    Targets that answered no turn are left out. Empty if fewer than two targets are left.
    """
    replies: dict[str, dict[int, TurnFigures]] = defaultdict(dict)
    for one in every:
        if one.outcome == "reply":
            replies[one.target][one.turn] = one
    turns = sorted(set.intersection(*map(set, replies.values()))) if len(replies) > 1 else []
    if not turns:
        return {}
    return {target: [mine[n] for n in turns] for target, mine in replies.items()}


def _sandboxed(outlines: Sequence[Outline]) -> frozenset[str]:
    """Return the scenarios with a recording from the sandbox."""
    made = ((one.scenario, one.provenance.recorded_from) for one in outlines)
    return frozenset(scenario for scenario, origin in made if origin is Origin.SANDBOX)


def _ranking(shared: Mapping[str, Answers], sandboxed: frozenset[str]) -> Ranking:
    answers: dict[str, list[TurnFigures]] = defaultdict(list)
    for by_target in shared.values():
        for target, mine in by_target.items():
            answers[target] += mine
    entries = sorted((_entry(target, mine) for target, mine in answers.items()), key=_time)
    return Ranking(
        scenarios=tuple(shared),
        turns=entries[0].turns,
        entries=tuple(entries),
        sandbox=not sandboxed.isdisjoint(shared),
    )


def _time(entry: Entry) -> float:
    return float("inf") if entry.total is None else entry.total


def _entry(target: str, every: Sequence[TurnFigures]) -> Entry:
    return Entry(
        target=target,
        turns=len(every),
        input_tokens=_sum(one.input_tokens for one in every),
        output_tokens=_sum(one.output_tokens for one in every),
        first_token=_mean([one.first_token for one in every]),
        total=_mean([one.total for one in every]),
        costs=tuple(_costs(every)),
        priced=sum(one.cost is not None for one in every),
        prices=tuple(dict.fromkeys(one.price for one in every if one.price is not None)),
    )


def _sum(counts: Iterable[int | None]) -> Sum:
    every = list(counts)
    known = [count for count in every if count is not None]
    return Sum(sum(known) if known else None, len(known), len(every))


def _mean(times: Sequence[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return fmean(known) if known and len(known) == len(times) else None


def _costs(every: Sequence[TurnFigures]) -> Iterator[Cost]:
    known = [one.cost for one in every if one.cost is not None]
    for currency in dict.fromkeys(cost.currency for cost in known):
        amounts = (cost.amount for cost in known if cost.currency == currency)
        yield Cost(round(sum(amounts), 10), currency)
