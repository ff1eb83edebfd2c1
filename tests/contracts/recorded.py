"""The recordings that contracts are tested with: the real ones, or those that are shipped."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette import store
from harness.contracts.contract import Contract, combine, lesson, merge, observed
from harness.contracts.sections import Section, exchange_context, sections
from harness.providers.recordings import read_cassette

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "recordings"
OTHERS = ROOT.parent / "shared" / "more-recordings"
SHIPPED = ROOT / "cassettes"
FOLDERS = [SHIPPED, REAL] if REAL.is_dir() else [SHIPPED]

NOTHING = Contract()


@dataclass(frozen=True)
class LearnedExchange:
    """One exchange: the file it is in, who answered, and what it teaches."""

    file: str
    reading: AnalyzedExchange
    family: str
    contract: Contract


def learn(
    recordings: Iterable[tuple[str, AnalyzedTranscript]], contract: Contract = NOTHING
) -> Contract:
    """A contract learned from recordings and their names, or *contract* with their evidence."""
    return combine(contract, (lesson(name, transcript) for name, transcript in recordings))


def named(path: Path) -> tuple[str, AnalyzedTranscript]:
    """A recording, with the name it is cited by."""
    return f"{path.parent.name}/{path.name}", read_cassette(path)


@cache
def reads(folder: Path) -> tuple[tuple[str, AnalyzedTranscript], ...]:
    """Every recording of a folder, with the name it is cited by."""
    return tuple(map(named, store.find([folder])))


@cache
def exchanges(folder: Path) -> tuple[LearnedExchange, ...]:
    """Every exchange of a folder."""
    return tuple(
        LearnedExchange(
            name,
            reading,
            exchange_context(read, turn, reading).family,
            observed(name, read, turn, reading),
        )
        for name, read in reads(folder)
        for turn in read.turns
        for reading in turn.readings
    )


def contract_of(learned: Sequence[LearnedExchange]) -> Contract:
    """What these exchanges teach."""
    contract = Contract()
    for one in learned:
        contract = merge(contract, one.contract)
    return contract


def halves(
    folder: Path, seed: int, *, by: str
) -> tuple[list[LearnedExchange], list[LearnedExchange]]:
    """Two halves at random: of the exchanges, or of the files with all their exchanges."""
    every = exchanges(folder)
    units = sorted({one.file for one in every}) if by == "file" else list(range(len(every)))
    chosen = set(random.Random(seed).sample(units, len(units) // 2))  # noqa: S311 - no secret
    first = [one.file in chosen if by == "file" else n in chosen for n, one in enumerate(every)]
    pairs = list(zip(every, first, strict=True))
    return [one for one, mine in pairs if mine], [one for one, mine in pairs if not mine]


def parts(reading: AnalyzedExchange) -> Iterator[tuple[Section, Part]]:
    """Every part of an exchange with its section."""
    return sections(reading)


def changed(reading: AnalyzedExchange, part: Part, value: Any) -> AnalyzedExchange:
    """The exchange with another value in the place of one part."""
    if part.event is None:
        body = json.dumps(value).encode()
    else:
        body = b"".join(_event(reading, part, value))
    response = replace(reading.exchange.response, body=body)
    exchange = replace(reading.exchange, response=response)
    return AnalyzedExchange(exchange, reading.endpoint, reading.number, reading.turn)


def _event(reading: AnalyzedExchange, part: Part, value: Any) -> Iterator[bytes]:
    for event in reading.stream.events:
        yield b"".join(f":{comment}\n".encode() for comment in event.comments)
        data = json.dumps(value) if event.number == part.event else event.data
        yield b"".join(f"data: {line}\n".encode() for line in data.split("\n")) + b"\n"
