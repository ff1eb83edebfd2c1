"""A contract: what was learnt of each section, and from which recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.evidence import Cite, Node, either, observe
from harness.contracts.sections import Section, sections, witness
from harness.types import LooseJson


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that was learnt from: its name, who answered, how many exchanges it gave."""

    file: str
    recorded_from: str
    exchanges: int


@dataclass(frozen=True, slots=True)
class Contract:
    """All evidence, by section; `sources` by a digest of their exchanges, so that the same
    recording is never counted twice."""

    sections: Mapping[Section, Node] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def exchanges(self) -> int:
        """From how many exchanges it was learnt."""
        return sum(source.exchanges for source in self.sources.values())


def learn(named: Iterable[tuple[str, AnalyzedTranscript]]) -> Contract:
    """What recordings teach, each with the name it is cited by; their order does not matter."""
    return extend(Contract(), named)


def extend(contract: Contract, named: Iterable[tuple[str, AnalyzedTranscript]]) -> Contract:
    """The contract with what further recordings teach; those it knows already add nothing."""
    new: dict[str, tuple[str, AnalyzedTranscript]] = {}
    for name, read in named:
        key = digest(read)
        if key not in contract.sources:
            new[key] = min((name, read), new.get(key, (name, read)), key=lambda pair: pair[0])
    for key in sorted(new):
        contract = merge(contract, _learnt(key, *new[key]))
    return contract


def merge(left: Contract, right: Contract) -> Contract:
    """The evidence of both. Raises ValueError where a recording is in both."""
    if left.sources.keys() & right.sources.keys():
        raise ValueError("a recording would be counted twice")
    found = dict(left.sections)
    for section, node in right.sections.items():
        found[section] = either(found.get(section), node) or node
    return Contract(found, {**left.sources, **right.sources})


def digest(read: AnalyzedTranscript) -> str:
    """What tells one recording from another, whatever its file is called."""
    found = hashlib.sha256()
    for reading in read.readings:
        request, response = reading.exchange.request, reading.exchange.response
        told = f"{request.method} {request.uri} {response.status}".encode("utf-8", "replace")
        for part in (told, request.body, response.body):
            found.update(hashlib.sha256(part).digest())
    return found.hexdigest()[:16]


def _learnt(key: str, name: str, read: AnalyzedTranscript) -> Contract:
    contract = Contract()
    taught = 0
    for turn in read.turns:
        for reading in turn.readings:
            one = observed(name, read, turn, reading)
            taught += bool(one.sections)
            contract = merge(contract, one)
    if not taught:
        return contract
    origin = read.transcript.provenance.recorded_from.value
    return replace(contract, sources={key: Source(name, origin, taught)})


def observed(
    name: str, read: AnalyzedTranscript, turn: AnalyzedTurn, reading: AnalyzedExchange
) -> Contract:
    """What one exchange teaches; nothing where its endpoint is not known."""
    told: dict[Section, list[tuple[Cite, LooseJson]]] = {}
    for section, part in sections(reading):
        cite = Cite(name, reading.number, part.event or 0)
        told.setdefault(section, []).append((cite, part.value))
    if not told:
        return Contract()
    seen = witness(read, turn, reading)
    return Contract({section: observe(values, seen) for section, values in told.items()})
