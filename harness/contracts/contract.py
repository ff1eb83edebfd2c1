"""The class `Contract`, and functions that learn contracts from recordings and merge them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.evidence import Citation, Node, either, observe
from harness.contracts.sections import Section, exchange_context, sections
from harness.types import Json


@dataclass(frozen=True, slots=True)
class LearnedSource:
    """A recording that a contract was learned from.

    Attributes:
        file: The name by which the recording is cited.
        recorded_from: The origin: a live service or a sandbox.
        exchanges: Number of the recording's exchanges that are evidence.
    """

    file: str
    recorded_from: str
    exchanges: int


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract learned from recordings.

    Attributes:
        sections: The evidence for the answers of each section (a kind of answer).
        sources: The recordings that it was learned from, by the digest of their exchanges, so that
            none is counted twice.
    """

    sections: Mapping[Section, Node] = field(default_factory=dict)
    sources: Mapping[str, LearnedSource] = field(default_factory=dict)

    @property
    def exchanges(self) -> int:
        """The number of HTTP exchanges that the contract was learned from."""
        return sum(source.exchanges for source in self.sources.values())


class Lesson(NamedTuple):
    """A contract learned from a single recording, to be merged into a larger one by `combine`.

    Attributes:
        name: The name of the recording in citations.
        key: The digest of the recording's exchanges.
        contract: The contract.
    """

    name: str
    key: str
    contract: Contract


def lesson(name: str, transcript: AnalyzedTranscript) -> Lesson:
    """Return the contract learned from the recording *transcript*, which it cites as *name*."""
    name = name.encode("utf-8", "replace").decode()  # the name of a file may be any bytes
    key = digest(transcript)
    return Lesson(name, key, _contract_of(key, name, transcript))


def combine(contract: Contract, lessons: Iterable[Lesson]) -> Contract:
    """Return *contract* merged with *lessons*, each the contract of one recording.

    Recordings that *contract* was learned from before are ignored. Of several with the same
    exchanges, the first one counts. No lesson is kept, so that memory does not grow with their
    number.
    """
    for one in lessons:
        if one.key not in contract.sources:
            contract = merge(contract, one.contract)
    return contract


def merge(left: Contract, right: Contract) -> Contract:
    """Return a contract with the evidence of two contracts.

    Raises:
        ValueError: A recording is in both contracts.
    """
    if left.sources.keys() & right.sources.keys():
        raise ValueError("a recording would be counted twice")
    merged = dict(left.sections)
    for section, node in right.sections.items():
        merged[section] = either(merged.get(section), node) or node
    return Contract(merged, {**left.sources, **right.sources})


def digest(transcript: AnalyzedTranscript) -> str:
    """Return 16 hexadecimal digits that identify a recording by its requests and responses."""
    whole = hashlib.sha256()
    for analyzed in transcript.readings:
        request, response = analyzed.exchange.request, analyzed.exchange.response
        line = f"{request.method} {request.uri} {response.status}".encode("utf-8", "replace")
        for part in (line, request.body, response.body):
            whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]


def _contract_of(key: str, name: str, transcript: AnalyzedTranscript) -> Contract:
    contract = Contract()
    exchanges = 0
    for turn in transcript.turns:
        for exchange in turn.readings:
            learned = observed(name, transcript, turn, exchange)
            exchanges += bool(learned.sections)
            contract = merge(contract, learned)
    if not exchanges:
        return contract
    origin = transcript.transcript.provenance.recorded_from.value
    return replace(contract, sources={key: LearnedSource(name, origin, exchanges)})


def observed(
    name: str, transcript: AnalyzedTranscript, turn: AnalyzedTurn, exchange: AnalyzedExchange
) -> Contract:
    """Return a contract with the evidence of one exchange; it is empty for an unknown endpoint.

    *name* is the name by which the contract cites the recording; *transcript* is the recording and
    *turn* its turn with the exchange.
    """
    values: dict[Section, list[tuple[Citation, Json]]] = {}
    for section, part in sections(exchange):
        cite = Citation(name, exchange.number, part.event or 0)
        values.setdefault(section, []).append((cite, part.value))
    if not values:
        return Contract()
    seen = exchange_context(transcript, turn, exchange)
    return Contract({section: observe(cited, seen) for section, cited in values.items()})
