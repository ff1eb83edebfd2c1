"""A contract: the evidence for each section, and the recordings it was learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.contracts.evidence import Cite, Node, either, observe
from harness.contracts.sections import Section, sections, witness
from harness.types import Json

Named = Iterable[tuple[str, AnalyzedTranscript]]
"""Recordings, each with the name it is cited by."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that was learned from: its name, its origin, its number of exchanges."""

    file: str
    recorded_from: str
    exchanges: int


@dataclass(frozen=True, slots=True)
class Contract:
    """All evidence, by section.

    `sources` are by a digest of their exchanges, so that no recording is counted twice.
    """

    sections: Mapping[Section, Node] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def exchanges(self) -> int:
        """The number of exchanges it was learned from."""
        return sum(source.exchanges for source in self.sources.values())


def learn(recordings: Named) -> Contract:
    """Return the contract of recordings; their order does not matter."""
    return extend(Contract(), recordings)


def extend(contract: Contract, recordings: Named) -> Contract:
    """Return the contract with further recordings; those it has already add nothing."""
    new: dict[str, tuple[str, AnalyzedTranscript]] = {}
    for name, transcript in recordings:
        key = digest(transcript)
        if key not in contract.sources:
            named = (name, transcript)
            new[key] = min(named, new.get(key, named), key=lambda pair: pair[0])
    for key in sorted(new):
        contract = merge(contract, _contract_of(key, *new[key]))
    return contract


def merge(left: Contract, right: Contract) -> Contract:
    """Return the evidence of both. Raises ValueError where a recording is in both."""
    if left.sources.keys() & right.sources.keys():
        raise ValueError("a recording would be counted twice")
    merged = dict(left.sections)
    for section, node in right.sections.items():
        merged[section] = either(merged.get(section), node) or node
    return Contract(merged, {**left.sources, **right.sources})


def digest(transcript: AnalyzedTranscript) -> str:
    """Return what identifies a recording, whatever the name of its file."""
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
    return replace(contract, sources={key: Source(name, origin, exchanges)})


def observed(
    name: str, transcript: AnalyzedTranscript, turn: AnalyzedTurn, exchange: AnalyzedExchange
) -> Contract:
    """Return the evidence of one exchange; empty where its endpoint is unknown."""
    values: dict[Section, list[tuple[Cite, Json]]] = {}
    for section, part in sections(exchange):
        cite = Cite(name, exchange.number, part.event or 0)
        values.setdefault(section, []).append((cite, part.value))
    if not values:
        return Contract()
    seen = witness(transcript, turn, exchange)
    return Contract({section: observe(cited, seen) for section, cited in values.items()})
