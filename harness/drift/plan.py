"""The plan of which recordings to make again within a budget, so that the most checks apply.

A check is a rule, or a clause of a contract. A recording exercises a check that applies to it.

Finding the best plan is NP-hard (budgeted maximum coverage). This one adds the candidate with the
most new checks per price until the budget is used up, or takes the single best candidate if that
exercises more. It reaches at least (1 - 1/e) / 2 of the best plan's checks (Khuller, Moss and Naor,
1999), and it is deterministic.

A `SpendTracker` tracks what a run spends, so that no request exceeds its budget.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from harness.analysis.endpoint import Role
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.comparison.summary import model_of
from harness.config.prices import CURRENCIES, Price, Prices
from harness.contracts.clause import clauses
from harness.contracts.contract import Contract
from harness.contracts.sections import sections
from harness.errors import HarnessError, OverBudget
from harness.faults.registry import RULE_FAULTS, injected
from harness.types import Failure, Reply
from harness.wire.text import count

NOTHING = Decimal(0)
_REFUSED = 400

# -------------------------------------------------------------------------------- the cost


@dataclass(frozen=True, slots=True)
class RecordingCost:
    """The requests and the money that it takes to record one or more turns.

    Attributes:
        questions: Number of requests to models.
        polls: Number of polls of tasks.
        files: Number of downloads of files.
        money: Amount in the currency of the `Tariff`; None if it is unknown.
        unpriced: The reason why the amount is unknown; empty if it is known.
        prices: The prices by which the amount was computed.
    """

    questions: int = 0
    polls: int = 0
    files: int = 0
    money: Decimal | None = NOTHING
    unpriced: str = ""
    prices: frozenset[Price] = field(default=frozenset(), compare=False)

    @property
    def calls(self) -> int:
        """The number of all requests: to models, for polls and for downloads."""
        return self.questions + self.polls + self.files

    def __add__(self, other: RecordingCost) -> RecordingCost:
        known = self.money is not None and other.money is not None
        return RecordingCost(
            self.questions + other.questions,
            self.polls + other.polls,
            self.files + other.files,
            (self.money or NOTHING) + (other.money or NOTHING) if known else None,
            self.unpriced or other.unpriced,
            self.prices | other.prices,
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of models on one day, to compute costs in one currency.

    Attributes:
        prices: The price table.
        currency: The currency, as in `CNY`; prices in other currencies are not converted.
        day: The day, as in `2026-07-01`.
    """

    prices: Prices
    currency: str
    day: str

    def price(self, transcript: AnalyzedTranscript, turn: AnalyzedTurn) -> Price | None:
        """Return the price of a turn's model, in any currency; None if it is unknown."""
        if not turn.readings:
            return None
        return self.prices.price(*model_of(transcript, turn.readings[0]), self.day)

    def of(self, transcript: AnalyzedTranscript, turn: AnalyzedTurn) -> tuple[Decimal | None, str]:
        """Return (cost of a turn, empty text), or (None, the reason) if the cost is unknown.

        *transcript* is the recording with the turn. A refusal costs 0.
        """
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
        cost = price.of_reply(reply)
        if cost is None:
            return None, f"the usage in an answer of {model} is unknown, or has no price"
        return Decimal(str(cost.amount)), ""


def turn_cost(
    transcript: AnalyzedTranscript, turn: AnalyzedTurn, tariff: Tariff | None
) -> RecordingCost:
    """Return the cost of a turn of *transcript*: its requests, and its money by *tariff*.

    Without a tariff, `money` is None.
    """
    roles = [e.endpoint.role if e.endpoint else Role.OTHER for e in turn.readings]
    polls = roles.count(Role.POLL)
    files = sum(exchange.is_binary for exchange in turn.readings)
    money, reason = tariff.of(transcript, turn) if tariff else (None, "")
    price = tariff.price(transcript, turn) if tariff and money else None
    prices = frozenset({price} if price else ())
    return RecordingCost(len(roles) - polls - files, polls, files, money, reason, prices)


def cost(transcript: AnalyzedTranscript, tariff: Tariff | None = None) -> RecordingCost:
    """Return the cost of all turns of *transcript*; without a tariff, `money` is None."""
    return sum((turn_cost(transcript, turn, tariff) for turn in transcript.turns), RecordingCost())


