"""What is worth being asked anew; small cases that were worked out by hand."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal

import pytest
from contracts.recorded import learn

from drift.changed_recordings import recorded
from harness.drift.plan import (
    Budget,
    Candidate,
    RecordingCost,
    SpendTracker,
    clauses_exercised,
    parse_budget,
    plan_all,
    plan_within,
    rules_exercised,
)
from harness.errors import HarnessError, OverBudget


def candidate(name: str, calls: int, covers: str) -> Candidate:
    """One whose checks are letters."""
    return Candidate(name, RecordingCost(calls), frozenset(covers))


def calls(number: int) -> Budget:
    """A budget of so many."""
    return Budget(Decimal(number))


A = candidate("a", 4, "uvwxyz")
B = candidate("b", 1, "uv")
C = candidate("c", 2, "wx")
D = candidate("d", 1, "u")


@pytest.mark.parametrize(
    ("budget", "chosen", "left"),
    [
        # 1: b gains 2 for 1 call; d then adds nothing
        (
            1,
            "b",
            {
                "a": "costs 4 calls, 0 remaining; would exercise 4 checks more",
                "d": "exercises nothing",
            },
        ),
        # 2: b, and c costs more than the one call that is left
        (2, "b", {"c": "costs 2 calls, 1 remaining; would exercise 2 checks more"}),
        # 3: b (2 per call), then c (1 per call)
        (3, "bc", {"a": "costs 4 calls, 0 remaining; would exercise 2 checks more"}),
        # 4: b and c gain 4 for 3 calls; a alone gains 6 for 4
        (4, "a", {"b": "exercises nothing", "c": "exercises nothing"}),
        # 7: b, then a (4 for 4 calls) and c (2 for 2) are equal and c is cheaper; then a has all
        (7, "a", {"b": "exercises nothing", "c": "exercises nothing", "d": "exercises nothing"}),
    ],
)
def test_by_hand(budget: int, chosen: str, left: dict[str, str]) -> None:
    """Gain per call first, the best single one where that is more, and nothing needless."""
    made = plan_within([A, B, C, D], calls(budget))
    assert "".join(c.name for c in made.chosen) == chosen
    result = {recording.candidate.name: recording.reason for recording in made.omitted}
    assert all(result[name].startswith(why) for name, why in left.items()), result
    assert {c.name for c in made.chosen} | result.keys() == set("abcd")


def test_what_needless_calls_buy() -> None:
    """What is saved by dropping a choice is spent on what it can buy."""
    recording, two = candidate("one", 2, "abc"), candidate("two", 2, "abcde")
    three = candidate("three", 3, "fg")
    # one and two gain 1.5 and 2.5 per call: two; then three costs 3 of the 3 that are left
    made = plan_within([recording, two, three], calls(5))
    assert [c.name for c in made.chosen] == ["two", "three"]
    assert (made.cost.calls, made.share) == (5, 1.0)


def test_nothing_can_be_afforded() -> None:
    """Then nothing is chosen, and each is told with its price."""
    made = plan_within([A], calls(3))
    assert (made.chosen, made.cost.calls, made.share) == ((), 0, 0.0)
    assert made.omitted[0].reason == "costs 4 calls, 3 remaining; would exercise 6 checks more"


def test_without_a_budget() -> None:
    """Everything, in the order given."""
    assert plan_all([B, A]).chosen == (B, A)


def test_against_every_choice() -> None:
    """Within the budget, never below (1 - 1/e) / 2 of the best, and the same in any order."""
    rolled = random.Random(7)  # noqa: S311 - the same cases every time
    for _ in range(60):
        every = [
            candidate(str(n), rolled.randint(1, 5), "".join(rolled.sample("abcdefghij", 4)))
            for n in range(7)
        ]
        budget = rolled.randint(1, 12)
        made = plan_within(every, calls(budget))
        assert made.cost.calls <= budget
        assert made == plan_within(rolled.sample(every, len(every)), calls(budget))
        best = max(
            len(frozenset().union(*(c.covers for c in chosen)))
            for size in range(8)
            for chosen in itertools.combinations(every, size)
            if sum(c.cost.calls for c in chosen) <= budget
        )
        assert len(made.covers) >= 0.316 * best


def test_which_rules_are_exercised() -> None:
    """Those that the recording could break, and whose wire it is."""
    streamed = rules_exercised(recorded("streaming/zhipuai-glm-5.3-flash"))
    plain = rules_exercised(recorded("slogan/zhipuai-glm-5.3-flash"))
    assert "zhipuai: events_are_json" in streamed - plain
    assert "zhipuai: usage_adds_up" in streamed & plain
    assert "zhipuai: task_state_is_known" not in streamed
    assert {rule.partition(":")[0] for rule in streamed} == {"zhipuai"}


def test_which_clauses_are_exercised() -> None:
    """Those of the sections that the recording has answers for."""
    contract = learn(
        (name, recorded(name))
        for name in ("slogan/zhipuai-glm-5.3-flash", "multi-turn/dashscope-qwen-flash")
    )
    met = clauses_exercised(recorded("independent-questions/zhipuai-glm-5.3-flash"), contract)
    assert met
    assert all(clause.startswith("zhipuai.chat, answer: ") for clause in met)
    assert not clauses_exercised(recorded("refusals/zhipuai-glm-5.3-flash"), learn([]))


# ---------------------------------------------------------------------------------- budgets


@pytest.mark.parametrize(
    ("text", "result", "said"),
    [
        ("20", Budget(Decimal(20)), "20 calls"),
        ("1", Budget(Decimal(1)), "1 call"),
        ("0.50CNY", Budget(Decimal("0.5"), "CNY"), "0.5 CNY"),
        ("5 USD", Budget(Decimal(5), "USD"), "5 USD"),
        ("100 JPY", Budget(Decimal(100), "JPY"), "100 JPY"),
        ("0.00001EUR", Budget(Decimal("0.00001"), "EUR"), "0.00001 EUR"),
    ],
)
def test_budgets(text: str, result: Budget, said: str) -> None:
    """Calls, or money; told without exponents and without needless zeros."""
    assert parse_budget(text) == result
    assert str(parse_budget(text)) == said


def test_what_is_no_budget() -> None:
    """See tests/cli for all that is none."""
    with pytest.raises(
        HarnessError, match="'12 XTS' is not a valid budget; expected a whole number of"
    ):
        parse_budget("12 XTS")


def test_without_a_budget_all_is_counted() -> None:
    """And nothing is refused."""
    spent = SpendTracker()
    for _ in range(3):
        spent.reserve(RecordingCost(1_000))
        spent.request()
        spent.charge(RecordingCost(1, money=None, unpriced="no price"))
    assert (spent.calls, spent.exhausted, str(spent)) == (3, "", "3 calls")


def test_the_last_call_is_made_and_no_other() -> None:
    """Whatever was foreseen; what is shut stays shut."""
    spent = SpendTracker(parse_budget("2"))
    spent.reserve(RecordingCost(2))
    spent.request()
    spent.request()
    with pytest.raises(OverBudget) as raised:
        spent.request()
    assert str(raised.value) == (
        "the budget of 2 calls allows no more: more requests are needed than when it was recorded "
        "(spent: 2 calls)"
    )
    assert spent.calls == 2
    with pytest.raises(OverBudget):
        spent.reserve(RecordingCost(0))


def test_a_step_that_takes_more_than_is_left() -> None:
    """Is not begun, in calls and in money."""
    spent = SpendTracker(parse_budget("3"))
    spent.request()
    with pytest.raises(OverBudget, match="the next step costs 3 calls as recorded, 2 remaining"):
        spent.reserve(RecordingCost(1, 2))
    spent = SpendTracker(parse_budget("0.5CNY"))
    spent.reserve(RecordingCost(1, money=Decimal("0.5")))
    spent.charge(RecordingCost(1, money=Decimal("0.3")))
    spent.reserve(RecordingCost(1, money=Decimal("0.2")))
    message = r"costs 0.21 CNY as recorded, 0.2 remaining \(spent: 0 calls, 0.3 CNY\)"
    with pytest.raises(OverBudget, match=message):
        spent.reserve(RecordingCost(1, money=Decimal("0.21")))


def test_money_does_not_limit_requests() -> None:
    """A poll that costs nothing is a call, and no money."""
    spent = SpendTracker(parse_budget("0.5CNY"))
    for _ in range(100):
        spent.request()
    spent.charge(RecordingCost(1, 99, money=Decimal("0.5")))
    spent.reserve(RecordingCost(1, money=Decimal(0)))
    assert (spent.calls, spent.money) == (100, Decimal("0.5"))


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        (RecordingCost(1, money=Decimal("0.51")), "answers cost more than recorded"),
        (
            RecordingCost(1, money=None, unpriced="no usage"),
            "the amount spent is unknown: no usage",
        ),
    ],
    ids=["dearer", "unknown"],
)
def test_after_an_answer_too_dear_nothing_is_asked(cost: RecordingCost, why: str) -> None:
    """The answer itself is kept: it is paid for."""
    spent = SpendTracker(parse_budget("0.5CNY"))
    spent.charge(cost)
    assert spent.exhausted == why
    with pytest.raises(OverBudget, match=why):
        spent.request()


def test_costs_are_added_by_kind() -> None:
    """Requests to models, polls and downloads each have a sum of their own."""
    assert RecordingCost(1, 2, 3) + RecordingCost(1, 2, 3) == RecordingCost(2, 4, 6)
