"""One running sandbox for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

from .client import Dash, Zhipu


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """Run a sandbox and yield its address."""
    with serve(Options(port=0, chunk_gap=0.0002), PROVIDER_SERVERS) as address:
        yield address


@pytest.fixture(scope="session")
def http(base: str) -> Iterator[httpx.Client]:
    """Yield an HTTP client of that sandbox."""
    with httpx.Client(base_url=base, trust_env=False) as client:
        yield client


@pytest.fixture
def zhipu(http: httpx.Client) -> Zhipu:
    """Return a client for Zhipu's API."""
    return Zhipu(http)


@pytest.fixture
def dash(http: httpx.Client) -> Dash:
    """Return a client for DashScope's API."""
    return Dash(http)
