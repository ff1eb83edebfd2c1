"""Which changes are tried: a sample of all that can be made, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from random import Random

from harness.analysis.endpoint import Role
from harness.cassette.store import find, read
from harness.faults.transport import Fault, Recorded, Sent
from harness.providers.endpoints import recognise
from harness.types import Reply

MOST_BYTES = 2**16
"""Answers over this size are left out: each is sent again and again."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recorded exchange: the file, its number in it from 1, and what is on it."""

    path: Path
    number: int
    recorded: Recorded

    def __str__(self) -> str:
        return f"{self.path}, exchange {self.number}"


@dataclass(frozen=True, slots=True)
class Case:
    """One change at one place of one answer."""

    torture: Fault
    source: Source
    place: int

    def sent(self) -> Sent:
        """The changed answer."""
        return self.torture.change(self.source.recorded, self.place)


@dataclass(frozen=True, slots=True)
class OnInterrupted:
    """Something that was not tried, and why."""

    what: str
    why: str


def sources(paths: Sequence[Path]) -> tuple[list[Source], list[OnInterrupted]]:
    """Every exchange in these cassettes whose answer can be changed, and those left out.

    Raises HarnessError where there is no cassette, BadCassette where one cannot be read.
    """
    found: list[Source] = []
    left: list[OnInterrupted] = []
    for path in find(list(paths)):
        for number, exchange in enumerate(read(path).exchanges, start=1):
            known = recognise(exchange)
            if known is None or known.role in (Role.FILE, Role.OTHER):
                why = "no endpoint whose answers are known"
                left.append(OnInterrupted(f"{path}, exchange {number}", why))
                continue
            source = Source(path, number, Recorded(exchange, known))
            why = _unfit(source.recorded)
            left.append(OnInterrupted(str(source), why)) if why else found.append(source)
    return found, left


def _unfit(recorded: Recorded) -> str:
    """Why an answer is not changed; empty where it is."""
    if len(recorded.body) > MOST_BYTES:
        return f"an answer of more than {MOST_BYTES} bytes"
    if not isinstance(recorded.outcome, Reply):
        return "not an answer but a refusal, or unreadable"
    return ""


def cases(
    found: Sequence[Source], tortures: Sequence[Fault], most: int, seed: int
) -> Iterator[Case]:
    """At most so many cases of each kind, in rounds: a first one of each kind, a second one ...

    The order depends on the seed and the sources, and on nothing else.
    """
    kinds = [islice(_of_kind(torture, found, seed), most) for torture in tortures]
    for round_ in zip_longest(*kinds):
        yield from (case for case in round_ if case is not None)


def _of_kind(torture: Fault, found: Sequence[Source], seed: int) -> Iterator[Case]:
    """Every case of a kind in random order, one of each source after the other."""
    chance = Random(f"{seed} {torture.name}")  # noqa: S311 - a sample, not a secret
    waiting = [_of_source(torture, source, chance) for source in _shuffled(found, chance)]
    while waiting:
        for line in [*waiting]:
            case = next(line, None)
            if case is None:
                waiting.remove(line)
            else:
                yield case


def _of_source(torture: Fault, source: Source, chance: Random) -> Iterator[Case]:
    places = torture.places(source.recorded)
    own = Random(chance.random())  # noqa: S311
    seen: set[int] = set()
    while len(seen) < len(places):
        at = own.randrange(len(places))
        if at not in seen:
            seen.add(at)
            yield Case(torture, source, places[at])


def _shuffled(found: Sequence[Source], chance: Random) -> list[Source]:
    return chance.sample(list(found), len(found))
