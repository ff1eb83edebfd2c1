"""The result of a conversion: exchanges, and what the source or the target does not have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness.types import Exchange


@dataclass
class Converted:
    """The exchanges that were read from a file of another tool.

    Attributes:
        exchanges: The exchanges, in order.
        losses: Sentences about what the source does not have, each with the number of exchanges
            that it concerns.
        skipped: A sentence for each entry that is no exchange, with the reason.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    def lose(self, what: str) -> None:
        """Count a loss of one exchange."""
        self.losses[what] += 1

    def skip(self, where: str, why: str) -> None:
        """Note an entry that is left out."""
        self.skipped.append(f"{where}: {why}")
