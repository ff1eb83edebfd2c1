"""Comparisons on a console."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date

import pytest
from rich.cells import cell_len

from harness.comparison.matrix import matrix
from harness.comparison.pairs import compare
from harness.config.prices import Cost, Price
from harness.report import Report, comparison_text, html, json_report
from harness.report.format import money
from harness.types import Choice, ToolCall

from .samples import console, exchange, told, written
from .test_ranking import played, report

CALL = ToolCall("1", "f", "{}")


@pytest.mark.parametrize("width", [80, 120])
def test_tables_line_up_with_chinese(width: int) -> None:
    """No line of a table is wider than the console, and Chinese counts double."""
    on = console(width)
    comparison_text.matrix(
        on, matrix([told([exchange({"用量": "你好" * 40})]), told([exchange({})])])
    )
    left, right = told([exchange({"a": "你好" * 40})]), told([exchange({"a": ""})])
    comparison_text.comparison(on, compare(left, right))
    lines = [line for line in written(on).splitlines() if line]
    assert max(map(cell_len, lines)) <= width
    rule = next(line for line in lines if line.startswith("───"))
    head = lines[lines.index(rule) - 1]
    assert cell_len(head) == cell_len(rule)


def test_a_comparison_is_told_by_layer() -> None:
    """Each layer has its table; equal transcripts have none."""
    on = console(120)
    left, right = told([exchange({"text": "你好", "a": 1})]), told([exchange({"text": "你好吗"})])
    comparison_text.comparison(on, compare(left, right))
    told_ = written(on)
    assert "Format: paths and their types: 1 difference\n" in told_
    assert "Answer, independent of the provider: 1 difference\n" in told_
    assert "57% similar" in told_
    on = console()
    comparison_text.comparison(on, compare(left, left))
    assert written(on).endswith("no difference\n")


def test_long_lists_compared_by_position_are_named() -> None:
    """The text and the page name the lists whose items were not paired by similarity."""
    values = [f"v{n}" for n in range(40)]
    left = told([exchange({"data": values})])
    right = told([exchange({"data": ["v5", *reversed(values)]})])
    found = compare(left, right)
    on = console(120)
    comparison_text.comparison(on, found)
    assert "long lists compared by position: turn 1 answer /data\n" in written(on)
    page = html.report(Report("r", (left, right), matrices=(matrix([left, right]),)))
    assert "Long lists compared by position</span>: turn 1 answer /data</p>" in page


def test_a_matrix_shows_where_formats_part() -> None:
    """Paths that one target does not have are marked; shared ones are not listed."""
    on = console(120)
    one, two = told([exchange({"a": 1, "b": 1})]), told([exchange({"a": 1})], target="ours/two")
    comparison_text.matrix(on, matrix([one, two]))
    lines = [line.split() for line in written(on).splitlines()]
    assert ["/b", "integer", "–"] in lines
    assert "/a" not in written(on)


def test_costs_name_the_prices_behind_them() -> None:
    """Each once, for all the targets that have it; where nothing is known, nothing is said."""
    on = console(120)
    one, two, three = (told([exchange({})], target=f"ours/{n}") for n in ("a", "b (label)", "c"))
    found = matrix([one, two, three])
    comparison_text.sources(on, [found])
    assert written(on) == ""
    cost = Cost(1, "CNY", "seen 2026-07-01", "a page")
    costs = (cost, cost, replace(cost, source="another"))
    figures = tuple(replace(f, cost=c) for f, c in zip(found.figures, costs, strict=True))
    comparison_text.sources(on, [replace(found, figures=figures)] * 2)
    assert written(on).splitlines()[1:] == [
        "Prices behind the costs, without guarantee",
        "ours/a, ours/b: seen 2026-07-01, a page",
        "ours/c: seen 2026-07-01, another",
    ]


def test_a_comparison_says_where_two_conversations_part() -> None:
    """In one sentence, before all differences."""
    on = console(120)
    left = told([exchange({"text": "好"})], [exchange({"tools": [["1", "f", "{}"]]})])
    right = told([exchange({"text": "好"})], [exchange({"tools": [["1", "g", "{}"]]})])
    comparison_text.comparison(on, compare(left, right))
    comparison_text.matrix(on, matrix([left, right]))
    assert "\ndiverges at turn 2 by tool call at /tool_calls/0/name: f / g\n" in written(on)
    assert "turn 2: tool call" in written(on)


def test_answers_are_laid_side_by_side() -> None:
    """Turn by turn: texts, tool calls, images, refusals; the letters they are made of."""
    on = console(120)
    reads = [
        told([exchange({"text": "你好\n吗", "tools": [["1", "f", '{"a":\n1}']]})]),
        told([exchange({"code": "Busy", "message": ""}, status=429)], target="ours/two"),
        told([exchange({"images": ["u"]})], target="ours/three"),
    ]
    comparison_text.matrix(on, matrix(reads))
    lines = [line.split() for line in written(on).splitlines()]
    assert ["1", "[1]", 'f({"a":', "1});", "你好", "吗"] in lines
    assert ["1", "[2]", "failure", "429", "Busy"] in lines
    assert ["1", "[3]", "1", "image"] in lines
    row = next(line for line in lines if line[:3] == ["[1]", "1", "reply"])
    assert row[4:6] == ["Chinese", "100"]


def test_every_choice_is_shown() -> None:
    """In the text, in JSON and on the page: with its finish reason, length and text."""
    read = told([exchange({"text": "one"})])
    found = matrix([read])
    others = (Choice(1, "第二个", finish_reason="length"), Choice(2, None, None, (CALL,), "tool"))
    found = replace(found, figures=(replace(found.figures[0], other_choices=others),))
    on = console(120)
    comparison_text.matrix(on, found)
    text = written(on)
    assert re.search(r"^ *1  \[1\] +choice 1: 第二个 *$", text, re.M)
    assert re.search(r"^ *1  \[1\] +choice 2: f\(\{\}\) *$", text, re.M)
    assert re.search(r"choice 1 +length +Chinese 100.% +3 ", text)
    (figures,) = json.loads(json_report.dumps(json_report.matrix(found)))["facts"]
    assert [one["content"] for one in figures["other_choices"]] == ["第二个", None]
    page = html.report(Report("r", (read,), matrices=(found,)))
    assert '<span data-zh="第 1 个候选">choice 1</span>' in page
    assert "<td>length</td>" in page


def test_an_amount_of_money_keeps_its_small_change() -> None:
    """A single answer costs little."""
    assert money(Cost(0.00012, "CNY")) == "0.000120 CNY"
    assert money(None) == "–"


def test_what_varies_between_repeats_is_said() -> None:
    """It stands among the values that differ between any two answers, with a word."""
    on = console(120)
    left, right = (
        told([exchange({"text": "a"})]),
        told([exchange({"text": "b"})], target="ours/two"),
    )
    found = compare(left, right, [told([exchange({"text": "c"})])])
    comparison_text.comparison(on, found)
    assert "2 differences, 2 of them also between repeats of one side\n" in written(on)
    assert [
        d.get("varies_between_repeats") for d in json_report.comparison(found)["differences"]
    ] == [
        True,
        True,
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_no_number_is_cut_where_the_console_is_narrow(width: int) -> None:
    """Text is folded, and the facts become two tables; every number stays on one line."""
    names = [f"ours/{letter}-model-whose-name-goes-on-and-on-2026-07-01" for letter in "ab"]
    price = Price("ours", "", "CNY", "a page", date(2026, 7, 1), input=900, output=800)
    prices = [replace(price, model=name.removeprefix("ours/")) for name in names]
    found = report([played(name, 2345.5, 1) for name in names], prices=prices)
    on = console(width)
    comparison_text.matrix(on, found.matrices[0])
    comparison_text.rankings(on, found.rankings)
    lines = written(on).splitlines()
    figures = [re.split(" {2,}", line.strip())[-5:] for line in lines if line.endswith("CNY ")]
    turns = [["5", "–", start, total, "0.010300 CNY"] for start, total in _TIMES] * 2
    both = ["14", "10", "586.62 s", "1173.25 s", "0.020600 CNY"]
    assert figures == [*turns, both, both]
    if width == 80:
        assert max(cell_len(line) for line in lines if line.startswith("──")) <= width


_TIMES = (("1172.75 s", "2345.50 s"), ("500 ms", "1.00 s"))
