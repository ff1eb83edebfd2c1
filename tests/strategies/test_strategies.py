"""What is made up is valid: no rule finds anything in it, whatever the provider, mode and kind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import strategies
from harness.dialects import recognise
from harness.reading import transcript_of
from harness.rules import check
from harness.types import Cassette, Exchange, Transcript

SOME = settings(deadline=None, max_examples=25)
WAYS = pytest.mark.parametrize("way", strategies.WAYS, ids="-".join)


def told(*exchanges: Exchange) -> Transcript:
    """Exchanges as a cassette of another tool holds them."""
    return transcript_of(Cassette(exchanges), recognise)


@WAYS
def test_what_is_made_breaks_no_rule(way: tuple[str, str, str]) -> None:
    """Every provider, mode and kind: not even a hint."""

    @SOME
    @given(strategies.exchanges(*way))
    def valid(exchange: Exchange) -> None:
        assert check(told(exchange)) == ()

    valid()
