"""What asking anew takes, in requests and in money."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from harness.analysis.endpoint import Role
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.summary import model_of
from harness.config.prices import Price, Prices
from harness.types import Failure, Reply

NOTHING = Decimal(0)
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Cost:
    """What one or more turns take: requests that ask something, polls of tasks, files fetched.

    `money` is in the currency of whatever `Tariff` it was counted by; None where nobody knows, and
    `unpriced` says why. `prices` are those it was counted by.
    """

    questions: int = 0
    polls: int = 0
    files: int = 0
    money: Decimal | None = NOTHING
    unpriced: str = ""
    prices: frozenset[Price] = field(default=frozenset(), compare=False)

    @property
    def calls(self) -> int:
        """All requests."""
        return self.questions + self.polls + self.files

    def __add__(self, other: Cost) -> Cost:
        known = self.money is not None and other.money is not None
        return Cost(
            self.questions + other.questions,
            self.polls + other.polls,
            self.files + other.files,
            (self.money or NOTHING) + (other.money or NOTHING) if known else None,
            self.unpriced or other.unpriced,
            self.prices | other.prices,
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one day (`2026-07-01`), in one currency."""

    prices: Prices
    currency: str
    day: str

    def price(self, read: AnalyzedTranscript, turn: AnalyzedTurn) -> Price | None:
        """The price of the model that a turn asks, in whatever currency."""
        asked = turn.readings[:1]
        return self.prices.price(*model_of(read, asked[0]), self.day) if asked else None

    def of(self, read: AnalyzedTranscript, turn: AnalyzedTurn) -> tuple[Decimal | None, str]:
        """What a turn costs, or None and why nobody knows. What is refused by an HTTP status costs
        nothing."""
        if not turn.readings:
            return None, "a request that came to no answer may have been paid for"
        named = "/".join(model_of(read, turn.readings[0]))
        price = self.price(read, turn)
        if price is None:
            return None, f"there is no price of {named}"
        if price.currency != self.currency:
            return None, f"the price of {named} is in {price.currency}"
        if isinstance(turn.outcome, Failure) and turn.outcome.status >= _REFUSED:
            return NOTHING, ""
        said = turn.outcome if isinstance(turn.outcome, Reply) else Reply()
        told = price.of(said.usage, len(said.images), bool(said.reasoning))
        if told is None:
            return None, f"what an answer of {named} used is not told, or has no price"
        return Decimal(str(told.amount)), ""


def turn_cost(read: AnalyzedTranscript, turn: AnalyzedTurn, tariff: Tariff | None) -> Cost:
    """What a turn took; without a tariff, in requests alone."""
    roles = [r.endpoint.role if r.endpoint else Role.OTHER for r in turn.readings]
    polls = roles.count(Role.POLL)
    files = sum(reading.is_binary for reading in turn.readings)
    money, why = tariff.of(read, turn) if tariff else (None, "")
    price = tariff.price(read, turn) if tariff and money else None
    prices = frozenset({price} if price else ())
    return Cost(len(roles) - polls - files, polls, files, money, why, prices)


def cost(read: AnalyzedTranscript, tariff: Tariff | None = None) -> Cost:
    """What a recording took."""
    return sum((turn_cost(read, turn, tariff) for turn in read.turns), Cost())
