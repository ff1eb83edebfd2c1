"""Which recordings to make again within a budget: those that exercise the most for the least.

Finding the best choice is NP-hard (budgeted maximum coverage). The greedy choice by gain per price,
or the best single candidate where that gains more, is never worse than (1 - 1/e) / 2 of the best
(Khuller, Moss and Naor, 1999), and it is deterministic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from harness.analysis.endpoint import Role
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.compare.summary import model_of
from harness.config.prices import Price, Prices
from harness.contracts import Contract
from harness.contracts.schema import clauses
from harness.contracts.sections import sections
from harness.errors import HarnessError
from harness.faults.registry import RULE_FAULTS, injected
from harness.types import Failure, Reply
from harness.wire.text import count

NOTHING = Decimal(0)
_REFUSED = 400

# -------------------------------------------------------------------------------- the cost


@dataclass(frozen=True, slots=True)
class Cost:
    """What one or more turns cost: numbers of model requests, of task polls and of downloads.

    `money` is in the currency of the `Tariff` it was computed by; None where it is unknown, and
    `unpriced` says why. `prices` are those it was computed by.
    """

    questions: int = 0
    polls: int = 0
    files: int = 0
    money: Decimal | None = NOTHING
    unpriced: str = ""
    prices: frozenset[Price] = field(default=frozenset(), compare=False)

    @property
    def calls(self) -> int:
        """The number of all requests."""
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

    def price(self, transcript: AnalyzedTranscript, turn: AnalyzedTurn) -> Price | None:
        """Return the price of the model that a turn asks, in whatever currency."""
        if not turn.readings:
            return None
        return self.prices.price(*model_of(transcript, turn.readings[0]), self.day)

    def of(self, transcript: AnalyzedTranscript, turn: AnalyzedTurn) -> tuple[Decimal | None, str]:
        """Return what a turn costs, or None and why it is unknown; a refusal costs nothing."""
        if not turn.readings:
            return None, "a request without an answer may have been charged"
        model = "/".join(model_of(transcript, turn.readings[0]))
        price = self.price(transcript, turn)
        if price is None:
            return None, f"there is no price of {model}"
        if price.currency != self.currency:
            return None, f"the price of {model} is in {price.currency}"
        if isinstance(turn.outcome, Failure) and turn.outcome.status >= _REFUSED:
            return NOTHING, ""
        reply = turn.outcome if isinstance(turn.outcome, Reply) else Reply()
        cost = price.of(reply.usage, len(reply.images), bool(reply.reasoning))
        if cost is None:
            return None, f"the usage in an answer of {model} is unknown, or has no price"
        return Decimal(str(cost.amount)), ""


def turn_cost(transcript: AnalyzedTranscript, turn: AnalyzedTurn, tariff: Tariff | None) -> Cost:
    """Return what a turn cost; without a tariff, in requests alone."""
    roles = [e.endpoint.role if e.endpoint else Role.OTHER for e in turn.readings]
    polls = roles.count(Role.POLL)
    files = sum(exchange.is_binary for exchange in turn.readings)
    money, reason = tariff.of(transcript, turn) if tariff else (None, "")
    price = tariff.price(transcript, turn) if tariff and money else None
    prices = frozenset({price} if price else ())
    return Cost(len(roles) - polls - files, polls, files, money, reason, prices)


def cost(transcript: AnalyzedTranscript, tariff: Tariff | None = None) -> Cost:
    """Return what a recording cost; without a tariff, in requests alone."""
    return sum((turn_cost(transcript, turn, tariff) for turn in transcript.turns), Cost())


# ------------------------------------------------------------------------------ the budget


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent: a number of requests, or an amount of money in `currency`."""

    most: Decimal
    currency: str = ""

    @property
    def is_money(self) -> bool:
        """Whether the budget is money; else requests."""
        return bool(self.currency)

    def __str__(self) -> str:
        return self.format(self.most)

    def format(self, amount: Decimal) -> str:
        """Return an amount with its unit: `0.5 CNY`, `1 call`."""
        if self.is_money:
            return f"{plain_number(amount)} {self.currency}"
        return "1 call" if amount == 1 else f"{plain_number(amount)} calls"

    def price(self, cost: Cost) -> Decimal | None:
        """Return how much of the budget a cost takes; None where it is unknown."""
        return cost.money if self.is_money else Decimal(cost.calls)


def plain_number(amount: Decimal) -> str:
    """Return an amount without an exponent and without zeros at its end."""
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
"""The currencies of ISO 4217 that are in circulation."""

_CALLS = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_MONEY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([A-Z]{3})", re.ASCII)


def parse_budget(text: str) -> Budget:
    """Parse `20` as a number of calls, `0.50CNY` or `0.5 CNY` as money. Raises HarnessError."""
    if _CALLS.fullmatch(text):
        return Budget(Decimal(text))
    money = _MONEY.fullmatch(text)
    if money and money[2] in CURRENCIES and Decimal(money[1]):
        return Budget(Decimal(money[1]), money[2])
    raise HarnessError(
        f"{text!r} is not a valid budget; expected a whole number of calls from 1, such as 20, or "
        "money in a currency by ISO 4217, such as 0.50CNY"
    )


