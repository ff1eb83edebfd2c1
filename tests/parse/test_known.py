"""The disagreements of the SDKs with the wire are those that somebody looked up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.analysis.exchange import AnalyzedExchange
from harness.cassette.store import read
from harness.parse import PARSERS
from harness.parse.run import ParsedExchange, Signature, defects, parse_all
from harness.providers.endpoints import endpoint, recognise

ROOT = Path(__file__).parents[2]
KNOWN: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "known_disagreements.yaml").read_text(encoding="utf-8")
)
SOURCES = {
    "recordings": ROOT.parent / "shared" / "recordings",
    "others": ROOT.parent / "shared" / "more-recordings",
    "shipped": ROOT / "cassettes",
    "made": Path(__file__).parent / "made",
}
LARGEST = 48 * 1024
"""Longer answers, of many more events of the same kind, are left to `harness parse`."""

installed = [parser for parser in PARSERS.values() if parser.installed]


def folders(source: str) -> list[Path]:
    """Return the parts in which a source is read, so that processes can share the work."""
    return sorted(p for p in SOURCES[source].glob("*") if not p.name.startswith("."))


@cache
def found(folder: Path) -> tuple[ParsedExchange, ...]:
    """Return what the SDKs read in the exchanges of a folder or file."""
    files = sorted(folder.rglob("*.yaml")) if folder.is_dir() else [folder]
    return tuple(
        one
        for path in files
        for one in parse_all(path.name, readings(path) if path.suffix == ".yaml" else (), installed)
    )


def readings(path: Path) -> Iterator[AnalyzedExchange]:
    """Yield the exchanges of a cassette that are not too long."""
    for number, exchange in enumerate(read(path).exchanges, start=1):
        if len(exchange.response.body) <= LARGEST:
            yield AnalyzedExchange(exchange, recognise(exchange), number)


def expected(source: str, dialects: set[str]) -> set[Signature]:
    """Return the known signatures of a source, for installed SDKs and these API forms."""
    names = {parser.name for parser in installed}
    return {
        (parser, endpoint, known["kind"], known["level"], path)
        for known in KNOWN
        if source in known["seen"]
        for parser, endpoint, path in product(known["parsers"], known["endpoints"], known["paths"])
        if parser in names and endpoint.partition(".")[0] in dialects
    }


def dialects(told: tuple[ParsedExchange, ...]) -> set[str]:
    """Return the API forms of the endpoints."""
    return {endpoint(one.endpoint).dialect for one in told if one.endpoint != "unknown"}


@pytest.mark.slow
@pytest.mark.parametrize("folder", folders("recordings"), ids=lambda path: path.name)
def test_the_recordings_show_what_is_known(folder: Path) -> None:
    """The real recordings show exactly the listed disagreements."""
    told = found(folder)
    assert {d.signature for d in defects(told)} == expected("recordings", dialects(told))


@pytest.mark.slow
@pytest.mark.skipif(not SOURCES["others"].is_dir(), reason="the recordings are not here")
def test_other_services_show_what_is_known() -> None:
    """The real recordings of other services show exactly the listed disagreements."""
    told = tuple(one for path in folders("others") if path.is_dir() for one in found(path))
    assert {d.signature for d in defects(told)} == expected("others", dialects(told))


@pytest.mark.slow
@pytest.mark.parametrize("source", ["shipped", "made"])
def test_our_own_cassettes_show_what_is_known(source: str) -> None:
    """The shipped cassettes, and those made by hand, show exactly the listed disagreements."""
    told = tuple(one for folder in folders(source) for one in found(folder))
    assert {d.signature for d in defects(told)} == expected(source, dialects(told))


@pytest.mark.slow
def test_every_sdk_read_something() -> None:
    """Each installed SDK read at least one exchange."""
    told = [one for source in ("shipped", "made") for f in folders(source) for one in found(f)]
    assert {one.parser for one in told} - {""} == {parser.name for parser in installed}


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["what"][:40])
def test_a_known_disagreement_has_its_place(known: dict[str, Any]) -> None:
    """The cause of each disagreement is at the listed line of the installed SDK."""
    from importlib.util import find_spec

    name, _, number = known["where"].rpartition(":")
    package, _, inside = name.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    lines = (Path(spec.origin).parent / inside).read_text(encoding="utf-8").splitlines()
    assert lines[int(number) - 1].strip() == known["code"]
