"""Tables of prices, read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.analysis.endpoint import Part
from harness.config.prices import SHIPPED, Cost, Price, Prices, load
from harness.errors import BadSettings
from harness.providers.anthropic.endpoints import read
from harness.scenario.files import load_all
from harness.types import GeneratedFile, Json, Medium, Reply, Usage

GOOD = """\
[[price]]
provider = "ours"
model = "one"
currency = "CNY"
input = 1.5
output = 4
valid_from = 2026-07-01
source = "a page"
"""


def written(folder: Path, text: str) -> Path:
    """A table on the disk."""
    path = folder / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_prices(tmp_path: Path) -> None:
    """Amounts that are left out are unknown."""
    day = date(2026, 7, 1)
    price = Price("ours", "one", "CNY", "a page", valid_from=day, input=1.5, output=4)
    assert load(written(tmp_path, GOOD)) == Prices((price,))
    seen = load(written(tmp_path, GOOD.replace("valid_from", "up_to = 8\nseen")))
    assert seen == Prices((replace(price, valid_from=None, seen=day, up_to=8),))


def test_the_shipped_table_names_a_page_for_every_price() -> None:
    """Nobody has to believe it: each price has an address to look at, and is there once."""
    table = load(SHIPPED).table
    assert [price for price in table if not price.source.startswith("https://")] == []
    assert {price.currency for price in table} == {"CNY"}
    keys = [(price.provider, price.model, price.day) for price in table]
    assert len(set(keys)) == len(keys)
    assert all(None in (price.input, price.image) for price in table)
    assert all((price.input is None) == (price.output is None) for price in table)


def test_the_shipped_scenarios_have_prices() -> None:
    """Whoever tries the demo sees costs."""
    targets = [t for scenario in load_all([Path("scenarios")]) for t in scenario.targets]
    assert targets
    table = load(SHIPPED)
    assert [str(t) for t in targets if not table.price(t.provider, t.model, "2026-11-28")] == []


def test_the_example_in_the_shipped_table_is_right(tmp_path: Path) -> None:
    """What the comments show is read once it is no comment."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line == "#     [[price]]")
    end = next(n for n, line in enumerate(lines) if n > start and line == "#")
    shown = [line.removeprefix("#").strip() for line in lines[start:end]]
    (price,) = load(written(tmp_path, "\n".join(shown))).table
    assert (price.thinking, price.up_to, price.valid_from) == (8, 128000, date(2026, 7, 1))


PRICE = Price("ours", "one", "CNY", "a page", seen=date(2026, 7, 1), input=2, output=8)
A_MILLION = Usage(1_000_000, 1_000_000)
CACHED = replace(A_MILLION, cache_read=4_000_000, cache_write=1_000_000, cache_write_hour=3_000_000)


@pytest.mark.parametrize(
    ("price", "usage", "thought", "amount"),
    [
        (PRICE, A_MILLION, False, 10),
        (PRICE, A_MILLION, True, 10),
        (replace(PRICE, thinking=50), A_MILLION, False, 10),
        (replace(PRICE, thinking=50), A_MILLION, True, 52),
        (replace(PRICE, output=None, thinking=50), A_MILLION, False, None),
        (replace(PRICE, up_to=1_000_000), A_MILLION, False, 10),
        (replace(PRICE, up_to=999_999), A_MILLION, False, None),
        (replace(PRICE, up_to=1), Usage(None, 1), False, None),
        (replace(PRICE, output=0), Usage(1_000_000, None), False, 2),
        (PRICE, CACHED, False, None),
        (replace(PRICE, cache_read=1, cache_write=3, cache_write_hour=4), CACHED, False, 29),
        (replace(PRICE, cache_read=1, cache_write=3), CACHED, False, None),
    ],
    ids=[
        *("plain", "as dear", "dearer, not used", "dearer", "half", "as long", "longer"),
        *("not told", "free output", "cache unknown", "cache", "an hour unknown"),
    ],
)
def test_what_tokens_cost(price: Price, usage: Usage, thought: bool, amount: float | None) -> None:
    """Thinking may cost otherwise; longer requests than a price is for cost nobody knows what."""
    cost = price.of(usage, 0, thought)
    assert cost == (None if amount is None else Cost(amount, "CNY", "seen 2026-07-01", "a page"))


def test_anthropic_counts_its_caches_apart_from_the_input() -> None:
    """A whole answer says for how long each was written; of a stream, its start does."""
    cache: dict[str, Json] = {"cache_read_input_tokens": 4, "cache_creation_input_tokens": 5}
    hour: Json = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}
    message: dict[str, Json] = {
        **{"type": "message", "role": "assistant", "content": []},
        "usage": {"input_tokens": 1, "output_tokens": 6, **cache, "cache_creation": hour},
    }
    events: tuple[Json, ...] = (
        {"type": "message_start", "message": message},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 6, **cache}},
    )
    usage = Usage(1, 6, cache_read=4, cache_write=2, cache_write_hour=3)
    for parts in ((Part(message),), tuple(Part(e, n) for n, e in enumerate(events, 1))):
        outcome = read(parts, None)
        assert isinstance(outcome, Reply)
        assert outcome.usage == usage


