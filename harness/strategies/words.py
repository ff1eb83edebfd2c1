"""Words, ids, links and splits: what answers are made of, the ordinary first and the nasty after.

Hypothesis shrinks towards what stands first, so that a small example is a readable one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Text = TypeVar("Text", str, bytes)

_LONG = "".join(f"{number}，" for number in range(300))

_PIECES = (
    "It is sunny.",
    "北京今天晴。",
    "👨‍👩‍👧🏽𠮷",
    'She said: "yes" \\ {"json": [',
    "one\ntwo\r\n\n",
    "a\u2028b\u2029c\x85d",  # str.splitlines() takes these for the ends of lines
    "data: [DONE]\n\n",
    "null",
    "\t\0\x1b e\u0301 \u202eabc\ufeff",
    _LONG,
)

_CHARACTERS = st.characters(exclude_categories=["Cs"])
"""All but half characters, which UTF-8 has not got."""


def texts() -> SearchStrategy[str]:
    """Text as people and models write it, and as nobody expects it; empty and long, too."""
    piece = st.sampled_from(_PIECES) | st.text(_CHARACTERS, max_size=6)
    return st.lists(piece, max_size=3).map("".join)


def sentences() -> SearchStrategy[str]:
    """The same, never empty."""
    return st.builds("".join, st.tuples(st.sampled_from(_PIECES), texts()))


def hexadecimal(digits: int) -> SearchStrategy[str]:
    """So many hexadecimal digits."""
    return st.integers(0, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


def links(ending: str) -> SearchStrategy[str]:
    """The address of a file, signed and to expire, as storage services give them."""
    return st.builds(
        "https://files.example/{}/{}.{}?Expires={}&Signature={}%3D".format,
        hexadecimal(2),
        hexadecimal(8),
        st.just(ending),
        st.integers(1_700_000_000, 1_800_000_000),
        hexadecimal(20),
    )


@st.composite
def splits(draw: st.DrawFn, whole: Text) -> tuple[Text, ...]:
    """The same in a row of pieces, some of which may be empty; cut anywhere.

    Bytes are often cut inside a character: by chance alone they would hardly ever be.
    """
    place = st.integers(0, len(whole))
    inside: list[int] = _inside(whole) if isinstance(whole, bytes) else []
    places: list[int] = draw(
        st.lists(place | st.sampled_from(inside) if inside else place, max_size=4)
    )
    cuts = [0, *sorted(places), len(whole)]
    return tuple(whole[start:end] for start, end in pairwise(cuts))


def _inside(body: bytes) -> list[int]:
    """Where a byte of UTF-8 continues a character."""
    return [place for place, byte in enumerate(body) if byte & 0xC0 == 0x80]


@st.composite
def deltas(draw: st.DrawFn, whole: str) -> tuple[str, ...]:
    """A text in pieces that cannot be taken for the whole so far, each time a little longer."""
    pieces = draw(splits(whole))
    return (whole,) if _seem_cumulative(pieces) else pieces


def _seem_cumulative(pieces: Sequence[str]) -> bool:
    told = [piece for piece in pieces if piece]
    return len(told) > 2 and all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(told))