# ------------------------------------------------------------------------------ the budget


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent.

    Attributes:
        most: A number of requests or, with a currency, an amount of money.
        currency: The currency, as in `CNY`; empty for requests.
    """

    most: Decimal
    currency: str = ""

    @property
    def is_money(self) -> bool:
        """Whether the budget is an amount of money, not a number of requests."""
        return bool(self.currency)

    def __str__(self) -> str:
        return self.format(self.most)

    def format(self, amount: Decimal) -> str:
        """Return an amount with its unit: `0.5 CNY`, `1 call`."""
        if self.is_money:
            return f"{plain_number(amount)} {self.currency}"
        return "1 call" if amount == 1 else f"{plain_number(amount)} calls"

    def price(self, cost: RecordingCost) -> Decimal | None:
        """Return *cost* in the budget's unit, requests or money; None if the money is unknown."""
        return cost.money if self.is_money else Decimal(cost.calls)


def plain_number(amount: Decimal) -> str:
    """Return an amount as text, without an exponent and without trailing zeros in its fraction."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_CALLS = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_MONEY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([A-Z]{3})", re.ASCII)


def parse_budget(text: str) -> Budget:
    """Parse `20` as a number of calls, `0.50CNY` or `0.5 CNY` as money.

    Raises:
        HarnessError: The text is neither.
    """
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
    """A recording that could be made again.

    Attributes:
        name: The name, such as `multi-turn/zhipuai-glm-4.5`.
        cost: The estimated cost: what the recording on file cost.
        covers: The checks (rules and clauses of a contract) that the recording exercises.
    """

    name: str
    cost: RecordingCost
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Omitted:
    """A candidate that is not in the plan, and the reason."""

    candidate: Candidate
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The recordings to make again.

    Attributes:
        chosen: The chosen candidates, in the order of choice.
        omitted: The other candidates, with reasons.
        covers: The checks that the chosen candidates exercise.
        of: The checks that all candidates together exercise.
        budget: The budget; None for an unlimited plan.
    """

    chosen: tuple[Candidate, ...]
    omitted: tuple[Omitted, ...]
    covers: frozenset[str]
    of: frozenset[str]
    budget: Budget | None = None

    @property
    def cost(self) -> RecordingCost:
        """The estimated cost of all chosen candidates together."""
        return sum((candidate.cost for candidate in self.chosen), RecordingCost())

    @property
    def share(self) -> float:
        """The share of all checks that the plan exercises, from 0 to 1; 1 without checks."""
        return len(self.covers) / len(self.of) if self.of else 1.0


def plan_all(candidates: Iterable[Candidate]) -> Plan:
    """Return a plan of all candidates, without a budget."""
    chosen = tuple(candidates)
    covered = _covered(chosen)
    return Plan(chosen, (), covered, covered)


def plan_within(candidates: Iterable[Candidate], budget: Budget) -> Plan:
    """Return a plan whose cost is within *budget*, with as many checks as this search finds.

    Candidates of unknown cost are omitted.
    """
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
    """A budget, with the operations that choose candidates within it."""

    budget: Budget

    def price(self, candidate: Candidate) -> Decimal:
        """Return how much of the budget the candidate takes; 0 if its price is unknown."""
        return self.budget.price(candidate.cost) or NOTHING

    def spent(self, chosen: Iterable[Candidate]) -> Decimal:
        """Return how much of the budget the chosen candidates take."""
        return sum(map(self.price, chosen), NOTHING)

    def greedy(
        self, candidates: Sequence[Candidate], begin: Sequence[Candidate]
    ) -> list[Candidate]:
        """Return *begin* with further candidates, the one with the most new checks per price first.

        It ends when the rest of the budget allows no candidate with new checks.
        """
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
            rates = {c: self._rate(c, gain) for c, gain in gains.items()}
            chosen.append(min(gains, key=lambda c: (-rates[c], self.price(c), c.name)))

    def _rate(self, candidate: Candidate, gain: int) -> Decimal:
        price = self.price(candidate)
        return gain / price if price else Decimal("Infinity")

    def without_needless(self, chosen: list[Candidate]) -> list[Candidate]:
        """Return the chosen candidates without those whose checks the others exercise together.

        The most expensive ones are dropped first.
        """
        kept = list(chosen)
        for candidate in sorted(chosen, key=lambda c: (-self.price(c), c.name)):
            others = [c for c in kept if c is not candidate]
            if candidate.covers <= _covered(others):
                kept = others
        return kept

    def reason(self, candidate: Candidate, covered: frozenset[str], rest: Decimal) -> str:
        """Return the reason for omitting a candidate.

        Args:
            candidate: The candidate.
            covered: The checks that the chosen candidates exercise.
            rest: The rest of the budget.
        """
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
    """Return the rules that a recording can show to be broken, such as `zhipu: usage_adds_up`.

    These are the rules with a fault (a change that breaks the rule) that can be injected into the
    recording. A rule is named once for each dialect (API format of a provider) in the recording.
    """
    dialects = {e.endpoint.dialect for e in transcript.readings if e.endpoint}
    rules: set[str | None] = set()
    for fault in RULE_FAULTS:
        if fault.breaks_rule not in rules and any(injected(fault, transcript)):
            rules.add(fault.breaks_rule)
    return frozenset(f"{dialect}: {rule}" for dialect in dialects for rule in rules)


