"""Text for messages: recorded text made safe to print, shortened, and counts with their nouns."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def plain(text: str) -> str:
    """Return *text* without control characters, bidirectional marks and lone surrogates."""
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def line(text: str) -> str:
    """Return *text* on one line, safe to print."""
    return " ".join(plain(text).split())


def cut(text: str, length: int) -> str:
    """Return the first *length* characters of *text*, and its length if it is longer."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 turn` or `2 turns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
