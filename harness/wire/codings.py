"""Decoders of content codings (gzip, deflate, br, zstd).

The coding is given by a Content-Encoding header, or recognized by the first bytes of the data or
of base64 text.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from types import MappingProxyType
from typing import Any

from harness.types import CodedBody, Exchange, Response

MAX_INFLATED = 2**26
"""The maximum number of bytes that `inflate` returns."""

_OF_CODED_BODY = frozenset({"content-encoding", "content-length"})


def undo_coding(raw: bytes, coding: str) -> bytes | None:
    """Return *raw* decoded by *coding*, the value of a Content-Encoding header.

    Returns None if the coding is unknown, no library for it is installed, or *raw* is not encoded
    that way.
    """
    for decoder in map(_decoder, reversed(_names(coding))):
        if decoder is None:
            return None
        decode, error = decoder
        try:
            raw = decode(raw) if raw else raw
        except error:
            return None
    return raw


def with_plain_body(response: Response, body: bytes) -> Response:
    """Return *response* with the decoded *body*, without Content-Encoding and Content-Length."""
    headers = tuple(pair for pair in response.headers if pair[0].lower() not in _OF_CODED_BODY)
    return replace(response, headers=headers, body=body)


def with_coding_undone(exchange: Exchange) -> Exchange:
    """Return *exchange* with the content coding of its response undone, and kept in `coded`.

    An exchange whose body has no coding, or one that cannot be undone, is returned unchanged.
    """
    response = exchange.response
    codings = [v for n, v in response.headers if n.lower() == "content-encoding"]
    if not response.body or len(codings) != 1 or codings[0].strip().lower() == "identity":
        return exchange
    body = undo_coding(response.body, codings[0])
    if body is None:
        return exchange
    length = response.header("content-length") or ""
    number = int(length) if length.isdecimal() else None
    coded = CodedBody(codings[0], response.body, exchange.chunks, number)
    return replace(exchange, response=with_plain_body(response, body), chunks=(), coded=coded)


def with_changed_body(exchange: Exchange) -> Exchange:
    """Return *exchange*, whose response body was changed, without the old chunks and bytes."""
    coded = replace(exchange.coded, body=b"", chunks=()) if exchange.coded else None
    return replace(exchange, chunks=(), coded=coded)


def with_coding(exchange: Exchange) -> Exchange:
    """Return *exchange* with its response as it was sent: the inverse of `with_coding_undone`.

    A body that was changed since is compressed again, or stays plain if there is no encoder.
    """
    coded, response = exchange.coded, exchange.response
    if coded is None:
        return exchange
    body, chunks, length = coded.body, coded.chunks, coded.length
    if undo_coding(body, coded.coding) not in (response.body, None):
        encode = _ENCODERS.get(coded.coding.strip().lower())
        if encode is None:
            return exchange
        body, chunks = encode(response.body), ()
        length = None if length is None else len(body)
    sent = [("Content-Encoding", coded.coding), ("Content-Length", str(length))]
    headers = (*response.headers, *sent[: 1 if length is None else 2])
    sent_response = replace(response, headers=headers, body=body)
    return replace(exchange, response=sent_response, chunks=chunks, coded=None)


_ENCODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "x-gzip": partial(gzip.compress, mtime=0),
    "deflate": zlib.compress,
}


def drop_stale_content_encoding(response: Response) -> Response:
    """Return *response* without a Content-Encoding header that its body contradicts.

    vcrpy records the decoded body of urllib3's responses, but keeps this header. A response whose
    body can be decoded, or whose coding is unknown, is returned unchanged.
    """
    coding = response.header("content-encoding")
    if coding is None or not is_known(coding) or undo_coding(response.body, coding) is not None:
        return response
    return with_plain_body(response, response.body)


DECODERS: Mapping[str, str] = {"br": "brotli", "zstd": "backports.zstd or zstandard"}
"""The distributions that decode the codings which Python itself does not know."""


def is_known(coding: str) -> bool:
    """Return whether all codings in the value of a Content-Encoding header can be undone."""
    return all(map(_decoder, _names(coding)))


def _names(coding: str) -> list[str]:
    return [name.strip().lower() for name in coding.split(",")]


_MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "br": ("brotlicffi", "brotli"),
        "zstd": ("compression.zstd", "backports.zstd", "zstandard"),
    }
)
"""The modules that decode each coding that Python may not know; the first installed one is used."""


@cache
def _decoder(coding: str) -> tuple[Callable[[bytes], bytes], type[Exception]] | None:
    """Return the function that undoes *coding*, and its error; None if there is none here."""
    if coding in ("gzip", "x-gzip"):
        return _gunzip, zlib.error
    if coding == "deflate":
        return _undo_deflate, zlib.error
    for name in _MODULES.get(coding, ()):
        with suppress(ImportError):
            module: Any = import_module(name)
            if coding == "br":
                return partial(_undo_br, module.Decompressor), module.error
            of_zstandard = name == "zstandard"
            begin = _zstandard_frame if of_zstandard else module.ZstdDecompressor
            return partial(_undo_zstd, begin), module.ZstdError
    return None


def _gunzip(raw: bytes) -> bytes:
    """Return the content of all gzip members; bytes after the last one are ignored."""
    plain = b""
    while raw.startswith(GZIP) or not plain:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        plain += member.decompress(raw)
        raw = member.unused_data
        if not raw:
            break
    return plain


def _undo_deflate(raw: bytes) -> bytes:
    """Return zlib data inflated, or deflate data without zlib's header: servers send both."""
    try:
        return zlib.decompressobj().decompress(raw)
    except zlib.error:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw)


def _undo_br(begin: Callable[[], Any], raw: bytes) -> bytes:
    """Return brotli data decompressed, as far as it goes if it was cut off."""
    decompressor = begin()
    feed = getattr(decompressor, "process", None) or decompressor.decompress
    plain: bytes = feed(raw)
    return plain


def _undo_zstd(begin: Callable[[], Any], raw: bytes) -> bytes:
    """Return all frames of zstd data decompressed, as far as they go if they were cut off."""
    plain = b""
    while raw:
        frame = begin()
        plain += frame.decompress(raw)
        raw = frame.unused_data if frame.eof else b""
    return plain


def _zstandard_frame() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


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
