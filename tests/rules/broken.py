"""A conversation that breaks a rule, and where: nothing else may be found in it.

Most ways to break one are mutations, and what is found then stands in `mutants.txt`. Here is what
no mutation does: what is true of one form of answer only, or of one value.
"""

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
