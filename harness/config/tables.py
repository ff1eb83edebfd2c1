"""Tables of data in TOML files: a `[[row]]` section for each row, read to a dataclass.

The fields of the dataclass are the keys of a row and their types; a field without a default is
required. Price tables and tables of models are such files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from pathlib import Path
from typing import TypeVar

from harness.config.files import read_toml
from harness.errors import BadSettings

Row = TypeVar("Row")


def load_rows(
    path: Path, name: str, row: Callable[..., Row], problem: Callable[[Row], str] = lambda _: ""
) -> tuple[Row, ...]:
    """Return the rows of a table in a TOML file.

    Args:
        path: The path of the file.
        name: The name of each row's section, such as `price`.
        row: The dataclass of the rows.
        problem: Returns what is wrong with a row, which is added to the error; "" if nothing is.

    Raises:
        BadSettings: The table is invalid; the message names the file and the row.
    """
    document = read_toml(path)
    table = document.pop(name, [])
    try:
        if document or not isinstance(table, list):
            raise ValueError(f"expected [[{name}]] for each {name}, and nothing else")
        numbered = [(f"{name} {n}", value) for n, value in enumerate(table, start=1)]
        return tuple(_row(where, value, row, problem) for where, value in numbered)
    except ValueError as error:
        raise BadSettings(str(error), path) from None


def _row(where: str, value: object, row: Callable[..., Row], problem: Callable[[Row], str]) -> Row:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected a table")
    columns = {field.name: field for field in fields(row)}  # type: ignore[arg-type] # a dataclass
    for key in value:
        if key not in columns:
            raise ValueError(f"{where}: unknown key {key!r}; expected one of {', '.join(columns)}")
    for key, field in columns.items():
        fits, expected = _TYPES[str(field.type)]
        is_needed = field.default is MISSING and field.default_factory is MISSING
        if (key in value or is_needed) and not fits(value.get(key)):
            raise ValueError(f"{where}: {key}: expected {expected}")
    made = row(**{key: tuple(v) if isinstance(v, list) else v for key, v in value.items()})
    if text := problem(made):
        raise ValueError(f"{where}: {text}")
    return made


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_day(value: object) -> bool:
    return type(value) is date


def _is_amount(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < float("inf")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_TYPES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "date | None": (_is_day, "a day such as 2026-07-01, without quotes"),
    "float | None": (_is_amount, "a number from 0"),
    "int | None": (_is_number, "a whole number from 1"),
    "str": (_is_text, "a text"),
    "tuple[str, ...]": (_are_texts, "a list of texts"),
}
"""For each type of a column, a check of its TOML value, and what is expected as a phrase."""
