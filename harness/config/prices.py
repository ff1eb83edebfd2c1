"""Price tables, and the cost of an answer by them.

A table is a TOML file with a `[[price]]` section for each price. Without a price of the model, the
cost is unknown, not zero. A cost keeps the day and the source of its price.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from harness.config.files import load_rows
from harness.types import Medium, Reply, Usage

SHIPPED = Path(__file__).with_name("prices.toml")
"""The price table that comes with the harness."""

CURRENCIES = frozenset(Path(__file__).with_name("currencies.txt").read_text("ascii").split())
"""The codes of the currencies in circulation, by ISO 4217."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an answer.

    Attributes:
        amount: The amount in `currency`.
        currency: The currency by ISO 4217, such as `CNY`.
        dated: The day of the price as a phrase, such as `from 2026-07-01`.
        source: The source of the price.
    """

    amount: float
    currency: str
    dated: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model; either `valid_from` or `seen` is set.

    Attributes:
        provider: The provider's name.
        model: The model's name.
        currency: The currency by ISO 4217, such as `CNY`.
        source: Where the price was published.
        valid_from: The first day of the price; None if unknown.
        seen: A day on which the price was published; None if its first day is known.
        input: The price of 1M input tokens; None if unknown.
        output: The price of 1M output tokens; None if unknown.
        thinking: The price of 1M output tokens of an answer with reasoning; None if it is `output`.
        cache_read: The price of 1M input tokens read from a cache that are not in the input tokens;
            None if unknown.
        cache_write: The price of 1M such tokens written to a cache for 5 minutes; None if unknown.
        cache_write_hour: The price of 1M such tokens written for an hour; None if unknown.
        characters: The price of 10,000 characters of a text to speak; None if unknown.
        image: The price of one image; None if unknown.
        video: The price of one video, however long; None if unknown.
        up_to: The greatest number of input tokens for which the price holds; None for no limit.
    """

    provider: str
    model: str
    currency: str
    source: str
    valid_from: date | None = None
    seen: date | None = None
    input: float | None = None
    output: float | None = None
    thinking: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_hour: float | None = None
    characters: float | None = None
    image: float | None = None
    video: float | None = None
    up_to: int | None = None

    @property
    def day(self) -> date:
        """The first day of the price or, if unknown, the day on which it was published."""
        return self.valid_from or self.seen or date.min

    @property
    def dated(self) -> str:
        """The day as a phrase: `from 2026-07-01` or `seen 2026-07-01`."""
        return f"{'from' if self.valid_from else 'seen'} {self.day.isoformat()}"

    def of_reply(self, reply: Reply) -> Cost | None:
        """Return the cost of an answer; None if it is unknown."""
        if self.characters is not None and reply.characters is not None:
            return self._cost(self.characters * reply.characters / 10_000)
        videos = sum(file.medium is Medium.VIDEO for file in reply.files)
        return self.of(reply.usage, len(reply.images), bool(reply.reasoning), videos)

    def of(
        self, usage: Usage | None, images: int, thought: bool = False, videos: int = 0
    ) -> Cost | None:
        """Return the cost of an answer; None if it is unknown.

        Args:
            usage: The numbers of tokens; None if unknown.
            images: The number of images; if there are any, only images are charged.
            thought: Whether the answer has reasoning.
            videos: The number of videos; if there are any, only videos are charged.
        """
        media = [(price, n) for price, n in ((self.image, images), (self.video, videos)) if n]
        parts = media or self._tokens(usage, thought)
        if not parts or any(price is None or number is None for price, number in parts):
            return None
        return self._cost(sum(price * number for price, number in parts if price and number))

    def _cost(self, amount: float) -> Cost:
        return Cost(round(amount, 10), self.currency, self.dated, self.source)

    def _tokens(self, usage: Usage | None, thought: bool) -> list[tuple[float | None, int | None]]:
        if usage is None:
            return []
        if self.up_to is not None and (usage.input_tokens or 0) + usage.cached > self.up_to:
            return []
        output = self.thinking if thought and self.thinking is not None else self.output
        given = usage.input_tokens
        if given is None and usage.output_tokens is None and output == 0:
            given = usage.total_tokens  # of vectors and rankings, DashScope tells the total only
        cache = (
            (self.cache_read, usage.cache_read),
            (self.cache_write, usage.cache_write),
            (self.cache_write_hour, usage.cache_write_hour),
        )
        every = ((self.input, given), (output, usage.output_tokens), *(c for c in cache if c[1]))
        # What is free need not be counted: vectors have no output tokens.
        counted = ((each, 0 if each == 0 else count) for each, count in every)
        return [(None if each is None else each / _MILLION, count) for each, count in counted]


@dataclass(frozen=True)
class Prices:
    """A price table, which may have several prices for one model."""

    table: tuple[Price, ...] = ()

    @cached_property
    def _by_model(self) -> dict[tuple[str, str], list[Price]]:
        """The prices by provider and model, in the order of the table."""
        prices: dict[tuple[str, str], list[Price]] = {}
        for price in self.table:
            prices.setdefault((price.provider, price.model), []).append(price)
        return prices

    def price(self, provider: str, model: str, day: str) -> Price | None:
        """Return the latest price of a model up to a day; None if the table has none.

        Of two prices with the same day, the first one in the table is returned.
        Before the first known price of a model, its earliest price without a known first day is
        returned.

        Args:
            provider: The provider's name. Where the table has no price of `dashscope-compatible`,
                or of another format of the same service, that of `dashscope` counts.
            model: The model's name.
            day: The day, or a time, as in `2026-07-01T12:00`; empty for the latest price.
        """
        names = (provider, provider.partition("-")[0])
        own, service = (self._by_model.get((name, model), []) for name in names)
        known = own or service
        before = [p for p in known if not day or p.day.isoformat() <= day[:10]]
        if before:
            return max(before, key=lambda price: price.day)
        return min((p for p in known if p.seen), key=lambda price: price.day, default=None)

    def before(self, other: Prices) -> Prices:
        """Return a table with the prices of this one and, for models that it lacks, of *other*."""
        own = {(price.provider, price.model) for price in self.table}
        others = (p for p in other.table if (p.provider, p.model) not in own)
        return Prices((*self.table, *others))


NO_PRICES = Prices()


def load(path: Path) -> Prices:
    """Read a price table from a TOML file.

    Raises:
        BadSettings: The table is invalid; the message names the file and the price.
    """
    return Prices(load_rows(path, "price", Price, _problem))


def _problem(price: Price) -> str:
    one_day = (price.valid_from is None) != (price.seen is None)
    return "" if one_day else "expected either valid_from or seen"
