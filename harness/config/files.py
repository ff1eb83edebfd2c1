"""Reading of regular files up to a largest size, and of tables in TOML files.

Pipes, devices and folders raise an error.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import date
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import BadSettings

LARGEST = 256 * 2**20
"""The largest file that is read, in bytes."""


def cache_folder() -> Path:
    """Return the folder of this user's caches of the harness."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "llm-conversation-harness"


def read_file(path: Path, largest: int = LARGEST) -> bytes:
    """Return the bytes of the regular file at *path*.

    Raises OSError if it is not a regular file, cannot be read, or has more than *largest* bytes.
    """
    with _opened(path, largest) as opened:
        return opened.readall()


def file_parts(path: Path, largest: int = LARGEST) -> Iterator[bytes]:
    """Yield the bytes of the regular file at *path* in parts, so that few are in memory.

    Raises OSError if `read_file` does.
    """
    with _opened(path, largest) as opened:
        while part := opened.read(_PART):
            yield part


_PART = 2**20


def _opened(path: Path, largest: int) -> FileIO:
    """Return the regular file at *path*, opened. Raises OSError if `read_file` does."""
    if _size(path) > largest:
        raise OSError(errno.EFBIG, f"larger than {largest // 2**20} MiB", str(path))
    return open(path, "rb", buffering=0)


def read_ends(path: Path, first: int, last: int) -> tuple[bytes, bytes]:
    """Return the first *first* and the last *last* bytes of a file; all bytes of a shorter one.

    Raises OSError if it is not a regular file, or cannot be read.
    """
    size = _size(path)
    with path.open("rb") as opened:
        head = opened.read(first)
        opened.seek(max(0, size - last))
        return head, opened.read(last)


def _size(path: Path) -> int:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()  # the error of a folder without permission says so
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    return status.st_size


def read_text_file(path: Path) -> str:
    """Return the text of a regular file in UTF-8. Raises OSError, also if it is not UTF-8."""
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 (at byte {error.start})"
        raise OSError(errno.EINVAL, problem, str(path)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises BadSettings if it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(read_text_file(path))
    except OSError as error:
        raise BadSettings(f"cannot be read: {error.strerror}", path) from None
    except ValueError as error:
        raise BadSettings(f"cannot be read: {error}", path) from None


# ------------------------------------------------------------------------ tables in TOML


Row = TypeVar("Row")


def load_rows(
    path: Path, name: str, row: Callable[..., Row], problem: Callable[[Row], str] = lambda _: ""
) -> tuple[Row, ...]:
    """Return the rows of a table in a TOML file.

    Each row is a section `[[name]]`. Its keys and their types are the fields of the dataclass
    *row*; a field without a default is required.

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
