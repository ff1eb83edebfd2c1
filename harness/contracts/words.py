"""What a string or a number looks like: a word of a vocabulary, a date, a link; decided by form.

A contract is kept in a repository and read by many, so it may repeat nothing that could be
private. A value is written down only where it is short, looks like an identifier of a protocol,
and was seen in `PUBLIC` exchanges. Before that it is a 16-bit digest, which thousands of other
words share; that is enough to count how often it comes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping

Words = Mapping[str, int] | None
"""In how many exchanges each word was seen; None for strings that are no vocabulary."""

PUBLIC = 3
"""A word is written down once it was seen in so many exchanges."""

MOST_WORDS = 12
"""Strings with more different values are no vocabulary."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
_KEY = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@:-]{0,63}")
_MOST_DIGITS = 4


def is_word(text: str) -> bool:
    """Whether a string could belong to a protocol's vocabulary: `tool_calls`, `1302`."""
    return _WORD.fullmatch(text) is not None and _digits(text) <= _MOST_DIGITS


def is_field_name(key: str) -> bool:
    """Whether a key could be a field's name and not data, such as an id or somebody's words."""
    return _KEY.fullmatch(key) is not None and _digits(key) <= _MOST_DIGITS


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def add(left: Words, right: Words) -> Words:
    """Both counts together; a digest gives way to the word it stands for."""
    if left is None or right is None:
        return None
    total = Counter(left)
    total.update(right)
    names = {digest(word): word for word in sorted(total, reverse=True) if not is_digest(word)}
    for known in [word for word in total if is_digest(word) and word in names]:
        total[names[known]] += total.pop(known)
    return dict(total) if len(total) <= MOST_WORDS else None


def digest(word: str) -> str:
    """What stands for a word that is not written down."""
    return "#" + hashlib.sha256(word.encode()).hexdigest()[:4]


def is_digest(word: str) -> bool:
    """Whether it is a digest; no word begins like one."""
    return word.startswith("#")


def written(words: Mapping[str, int]) -> dict[str, int]:
    """The counts as a file may hold them, sorted."""
    told: Counter[str] = Counter()
    for word, count in words.items():
        told[word if count >= PUBLIC or is_digest(word) else digest(word)] += count
    return dict(sorted(told.items()))


def is_known_in_full(words: Words) -> bool:
    """Whether every word was seen often enough to be written down."""
    return bool(words) and all(count >= PUBLIC for count in (words or {}).values())


# ------------------------------------------------------------------------------------- formats

TEXT_FORMATS: Mapping[str, re.Pattern[str]] = {
    "date-time": re.compile(
        r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
    ),
    "local-date-time": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", re.ASCII),
    "uri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,19}://\S+"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "integer-in-string": re.compile(r"-?[0-9]+"),
}
"""Formats of strings: those of JSON Schema by its names, and two of ours."""

STANDARD = frozenset({"date-time", "uri", "uuid"})
"""Those that JSON Schema knows."""

EPOCH = "epoch-seconds"
_EPOCH = range(10**9, 5 * 10**9)
"""Seconds since 1970, from 2001 to 2128."""


def text_formats(texts: Iterable[str]) -> frozenset[str]:
    """The formats that all of these strings have."""
    told = list(texts)
    return frozenset(
        name for name, form in TEXT_FORMATS.items() if all(form.fullmatch(text) for text in told)
    )


def integer_formats(numbers: Iterable[int]) -> frozenset[str]:
    """The formats that all of these whole numbers have."""
    return frozenset({EPOCH}) if all(number in _EPOCH for number in numbers) else frozenset()
