"""Words: recorded text made safe to show, and numbers made readable."""

from __future__ import annotations

import re

from harness.compare import Cost, Facts
from harness.types import LooseJson
from harness.wire import MISSING, Missing

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    """A text without characters that steer a terminal, break XML or turn the writing round."""
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def encodable(text: str) -> str:
    """A text that can be written as UTF-8; JSON allows halves of characters."""
    return _SURROGATE.sub("\ufffd", text)


def line(text: str) -> str:
    """A text on one line."""
    return " ".join(plain(text).split())


def cut(text: str, length: int) -> str:
    """The beginning of a text, and how much longer it is."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


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


def count(number: int, noun: str) -> str:
    """A number and its noun: `1 turn`, `2 turns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
