"""The cassettes that come with the repository: where they are from, and what they note."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from harness.cassette import store
from harness.sandbox import LIFELIKE
from harness.types import Exchange, Origin

CASSETTES = Path(__file__).parents[2] / "cassettes"
FILES = store.find([CASSETTES])


def is_stream(exchange: Exchange) -> bool:
    """Whether an answer came as events."""
    return (exchange.response.header("content-type") or "").startswith("text/event-stream")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CASSETTES)))
def test_a_shipped_cassette_says_that_it_is_from_the_sandbox(path: Path) -> None:
    """In its own words, and in a header of every answer; nobody takes it for the real thing."""
    cassette = store.read(path)
    assert cassette.provenance.recorded_from is Origin.SANDBOX
    assert {e.response.header("x-sandbox") for e in cassette.exchanges} == {"harness"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CASSETTES)))
def test_a_shipped_cassette_notes_all_that_a_recording_notes(path: Path) -> None:
    """Whose key asked, when each chunk came; and the sandbox took its time, as services do."""
    exchanges = store.read(path).exchanges
    assert all(exchange.key for exchange in exchanges)
    for exchange in filter(is_stream, exchanges):
        assert exchange.timing is not None
        arrived = exchange.timing.arrived
        gaps = [after - before for before, after in pairwise(arrived)]
        assert len(arrived) == len(exchange.chunks) > 1
        assert min(gaps) > 0
        assert max(gaps) > LIFELIKE.chunk_gap / 2
        assert len(set(gaps)) > 1


def test_there_are_shipped_streams() -> None:
    """Else nothing was said of them."""
    exchanges = [exchange for path in FILES for exchange in store.read(path).exchanges]
    assert sum(map(is_stream, exchanges)) >= 6
