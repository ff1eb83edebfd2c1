"""What came of it all: outcomes per kind, a score, the smallest failure of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.faults.run.cases import Case, OnInterrupted
from harness.faults.transport import Sent, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """One case, what was sent in it, and what the client made of that; in `words`, what it
    returned or raised."""

    case: Case
    sent: Sent
    verdict: Verdict
    words: str = ""

    @property
    def right(self) -> bool:
        """Whether the client did what it should."""
        return self.verdict in self.case.torture.right(self.sent)

    @property
    def size(self) -> tuple[int, int]:
        """How small a case is: fewer bytes, then fewer pieces, make a smaller one."""
        return len(self.sent.response.body), len(self.sent.pieces)


@dataclass(frozen=True)
class Kind:
    """All results of one kind."""

    name: str
    harmful: bool
    results: tuple[Result, ...]

    @cached_property
    def counts(self) -> Mapping[Verdict, int]:
        """How often each verdict came."""
        return Counter(result.verdict for result in self.results)

    @cached_property
    def right(self) -> int:
        """How many ended as they should."""
        return sum(result.right for result in self.results)

    @property
    def share(self) -> float:
        """The share that ended as it should, from 0 to 1."""
        return self.right / len(self.results)

    @cached_property
    def smallest(self) -> Result | None:
        """The smallest case that did not end as it should; None if all did."""
        failed = [result for result in self.results if not result.right]
        return min(failed, key=lambda result: result.size, default=None)


@dataclass(frozen=True)
class Suffered:
    """What one client suffered. `planned` is how many cases there were to try, of `exchanges`
    recorded exchanges; `left` is what it was not asked, and why.
    """

    client: str
    results: tuple[Result, ...]
    left: tuple[OnInterrupted, ...] = ()
    planned: int = 0
    exchanges: int = 0

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """The results by the name of their kind, in the order in which these were first tried."""
        by_name: dict[str, list[Result]] = {}
        for result in self.results:
            by_name.setdefault(result.case.torture.name, []).append(result)
        return {
            name: Kind(name, results[0].case.torture.harmful, tuple(results))
            for name, results in by_name.items()
        }

    @property
    def score(self) -> float | None:
        """From 0 to 100: the share of right ends, each kind weighing the same; None where nothing
        was tried."""
        shares = [kind.share for kind in self.kinds.values()]
        return 100 * sum(shares) / len(shares) if shares else None
