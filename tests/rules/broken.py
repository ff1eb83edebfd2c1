"""A conversation that breaks one rule, and where.

Most violations are faults of `harness.faults`, with their findings in `tests/faults/findings.txt`.
Here are those that concern one form of answer only, or one value.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.types import Transcript


@dataclass(frozen=True)
class Broken:
    """A transcript with one violation, its rule and its place.

    `also` names other rules that have to find it, at places of their own.
    """

    rule: str
    transcript: Transcript
    place: str
    says: str = ""
    also: str = ""

    def __str__(self) -> str:
        return self.rule
