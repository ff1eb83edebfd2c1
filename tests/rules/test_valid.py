"""Valid exchanges give no finding: every endpoint, every mode."""

from __future__ import annotations

import pytest

from harness.providers import endpoints
from harness.providers.rules import check
from harness.providers.samples import SAMPLES as VALID
from harness.types import Exchange

from .making import foreign


@pytest.mark.parametrize("exchanges", VALID.values(), ids=VALID.keys())
def test_a_valid_conversation_has_no_finding(exchanges: tuple[Exchange, ...]) -> None:
    """What the services really send breaks no rule."""
    assert check(foreign(*exchanges)) == ()


def test_every_endpoint_is_among_the_valid_conversations() -> None:
    """No endpoint goes untested."""
    recognised = [endpoints.recognise(e) for exchanges in VALID.values() for e in exchanges]
    names = {endpoint.name for endpoint in recognised if endpoint}
    assert names >= {endpoint.name for endpoint in endpoints.ENDPOINTS}
