"""Decoders of content codings (gzip, deflate, br, zstd).

The coding is given by a Content-Encoding header, or recognized by the first bytes of the data or
of base64 text.
"""

from __future__ import annotations

import base64
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import urllib3

from harness.types import Response

MAX_INFLATED = 2**26
"""The maximum number of bytes that `inflate` returns."""

_OF_CODED_BODY = frozenset({"content-encoding", "content-length"})


def undo_coding(raw: bytes, coding: str) -> bytes | None:
    """Return *raw* decoded by *coding*, the value of a Content-Encoding header.

    Returns None if the coding is unknown, or *raw* is not encoded that way.
    """
    if not _is_known(coding):
        return None
    response = urllib3.HTTPResponse(
        io.BytesIO(raw), headers={"content-encoding": coding}, preload_content=False
    )
    try:
        return response.read(decode_content=True)
    except urllib3.exceptions.DecodeError:
        return None


def with_plain_body(response: Response, body: bytes) -> Response:
    """Return *response* with the decoded *body*, without Content-Encoding and Content-Length."""
    headers = tuple(pair for pair in response.headers if pair[0].lower() not in _OF_CODED_BODY)
    return replace(response, headers=headers, body=body)


def drop_stale_content_encoding(response: Response) -> Response:
    """Return *response* without a Content-Encoding header that its body contradicts.

    vcrpy records the decoded body of urllib3's responses, but keeps this header. A response whose
    body can be decoded, or whose coding is unknown, is returned unchanged.
    """
    coding = response.header("content-encoding")
    if coding is None or not _is_known(coding) or undo_coding(response.body, coding) is not None:
        return response
    return with_plain_body(response, response.body)


def _is_known(coding: str) -> bool:
    decoders = urllib3.HTTPResponse.CONTENT_DECODERS
    return all(name.strip().lower() in decoders for name in coding.split(","))


GZIP = b"\x1f\x8b"
"""The first bytes of any gzip data."""


@dataclass(frozen=True, slots=True)
class Inflated:
    """Decompressed bytes.

    Attributes:
        data: The bytes, at most `MAX_INFLATED`.
        complete: False if the input was cut off, or decompresses to more than `MAX_INFLATED` bytes.
    """

    data: bytes
    complete: bool


def inflate(raw: bytes) -> Inflated | None:
    """Return gzip or zlib data decompressed as far as possible; None for any other data."""
    is_zlib = raw[:1] == b"\x78" and len(raw) > 2 and int.from_bytes(raw[:2], "big") % 31 == 0
    if not is_zlib and not raw.startswith(GZIP):
        return None
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        data = inflater.decompress(raw, MAX_INFLATED)
    except zlib.error:
        return None
    return Inflated(data, inflater.eof)


# The first bytes of gzip and zlib in base64.
_FIRST = "(?:H4sI|eA[E-H]|eF[4-7]|eJ[w-z]|eN[o-r])"
_RUN = re.compile(rf"(?<![A-Za-z0-9+/_-]){_FIRST}[A-Za-z0-9+/_-]{{12,}}")


def inflated_texts(text: str) -> Iterator[str]:
    """Yield the decompressed contents of *text*, and of each run of base64 in it.

    What is not gzip or zlib data is skipped. In *text* and in the results, each character is one
    byte (latin-1).
    """
    if plain := inflate(text.encode("latin-1")):
        yield plain.data.decode("latin-1")
    for run in _RUN.finditer(text):
        digits = run[0].replace("-", "+").replace("_", "/")
        if plain := inflate(base64.b64decode(digits[: len(digits) // 4 * 4])):
            yield plain.data.decode("latin-1")
