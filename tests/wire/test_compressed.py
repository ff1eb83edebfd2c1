"""Compressed data is recognized by its own bytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from harness.wire.codings import codings, compressed, unreadable

TEXT = b"hello hello hello"
FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n--x--\r\n'
COMPRESS = [coding for coding in codings() if coding.start]


@pytest.mark.parametrize("coding", COMPRESS, ids=lambda coding: coding.name)
@pytest.mark.parametrize("around", [b"%b", FIELD], ids=["alone", "in a multipart field"])
def test_compressed_data_is_found(coding: object, around: bytes) -> None:
    """By its first bytes, or, of brotli, by trial; with its place and its content."""
    assert any(coding is each for each in codings())
    data = coding.compress(TEXT)  # type: ignore[attr-defined]
    body = around % data
    found = [(body[start:end], each, plain) for start, end, each, plain in compressed(body)]
    assert found == [(data, coding, TEXT)]


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_data_that_was_cut_off_is_found(compress: Callable[[bytes], bytes]) -> None:
    """As far as it goes."""
    ((start, end, _, plain),) = compressed(compress(TEXT * 100)[:-9])
    assert (start, end) == (0, len(compress(TEXT * 100)) - 9)
    assert TEXT.startswith(plain[:17])


@pytest.mark.parametrize(
    "raw", [b"", b"\x1f\x8b\x08", b"x\x9cxx", b"\x78\x9c", bytes(range(256)), TEXT, b"(\xb5/\xfd"]
)
def test_other_bytes_are_no_compressed_data(raw: bytes) -> None:
    """Neither plain text nor what only begins like it."""
    assert list(compressed(raw)) == []


def test_a_coding_without_a_library_is_told() -> None:
    """Its name, if the bytes begin as data in it."""
    expected = "" if any(coding.name == "zstd" for coding in COMPRESS) else "zstd"
    assert unreadable(b"\x28\xb5\x2f\xfd...") == expected
    assert unreadable(TEXT) == ""
