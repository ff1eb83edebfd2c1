"""Helpers for messages: make recorded text safe to print, shorten it, and format counts."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)

_PLAIN = bytes((*b"\t\n", *range(32, 127)))

WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
"""Characters of two cells, as in a class of a pattern."""

OPENING, CLOSING = "（《「『【〈“‘", "，。！？；：、）》」』】〉”’…%"
"""Signs that no line ends with, and signs that no line begins with."""

BETWEEN_WIDE = (
    rf"(?<=[{WIDE}{CLOSING}])(?<![{OPENING}])(?=[^\s{CLOSING}])"
    rf"|(?<=[^\s{OPENING}])(?=[{WIDE}{OPENING}])(?![{CLOSING}])"
)
"""Where a text with wide characters may be broken, besides after white space; a pattern."""


def plain(text: str) -> str:
    """Replace control characters, bidirectional marks and lone surrogates in *text* by U+FFFD."""
    if text.isprintable() or (text.isascii() and not text.encode().translate(None, _PLAIN)):
        return text
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def line(text: str) -> str:
    """Return *text* on one line, with runs of white space as one space, safe to print."""
    return " ".join(plain(text).split())


def cut(text: str, length: int) -> str:
    """Return *text*; a longer one is cut to *length* characters, and its full length is added."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def ellipsized(text: str, length: int) -> str:
    """Return *text*; a longer one is cut to *length* characters, of which `…` is the last."""
    return text if len(text) <= length else text[: length - 1] + "…"


def count(number: int, noun: str) -> str:
    """Return *number* and *noun*, with a plural `s` if needed, such as `1 turn` or `2 turns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
