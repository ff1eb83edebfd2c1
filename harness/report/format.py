"""Words: recorded text made safe to show, and numbers made readable."""

from __future__ import annotations

import re

from harness.compare import Cost, Facts
from harness.types import LooseJson
from harness.wire import MISSING, Missing
from harness.wire.text import cut, line

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """A text that can be written as UTF-8; JSON allows halves of characters."""
    return _SURROGATE.sub("\ufffd", text)


def value(told: LooseJson | Missing, length: int = 120) -> str:
    """A value of a recording as one short line."""
    if told is MISSING:
        return "–"
    if isinstance(told, str):
        return cut(line(told[: length * 4]), length) if len(told) <= length else _long(told, length)
    words = {None: "null", True: "true", False: "false"}
    return words[told] if told is None or isinstance(told, bool) else cut(str(told), length)


def _long(text: str, length: int) -> str:
    return f"{line(text[:length])}… ({len(text)} characters)"


def seconds(time: float | None) -> str:
    """A time, readable: `12 ms`, `1.25 s`."""
    if time is None:
        return "–"
    return f"{time * 1000:.0f} ms" if time < 1 else f"{time:.2f} s"


def number(told: int | None) -> str:
    """A number, or a dash where there is none."""
    return "–" if told is None else str(told)


def money(cost: Cost | None) -> str:
    """An amount, to a millionth of a unit: one answer costs little."""
    return f"{cost.amount:.6f} {cost.currency}" if cost else "–"


def letters(told: Facts) -> str:
    """Return the script of a text, without guessing its language: `Chinese 97 %`."""
    if told.han is None or told.latin is None:
        return "–"
    shares = {"Chinese": told.han, "Latin": told.latin, "other": 1 - told.han - told.latin}
    most = max(shares, key=lambda script: shares[script])
    return f"{most} {shares[most] * 100:.0f} %"
