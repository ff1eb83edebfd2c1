"""The place of a wrong tool call, its index, and its arguments that do not fit their schema."""

from __future__ import annotations

import pytest

from harness.providers.rules import check
from harness.types import Exchange

from .making import edited, foreign
from .zhipu_exchanges import TOOL, TOOL_STREAM

CITY = '\\"city\\": \\"Beijing\\"'


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (edited(TOOL, CITY, '\\"town\\": 1'), "in the arguments of get_weather: "),
        (edited(TOOL, CITY, '\\"city\\": 1'), "in the arguments of get_weather at /city: "),
    ],
    ids=["whole", "member"],
)
def test_a_finding_names_the_arguments_that_do_not_fit(changed: Exchange, where: str) -> None:
    """All of them, or the place within them."""
    findings = [f for f in check(foreign(changed)) if f.rule == "tool_arguments_fit"]
    assert [finding.message.startswith(f"{where}expected ") for finding in findings] == [True]


@pytest.mark.parametrize(
    ("whole", "pointer"),
    [
        (TOOL, "/choices/0/message/tool_calls/0"),
        (TOOL_STREAM, "/choices/0/delta/tool_calls"),
    ],
    ids=["document", "stream"],
)
def test_a_call_without_a_name_is_shown_at_its_place(whole: Exchange, pointer: str) -> None:
    """The call itself in a document, the first calls in a stream."""
    nameless = edited(whole, '"name":"get_weather"', '"name":""')
    findings = [f for f in check(foreign(nameless)) if f.rule == "tool_calls_are_complete"]
    assert [finding.place.pointer for finding in findings] == [pointer]


@pytest.mark.parametrize("index", [-1, 1])
def test_a_call_has_its_number_in_the_list_as_index(index: int) -> None:
    """Counted from 0."""
    call = '"id":"call_8231168139794583938","index":'
    other = edited(TOOL, f"{call}0", f"{call}{index}")
    findings = [f for f in check(foreign(other)) if f.rule == "tool_type_is_known"]
    assert [finding.place.pointer for finding in findings] == [
        "/choices/0/message/tool_calls/0/index"
    ]
    assert not [f for f in check(foreign(TOOL)) if f.rule == "tool_type_is_known"]
