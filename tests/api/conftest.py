"""Fixtures of the tests of the public API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from intercept.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a small server that answers by path."""
    with serving() as running:
        yield running
