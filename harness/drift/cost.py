"""What asking anew takes, in requests and in money, and the most of it that is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from harness.compare.names import model_of
from harness.compare.prices import Prices
from harness.errors import HarnessError
from harness.reading import Read, ReadTurn, Role
from harness.types import Failure, Reply

NOTHING = Decimal(0)
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Cost:
    """What one or more turns take: requests that ask something, polls of tasks, files fetched.

    `money` is in the currency of whatever `Tariff` it was counted by; None where nobody knows, and
    `unpriced` says why.
    """

    questions: int = 0
    polls: int = 0
    files: int = 0
    money: Decimal | None = NOTHING
    unpriced: str = ""

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
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one day (`2026-07-01`), in one currency."""

    prices: Prices
    currency: str
    day: str

    def of(self, read: Read, turn: ReadTurn) -> tuple[Decimal | None, str]:
        """What a turn costs, or None and why nobody knows. What is refused by an HTTP status costs
        nothing."""
        if not turn.readings:
            return None, "a request that came to no answer may have been paid for"
        provider, model = model_of(read, turn.readings[0])
        named = f"{provider}/{model}"
        price = self.prices.price(provider, model, self.day)
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


def turn_cost(read: Read, turn: ReadTurn, tariff: Tariff | None) -> Cost:
    """What a turn took; without a tariff, in requests alone."""
    roles = [r.endpoint.role if r.endpoint else Role.OTHER for r in turn.readings]
    polls = roles.count(Role.POLL)
    files = sum(reading.is_binary for reading in turn.readings)
    money, why = tariff.of(read, turn) if tariff else (None, "")
    return Cost(len(roles) - polls - files, polls, files, money, why)


def cost(read: Read, tariff: Tariff | None = None) -> Cost:
    """What a recording took."""
    return sum((turn_cost(read, turn, tariff) for turn in read.turns), Cost())


# ------------------------------------------------------------------------------------ budgets


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent: so many requests, or so much money of a `currency`."""

    most: Decimal
    currency: str = ""

    @property
    def is_money(self) -> bool:
        """Whether it counts money; else requests."""
        return bool(self.currency)

    def __str__(self) -> str:
        return self.told(self.most)

    def told(self, amount: Decimal) -> str:
        """So much of it, in words."""
        if self.is_money:
            return f"{plainly(amount)} {self.currency}"
        return "1 call" if amount == 1 else f"{plainly(amount)} calls"

    def price(self, cost: Cost) -> Decimal | None:
        """How much of it something takes; None where nobody knows."""
        return cost.money if self.is_money else Decimal(cost.calls)


def plainly(amount: Decimal) -> str:
    """An amount without an exponent, and without zeros at its end."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_ISO_4217 = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
    GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD
    KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
    SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND
    VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_ISO_4217.split())
"""The currencies that one can pay with."""

_CALLS = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_MONEY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([A-Z]{3})", re.ASCII)


def budget(text: str) -> Budget:
    """`20` is so many calls, `0.50CNY` or `0.5 CNY` so much money. Raises HarnessError."""
    if _CALLS.fullmatch(text):
        return Budget(Decimal(text))
    found = _MONEY.fullmatch(text)
    if found and found[2] in CURRENCIES and Decimal(found[1]):
        return Budget(Decimal(found[1]), found[2])
    raise HarnessError(
        f"{text!r} is no budget; allowed: a whole number of calls from 1, such as 20, or money "
        "in a currency by ISO 4217, such as 0.50CNY"
    )