def clauses_exercised(transcript: AnalyzedTranscript, contract: Contract) -> frozenset[str]:
    """Return the clauses of *contract* that apply to answers of a recording, each as a text."""
    seen = {section for exchange in transcript.readings for section, _ in sections(exchange)}
    return frozenset(
        f"{section}: {path} {word}"
        for section in seen & contract.sections.keys()
        for path, word in clauses(contract, section)
    )


# ----------------------------------------------------------------------- what a run spends


@dataclass
class SpendTracker:
    """A counter of the requests and the money that one run spends, which enforces a budget.

    A request is counted before it is sent. The cost of an answer is known when it has arrived, so
    the last answer may exceed the budget; no request is sent after it.

    Attributes:
        budget: The budget; None for no limit.
        calls: Number of requests so far.
        money: Amount spent so far, in the budget's currency; 0 if the budget is not money.
        exhausted: The reason why no more requests are allowed; empty while they are allowed.
    """

    budget: Budget | None = None
    calls: int = 0
    money: Decimal = NOTHING
    exhausted: str = ""

    @property
    def remaining(self) -> Decimal:
        """The rest of the budget, as a number of requests or an amount of money.

        It is negative if more was spent, infinite without a budget.
        """
        if self.budget is None:
            return Decimal("Infinity")
        return self.budget.most - (self.money if self.budget.is_money else self.calls)

    def reserve(self, cost: RecordingCost) -> None:
        """Check that the rest of the budget covers the next step; nothing is deducted.

        Args:
            cost: The estimated cost of the step, such as that of the recording on file.

        Raises:
            OverBudget: The budget is exhausted, or does not cover *cost*.
        """
        price = self.budget.price(cost) if self.budget else None
        if not self.exhausted and self.budget and price is not None and price > self.remaining:
            rest = plain_number(self.remaining)
            next_step = self.budget.format(price)
            self.exhausted = f"the next step costs {next_step} as recorded, {rest} remaining"
        self._check()

    def request(self) -> None:
        """Count a request that is about to be sent.

        Raises:
            OverBudget: The budget is exhausted, so the request must not be sent.
        """
        limited = self.budget is not None and not self.budget.is_money
        if not self.exhausted and limited and self.remaining < 1:
            self.exhausted = "more requests are needed than when it was recorded"
        self._check()
        self.calls += 1

    def charge(self, cost: RecordingCost) -> None:
        """Deduct the money of a turn from the budget; its requests are counted by `request`.

        If the budget is money and the cost of the turn is unknown, the budget counts as exhausted.
        """
        if self.budget is None or not self.budget.is_money:
            return
        self.money += cost.money or NOTHING
        if cost.money is None:
            self.exhausted = f"the amount spent is unknown: {cost.unpriced}"
        elif self.remaining < 0:
            self.exhausted = "answers cost more than recorded"

    def _check(self) -> None:
        if self.exhausted:
            raise OverBudget(
                f"the budget of {self.budget} allows no more: {self.exhausted} (spent: {self})"
            )

    def __str__(self) -> str:
        calls = count(self.calls, "call")
        if self.budget is None or not self.budget.is_money:
            return calls
        return f"{calls}, {self.budget.format(self.money)}"
