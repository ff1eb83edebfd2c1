"""What answers cost: a table of prices, and the cost of one answer by it.

A table is TOML, `[[price]]` for each; what is in no table is unknown, never zero. A cost keeps the
day and the source of its price.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from harness.errors import BadSettings
from harness.types import LooseJson, Usage

SHIPPED = Path(__file__).with_name("prices.toml")
"""The table that comes with the harness."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money; `currency` by ISO 4217, such as `CNY`.

    `dated` and `source` are those of the price that it was reckoned by.
    """

    amount: float
    currency: str
    dated: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs: for a million tokens in and out, and for an image; None if unknown.

    `thinking` is the price of tokens out of an answer that thought first, where it is another one.
    The amounts are those of requests with `up_to` so many tokens in, if it is given. `source` says
    where the price is known from. Either `valid_from` says since which day it is the price, or
    `seen` on which day it was; then nobody knows since when.
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
    image: float | None = None
    up_to: int | None = None

    @property
    def day(self) -> date:
        """The day that the price is known of."""
        return self.valid_from or self.seen or date.min

    @property
    def dated(self) -> str:
        """That day, and how it is known: `seen 2026-07-01`."""
        return f"{'from' if self.valid_from else 'seen'} {self.day.isoformat()}"

    def of(self, usage: Usage | None, images: int, thought: bool = False) -> Cost | None:
        """The cost of an answer with so many tokens and images; None where part is unknown."""
        parts = [(self.image, images)] if images else self._tokens(usage, thought)
        if not parts or any(price is None or number is None for price, number in parts):
            return None
        amount = sum(price * number for price, number in parts if price and number)
        return Cost(round(amount, 10), self.currency, self.dated, self.source)

    def _tokens(self, usage: Usage | None, thought: bool) -> list[tuple[float | None, int | None]]:
        if usage is None or (self.up_to is not None and (usage.input_tokens or 0) > self.up_to):
            return []
        output = self.thinking if thought and self.thinking is not None else self.output
        both = ((self.input, usage.input_tokens), (output, usage.output_tokens))
        return [(None if each is None else each / _MILLION, count) for each, count in both]


@dataclass(frozen=True, slots=True)
class Prices:
    """A table of prices; of two for one model the younger counts, of one day the first."""

    table: tuple[Price, ...] = ()

    def price(self, provider: str, model: str, day: str) -> Price | None:
        """The price on a day (`2026-07-01`, more may follow); the youngest, if it is unknown.

        A price that was only seen is taken for earlier days too, if none is nearer.
        """
        known = [p for p in self.table if (p.provider, p.model) == (provider, model)]
        before = [p for p in known if not day or p.day.isoformat() <= day[:10]]
        if before:
            return max(before, key=lambda price: price.day)
        return min((p for p in known if p.seen), key=lambda price: price.day, default=None)

    def over(self, other: Prices) -> Prices:
        """Both tables; a model that this one names has the prices of this one alone."""
        own = {(price.provider, price.model) for price in self.table}
        others = (p for p in other.table if (p.provider, p.model) not in own)
        return Prices((*self.table, *others))


NO_PRICES = Prices()


def load(path: Path) -> Prices:
    """Read a table. Raises BadSettings, naming the file and the price."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"cannot be read: {error}", path) from None
    table = document.pop("price", [])
    try:
        if document or not isinstance(table, list):
            raise ValueError("a table of prices has [[price]] for each, and nothing else")
        return Prices(tuple(_price(number, value) for number, value in enumerate(table, start=1)))
    except ValueError as error:
        raise BadSettings(str(error), path) from None


def _price(number: int, value: LooseJson) -> Price:
    if not isinstance(value, dict):
        raise ValueError(f"price {number}: a table is expected")
    for key in value:
        if key not in _KEYS:
            raise ValueError(f"price {number}: has no key {key!r}; there are: {', '.join(_KEYS)}")
    for key, (fits, expected) in _KEYS.items():
        if (key in value or key in _NEEDED) and not fits(value.get(key)):
            raise ValueError(f"price {number}: {key}: {expected} is expected")
    if ("valid_from" in value) == ("seen" in value):
        raise ValueError(f"price {number}: one of valid_from and seen is expected")
    return Price(**value)


def _is_text(value: LooseJson) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_day(value: LooseJson) -> bool:
    return type(value) is date


def _is_amount(value: LooseJson) -> bool:
    return type(value) in (int, float) and 0 <= value < float("inf")


def _is_number(value: LooseJson) -> bool:
    return type(value) is int and value > 0


_NEEDED = ("provider", "model", "currency", "source")
_DAY = (_is_day, "a day such as 2026-07-01, without quotes,")
_AMOUNT = (_is_amount, "a number from 0")
_KINDS: Mapping[str, tuple[Callable[[LooseJson], bool], str]] = {
    "date | None": _DAY,
    "float | None": _AMOUNT,
    "int | None": (_is_number, "a whole number from 1"),
    "str": (_is_text, "a text"),
}
_KEYS = {field.name: _KINDS[str(field.type)] for field in fields(Price)}
"""What is said of a price, how each is recognised, and in words: by the types of `Price`."""
