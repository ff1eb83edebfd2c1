"""Cases of a fault run (fault, answer, place), their results, and cassettes of failures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, zip_longest
from pathlib import Path
from random import Random

from harness.analysis.endpoint import Role
from harness.analysis.transcript import provider_of
from harness.cassette.artefacts import to_files
from harness.cassette.store import Skip, read_all, skip_nothing, write_cassette
from harness.faults.delivery import (
    Delivery,
    DeliveryFault,
    Ending,
    Reaction,
    RecordedAnswer,
    allowed,
)
from harness.providers.endpoints import recognise
from harness.providers.recordings import read_masked
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Provenance, Reply

MAX_ANSWER_BYTES = 2**16
"""Largest answer that is used, in bytes; each is sent many times."""


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """A recorded exchange from which cases are made.

    Attributes:
        path: The cassette.
        number: The position of the exchange in the cassette, from 1.
        answer: The exchange with its endpoint.
    """

    path: Path
    number: int
    answer: RecordedAnswer

    def __str__(self) -> str:
        return f"{self.path}, exchange {self.number}"


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one place of one answer.

    Attributes:
        fault: The fault.
        source: The exchange whose answer is changed.
        place: The place in the answer that the fault changes, such as a byte offset.
    """

    fault: DeliveryFault
    source: AnswerSource
    place: int

    def delivery(self) -> Delivery:
        """Return the changed answer, and how it is sent.

        Raises LookupError if the fault cannot be applied at the place.
        """
        delivery = self.fault.apply(self.source.answer, self.place)
        if delivery is None:
            raise LookupError(f"{self.fault.name} has no place {self.place} in {self.source}")
        return delivery


@dataclass(frozen=True, slots=True)
class Skipped:
    """An exchange that is not used in a run.

    Attributes:
        subject: The cassette and the number of the exchange, as text.
        reason: The reason why the exchange is not used.
    """

    subject: str
    reason: str


def sources(
    paths: Sequence[Path],
    skip: Skip = skip_nothing,
    shown: Callable[[str], None] = lambda text: None,
) -> tuple[list[AnswerSource], list[Skipped]]:
    """Return the exchanges of cassettes whose answers can be changed, and the skipped exchanges.

    *paths* are cassettes or folders of them. *skip* is called with the BadCassette error of
    each file in a folder that cannot be read; *shown* is called with a line of text about the
    progress. Raises HarnessError if no cassette is found, BadCassette if a cassette in *paths*
    cannot be read.
    """
    suitable: list[AnswerSource] = []
    skipped: list[Skipped] = []
    for path, cassette in read_all(paths, read_masked, skip, shown=shown):
        provider = provider_of(cassette.provenance.target)
        for number, exchange in enumerate(cassette.exchanges, start=1):
            endpoint = recognise(exchange, provider)
            if endpoint is None or endpoint.role in (Role.FILE, Role.OTHER):
                reason = "no endpoint whose answers are known"
                skipped.append(Skipped(f"{path}, exchange {number}", reason))
                continue
            source = AnswerSource(path, number, RecordedAnswer(exchange, endpoint))
            reason = _unsuitable(source.answer)
            skipped.append(Skipped(str(source), reason)) if reason else suitable.append(source)
    return suitable, skipped


def _unsuitable(answer: RecordedAnswer) -> str:
    """Return the reason why an answer cannot be changed; empty if it can."""
    if len(answer.body) > MAX_ANSWER_BYTES:
        return f"an answer of more than {MAX_ANSWER_BYTES} bytes"
    return "" if isinstance(answer.outcome, Reply) else "not an answer but a refusal, or unreadable"


def cases(
    exchanges: Sequence[AnswerSource], faults: Sequence[DeliveryFault], most: int, seed: int
) -> Iterator[Case]:
    """Yield at most *most* cases of each fault, taking one case of each fault in turn.

    The order is random, but always the same for the same exchanges, faults and *seed*.
    """
    by_fault = [islice(_of_fault(fault, exchanges, seed), most) for fault in faults]
    for round_ in zip_longest(*by_fault):
        yield from (case for case in round_ if case is not None)


def _of_fault(fault: DeliveryFault, exchanges: Sequence[AnswerSource], seed: int) -> Iterator[Case]:
    """Yield every case of a fault in random order, taking one case of each exchange in turn."""
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


