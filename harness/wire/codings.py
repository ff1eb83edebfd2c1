"""Content codings (gzip, deflate, br, zstd) undone: by header, by their first bytes, in base64."""

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
"""Bytes: a body is not inflated further than this."""

_OF_CODED_BODY = frozenset({"content-encoding", "content-length"})


def undo_coding(raw: bytes, coding: str) -> bytes | None:
    """Return *raw* decoded by the value of its Content-Encoding; None if that cannot be done."""
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
    """Return *response* with *body*, and without the headers that described its coded body."""
    headers = tuple(pair for pair in response.headers if pair[0].lower() not in _OF_CODED_BODY)
    return replace(response, headers=headers, body=body)


def drop_stale_content_encoding(response: Response) -> Response:
    """Remove a Content-Encoding that the body does not have: vcrpy keeps urllib3's that way."""
    coding = response.header("content-encoding")
    if coding is None or not _is_known(coding) or undo_coding(response.body, coding) is not None:
        return response
    return with_plain_body(response, response.body)


def _is_known(coding: str) -> bool:
    decoders = urllib3.HTTPResponse.CONTENT_DECODERS
    return all(name.strip().lower() in decoders for name in coding.split(","))


GZIP = b"\x1f\x8b"
"""The first bytes of gzip."""


@dataclass(frozen=True, slots=True)
class Inflated:
    """Inflated bytes; incomplete if the input was cut off or inflates past `MAX_INFLATED`."""

    data: bytes
    complete: bool


def inflate(raw: bytes) -> Inflated | None:
    """Inflate bytes that begin as gzip or zlib do, as far as possible; None for other bytes."""
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
    """Yield what is compressed in *text*: all of it, or runs of base64 in it.

    Bytes are one character each (latin-1), in *text* and in what is yielded.
    """
    if plain := inflate(text.encode("latin-1")):
        yield plain.data.decode("latin-1")
    for run in _RUN.finditer(text):
        digits = run[0].replace("-", "+").replace("_", "/")
        if plain := inflate(base64.b64decode(digits[: len(digits) // 4 * 4])):
            yield plain.data.decode("latin-1")
