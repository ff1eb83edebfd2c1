"""Classification of strings in answers: words of the protocol such as `stop`, dates, links.

The words that were seen at one place are its vocabulary.

A contract is kept in a repository, so it must not contain private texts. A string is written down
only if it is short, looks like an identifier of a protocol, and was seen in at least `PUBLIC`
exchanges. Until then the contract has its 16-bit digest, which is enough to count it and does not
reveal it: thousands of words have the same digest.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

Words = Mapping[str, int] | None
"""The number of exchanges with each word; None if the strings are not a vocabulary."""

PUBLIC = 3
"""The number of exchanges with a word from which on it is written down."""

MOST_WORDS = 12
"""The greatest number of words in a vocabulary."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
_KEY = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@:-]{0,63}")
_MOST_DIGITS = 4


def is_word(text: str) -> bool:
    """Return whether a string looks like a word of a protocol, such as `tool_calls` or `1302`.

    Such a string has at most 40 characters, at most 4 digits and no spaces.
    """
    return _WORD.fullmatch(text) is not None and _digits(text) <= _MOST_DIGITS


@lru_cache(maxsize=4096)
def is_field_name(key: str) -> bool:
    """Return whether a key looks like a field's name, and not like data such as an id or a text."""
    return _KEY.fullmatch(key) is not None and _digits(key) <= _MOST_DIGITS


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def add(left: Words, right: Words) -> Words:
    """Return the sum of two vocabularies, each the number of exchanges with each word.

    None if one of them is None (the strings are data) or the sum has more than `MOST_WORDS` words.
    A digest is replaced by its word if the word is in one of the vocabularies.
    """
    if left is None or right is None:
        return None
    total = {**left, **{word: left.get(word, 0) + count for word, count in right.items()}}
    if digests := [word for word in total if is_digest(word)]:
        shown = sorted(total.keys() - {*digests}, reverse=True)
        names = {word_digest(word): word for word in shown}
        for hidden in [word for word in digests if word in names]:
            total[names[hidden]] += total.pop(hidden)
    return total if len(total) <= MOST_WORDS else None


def word_digest(word: str) -> str:
    """Return the digest that replaces a rare word: `#` and four hexadecimal digits."""
    return "#" + hashlib.sha256(word.encode()).hexdigest()[:4]


def is_digest(word: str) -> bool:
    """Return whether *word* is the digest of a rare word, such as `#1a2b`, not a word itself."""
    return word.startswith("#")


def written(words: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of *words* as a contract's file has them: sorted, rare words as digests."""
    public: Counter[str] = Counter()
    for word, count in words.items():
        public[word if count >= PUBLIC or is_digest(word) else word_digest(word)] += count
    return dict(sorted(public.items()))


def is_known_in_full(words: Words) -> bool:
    """Return whether every word is frequent enough to be written to a file; False without words."""
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
"""Formats of strings. The names in `STANDARD` are those of JSON Schema."""

STANDARD = frozenset({"date-time", "uri", "uuid"})
"""The formats of strings that JSON Schema defines."""

EPOCH = "epoch-seconds"
_EPOCH = range(10**9, 5 * 10**9)
"""Seconds since 1970, from 2001 to 2128."""


def text_formats(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the formats, such as `uuid`, that every one of *texts* has."""
    strings = set(texts)
    return frozenset(
        name for name, form in TEXT_FORMATS.items() if all(form.fullmatch(s) for s in strings)
    )


def integer_formats(numbers: Iterable[int]) -> frozenset[str]:
    """Return {"epoch-seconds"} if all *numbers* can be Unix times (2001 to 2128), else no name."""
    return frozenset({EPOCH}) if all(number in _EPOCH for number in numbers) else frozenset()
