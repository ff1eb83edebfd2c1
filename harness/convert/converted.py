"""The result of a conversion: exchanges, and what the source or the target does not have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from harness.types import Exchange

NO_DATE = "its time, which is missing or no date"


class ForeignObject(BaseModel):
    """The base class of parts of other tools' files; unknown and null members are ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        """Leave out members that are null, which some tools write for what they do not know."""
        if not isinstance(value, dict):
            return value
        return {name: item for name, item in value.items() if item is not None}


def first_problem(error: ValidationError) -> str:
    """Return the first problem in *error* as `place: message`: `match.model: Field required`."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


@dataclass
class Converted:
    """The exchanges that were read from a file of another tool.

    Attributes:
        exchanges: The exchanges, in order.
        losses: What the source does not have, as phrases such as "its time", each with the number
            of exchanges that lack it.
        skipped: A sentence for each entry that is no exchange, with the reason.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    def lose(self, what: str) -> None:
        """Count one more exchange that lacks *what*, a phrase such as "its time"."""
        self.losses[what] += 1

    def skip(self, where: str, why: str) -> None:
        """Add to `skipped` that the entry *where*, such as `a.har, entry 3`, is skipped, and *why*.

        The result is a text such as `a.har, entry 3: no response`.
        """
        self.skipped.append(f"{where}: {why}")
