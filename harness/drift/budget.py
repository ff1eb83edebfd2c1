"""What is worth being asked anew: the recordings that exercise the most for the fewest calls.

Finding the best choice is NP-hard (budgeted maximum coverage). The greedy choice by gain per call,
or the best single candidate where that gains more, is never worse than (1 - 1/e) / 2 of the best
(Khuller, Moss and Naor, 1999), and the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.contracts import Contract
from harness.contracts.changes import clauses
from harness.contracts.sections import sections
from harness.mutations import MUTATORS
from harness.reading import Read, Role


@dataclass(frozen=True, slots=True)
class Cost:
    """What a recording took: requests that ask something, polls of tasks, and files fetched."""

    calls: int
    polls: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording that could be made anew: what it takes, and what it exercises."""

    name: str
    cost: Cost
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Left:
    """A candidate that is not chosen, and why."""

    candidate: Candidate
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is chosen, in the order of choice; `covers` of `of` is exercised by it."""

    chosen: tuple[Candidate, ...]
    left: tuple[Left, ...]
    covers: frozenset[str]
    of: frozenset[str]

    @property
    def calls(self) -> int:
        """How many requests that ask something all of it takes."""
        return sum(candidate.cost.calls for candidate in self.chosen)

    @property
    def share(self) -> float:
        """Which share is exercised, from 0 to 1; 1 where there is nothing to exercise."""
        return len(self.covers) / len(self.of) if self.of else 1.0


def everything(candidates: Iterable[Candidate]) -> Plan:
    """The plan without a budget."""
    chosen = tuple(candidates)
    covered = _covered(chosen)
    return Plan(chosen, (), covered, covered)


def plan(candidates: Iterable[Candidate], budget: int) -> Plan:
    """The plan with at most so many calls."""
    every = sorted(candidates, key=lambda c: c.name)
    chosen = _greedy(every, budget, [])
    while (kept := _without_needless(chosen)) != chosen:  # what that saves may buy something else
        chosen = _greedy(every, budget, kept)
    affordable = [c for c in every if c.cost.calls <= budget]
    single = max(affordable, key=lambda c: (len(c.covers), -c.cost.calls), default=None)
    if single is not None and len(single.covers) > len(_covered(chosen)):
        chosen = [single]
    covered = _covered(chosen)
    spent = sum(c.cost.calls for c in chosen)
    left = tuple(Left(c, _why(c, covered, budget - spent)) for c in every if c not in chosen)
    return Plan(tuple(chosen), left, covered, _covered(every))


def _greedy(every: Sequence[Candidate], budget: int, begun: Sequence[Candidate]) -> list[Candidate]:
    """These, and the best gain per call again and again for as long as the budget lasts."""
    chosen = list(begun)
    while True:
        covered, rest = _covered(chosen), budget - sum(c.cost.calls for c in chosen)
        gains = {
            c: len(c.covers - covered) for c in every if c.cost.calls <= rest and c.covers - covered
        }
        if not gains:
            return chosen
        chosen.append(
            min(gains, key=lambda c: (-gains[c] / max(c.cost.calls, 1), c.cost.calls, c.name))
        )


def _without_needless(chosen: list[Candidate]) -> list[Candidate]:
    """Those whose every gain a later choice has too are dropped, the dearest first."""
    kept = list(chosen)
    for candidate in sorted(chosen, key=lambda c: (-c.cost.calls, c.name)):
        others = [c for c in kept if c is not candidate]
        if candidate.covers <= _covered(others):
            kept = others
    return kept


def _covered(candidates: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(item for candidate in candidates for item in candidate.covers)


def _why(candidate: Candidate, covered: frozenset[str], rest: int) -> str:
    gain = len(candidate.covers - covered)
    if not gain:
        return "adds nothing to what is chosen"
    return f"takes {candidate.cost.calls} calls of {rest} left; would add {gain}"


# ------------------------------------------------------------------- what recordings exercise


def cost(read: Read) -> Cost:
    """What a recording took."""
    roles = [r.endpoint.role if r.endpoint else Role.OTHER for r in read.readings]
    polls = roles.count(Role.POLL)
    files = sum(reading.is_binary for reading in read.readings)
    return Cost(len(roles) - polls - files, polls, files)


def rules_exercised(read: Read) -> frozenset[str]:
    """The rules that a recording gives something to check, each with whose wire it is.

    A rule is exercised where it can be broken: where one of its mutations finds something to
    change. That one service keeps it says nothing of another.
    """
    whose = {r.endpoint.dialect for r in read.readings if r.endpoint}
    broken: set[str] = set()
    for mutator in MUTATORS:
        if mutator.breaks not in broken and mutator.mutate(read.transcript) is not None:
            broken.add(mutator.breaks)
    return frozenset(f"{dialect}: {rule}" for dialect in whose for rule in broken)


def clauses_exercised(read: Read, contract: Contract) -> frozenset[str]:
    """The clauses of a contract that a recording has answers for."""
    met = {section for reading in read.readings for section, _ in sections(reading)}
    return frozenset(
        f"{section}: {path} {word}"
        for section in met & contract.sections.keys()
        for path, word in clauses(contract, section)
    )
