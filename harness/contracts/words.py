"""Vocabularies and formats: whether a string is a word of the protocol, a date, a link.

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
"""The number of exchanges with each word; None for strings that are no vocabulary."""

PUBLIC = 3
"""The number of exchanges from which on a word is written down."""

MOST_WORDS = 12
"""Strings with more different values are no vocabulary."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
_KEY = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@:-]{0,63}")
_MOST_DIGITS = 4


def is_word(text: str) -> bool:
    """Return whether a string could belong to a protocol's vocabulary: `tool_calls`, `1302`."""
    return _WORD.fullmatch(text) is not None and _digits(text) <= _MOST_DIGITS


def is_field_name(key: str) -> bool:
    """Return whether a key could be a field's name, and is not data such as an id or a text."""
    return _KEY.fullmatch(key) is not None and _digits(key) <= _MOST_DIGITS


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def add(left: Words, right: Words) -> Words:
    """Add two counts; a digest is replaced by the word it stands for."""
    if left is None or right is None:
        return None
    total = Counter(left)
    total.update(right)
    names = {digest(word): word for word in sorted(total, reverse=True) if not is_digest(word)}
    for hidden in [word for word in total if is_digest(word) and word in names]:
        total[names[hidden]] += total.pop(hidden)
    return dict(total) if len(total) <= MOST_WORDS else None


def digest(word: str) -> str:
    """Return what stands for a word that is not written down."""
    return "#" + hashlib.sha256(word.encode()).hexdigest()[:4]


def is_digest(word: str) -> bool:
    """Return whether a word is a digest."""
    return word.startswith("#")


def written(words: Mapping[str, int]) -> dict[str, int]:
    """Return the counts as a file may hold them, sorted."""
    public: Counter[str] = Counter()
    for word, count in words.items():
        public[word if count >= PUBLIC or is_digest(word) else digest(word)] += count
    return dict(sorted(public.items()))


def is_known_in_full(words: Words) -> bool:
    """Return whether every word was seen often enough to be written down."""
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
    """Return the formats that all of these strings have."""
    strings = list(texts)
    return frozenset(
        name for name, form in TEXT_FORMATS.items() if all(form.fullmatch(s) for s in strings)
    )


def integer_formats(numbers: Iterable[int]) -> frozenset[str]:
    """Return the formats that all of these whole numbers have."""
    return frozenset({EPOCH}) if all(number in _EPOCH for number in numbers) else frozenset()
