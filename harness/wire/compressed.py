"""Compressed data, recognized by its own bytes, whatever a header says about it.

gzip, zlib and zstd have magic bytes; brotli has none, and is tried on data that is not text. The
libraries for zstd and brotli are optional: without them such data stays compressed, and
`unreadable` names the coding.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

MAX_INFLATED = 2**26
"""The maximum number of bytes of decompressed data that are returned."""


_MAX_ATTEMPTS = 1000
"""Largest number of places that only look like the beginning of compressed data."""


@dataclass(frozen=True, slots=True)
class Coding:
    """One way to compress data.

    Attributes:
        name: The name, as in a Content-Encoding header.
        magic: Matches the first bytes of data in it.
        start: Creates a decompressor with `decompress(data, most)` and `unused_data`; None if its
            library is not installed.
        compress: Compresses data.
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
        # Other bytes may begin like brotli: only a text is accepted; if it was cut off, a longer
        # one that the bytes themselves do not hold.
        is_whole = self._stream.is_finished() or (len(plain) > 32 and plain not in bytes(data))
        return plain[:most] if is_whole and _is_utf8(plain) else b""


def _library(*names: str) -> Any:
    """Return the first of the modules that is installed; None without any."""
    for name in names:
        with suppress(ImportError):
            return import_module(name)
    return None


@cache
def codings() -> tuple[Coding, ...]:
    """Return the codings that are recognized without a header; brotli, by trial, is the last."""
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


def compressed(raw: bytes) -> Iterator[tuple[int, int, Coding, bytes]]:
    """Yield (start, end, coding, content) for compressed data in *raw*.

    gzip and zstd are recognized anywhere, zlib and brotli at the start of *raw* and of the content
    of a multipart field. Data that was cut off is decompressed as far as possible.
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
    """Return the coding of *raw*, if it is in one of which no library is installed; else ""."""
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
