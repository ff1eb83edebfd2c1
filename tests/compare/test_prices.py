"""Tables of prices, read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.compare import SHIPPED, Price, Prices, load
from harness.errors import BadSettings

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
    price = Price("ours", "one", "CNY", date(2026, 7, 1), "a page", 1.5, 4)
    assert load(written(tmp_path, GOOD)) == Prices((price,))


def test_the_table_that_is_shipped_holds_no_invented_price() -> None:
    """It can be read, and what it says by way of example can be, too."""
    assert load(SHIPPED) == Prices()


def test_the_example_in_the_shipped_table_is_right(tmp_path: Path) -> None:
    """What the comments show is read once it is no comment."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.endswith("[[price]]"))
    shown = [line.removeprefix("#").strip() for line in lines[start : start + 9]]
    assert len(load(written(tmp_path, "\n".join(shown))).table) == 1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("model", "modle", "price 1: has no key 'modle'; there are: provider, model"),
        ("1.5", "-1", "price 1: input: a number from 0 is expected"),
        ("1.5", "nan", "price 1: input: a number from 0 is expected"),
        ("4", "true", "price 1: output: a number from 0 is expected"),
        ('"CNY"', '""', "price 1: currency: a text is expected"),
        ('source = "a page"', "", "price 1: source: a text is expected"),
        ("2026-07-01", '"2026-07-01"', "price 1: valid_from: a day such as 2026-07-01"),
        ("[[price]]", "[[prices]]", "a table of prices has [[price]] for each"),
        ("[[price]]", "[price]", "a table of prices has [[price]] for each"),
        ("[[price]]", "price = [1]", "price 1: a table is expected"),
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
