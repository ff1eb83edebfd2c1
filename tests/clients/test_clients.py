"""Clients that need no package: Node's fetch, and curl, get what is on the shipped cassettes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.serve.cassettes import load

from .run import FETCHING, ROOT, fetched

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("program", "client"), [("node", "Node, fetch"), ("curl", "curl")])
def test_every_shipped_body_is_equal_by_hash(program: str, client: str, tmp_path: Path) -> None:
    """Status and SHA-256 of each answer are those of the recording."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    cassettes = load([ROOT / "cassettes"])
    count = len(cassettes.exchanges)
    assert fetched(FETCHING[client], cassettes, tmp_path) == f"{count} of {count} bodies equal"
