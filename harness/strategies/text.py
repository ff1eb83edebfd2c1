"""Strategies for texts, hexadecimal digits, links, and pieces of texts and bodies.

Ordinary values are first in each list, because Hypothesis shrinks towards the first; so failing
examples are readable.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from io import BytesIO
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
    "a\u2028b\u2029c\x85d",  # str.splitlines() splits at these
    "data: [DONE]\n\n",
    "null",
    "\t\0\x1b e\u0301 \u202eabc\ufeff",
    _LONG,
)

_CHARACTERS = st.characters(exclude_categories=["Cs"])
"""All characters except surrogates, which UTF-8 cannot encode."""


def texts() -> SearchStrategy[str]:
    """Generate texts: ordinary, empty, long, or with characters that are hard to parse."""
    piece = st.sampled_from(_PIECES) | st.text(_CHARACTERS, max_size=6)
    return st.lists(piece, max_size=3).map("".join)


def sentences() -> SearchStrategy[str]:
    """Generate texts that are not empty."""
    return st.builds("".join, st.tuples(st.sampled_from(_PIECES), texts()))


def hexadecimal(digits: int) -> SearchStrategy[str]:
    """Generate strings of this number of hexadecimal digits."""
    return st.integers(0, 16**digits - 1).map(lambda number: f"{number:0{digits}x}")


def links(extension: str) -> SearchStrategy[str]:
    """Generate URLs of files, with an expiry time and a signature as storage services add them."""
    return st.builds(
        "https://files.example/{}/{}.{}?Expires={}&Signature={}%3D".format,
        hexadecimal(2),
        hexadecimal(8),
        st.just(extension),
        st.integers(1_700_000_000, 1_800_000_000),
        hexadecimal(20),
    )


def sounds() -> SearchStrategy[bytes]:
    """Generate small WAV files."""

    def wav(samples: bytes) -> bytes:
        file = BytesIO()
        with wave.open(file, "wb") as written:
            written.setparams((1, 1, 8000, 0, "NONE", "NONE"))
            written.writeframes(samples)
        return file.getvalue()

    return st.binary(min_size=1, max_size=64).map(wav)


@st.composite
def splits(draw: st.DrawFn, whole: Text) -> tuple[Text, ...]:
    """Generate the pieces of a text or body, cut anywhere; some may be empty.

    Bytes are often cut inside a character; random cuts would rarely do so.
    """
    cut = st.integers(0, len(whole))
    if isinstance(whole, bytes):
        inside = [offset for offset, byte in enumerate(whole) if byte & 0xC0 == 0x80]
        cut = st.one_of(cut, st.sampled_from(inside)) if inside else cut
    drawn: list[int] = draw(st.lists(cut, max_size=4))
    cuts = [0, *sorted(drawn), len(whole)]
    return tuple(whole[start:end] for start, end in pairwise(cuts))


@st.composite
def deltas(draw: st.DrawFn, whole: str) -> tuple[str, ...]:
    """Generate the pieces of a text, cut so that they do not look like a cumulative stream."""
    pieces = draw(splits(whole))
    return (whole,) if _seem_cumulative(pieces) else pieces


def _seem_cumulative(pieces: Sequence[str]) -> bool:
    kept = [piece for piece in pieces if piece]
    return len(kept) > 2 and all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(kept))
