"""Long runs of characters that keys and base64 consist of, to which a search is limited.

Few texts have any. They are found by the methods of bytes, which are ten times as fast as a regular
expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import AnyStr, TypeAlias

Run: TypeAlias = tuple[int, int]
"""The offset of the first character of a run, and the offset after its last one."""

MIN_RUN = 15
"""Length of the shortest run in a match of a shape: that of a Slack token."""

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-=.~"
_OF_NUMBERS = b"0123456789+-.eE"
_FEW = 64
_SLICE = 2**18
"""Characters that are translated at once: their bytes stay in the cache of a processor."""
_BEFORE = 32
"""More characters than an anchor begins before its run."""


def _table(letters: bytes, ends: bytes = b"") -> bytes:
    """Return a table that translates *letters* to `a`, *ends* to `e`, and all others to a space."""
    return bytes(b" ae"[(byte in letters) + 2 * (byte in ends)] for byte in range(256))


_AS_RUNS = _table(_LETTERS)
_AS_WORDS = _table(bytes(set(_LETTERS) - set(_OF_NUMBERS)))
_AS_DIGITS = _table(_OF_NUMBERS.replace(b".", b""), b"\r\n")
_LONG = b"a" * MIN_RUN
_LONG_NUMBER = b"a" * 20
"""The shortest base64 of digits that is searched."""


def long_runs(text: str) -> list[Run]:
    """Return (start, end) of each run of at least `MIN_RUN` characters of keys and base64.

    These are letters, digits and `+/_-=.~`. The numbers of a long list of numbers in *text* are
    left out, since neither keys nor base64 look like them.
    """
    runs: list[Run] = []
    start = 0
    while start < len(text):
        raw = text[start : start + _SLICE].encode("latin-1", "replace")
        letters, at = raw.translate(_AS_RUNS), 0
        if runs and runs[-1][1] == start:  # it goes on in this slice
            at = _end(letters, 0)
            runs[-1] = (runs[-1][0], start + at)
        if (found := letters.find(_LONG, at)) >= 0:
            bearer = text.find("earer", max(0, start - _BEFORE), start + len(raw))
            here = _runs(raw, letters, found, bearer >= 0)
            runs += [(start + first, start + end) for first, end in here]
        start += len(raw)
        if start < len(text) and not (runs and runs[-1][1] == start):
            start -= len(raw) - len(letters.rstrip(b"a"))  # a run may begin there
    return runs


def _end(letters: bytes, at: int) -> int:
    """Return the end of the run in *letters* that has the character *at*, or ends there."""
    end = letters.find(b" ", at)
    return len(letters) if end < 0 else end


def _runs(raw: bytes, letters: bytes, found: int, has_bearer: bool) -> Iterator[Run]:
    """Yield the long runs of a slice *raw*; the first one begins at *found*.

    *letters* has an `a` for each letter. Numbers are left out, unless they are long. With
    *has_bearer* any number may be a token.
    """
    marks = None if has_bearer or b" " not in letters[-_FEW:] else _Marks(raw)
    while found >= 0:
        end = _end(letters, found)
        mark = found if marks is None else marks.next(found, end)
        if mark < end:
            yield found, end
        else:  # up to the run that has the mark, all are numbers
            end = max(end, letters.rfind(b" ", end, mark) + 1)
        found = letters.find(_LONG, end)


class _Marks:
    """The offsets in a slice of what numbers in lists do not have.

    These are letters, numbers as long as base64, and a digit at the end of a line, since base64 of
    several lines may begin there.
    """

    def __init__(self, raw: bytes) -> None:
        words, digits = raw.translate(_AS_WORDS), raw.translate(_AS_DIGITS)
        self._parts = ((words, b"a"), (digits, _LONG_NUMBER), (digits, b"ae"))
        self._next = [-1, -1, -1]
        self._size = len(raw)

    def next(self, start: int, end: int) -> int:
        """Return such an offset from *start* on, the first one if none of them is before *end*.

        Return the size of the slice if there is none.
        """
        first = self._size
        for index, (text, part) in enumerate(self._parts):
            at = self._next[index]
            if at < start:
                at = text.find(part, start)
                at = self._next[index] = self._size if at < 0 else at
            if at < end:
                return at
            first = min(first, at)
        return first


def near_runs(text: str, runs: Sequence[Run]) -> str:
    """Return a text of the different *runs* in *text*, each with up to 32 characters before it.

    Each is on a line of its own.
    """
    return "\n".join({text[max(0, start - _BEFORE) : end] for start, end in runs})


def offsets_near_runs(text: str, part: str, runs: Sequence[Run]) -> Iterator[int]:
    """Yield the offsets of *part* in the *runs* of *text*, and in the 32 characters before each."""
    end = 0
    for start, stop in runs:
        at = text.find(part, max(end, start - _BEFORE), stop)
        while at >= 0:
            yield at
            end = at + 1
            at = text.find(part, end, stop)


def offsets(text: AnyStr, part: AnyStr, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Yield the offsets of *part* in *text*, from *start* up to *end*."""
    at = text.find(part, start, end)
    while at >= 0:
        yield at
        at = text.find(part, at + 1, end)
