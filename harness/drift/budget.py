"""The most that may be spent on asking anew: calls, or money."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from harness.drift.cost import Cost
from harness.errors import HarnessError


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
