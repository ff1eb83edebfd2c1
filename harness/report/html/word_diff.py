"""Two texts side by side, in which the differing words are marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

MAX_WORDS = 600
"""The largest number of words that are compared; the time grows with its square."""

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|\s+|.", re.DOTALL)
"""A word, whitespace or sign; each Chinese character is a word."""


@dataclass(frozen=True, slots=True)
class DiffPiece:
    """A part of a text, and whether it differs from the other text."""

    text: str
    differs: bool = False


def side_by_side(left: str, right: str) -> tuple[tuple[DiffPiece, ...], tuple[DiffPiece, ...]]:
    """Return each text as pieces that are equal to, or differ from, the other text.

    Texts with no word in common, or with too many words, are a single unmarked piece each.

    >>> side_by_side("a cat", "a dog")[1]
    (Piece(text='a ', differs=False), Piece(text='dog', differs=True))
    """
    ours, theirs = _WORD.findall(left), _WORD.findall(right)
    if max(len(ours), len(theirs)) > MAX_WORDS:
        return (DiffPiece(left),), (DiffPiece(right),)
    codes = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    if all(code != "equal" for code, *_ in codes):
        return (DiffPiece(left),), (
            DiffPiece(right),
        )  # nothing is alike: a mark on all would say nothing
    return (
        tuple(_pieces((code, ours[i:j]) for code, i, j, _, _ in codes)),
        tuple(_pieces((code, theirs[i:j]) for code, _, _, i, j in codes)),
    )


def _pieces(parts: Iterable[tuple[str, list[str]]]) -> Iterator[DiffPiece]:
    for code, found in parts:
        if found:
            yield DiffPiece("".join(found), code != "equal")
