"""Which model was faster and which was cheaper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from harness.analysis.transcript import AnalyzedTranscript
from harness.comparison.matrix import matrix
from harness.config.prices import Cost, Price, Prices
from harness.report import Report, json_report, markdown
from harness.report.ranking import Ranking, Sum, Undecided, price_sources
from harness.types import Exchange, Origin, Timing

from .samples import exchange, told

ONE = Price("ours", "one", "CNY", "a page", date(2026, 7, 1), input=2, output=8)
TWO = replace(ONE, model="two", input=1)


def took(seconds: float, status: int = 200) -> list[Exchange]:
    """A turn that took so long; its answer has 7 tokens in and 5 out."""
    body = {"text": "a"} if status == 200 else {"code": "no", "message": "no"}
    return [replace(exchange(body, status=status), timing=Timing(0, seconds / 2, seconds))]


def played(
    target: str, *times: float, scenario: str = "s", origin: Origin = Origin.SANDBOX
) -> AnalyzedTranscript:
    """A transcript whose turns took so long; a negative time is that of a refusal."""
    turns = [took(abs(t), 200 if t > 0 else 429) for t in times]
    return told(*turns, scenario=scenario, target=target, origin=origin)


def report(*groups: Sequence[AnalyzedTranscript], prices: Sequence[Price] = ()) -> Report:
    """A report of scenarios, each with its transcripts."""
    reads = tuple(read for group in groups for read in group)
    return Report("r", reads, matrices=tuple(matrix(g, Prices(tuple(prices))) for g in groups))


def one(found: Sequence[Ranking]) -> Ranking:
    """The only one."""
    (contest,) = found
    return contest


def test_the_same_turns_of_the_same_scenarios_are_compared() -> None:
    """Scenarios that the same targets share are added up; what only one of them did is not."""
    first = [played("ours/one", 1, 3), played("ours/two", 2, 2.5)]
    second = [played("ours/one", 4, scenario="t"), played("ours/two", 1, scenario="t")]
    third = [played("ours/one", 9, scenario="u")]
    found = one(report(first, second, third).rankings)
    assert (found.scenarios, found.turns) == (("s", "t"), 3)
    assert [(e.target, e.turns) for e in found.entries] == [("ours/two", 3), ("ours/one", 3)]
    assert [e.total for e in found.entries] == pytest.approx([5.5 / 3, 8 / 3])
    assert found.entries[0].first_token == pytest.approx(5.5 / 6)
    assert found.fastest == "ours/two"
    assert [race.fastest for race in report(first, second, third).scenario_rankings] == [
        "ours/one",
        "ours/two",
    ]


def test_targets_that_share_other_scenarios_stand_apart() -> None:
    """One that took part in one scenario only is not compared with sums of two; what has the
    most turns comes first."""
    first = [played("ours/one", 1), played("ours/two", 2)]
    second = [played(f"ours/{name}", 1, 1, scenario="t") for name in ("one", "two", "three")]
    found = report(first, second).rankings
    assert [(contest.turns, len(contest.entries)) for contest in found] == [(2, 3), (1, 2)]


def test_turns_that_not_all_answered_do_not_count() -> None:
    """Neither a refused turn, nor one that others never came to; who answered nothing is out."""
    reads = [
        played("ours/one", 1, -5, 2),
        played("ours/two", 3, 1, 1, 9),
        played("ours/three", -1, -1, -1),
    ]
    found = one(report(reads).rankings)
    assert [(e.target, e.turns, e.total) for e in found.entries] == [
        ("ours/one", 2, 1.5),
        ("ours/two", 2, 2.0),
    ]


@pytest.mark.parametrize(
    "reads",
    [
        [played("ours/one", 1)],
        [played("ours/one", 1), played("ours/two", -1)],
        [played("ours/one", 1, -1), played("ours/two", -1, 1)],
        [],
    ],
    ids=["alone", "the other refused", "no turn in common", "none"],
)
def test_one_target_alone_is_no_contest(reads: list[AnalyzedTranscript]) -> None:
    """There is nothing to compare it with."""
    made = report(reads) if reads else Report("r")
    assert made.rankings == made.scenario_rankings == ()


def test_costs_are_added_up() -> None:
    """By currency; the price stands beside them, and the cheapest is said."""
    reads = [played("ours/one", 1, 1), played("ours/two", 2, 2)]
    found = one(report(reads, prices=[ONE, TWO]).rankings)
    assert [(e.target, e.costs, e.priced, e.prices) for e in found.entries] == [
        ("ours/one", (Cost(0.000108, "CNY"),), 2, (ONE,)),
        ("ours/two", (Cost(0.000094, "CNY"),), 2, (TWO,)),
    ]
    assert (found.cheapest, found.undecided) == ("ours/two", None)
    assert found.entries[0].input_tokens == Sum(14, 2, 2)


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        ([], Undecided.UNKNOWN),
        ([ONE], Undecided.UNKNOWN),
        ([ONE, replace(TWO, output=None)], Undecided.UNKNOWN),
        ([ONE, replace(TWO, currency="USD")], Undecided.CURRENCIES),
        ([ONE, replace(ONE, model="two")], Undecided.EQUAL),
    ],
)
def test_where_costs_cannot_be_compared_nobody_is_the_cheapest(
    prices: list[Price], why: Undecided
) -> None:
    """Unknown is not zero, yuan are not dollars."""
    reads = [played("ours/one", 1), played("ours/two", 2)]
    found = one(report(reads, prices=prices).rankings)
    assert (found.cheapest, found.undecided) == ("", why)


def test_a_cost_that_is_partly_unknown_says_so() -> None:
    """A price from a later day does not tell of an answer without a count of tokens."""
    images = [exchange({"text": "a", "images": ["u"]})]
    reads = [told(took(1), images, target=f"ours/{name}", scenario="s") for name in ("one", "two")]
    found = one(report(reads, prices=[ONE, TWO]).rankings)
    entry = found.entries[0]
    assert (entry.priced, entry.turns, entry.cost) == (1, 2, None)
    assert found.unpriced == ("ours/one", "ours/two")
    summary = markdown.report(report(reads, prices=[ONE, TWO]))
    assert "| 0.000054 CNY, unknown for 1 turn |" in summary


def test_without_times_nobody_is_the_fastest() -> None:
    """Neither where one is missing, nor where several took the same, or nearly so."""
    untimed = [replace(one, timing=None) for one in took(1)]
    reads = [told(untimed, took(1), scenario="s"), played("ours/two", 2, 2)]
    found = one(report(reads).rankings)
    assert (found.fastest, found.timed) == ("", False)
    same = one(report([played("ours/one", 1), played("ours/two", 1)]).rankings)
    assert (same.fastest, same.timed) == ("", True)
    chance = one(report([played("ours/one", 1), played("ours/two", 1.05)]).rankings)
    assert chance.fastest == ""
    ahead = one(report([played("ours/one", 1), played("ours/two", 1.06)]).rankings)
    assert ahead.fastest == "ours/one"


@pytest.mark.parametrize("origin", [Origin.SANDBOX, Origin.LIVE])
def test_times_of_a_sandbox_are_called_so(origin: Origin) -> None:
    """They say nothing of the services."""
    reads = [played("ours/one", 1, origin=origin), played("ours/two", 2, origin=origin)]
    made = report(reads)
    assert one(made.rankings).sandbox is (origin is Origin.SANDBOX)
    assert ("are those of the sandbox" in markdown.report(made)) is (origin is Origin.SANDBOX)


def test_recordings_without_a_matrix_are_compared_by_their_times() -> None:
    """As those that are checked; nobody looked up a price for them."""
    reads = (played("ours/one", 1), played("ours/two", 2))
    found = one(Report("r", reads).rankings)
    assert (found.fastest, found.undecided) == ("ours/one", Undecided.UNKNOWN)


def test_repeats_do_not_count_twice() -> None:
    """Where there is a matrix, it has one recording of each target."""
    reads = [played("ours/one", 1), played("ours/two", 2)]
    again = played("ours/one ~2", 9)
    made = replace(report(reads), reads=(*reads, again))
    assert [entry.target for entry in one(made.rankings).entries] == ["ours/one", "ours/two"]


def test_a_price_has_its_source_once() -> None:
    """For all targets that have it, however these are labelled."""
    reads = [played("ours/one (a)", 1), played("ours/one (b)", 1), played("ours/two", 2)]
    found = price_sources(report(reads, prices=[ONE, TWO]).rankings)
    assert found == {ONE: ("ours/one",), TWO: ("ours/two",)}


def test_machines_are_told_the_same() -> None:
    """An object for each target, with the price that it was counted by."""
    reads = [played("ours/one", 1), played("ours/two", 2)]
    first, second = json.loads(json_report.report(report(reads, prices=[ONE, TWO])))["models"]
    assert (first["target"], first["fastest"], first["cheapest"]) == ("ours/one", True, False)
    assert (second["target"], second["fastest"], second["cheapest"]) == ("ours/two", False, True)
    assert first["costs"] == [{"amount": 0.000054, "currency": "CNY"}]
    assert first["prices"][0]["valid_from"] == "2026-07-01"
    assert first["input_tokens"] == {"amount": 7, "known": 1, "of": 1}
    assert '"valid_from": "2026-07-01"' in json_report.report(report(reads, prices=[ONE, TWO]))
