"""Tables of prices, and the cost of an answer by them.

A table is TOML with a `[[price]]` for each price; a model in no table has an unknown cost, never
zero. A cost keeps the day and the source of its price.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from harness.errors import BadSettings
from harness.types import Usage

SHIPPED = Path(__file__).with_name("prices.toml")
"""The table that comes with the harness."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money; `currency` by ISO 4217, such as `CNY`.

    `dated` and `source` are those of the price that it was computed by.
    """

    amount: float
    currency: str
    dated: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model per 1M input and output tokens, and per image; None if unknown.

    `thinking` is the price of output tokens of an answer with reasoning, where it differs. The
    amounts hold for requests of at most `up_to` input tokens, if given. `source` says where the
    price is from. Either `valid_from` is the first day of the price, or `seen` a day on which it
    was published; then its first day is unknown.
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
        """The day from which, or on which, the price is known."""
        return self.valid_from or self.seen or date.min

    @property
    def dated(self) -> str:
        """The day, and how it is known: `seen 2026-07-01`."""
        return f"{'from' if self.valid_from else 'seen'} {self.day.isoformat()}"

    def of(self, usage: Usage | None, images: int, thought: bool = False) -> Cost | None:
        """Return the cost of an answer; None where a price or a number is unknown."""
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
    """A table of prices; of several for one model the latest applies, of one day the first."""

    table: tuple[Price, ...] = ()

    def price(self, provider: str, model: str, day: str) -> Price | None:
        """Return the price on a *day* (`2026-07-01`, more may follow), the latest if it is empty.

        A price that was only seen applies to earlier days, too, where there is no other.
        """
        known = [p for p in self.table if (p.provider, p.model) == (provider, model)]
        before = [p for p in known if not day or p.day.isoformat() <= day[:10]]
        if before:
            return max(before, key=lambda price: price.day)
        return min((p for p in known if p.seen), key=lambda price: price.day, default=None)

    def over(self, other: Prices) -> Prices:
        """Return both tables; a model in this one has the prices of this one alone."""
        own = {(price.provider, price.model) for price in self.table}
        others = (p for p in other.table if (p.provider, p.model) not in own)
        return Prices((*self.table, *others))


NO_PRICES = Prices()


def load(path: Path) -> Prices:
    """Read a table of prices. Raises BadSettings, naming the file and the price."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"cannot be read: {error}", path) from None
    table = document.pop("price", [])
    try:
        if document or not isinstance(table, list):
            raise ValueError("expected [[price]] for each price, and nothing else")
        return Prices(tuple(_price(number, value) for number, value in enumerate(table, start=1)))
    except ValueError as error:
        raise BadSettings(str(error), path) from None


def _price(number: int, value: object) -> Price:
    if not isinstance(value, dict):
        raise ValueError(f"price {number}: expected a table")
    for key in value:
        if key not in _KEYS:
            raise ValueError(
                f"price {number}: unknown key {key!r}; expected one of {', '.join(_KEYS)}"
            )
    for key, (fits, expected) in _KEYS.items():
        if (key in value or key in _NEEDED) and not fits(value.get(key)):
            raise ValueError(f"price {number}: {key}: expected {expected}")
    if ("valid_from" in value) == ("seen" in value):
        raise ValueError(f"price {number}: expected either valid_from or seen")
    return Price(**value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_day(value: object) -> bool:
    return type(value) is date


def _is_amount(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < float("inf")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_NEEDED = ("provider", "model", "currency", "source")
_DAY = (_is_day, "a day such as 2026-07-01, without quotes")
_AMOUNT = (_is_amount, "a number from 0")
_KINDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "date | None": _DAY,
    "float | None": _AMOUNT,
    "int | None": (_is_number, "a whole number from 1"),
    "str": (_is_text, "a text"),
}
_KEYS = {field.name: _KINDS[str(field.type)] for field in fields(Price)}
"""The keys of a price, each with its check and what it expects, by the types of `Price`."""
