"""Content codings (gzip, deflate, br, zstd): decoding and encoding of bodies.

The coding is given by a Content-Encoding header, or recognized by the bytes of the data itself.
gzip, zlib and zstd have magic bytes; brotli has none, and is tried on data that is not text. The
libraries for zstd and brotli are optional: without them such data stays compressed, and
`unreadable` names the coding.
"""

from __future__ import annotations

import codecs
import gzip
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
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
    for decode in map(_decoder, reversed(_names(coding))):
        if decode is None:
            return None
        try:
            raw = decode(raw) if raw else raw
        except Exception:  # noqa: BLE001 - each library has errors of its own
            return None
    return raw


def with_plain_body(response: Response, body: bytes) -> Response:
    """Return *response* with the decoded *body*, without Content-Encoding and Content-Length."""
    headers = tuple(pair for pair in response.headers if pair[0].lower() not in _OF_CODED_BODY)
    return replace(response, headers=headers, body=body)


def with_coding_undone(exchange: Exchange) -> Exchange:
    """Return *exchange* with its response decoded; the body as it was sent is kept in `coded`.

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
    """Return *exchange* without what its response body, which was changed, made invalid.

    That is the sizes of its chunks, and the compressed bytes as they were received.
    """
    coded = replace(exchange.coded, body=b"", chunks=()) if exchange.coded else None
    return replace(exchange, chunks=(), coded=coded)


def with_coding(exchange: Exchange) -> Exchange:
    """Return *exchange* with its response compressed as it was sent.

    This is the inverse of `with_coding_undone`. If the body was changed since, it is compressed
    again; if no library for that is installed, *exchange* is returned unchanged.
    """
    coded, response = exchange.coded, exchange.response
    if coded is None:
        return exchange
    body, chunks, length = coded.body, coded.chunks, coded.length
    if undo_coding(body, coded.coding) not in (response.body, None):
        encoder = _available(coded.coding.strip().lower())
        if encoder is None:
            return exchange
        body, chunks = encoder.compress(response.body), ()
        length = None if length is None else len(body)
    sent = [("Content-Encoding", coded.coding), ("Content-Length", str(length))]
    headers = (*response.headers, *sent[: 1 if length is None else 2])
    sent_response = replace(response, headers=headers, body=body)
    return replace(exchange, response=sent_response, chunks=chunks, coded=None)


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


@dataclass(frozen=True, slots=True)
class Coding:
    """One way to compress data.

    Attributes:
        name: The name, as in a Content-Encoding header.
        magic: Matches the first bytes of data in this coding.
        start: Returns a new decompressor. It has a method `decompress(data, most)`, which returns
            at most *most* bytes, and an attribute `unused_data`. None if the library for this
            coding is not installed.
        compress: A function that returns its argument compressed.
    """

    name: str
    magic: re.Pattern[bytes]
    start: Callable[[], Any] | None
    compress: Callable[[bytes], bytes]


class _Zstandard:
    """The decompressor of the library zstandard, which has no limit of its own."""

    def __init__(self, library: Any) -> None:
        self._stream = library.ZstdDecompressor().decompressobj()

    def decompress(self, data: bytes, most: int) -> bytes:
        plain: bytes = self._stream.decompress(data)
        return plain[:most]

    @property
    def unused_data(self) -> bytes:
        unused: bytes = self._stream.unused_data
        return unused


class _Brotli:
    """The decompressor of the libraries brotli and brotlicffi."""

    unused_data = b""

    def __init__(self, library: Any) -> None:
        self._stream = library.Decompressor()
        # brotlicffi has had only `decompress` for long
        self._process = getattr(self._stream, "process", None) or self._stream.decompress

    def decompress(self, data: bytes, most: int) -> bytes:
        plain: bytes = self._process(data)
        return plain[:most]

    def is_text(self, data: memoryview, plain: bytes) -> bool:
        """Return whether *plain*, the content of *data*, is a text: other bytes may begin alike.

        A text that was cut off has to be a longer one that the bytes themselves do not hold.
        """
        is_whole = self._stream.is_finished() or (len(plain) > 32 and plain not in bytes(data))
        return is_whole and _is_utf8(plain)


def _library(*names: str) -> Any:
    """Return the first of the modules that is installed; None without any."""
    for name in names:
        with suppress(ImportError):
            return import_module(name)
    return None


@cache
def codings() -> tuple[Coding, ...]:
    """Return the codings that are recognized without a Content-Encoding header.

    The last one is brotli. It has no magic bytes: data is brotli if it can be decompressed as such.
    """
    zstd = _library("compression.zstd", "backports.zstd")
    zstandard: Any = None if zstd else _library("zstandard")
    start = zstd.ZstdDecompressor if zstd else (lambda: _Zstandard(zstandard))
    brotli = _library("brotli", "brotlicffi")

    def compress_zstd(data: bytes) -> bytes:
        library: Any = zstd or zstandard.ZstdCompressor()
        compressed: bytes = library.compress(data)
        return compressed

    def compress_brotli(data: bytes) -> bytes:
        compressed: bytes = brotli.compress(data)
        return compressed

    return (
        Coding(
            "gzip",
            re.compile(rb"\x1f\x8b\x08[\x00-\x1f][\x00-\xff]{4}[\x00\x02\x04][\x00-\x0d\xff]"),
            lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
            lambda data: gzip.compress(data, mtime=0),
        ),
        Coding(
            "zstd",
            re.compile(rb"\x28\xb5\x2f\xfd"),
            start if zstd or zstandard else None,
            compress_zstd,
        ),
        Coding(
            "deflate", re.compile(rb"\x78[\x01\x5e\x9c\xda]"), zlib.decompressobj, zlib.compress
        ),
        Coding(
            "br",
            re.compile(rb"(?!)"),
            (lambda: _Brotli(brotli)) if brotli else None,
            compress_brotli,
        ),
    )


def _available(name: str) -> Coding | None:
    """Return the coding *name*; None if it is unknown, or no library for it is installed."""
    name = "gzip" if name == "x-gzip" else name
    return next((coding for coding in codings() if coding.name == name and coding.start), None)


@cache
def _decoder(name: str) -> Callable[[bytes], bytes] | None:
    """Return the function that undoes a coding; None if there is none here."""
    own = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _undo_deflate}
    if name in own:
        return own[name]
    coding = _available(name)
    return partial(_undo_frames, coding.start) if coding and coding.start else None


def _undo_frames(start: Callable[[], Any], raw: bytes) -> bytes:
    """Return all frames of *raw* decompressed, as far as they go if they were cut off."""
    plain = b""
    while raw:
        frame = start()
        plain += frame.decompress(raw, sys.maxsize)
        raw = frame.unused_data
    return plain


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


GZIP = b"\x1f\x8b"
"""The first bytes of any gzip data."""


@dataclass(frozen=True, slots=True)
class Inflated:
    """Decompressed bytes.

    Attributes:
        data: The bytes, at most `MAX_INFLATED` (64 MiB).
        complete: False if the input was cut off, or decompresses to more than `MAX_INFLATED` bytes.
    """

    data: bytes
    complete: bool


def inflate(raw: bytes) -> Inflated | None:
    """Decompress *raw* as far as possible; return None if it is neither gzip nor zlib data."""
    is_zlib = raw[:1] == b"\x78" and len(raw) > 2 and int.from_bytes(raw[:2], "big") % 31 == 0
    if not is_zlib and not raw.startswith(GZIP):
        return None
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        data = inflater.decompress(raw, MAX_INFLATED)
    except zlib.error:
        return None
    return Inflated(data, inflater.eof)


# ---------------------------------------------------------------------- recognized by its own bytes


_MAX_ATTEMPTS = 1000
"""Largest number of places that only look like the beginning of compressed data."""


def compressed(raw: bytes) -> Iterator[tuple[int, int, Coding, bytes]]:
    """Yield (start, end, coding, decompressed bytes) for each piece of compressed data in *raw*.

    *start* and *end* are its byte offsets in *raw*. gzip and zstd are recognized anywhere, zlib and
    brotli at the start of *raw* and of the content of a multipart field. Data that was cut off is
    decompressed as far as possible.
    """
    *anywhere, deflate, brotli = codings()
    view, done, most = memoryview(raw), 0, _MAX_ATTEMPTS
    for coding in anywhere if not raw.isascii() else ():
        for magic in coding.magic.finditer(raw) if coding.start else ():
            if magic.start() >= done and most:
                content, size = _content(coding, view[magic.start() :])
                if content:
                    yield magic.start(), magic.start() + size, coding, content
                    done = magic.start() + size
                else:
                    most -= 1
    for start, end in _contents(raw):
        coding = deflate if deflate.magic.match(raw, start) else brotli
        if start >= done and (coding is deflate or _is_no_text(raw[start : start + 64])):
            content, size = _content(coding, view[start:end])
            if content:
                yield start, start + size, coding, content


def unreadable(raw: bytes) -> str:
    """Return the name of the coding of *raw*, such as `zstd`, if its library is not installed.

    Return "" in all other cases.
    """
    names = (c.name for c in codings() if c.start is None and c.magic.match(raw))
    return next(names, "")


def _content(coding: Coding, raw: memoryview) -> tuple[bytes, int]:
    """Return the content and the size of compressed data; empty and 0 if it cannot be read."""
    if coding.start is None:
        return b"", 0
    decompressor = coding.start()
    try:
        content: bytes = decompressor.decompress(raw, MAX_INFLATED)
    except Exception:  # noqa: BLE001 - each library has errors of its own
        return b"", 0
    if isinstance(decompressor, _Brotli) and not decompressor.is_text(raw, content):
        return b"", 0
    return content, len(raw) - len(decompressor.unused_data)


_FIELD_END = re.compile(rb"\r?\n--")


def _contents(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where *raw* is, and where the contents of its multipart fields are."""
    yield 0, len(raw)
    if raw[:2] != b"--":
        return
    end = 0
    while (head := raw.find(b"\r\n\r\n", end)) >= 0:
        start = head + 4
        match = _FIELD_END.search(raw, start)
        end = match.start() if match else len(raw)
        yield start, end


_OF_TEXT = bytes((*range(9, 14), *range(32, 127)))


def _is_no_text(start: bytes) -> bool:
    return bool(start.translate(None, _OF_TEXT))


def _is_utf8(content: bytes) -> bool:
    """Return whether *content* is a text in UTF-8, whose last character may be cut off."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return not any(char < " " and char not in "\t\n\r" for char in text)
