"""What is packed in bytes: gzip and deflate undone, also where they stand as base64 in a text."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator

_LARGEST = 2**26
"""No more than this is unpacked, in bytes."""


def unpacked(raw: bytes) -> bytes:
    """Bytes with gzip or deflate undone, as far as it goes."""
    if raw[:2] == b"\x1f\x8b" or (
        raw[:1] == b"\x78" and len(raw) > 2 and (raw[0] * 256 + raw[1]) % 31 == 0
    ):
        undo = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            return undo.decompress(raw, _LARGEST)
        except zlib.error:
            return raw
    return raw


# What gzip and deflate begin with, in base64.
_BEGIN = "(?:H4sI|eA[E-H]|eF[4-7]|eJ[w-z]|eN[o-r])"
_RUN = re.compile(rf"(?<![A-Za-z0-9+/_-]){_BEGIN}[A-Za-z0-9+/_-]{{12,}}")


def packed_in(text: str) -> Iterator[str]:
    """What is packed in a text whose bytes stand as one character each: all of it, or in base64."""
    raw = text.encode("latin-1")
    if (plain := unpacked(raw)) is not raw:
        yield plain.decode("latin-1")
    for run in _RUN.finditer(text):
        whole = run[0].replace("-", "+").replace("_", "/")
        raw = base64.b64decode(whole[: len(whole) // 4 * 4])
        if (plain := unpacked(raw)) is not raw:
            yield plain.decode("latin-1")
