"""What services really sent in 2026, and what no answer may be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.providers.recordings import read_cassette
from harness.providers.rules import check
from harness.types import Exchange, Severity

from .dashscope_exchanges import SEARCHED
from .making import asking, edited, foreign
from .zhipu_exchanges import REASONED, REASONED_ON, SAME, SAME_STREAM, STREAM, SYNC

CASES = Path(__file__).parents[3] / "shared" / "cases" / "16-forms-really-sent"


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
@pytest.mark.parametrize("name", ["deep.yaml", "search.yaml"])
def test_forms_that_were_really_sent(tmp_path: Path, name: str) -> None:
    """`usage: {}` in the first event of a search, and `output.message` of deep research."""
    path = Path(shutil.copy(CASES / name, tmp_path))
    assert check(read_cassette(path).transcript) == ()


def test_an_answer_that_only_thought() -> None:
    """GLM-5.3: it thinks, then it stops with nothing and 0 tokens."""
    silent = edited(REASONED, '"content":"It is sunny."', '"content":""')
    silent = edited(silent, '"completion_tokens":4', '"completion_tokens":0')
    silent = edited(silent, '"total_tokens":12', '"total_tokens":8')
    found = {finding.rule: finding.actual for finding in check(foreign(silent))}
    assert found["answer_says_something"] == "none, but reasoning"
    assert found["output_is_counted"] == "0"
    cut_off = edited(edited(SYNC, "It is sunny.", ""), '"stop"', '"length"')
    assert "answer_says_something" not in {f.rule for f in check(foreign(cut_off))}


@pytest.mark.parametrize(
    ("exchange", "pointer"),
    [(REASONED, "/choices/0/message/text"), (STREAM, "/choices/0/delta/text")],
)
def test_a_text_in_an_unknown_field_is_an_error(exchange: Exchange, pointer: str) -> None:
    """The finding names the field; an unknown field beside the documented text is none."""
    (found,) = check(foreign(edited(exchange, '"content":', '"text":', 9)))
    assert (found.rule, found.severity) == ("answer_fits_schema", Severity.ERROR)
    assert found.actual == f"an unknown field {pointer} has a text"
    assert found.place.pointer == pointer
    beside = edited(exchange, '"content":', '"text":"Sunny.","content":', 9)
    assert check(foreign(beside)) == ()


def test_input_tokens_grow_where_the_service_searches() -> None:
    """Elsewhere they stay."""
    assert check(foreign(SEARCHED)) == ()
    plain = asking(SEARCHED, '"enable_search": true', '"enable_search": false')
    assert {f.rule for f in check(foreign(plain))} == {"input_tokens_stay"}


def test_reasoning_that_is_left_out_is_missed_only_where_it_is_asked_for() -> None:
    """By default the service forgets it."""
    left_out = asking(
        REASONED_ON, '"reasoning_content": "The user asks about the weather."', '"x": 1'
    )
    found = [f.rule for f in check(foreign(REASONED, left_out))]
    assert "reasoning_is_carried" in found
    plain = [asking(one, "false", "true") for one in (REASONED, left_out)]
    assert "reasoning_is_carried" not in [f.rule for f in check(foreign(*plain))]


def test_a_stream_may_differ_unless_the_same_answer_is_asked_for() -> None:
    """Another call is no finding where the model is free."""
    other = edited(SAME_STREAM, "Beijing", "Nanjing")
    assert [f.rule for f in check(foreign(SAME, other))] == ["stream_equals_whole"]
    free = [asking(one, '"do_sample": false', '"do_sample": true') for one in (SAME, other)]
    assert check(foreign(*free)) == ()


def test_a_stream_of_another_day_may_differ() -> None:
    """A service changes; within a day the input tokens are the same."""
    counted = edited(edited(SAME_STREAM, '"prompt_tokens":8', '"prompt_tokens":9'), ":12}", ":13}")
    assert [f.rule for f in check(foreign(SAME, counted))] == ["stream_equals_whole"]
    again, later = (
        edited(edited(one, "20251015", "20251025", 9), ":1760461667", ":1761325667", 9)
        for one in (SAME, counted)
    )
    assert check(foreign(SAME, later)) == ()
    (found,) = check(foreign(SAME, again, later))
    assert "(exchange 2)" in found.expected


def test_a_long_answer_that_changed_is_shown_where_it_parts() -> None:
    """With a little before it, and the place."""
    long = "a" * 200
    said = edited(REASONED, "It is sunny.", f"{long}b")
    again = asking(REASONED_ON, "It is sunny.", f"{long}c")
    (finding,) = [f for f in check(foreign(said, again)) if f.rule == "history_is_carried"]
    assert f'"…{"a" * 30}b" in the request' in finding.message
    assert f'actual "…{"a" * 30}c" (from character 201)' in finding.message
