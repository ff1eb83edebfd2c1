"""What is found in each mutation, to the byte and to the word."""

from __future__ import annotations

from pathlib import Path

from .mutants import told

FILE = Path(__file__).with_name("mutants.txt")


def test_every_mutation_is_found_where_it_is() -> None:
    """By its rule, at its place, in words that say what was expected; other rules may join in.

    After a change that is meant: python -m tests.rules.mutants > tests/rules/mutants.txt
    """
    assert told().splitlines() == FILE.read_text(encoding="utf-8").splitlines()


def test_every_mutation_is_found_by_its_rule() -> None:
    """The file, read anew by nobody, could say otherwise."""
    blocks = FILE.read_text(encoding="utf-8").replace("\n  ", "\0").splitlines()
    missed = [b for b in blocks if f"\0{b.partition(':')[0]}: " not in b]
    assert missed == []