def test_a_price_of_a_service_counts_for_its_other_formats() -> None:
    """Unless the table has one for them."""
    dearer = replace(PRICE, provider="ours-compatible", input=3)
    assert Prices((PRICE,)).price("ours-compatible", "one", "") == PRICE
    assert Prices((PRICE, dearer)).price("ours-compatible", "one", "") == dearer


@pytest.mark.parametrize(
    ("day", "input_"),
    [("2026-06-01", 1), ("2026-07-01", 1), ("2026-09-01T08:00:00Z", 2), ("", 2)],
)
def test_a_price_that_was_only_seen(day: str, input_: float) -> None:
    """It counts from its day on, and for earlier days, if nothing is nearer."""
    table = Prices((replace(PRICE, seen=date(2026, 8, 1)), replace(PRICE, input=1)))
    price = table.price("ours", "one", day)
    assert price
    assert price.input == input_


def test_a_price_that_began_one_day_is_unknown_before() -> None:
    """What it was then, nobody said."""
    table = Prices((replace(PRICE, seen=None, valid_from=date(2026, 7, 1)),))
    assert table.price("ours", "one", "2026-06-30") is None
    assert table.table[0].dated == "from 2026-07-01"


def test_a_table_over_another() -> None:
    """A model that the upper one names has its prices alone, were they older or unknown."""
    own, theirs = replace(PRICE, input=None, output=None), replace(PRICE, seen=date(2030, 1, 1))
    other = replace(PRICE, model="other")
    both = Prices((own,)).before(Prices((theirs, other)))
    assert both.price("ours", "one", "") is own
    assert both.price("ours", "other", "") is other


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("model", "modle", "price 1: unknown key 'modle'; expected one of provider, model"),
        ("1.5", "-1", "price 1: input: expected a number from 0"),
        ("1.5", "nan", "price 1: input: expected a number from 0"),
        ("4", "true", "price 1: output: expected a number from 0"),
        ('"CNY"', '""', "price 1: currency: expected a text"),
        ('source = "a page"', "", "price 1: source: expected a text"),
        ("2026-07-01", '"2026-07-01"', "price 1: valid_from: expected a day such as 2026-07-01"),
        ("valid_from = 2026-07-01", "", "price 1: expected either valid_from or seen"),
        ("input", "seen = 2026-07-01\ninput", "price 1: expected either valid_from or seen"),
        ("input = 1.5", "up_to = 1.5", "price 1: up_to: expected a whole number from 1"),
        ("[[price]]", "[[prices]]", "expected [[price]] for each price"),
        ("[[price]]", "[price]", "expected [[price]] for each price"),
        ("[[price]]", "price = [1]", "price 1: expected a table"),
        ("4", "=", "cannot be read: "),
    ],
)
def test_a_table_that_cannot_be_understood(tmp_path: Path, old: str, new: str, told: str) -> None:
    """The file, the number of the price, and what is allowed."""
    text = GOOD.replace(old, new, 1)
    path = written(tmp_path, new if "[1]" in new else text)
    with pytest.raises(BadSettings) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {told}")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    """One message, with the file."""
    with pytest.raises(BadSettings, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


def test_vectors_are_paid_by_the_total_if_that_is_all_there_is() -> None:
    """DashScope's have no other count; nor is anything but the input paid for."""
    vectors = replace(PRICE, input=0.5, output=0)
    assert vectors.of(Usage(None, None, 2_000_000), 0) == Cost(
        1, "CNY", "seen 2026-07-01", "a page"
    )
    assert PRICE.of(Usage(None, None, 2_000_000), 0) is None


def test_a_video_is_paid_by_the_piece() -> None:
    """However long; a model without such a price has unknown costs."""
    film = Reply(files=(GeneratedFile("", b"", Medium.VIDEO),))
    cost = replace(PRICE, video=1).of_reply(film)
    assert cost is not None
    assert cost.amount == 1
    assert PRICE.of_reply(film) is None


def test_speech_is_paid_by_the_character() -> None:
    """As many as the answer says; where it says none, the cost is unknown."""
    price = load(SHIPPED).price("dashscope", "qwen3-tts-flash", "2026-11-28")
    assert price is not None
    cost = price.of_reply(Reply(characters=25_000))
    assert cost is not None
    assert (cost.amount, cost.currency) == (2, "CNY")
    assert price.of_reply(Reply(usage=A_MILLION)) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [("zhipuai", "embedding-3"), ("zhipuai", "cogvideox-3"), ("dashscope", "gte-rerank-v2")],
)
def test_other_kinds_of_call_have_prices(provider: str, model: str) -> None:
    """Those that were found; what is sold by the minute is unknown."""
    assert load(SHIPPED).price(provider, model, "") is not None
    assert load(SHIPPED).price("zhipuai", "glm-asr-2512", "") is None
