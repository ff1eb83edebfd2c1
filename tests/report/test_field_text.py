"""Where fields stand, on a console and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from rich.cells import cell_len

from harness.cassette import store
from harness.comparison.fields import FieldMatrix, field_matrix
from harness.providers import recordings
from harness.report import json_report
from harness.report.field_map import path
from harness.report.field_text import fields, numbers

from .samples import console, written

SHIPPED = Path(__file__).parents[2] / "cassettes"


@cache
def shipped() -> FieldMatrix:
    """Return the fields of the shipped cassettes."""
    return field_matrix(recordings.read_cassette(path) for path in store.find([SHIPPED]))


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_of_fields_lines_up(width: int) -> None:
    """No line is wider than the console, a Chinese target or not; at 120 no place is broken."""
    columns = shipped().columns
    chinese = FieldMatrix(
        tuple(replace(c, form=replace(c.form, target="某家/通用模型")) for c in columns)
    )
    on = console(width)
    fields(on, chinese)
    lines = written(on).splitlines()
    assert max(map(cell_len, lines)) <= width
    longest = "  output.choices[0].message.tool_calls[].function.arguments  string"
    assert any(line.startswith(longest) for line in lines) == (width == 120)


def test_forms_that_have_a_field_alike_share_a_line() -> None:
    """Their answers are counted together; events of streams apart; what is nowhere comes last."""
    on = console(120)
    fields(on, shipped())
    words = [line.split() for line in written(on).splitlines()]
    model = words.index(["model", "gen_ai.response.model"])
    assert words[model + 1 : model + 5] == [
        ["model", "string", "always", "14/14", "14–15", "17", "c", "1"],
        ["model", "null", "always", "2/2", "16", "c", "2"],
        ["model", "string", "always", "5/5", "307/307", "19", "d", "1"],
        ["–", "never", "0/24", "1–3", "5–11", "20"],
    ]
    assert ["c", "fairy-tale-async/zhipuai-glm-5.3-flash.yaml"] in words


def test_nothing_to_tell_is_told() -> None:
    """No form, no table."""
    on = console()
    fields(on, field_matrix([]))
    assert written(on) == "no readable answer\n"


def test_fields_as_json() -> None:
    """Each field with each form: how often, where, and what was looked at."""
    found = json.loads(json_report.dumps(json_report.fields(shipped())))
    content = next(row for row in found["fields"] if row["field"] == "content")
    prompt = next(n for n, form in enumerate(found["forms"]) if form["request"] == "prompt")
    told = content["forms"][prompt]
    assert (told["presence"], told["places"][0]["pointer"]) == ("always", "/output/text")
    assert told["places"][0]["evidence"]["exchange"] == 1
    assert "/output/text" in told["looked_at"]


def test_places_and_numbers_in_few_words() -> None:
    """As code writes them."""
    assert path("/choices/0/message/tool_calls/[]/id") == "choices[0].message.tool_calls[].id"
    assert path("/request_id") == "request_id"
    assert numbers([1, 2, 3, 5, 8, 9]) == "1–3 5 8–9"
