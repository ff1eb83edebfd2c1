"""What a turn came to, in numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness.comparison.matrix as module
from harness.comparison.matrix import first_token, matrix, scripts, turn_figures
from harness.config.prices import Cost, Price, Prices
from harness.types import Exchange, Provenance, Timing, ToolCall

from .exchanges import exchange, one_answer, transcript_of

DAY = date(2026, 7, 1)
PRICE = Price("ours", "one", "CNY", "a page", valid_from=DAY, input=2, output=8, image=0.5)


def stream(*events: Any, arrived: tuple[float, ...] = (), cut: int = 1) -> Exchange:
    """A stream with a chunk for each event, or for so many together."""
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    chunks = [b"".join(pieces[at : at + cut]) for at in range(0, len(pieces), cut)]
    timing = Timing(0, 0.5, 3.0, arrived)
    whole = exchange(b"".join(pieces), "/chat", "text/event-stream", timing=timing)
    return replace(whole, chunks=tuple(map(len, chunks)))


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("你好", (1.0, 0.0)),
        ("GLM 好", (0.25, 0.75)),
        ("Çа", (0.0, 0.5)),
        ("𠀀", (1.0, 0.0)),
        ("1 + 1 = 2。", (None, None)),
        ("", (None, None)),
    ],
)
def test_the_shares_of_scripts(text: str, shares: tuple[float | None, float | None]) -> None:
    """Of letters only; figures and signs are of no script."""
    assert scripts(text) == shares


@given(
    st.text(st.sampled_from("今天，。 a1é々カ가\u4dc0\u4dff\u9ff5\uf900\U00020001😀")),
    st.sampled_from([1, 3, 2**16]),
    st.sampled_from([0, 2, 32]),
)
def test_scripts_are_counted_as_letter_by_letter(text: str, length: int, signs: int) -> None:
    """Wherever a text is cut, and however many signs of punctuation it has."""
    letters = [letter for letter in text if letter.isalpha()]
    han = [letter for letter in letters if module._is_han(letter)]
    latin = [letter for letter in letters if letter < "\u0250"]
    shares = tuple(round(len(some) / len(letters), 3) for some in (han, latin)) if letters else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SLICE", length)
        patch.setattr(module, "_MAX_SIGNS", signs)
        assert scripts(text) == (shares or (None, None))


@pytest.mark.parametrize(
    ("events", "arrived", "cut", "seconds"),
    [
        ([{"id": 1}, {"text": "a"}, {"text": "b"}], (0.5, 1.0, 2.0), 1, 1.0),
        ([{"id": 1}, {"text": "a"}, {"text": "b"}], (0.5, 2.0), 2, 0.5),
        ([{"id": 1}, {"id": 1}, {"tools": [["f", "{}"]]}], (0.5, 1.0, 2.0), 1, 2.0),
        ([{"id": 1}, {"id": 2}], (0.5, 1.0), 1, 0.5),
        ([{"id": 1}, {"text": "a"}], (), 1, 0.5),
    ],
    ids=["second event", "both at once", "a tool call", "nothing said", "not noted"],
)
def test_the_time_to_the_first_token(
    events: list[Any], arrived: tuple[float, ...], cut: int, seconds: float
) -> None:
    """When the chunk came that ends the first event which says anything; else the first byte."""
    read = transcript_of([stream(*events, arrived=arrived, cut=cut)])
    assert first_token(read.readings[0]) == seconds


def test_an_answer_at_once_has_its_first_byte() -> None:
    """There is no event to wait for; without times there is nothing."""
    (reading,) = transcript_of([exchange(b"{}", timing=Timing(0, 0.25, 1))]).readings
    assert first_token(reading) == 0.25
    assert first_token(transcript_of([exchange(b"{}")]).readings[0]) is None


def test_what_was_said_is_a_fact() -> None:
    """Content, tool calls and images, for whoever lays them side by side."""
    read = one_answer({"text": "好", "tools": [["f", "{}"]], "images": ["u"]})
    (result,) = matrix([read]).figures
    assert (result.content, result.content_length, result.han, result.images) == ("好", 1, 1.0, 1)
    assert result.tool_calls == (ToolCall("1", "f", "{}"),)


@pytest.mark.parametrize(
    ("body", "prices", "cost"),
    [
        ({"text": "a", "usage": [1000, 500, 1500]}, (PRICE,), Cost(0.006, "CNY")),
        ({"images": ["u", "v"]}, (PRICE,), Cost(1.0, "CNY")),
        ({"text": "a"}, (PRICE,), None),
        ({"text": "a", "usage": [1, None, 1]}, (PRICE,), None),
        ({"text": "a", "usage": [1, 1, 2]}, (replace(PRICE, output=None),), None),
        ({"text": "a", "usage": [1, 1, 2]}, (replace(PRICE, model="other"),), None),
        ({"text": "a", "usage": [1, 1, 2]}, (), None),
        ({"text": "a", "usage": [1, 1, 2]}, (replace(PRICE, input=0, output=0),), Cost(0, "CNY")),
    ],
    ids=["tokens", "images", "not counted", "half", "no price out", "other", "none", "free"],
)
def test_what_an_answer_cost(body: Any, prices: tuple[Price, ...], cost: Cost | None) -> None:
    """By its counts and the table; where either is missing the cost is unknown, not zero."""
    read = one_answer(body)
    result = turn_figures(read, read.turns[0], Prices(prices)).cost
    assert result == (cost and replace(cost, dated="from 2026-07-01", source="a page"))


@pytest.mark.parametrize(
    ("recorded_at", "amount"),
    [("2026-07-01T08:00:00Z", 2.0), ("2026-08-01", 3.0), ("2026-06-30", None), ("", 3.0)],
)
def test_a_recording_is_priced_by_its_own_day(recorded_at: str, amount: float | None) -> None:
    """A later price does not make an old recording dearer."""
    read = one_answer({"text": "a", "usage": [1_000_000, 0, 1_000_000]})
    dated = replace(read.transcript, provenance=Provenance(recorded_at=recorded_at))
    table = (PRICE, replace(PRICE, valid_from=date(2026, 8, 1), input=3))
    cost = turn_figures(replace(read, transcript=dated), read.turns[0], Prices(table)).cost
    assert (cost and cost.amount) == amount


def test_times_count_from_the_first_request() -> None:
    """A task was waited for between its polls, too."""
    request = exchange(b'{"id": 1}', timing=Timing(100, 0.25, 0.5))
    json_answer = exchange(b'{"text": "a"}', timing=Timing(103, 0.25, 1))
    (result,) = matrix([transcript_of([request, json_answer])]).figures
    assert (result.first_byte, result.first_token, result.total) == (3.25, 3.25, 4.0)


def test_a_price_is_told_whether_it_suffices_or_not() -> None:
    """So that a cost that is unknown can be explained."""
    read = one_answer({"text": "a"})
    result = turn_figures(read, read.turns[0], Prices((PRICE,)))
    assert (result.price, result.cost) == (PRICE, None)
    assert turn_figures(read, read.turns[0]).price is None


def test_a_label_does_not_change_the_price() -> None:
    """Two ways of asking one model cost the same."""
    answer = exchange(b'{"text": "a", "usage": [1000, 0, 1000]}')
    read = transcript_of([answer], target="ours/one (incremental)")
    cost = turn_figures(read, read.turns[0], Prices((PRICE,))).cost
    assert cost
    assert cost.amount == 0.002


def test_an_answer_that_thought_has_the_price_of_thinking() -> None:
    """Where the table has one."""
    read = one_answer({"text": "a", "reasoning": "b", "usage": [0, 1_000_000, 1_000_000]})
    cost = turn_figures(read, read.turns[0], Prices((replace(PRICE, thinking=40),))).cost
    assert cost
    assert cost.amount == 40
