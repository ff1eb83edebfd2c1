"""For each rule a conversation that breaks it, and where: nothing else may be found in it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.types import Transcript


@dataclass(frozen=True)
class Broken:
    """A conversation with one thing wrong, the rule that says so and the place it names.

    `also` is another rule that has to notice, at a place of its own.
    """

    rule: str
    transcript: Transcript
    place: str
    says: str = ""
    also: str = ""

    def __str__(self) -> str:
        return self.rule