def _of_source(fault: DeliveryFault, source: AnswerSource, random: Random) -> Iterator[Case]:
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
class CaseResult:
    """The result of one case with one client.

    Attributes:
        case: The case.
        delivery: The changed answer that was sent.
        reaction: How the client reacted.
        detail: What the client returned or raised, as text; empty if the reaction is SAME.
    """

    case: Case
    delivery: Delivery
    reaction: Reaction
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the reaction is one that the fault allows."""
        return self.reaction in allowed(self.case.fault, self.delivery)

    @property
    def size(self) -> tuple[int, int]:
        """(bytes, packets): the length of the sent body, and how many packets; 0 if not split."""
        return len(self.delivery.response.body), len(self.delivery.packets)


@dataclass(frozen=True)
class FaultResults:
    """All results of one fault with one client.

    Attributes:
        fault: The fault.
        results: The results of its cases, in the order in which they were run.
    """

    fault: DeliveryFault
    results: tuple[CaseResult, ...]

    @cached_property
    def passed(self) -> int:
        """The number of cases that passed."""
        return sum(result.passed for result in self.results)

    @property
    def share(self) -> float:
        """The share of cases that passed, from 0 to 1."""
        return self.passed / len(self.results)

    @cached_property
    def smallest_failure(self) -> CaseResult | None:
        """The failed case with the fewest bytes, then packets; None if all passed."""
        failed = [result for result in self.results if not result.passed]
        return min(failed, key=lambda result: result.size, default=None)


@dataclass(frozen=True)
class ClientResults:
    """All results of one client.

    Attributes:
        name: The name of the client.
        results: The results of the cases that were run.
        skipped: The exchanges that were not sent to the client, and the reasons.
        planned: The number of cases to run; larger than the number of results if time ran out.
        exchanges: The number of recorded exchanges from which the cases were made.
    """

    name: str
    results: tuple[CaseResult, ...]
    skipped: tuple[Skipped, ...] = ()
    planned: int = 0
    exchanges: int = 0

    @cached_property
    def by_fault(self) -> Mapping[str, FaultResults]:
        """The results of each fault, by its name, in the order in which faults were first run."""
        by_name: dict[str, list[CaseResult]] = {}
        for result in self.results:
            by_name.setdefault(result.case.fault.name, []).append(result)
        return {n: FaultResults(group[0].case.fault, tuple(group)) for n, group in by_name.items()}

    @property
    def score(self) -> float | None:
        """The mean share of passed cases over all faults, in percent; None without results."""
        shares = [results.share for results in self.by_fault.values()]
        return 100 * sum(shares) / len(shares) if shares else None


# ------------------------------------------------------------------------------------------- saving


@dataclass(frozen=True, slots=True)
class Saved:
    """The smallest failure of a fault, and the cassette to which it was saved.

    Attributes:
        fault: The name of the fault.
        path: The cassette; None if a cassette cannot hold the failure.
        reason: Why a cassette cannot hold the failure; empty if it was saved.
    """

    fault: str
    path: Path | None
    reason: str = ""


def save_failures(folder: Path, client: ClientResults, redactor: Redactor) -> Iterator[Saved]:
    """Write the smallest failure of each fault to `<folder>/<client>/<fault>.yaml`.

    *redactor* removes secrets. Yields a `Saved` for each fault with a failure. Raises CannotWrite
    if a file cannot be written, SecretNotRedacted if a secret cannot be removed.
    """
    name = re.sub(r"[^\w.-]", "-", client.name)
    for fault, results in client.by_fault.items():
        failure = results.smallest_failure
        if failure is None:
            continue
        reason = _not_storable(failure.delivery)
        path = None if reason else folder / name / f"{fault}.yaml"
        if path:
            write_cassette(path, to_files(failure_cassette(failure, client.name, redactor)))
        yield Saved(fault, path, reason)


def failure_cassette(failure: CaseResult, client: str, redactor: Redactor) -> Cassette:
    """Return a cassette with the exchange of a failed case, whose answer has the fault.

    The cassette's note says that it was not recorded, and how the client reacted. *client* is the
    name of the client; *redactor* removes secrets.
    """
    source, delivery = failure.case.source, failure.delivery
    exchange = replace(
        source.answer.exchange,
        response=delivery.response,
        chunks=delivery.packets,
        timing=None,
        turn=1,
    )
    ending = "; in this cassette the answer just ends" if delivery.ending is Ending.CLOSED else ""
    note = (
        f"made by harness faults, not recorded: {delivery.description}{ending}. "
        f"{client}: {failure.reaction}. "
        f"The original is exchange {source.number} of {source.path.name}."
    )
    provenance = Provenance(scenario=f"faults {failure.case.fault.name}", note=note)
    return Cassette((redactor.exchange(exchange),), provenance)


def _not_storable(delivery: Delivery) -> str:
    """Return the reason why a cassette cannot hold the delivery; empty if it can."""
    if delivery.ending is Ending.RESET:
        return "a cassette cannot reset a connection"
    if delivery.ending is Ending.SILENT or delivery.delay or delivery.without_head:
        return "a cassette cannot keep a client waiting"
    if delivery.declared_length is not None:
        return "a cassette cannot declare a wrong length"
    return "a cassette holds bodies as clients read them, not compressed" if delivery.gzip else ""