# -------------------------------------------------------------------------------- the plan


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording that could be made again: its cost, and the checks that it exercises."""

    name: str
    cost: Cost
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Omitted:
    """A candidate that is not chosen, and why."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The chosen candidates, in the order of choice; they exercise `covers` of all checks `of`."""

    chosen: tuple[Candidate, ...]
    omitted: tuple[Omitted, ...]
    covers: frozenset[str]
    of: frozenset[str]
    budget: Budget | None = None

    @property
    def cost(self) -> Cost:
        """The cost of all that is chosen, as recorded."""
        return sum((candidate.cost for candidate in self.chosen), Cost())

    @property
    def share(self) -> float:
        """The share of checks that is exercised, from 0 to 1; 1 where there are none."""
        return len(self.covers) / len(self.of) if self.of else 1.0


def plan_all(candidates: Iterable[Candidate]) -> Plan:
    """Return the plan without a budget."""
    chosen = tuple(candidates)
    covered = _covered(chosen)
    return Plan(chosen, (), covered, covered)


def plan_within(candidates: Iterable[Candidate], budget: Budget) -> Plan:
    """Return the plan within a budget; a candidate without a known price is omitted."""
    candidates = sorted(candidates, key=lambda c: c.name)
    selection = _Selection(budget)
    priced = [c for c in candidates if budget.price(c.cost) is not None]
    chosen = selection.greedy(priced, [])
    while (kept := selection.without_needless(chosen)) != chosen:  # the rest may buy another one
        chosen = selection.greedy(priced, kept)
    affordable = [c for c in priced if selection.price(c) <= budget.most]
    single = max(affordable, key=lambda c: (len(c.covers), -selection.price(c)), default=None)
    if single is not None and len(single.covers) > len(_covered(chosen)):
        chosen = [single]
    covered, rest = _covered(chosen), budget.most - selection.spent(chosen)
    omitted = [c for c in candidates if c not in chosen]
    reasons = tuple(Omitted(c, selection.reason(c, covered, rest)) for c in omitted)
    return Plan(tuple(chosen), reasons, covered, _covered(candidates), budget)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Choosing candidates within a budget."""

    budget: Budget

    def price(self, candidate: Candidate) -> Decimal:
        """Return the price of a candidate that has one."""
        return self.budget.price(candidate.cost) or NOTHING

    def spent(self, chosen: Iterable[Candidate]) -> Decimal:
        """Return the sum of the prices."""
        return sum(map(self.price, chosen), NOTHING)

    def greedy(
        self, candidates: Sequence[Candidate], begin: Sequence[Candidate]
    ) -> list[Candidate]:
        """Add the best gain per price to *begin*, again and again, while the budget lasts."""
        chosen = list(begin)
        while True:
            covered, rest = _covered(chosen), self.budget.most - self.spent(chosen)
            gains = {
                c: len(c.covers - covered)
                for c in candidates
                if self.price(c) <= rest and c.covers - covered
            }
            if not gains:
                return chosen
            chosen.append(min(gains, key=lambda c: (-self._rate(c, gains[c]), *self._order(c))))

    def _rate(self, candidate: Candidate, gain: int) -> Decimal:
        price = self.price(candidate)
        return gain / price if price else Decimal("Infinity")

    def _order(self, candidate: Candidate) -> tuple[Decimal, str]:
        return self.price(candidate), candidate.name

    def without_needless(self, chosen: list[Candidate]) -> list[Candidate]:
        """Drop those whose checks others cover as well, the most expensive first."""
        kept = list(chosen)
        for candidate in sorted(chosen, key=lambda c: (-self.price(c), c.name)):
            others = [c for c in kept if c is not candidate]
            if candidate.covers <= _covered(others):
                kept = others
        return kept

    def reason(self, candidate: Candidate, covered: frozenset[str], rest: Decimal) -> str:
        """Return why a candidate is omitted, with *rest* of the budget remaining."""
        if self.budget.price(candidate.cost) is None:
            return f"its cost is unknown: {candidate.cost.unpriced}"
        gain = len(candidate.covers - covered)
        if not gain:
            return "exercises nothing beyond the chosen ones"
        price = self.budget.format(self.price(candidate))
        rest_text = plain_number(rest)
        return f"costs {price}, {rest_text} remaining; would exercise {count(gain, 'check')} more"


def _covered(candidates: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(check for candidate in candidates for check in candidate.covers)


def rules_exercised(transcript: AnalyzedTranscript) -> frozenset[str]:
    """Return the rules that a recording exercises, each with the dialect it is checked in.

    A rule is exercised where it can be violated: where one of its faults can be injected. That one
    service keeps a rule says nothing of another service.
    """
    dialects = {e.endpoint.dialect for e in transcript.readings if e.endpoint}
    rules: set[str | None] = set()
    for fault in RULE_FAULTS:
        if fault.breaks_rule not in rules and any(injected(fault, transcript)):
            rules.add(fault.breaks_rule)
    return frozenset(f"{dialect}: {rule}" for dialect in dialects for rule in rules)


def clauses_exercised(transcript: AnalyzedTranscript, contract: Contract) -> frozenset[str]:
    """Return the clauses of a contract that a recording has answers for."""
    seen = {section for exchange in transcript.readings for section, _ in sections(exchange)}
    return frozenset(
        f"{section}: {path} {word}"
        for section in seen & contract.sections.keys()
        for path, word in clauses(contract, section)
    )
