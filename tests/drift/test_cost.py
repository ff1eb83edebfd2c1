"""What recordings take, in requests and in money."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from drift.changed_recordings import edited, recorded, with_exchanges
from harness.config.prices import Price, Prices
from harness.drift.plan import RecordingCost, Tariff, cost
from harness.types import Exchange
from harness.wire import resolve


def price(model: str, currency: str = "CNY", image: float | None = 0.06) -> Price:
    """What a model costs from 2026 on: 2 and 4 for a million tokens, or so much an image."""
    provider, _, name = model.partition("/")
    return Price(
        provider,
        name,
        currency,
        "invented",
        valid_from=date(2026, 1, 1),
        input=2,
        output=4,
        thinking=8,
        image=image,
    )


def tariff(*prices: Price, day: str = "2026-07-01") -> Tariff:
    """A table of such prices."""
    return Tariff(Prices(prices), "CNY", day)


GLM, COGVIEW = price("zhipuai/glm-5.3-flash"), price("zhipuai/cogview-4")


def test_requests() -> None:
    """Questions, polls and fetched files are told apart, and each is a call."""
    kitten = cost(recorded("kitten-image/dashscope-wan2.2-t2i-flash"))
    assert (kitten.questions, kitten.polls, kitten.files, kitten.calls) == (1, 3, 1, 5)
    weather = cost(recorded("weather-tool/zhipuai-glm-5.3-flash"))
    assert (weather.calls, weather.money, weather.unpriced) == (4, None, "")


def test_tokens_are_paid_for() -> None:
    """By what each answer says that it used; polls and files cost nothing by themselves."""
    recording = recorded("multi-turn/zhipuai-glm-5.3-flash")
    used: list[Any] = [
        resolve(reading.response_json.value, "/usage") for reading in recording.readings
    ]
    millionths = sum(
        2 * result["prompt_tokens"] + 8 * result["completion_tokens"] for result in used
    )
    assert cost(recording, tariff(GLM)).money == Decimal(millionths) / 1_000_000 > 0
    kitten = recorded("kitten-image/zhipuai-cogview-4")
    assert cost(kitten, tariff(COGVIEW)) == RecordingCost(1, 0, 1, Decimal("0.06"))


def test_thinking_has_its_own_price() -> None:
    """Where the table says so."""
    recording = recorded("slogan/zhipuai-glm-5.3-flash")

    def forget(value: Any) -> None:
        del value["choices"][0]["message"]["reasoning_content"]

    thought, plain = (
        cost(recording, tariff(GLM)).money,
        cost(edited(recording, forget), tariff(GLM)).money,
    )
    assert plain is not None
    assert thought is not None
    assert thought > plain


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        (tariff(), "there is no price of zhipuai/cogview-4"),
        (tariff(COGVIEW, day="2025-12-31"), "there is no price of zhipuai/cogview-4"),
        (
            tariff(price("zhipuai/cogview-4", "USD")),
            "the price of zhipuai/cogview-4 is in USD",
        ),
        (
            tariff(price("zhipuai/cogview-4", image=None)),
            "the usage in an answer of zhipuai/cogview-4 is unknown, or has no price",
        ),
    ],
    ids=["none", "not yet", "another currency", "in part"],
)
def test_what_nobody_knows_is_not_free(prices: Tariff, why: str) -> None:
    """And it is said why."""
    result = cost(recorded("kitten-image/zhipuai-cogview-4"), prices)
    assert (result.money, result.unpriced) == (None, why)
    assert (result + RecordingCost(money=Decimal(1))).money is None


def test_a_refusal_costs_nothing() -> None:
    """But where a model has no price, nobody knows what it costs if it answers now."""
    recording = recorded("slogan/zhipuai-glm-5.3-flash")

    def refused(exchange: Exchange) -> Exchange:
        body = b'{"error":{"code":"1301","message":"no"}}'
        return replace(exchange, response=replace(exchange.response, status=400, body=body))

    no = with_exchanges(recording, refused)
    assert cost(no, tariff(GLM)).money == 0
    assert cost(no, tariff()).money is None


def test_an_error_that_comes_with_http_200() -> None:
    """May have been paid for in part."""
    error = b'{"error":{"code":"1305","message":"busy"}}'

    def failed(exchange: Exchange) -> Exchange:
        return replace(exchange, response=replace(exchange.response, body=error))

    assert (
        cost(with_exchanges(recorded("slogan/zhipuai-glm-5.3-flash"), failed), tariff(GLM)).money
        is None
    )


def test_an_answer_without_usage() -> None:
    """Is not known to be free."""
    silent = edited(
        recorded("slogan/zhipuai-glm-5.3-flash"), lambda value: value.pop("usage", None) and None
    )
    assert cost(silent, tariff(GLM)).money is None


def test_the_costs_of_turns_add_up() -> None:
    """Requests and money are summed one by one; an unknown amount makes the sum unknown."""
    one = RecordingCost(questions=1, polls=2, files=4, money=Decimal("0.5"))
    other = RecordingCost(questions=10, polls=20, files=40, money=Decimal("0.25"))
    assert one + other == RecordingCost(11, 22, 44, Decimal("0.75"))
    unknown = RecordingCost(questions=1, money=None, unpriced="no price")
    assert one + unknown == RecordingCost(2, 2, 4, None, "no price")
    assert (one + other).calls == 77
