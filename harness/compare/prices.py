"""What answers cost: a table of prices, and the cost of one answer by it.

The harness knows no price by itself. A table is TOML, `[[price]]` for each; what is in no table
is unknown, never zero.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from harness.errors import BadSettings
from harness.types import Json, Usage

SHIPPED = Path(__file__).with_name("prices.toml")
"""The table that comes with the harness."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money; `currency` by ISO 4217, such as `CNY`."""

    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs from a day on: for a million tokens in and out, and for an image.

    None where it is not known. `source` says where the price is known from.
    """

    provider: str
    model: str
    currency: str
    valid_from: date
    source: str
    input: float | None = None
    output: float | None = None
    image: float | None = None

    def of(self, usage: Usage | None, images: int) -> Cost | None:
        """The cost of an answer with so many tokens and images; None where part is unknown."""
        parts = [(self.image, images)] if images else _tokens(self, usage)
        if not parts or any(price is None or number is None for price, number in parts):
            return None
        amount = sum(price * number for price, number in parts if price and number)
        return Cost(round(amount, 10), self.currency)


def _tokens(price: Price, usage: Usage | None) -> list[tuple[float | None, int | None]]:
    if usage is None:
        return []
    both = ((price.input, usage.input_tokens), (price.output, usage.output_tokens))
    return [(None if each is None else each / _MILLION, count) for each, count in both]


@dataclass(frozen=True, slots=True)
class Prices:
    """Tables of prices; of two that fit, the younger counts, of one day the first."""

    table: tuple[Price, ...] = ()

    def price(self, provider: str, model: str, day: str) -> Price | None:
        """The price on a day (`2026-07-01`, more may follow); the youngest, if it is unknown."""
        known = [p for p in self.table if (p.provider, p.model) == (provider, model)]
        valid = [p for p in known if not day or p.valid_from.isoformat() <= day[:10]]
        return max(valid, key=lambda price: price.valid_from, default=None)


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


def _price(number: int, value: Json) -> Price:
    if not isinstance(value, dict):
        raise ValueError(f"price {number}: a table is expected")
    for key in value:
        if key not in _KEYS:
            raise ValueError(f"price {number}: has no key {key!r}; there are: {', '.join(_KEYS)}")
    for key, (fits, expected) in _KEYS.items():
        if (key in value or key not in _AMOUNTS) and not fits(value.get(key)):
            raise ValueError(f"price {number}: {key}: {expected} is expected")
    return Price(**value)


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_day(value: Json) -> bool:
    return type(value) is date


def _is_amount(value: Json) -> bool:
    return type(value) in (int, float) and 0 <= value < float("inf")


_AMOUNTS = ("input", "output", "image")
_KEYS: Mapping[str, tuple[Callable[[Json], bool], str]] = {
    field.name: (_is_amount, "a number from 0")
    if field.name in _AMOUNTS
    else (_is_day, "a day such as 2026-07-01, without quotes,")
    if field.name == "valid_from"
    else (_is_text, "a text")
    for field in fields(Price)
}
"""What is said of a price, how each is recognised, and in words."""
