"""The cases of a run: which fault is injected where, a sample by a seed, and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, zip_longest
from pathlib import Path
from random import Random

from harness.analysis.endpoint import Role
from harness.cassette.store import find, read
from harness.faults.delivery import Delivery, DeliveryFault, RecordedAnswer, Verdict, allowed
from harness.providers.endpoints import recognise
from harness.types import Reply

MAX_BYTES = 2**16
"""Larger answers are skipped: each is sent again and again."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recorded exchange: its file, its number there from 1, and its answer."""

    path: Path
    number: int
    answer: RecordedAnswer

    def __str__(self) -> str:
        return f"{self.path}, exchange {self.number}"


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one place of one answer."""

    fault: DeliveryFault
    source: Source
    place: int

    def delivery(self) -> Delivery:
        """Return the changed answer; LookupError where the place does not exist."""
        delivery = self.fault.apply(self.source.answer, self.place)
        if delivery is None:
            raise LookupError(f"{self.fault.name} has no place {self.place} in {self.source}")
        return delivery


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not tried, and the reason."""

    subject: str
    reason: str


def sources(paths: Sequence[Path]) -> tuple[list[Source], list[Skipped]]:
    """Return the exchanges in cassettes whose answers can be changed, and those skipped.

    Raises HarnessError where there is no cassette, BadCassette where one cannot be read.
    """
    suitable: list[Source] = []
    skipped: list[Skipped] = []
    for path in find(list(paths)):
        for number, exchange in enumerate(read(path).exchanges, start=1):
            endpoint = recognise(exchange)
            if endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
                reason = "no endpoint whose answers are known"
                skipped.append(Skipped(f"{path}, exchange {number}", reason))
                continue
            source = Source(path, number, RecordedAnswer(exchange, endpoint))
            reason = _unsuitable(source.answer)
            skipped.append(Skipped(str(source), reason)) if reason else suitable.append(source)
    return suitable, skipped


def _unsuitable(answer: RecordedAnswer) -> str:
    """Return why an answer is not changed; empty where it is."""
    if len(answer.body) > MAX_BYTES:
        return f"an answer of more than {MAX_BYTES} bytes"
    return "" if isinstance(answer.outcome, Reply) else "not an answer but a refusal, or unreadable"


def cases(
    exchanges: Sequence[Source], faults: Sequence[DeliveryFault], most: int, seed: int
) -> Iterator[Case]:
    """Yield at most so many cases of each fault, in rounds: one of each fault, then another ...

    The order depends on the seed and the sources, and on nothing else.
    """
    by_fault = [islice(_of_fault(fault, exchanges, seed), most) for fault in faults]
    for round_ in zip_longest(*by_fault):
        yield from (case for case in round_ if case is not None)


def _of_fault(fault: DeliveryFault, exchanges: Sequence[Source], seed: int) -> Iterator[Case]:
    """Yield every case of a fault in random order, one of each source in turn."""
    random = Random(f"{seed} {fault.name}")  # noqa: S311 - a sample, not a secret
    shuffled = random.sample(list(exchanges), len(exchanges))
    waiting = [_of_source(fault, source, random) for source in shuffled]
    while waiting:
        for line in [*waiting]:
            case = next(line, None)
            if case is None:
                waiting.remove(line)
            else:
                yield case


def _of_source(fault: DeliveryFault, source: Source, random: Random) -> Iterator[Case]:
    places = fault.places(source.answer)
    own = Random(random.random())  # noqa: S311
    seen: set[int] = set()
    while len(seen) < len(places):
        place = own.randrange(len(places))
        if place not in seen:
            seen.add(place)
            yield Case(fault, source, places[place])


# ----------------------------------------------------------------------------------- results


@dataclass(frozen=True, slots=True)
class Result:
    """What a client made of one case; `detail` is what it returned or raised, in words."""

    case: Case
    delivery: Delivery
    verdict: Verdict
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the client did what it should."""
        return self.verdict in allowed(self.case.fault, self.delivery)

    @property
    def size(self) -> tuple[int, int]:
        """How small the case is: by the bytes, and then by the packets, of what was sent."""
        return len(self.delivery.response.body), len(self.delivery.packets)


@dataclass(frozen=True)
class FaultResults:
    """All results of one fault with one client."""

    fault: DeliveryFault
    results: tuple[Result, ...]

    @cached_property
    def passed(self) -> int:
        """How many cases passed."""
        return sum(result.passed for result in self.results)

    @property
    def share(self) -> float:
        """The share of cases that passed, from 0 to 1."""
        return self.passed / len(self.results)

    @cached_property
    def smallest_failure(self) -> Result | None:
        """The smallest case that failed; None if all passed."""
        failed = [result for result in self.results if not result.passed]
        return min(failed, key=lambda result: result.size, default=None)


@dataclass(frozen=True)
class ClientResults:
    """All results of one client.

    Attributes:
        name: The name of the client.
        results: The cases that were tried.
        skipped: The exchanges that were not sent to it, and the reasons.
        planned: How many cases there were to try.
        exchanges: How many recorded exchanges these are from.
    """

    name: str
    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...] = ()
    planned: int = 0
    exchanges: int = 0

    @cached_property
    def by_fault(self) -> Mapping[str, FaultResults]:
        """The results by the name of their fault, in the order in which these were first tried."""
        by_name: dict[str, list[Result]] = {}
        for result in self.results:
            by_name.setdefault(result.case.fault.name, []).append(result)
        return {n: FaultResults(group[0].case.fault, tuple(group)) for n, group in by_name.items()}

    @property
    def score(self) -> float | None:
        """The share that passed from 0 to 100, averaged over the faults; None without results."""
        shares = [results.share for results in self.by_fault.values()]
        return 100 * sum(shares) / len(shares) if shares else None
