"""Pictures are recognized by their first bytes, and decoded completely."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.wire.images import ImageInfo, decode_image, inspect_image


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_format_and_size_are_what_the_library_wrote(format: str) -> None:
    """The size of a picture drawn by Pillow is read back."""
    drawn = io.BytesIO()
    Image.new("RGB", (300, 20), "red").save(drawn, format)
    assert inspect_image(drawn.getvalue()) == ImageInfo(f"image/{format.lower()}", 300, 20)
    assert decode_image(drawn.getvalue()) == (300, 20)


def test_a_broken_picture_does_not_decode() -> None:
    """A picture cut in half is named as such, and so are bytes of another kind."""
    drawn = io.BytesIO()
    Image.effect_noise((60, 60), 50).save(drawn, "PNG")
    assert "truncated" in str(decode_image(drawn.getvalue()[: len(drawn.getvalue()) // 2]))
    assert decode_image(b"<html>") == "bytes of no known form"


def test_a_lossless_picture_is_measured() -> None:
    """The lossless kind of WebP keeps its size in single bits."""
    drawn = io.BytesIO()
    Image.new("RGB", (300, 20), "red").save(drawn, "WEBP", lossless=True)
    assert inspect_image(drawn.getvalue()) == ImageInfo("image/webp", 300, 20)


def test_the_head_of_a_webp_is_enough() -> None:
    """The size ends at the thirtieth byte."""
    drawn = io.BytesIO()
    Image.new("RGB", (300, 20), "red").save(drawn, "WEBP")
    assert inspect_image(drawn.getvalue()[:30]) == ImageInfo("image/webp", 300, 20)
    assert inspect_image(drawn.getvalue()[:29]) == ImageInfo("image/webp", 0, 0)


def test_what_is_no_picture_is_none() -> None:
    """Other bytes are no picture."""
    assert inspect_image(b"<html>") is None


HEADS = [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X", b""]


@given(st.sampled_from(HEADS), st.binary(max_size=40))
def test_no_bytes_raise(head: bytes, rest: bytes) -> None:
    """Any bytes are read without an error."""
    result = inspect_image(head + rest)
    assert result is None or result.size


@pytest.mark.parametrize("padding", [b"", b"\xff", b"\xff\xff\xff"], ids=len)
def test_a_jpeg_may_pad_its_markers_and_has_tables_before_its_size(padding: bytes) -> None:
    """A marker may follow any number of fill bytes; a Huffman table is not a frame."""
    table = b"\xff\xc4\x00\x07" + b"\x00" * 5
    frame = b"\xff\xc0\x00\x0b\x08\x00\x14\x01\x2c\x03" + b"\x00" * 4
    data = b"\xff\xd8" + padding + table + padding + frame
    assert inspect_image(data) == ImageInfo("image/jpeg", 300, 20)
