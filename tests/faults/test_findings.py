"""What is found for each fault, to the byte and to the word."""

from __future__ import annotations

from pathlib import Path

import pytest

from .findings import findings

FILE = Path(__file__).with_name("findings.txt")


@pytest.mark.slow
def test_every_fault_is_found_where_it_is() -> None:
    """Each fault is found by its rule, at its place; other rules may find it too.

    After an intended change: python -m tests.faults.findings > tests/faults/findings.txt
    """
    assert findings().splitlines() == FILE.read_text(encoding="utf-8").splitlines()


def test_every_fault_is_found_by_its_rule() -> None:
    """The file cannot record a fault that its rule misses."""
    blocks = FILE.read_text(encoding="utf-8").replace("\n  ", "\0").splitlines()
    missed = [b for b in blocks if f"\0{b.partition(':')[0]}: " not in b]
    assert missed == []
