"""Pictures told by their first bytes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.wire.images import Picture, picture


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_format_and_size_are_what_the_library_wrote(format: str) -> None:
    """The size of a picture drawn by Pillow is read back."""
    drawn = io.BytesIO()
    Image.new("RGB", (300, 20), "red").save(drawn, format)
    assert picture(drawn.getvalue()) == Picture(f"image/{format.lower()}", 300, 20)


def test_a_lossless_picture_is_measured() -> None:
    """The lossless kind of WebP keeps its size in single bits."""
    drawn = io.BytesIO()
    Image.new("RGB", (300, 20), "red").save(drawn, "WEBP", lossless=True)
    assert picture(drawn.getvalue()) == Picture("image/webp", 300, 20)


def test_what_is_no_picture_is_none() -> None:
    """Other bytes are no picture."""
    assert picture(b"<html>") is None


HEADS = [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X", b""]


@given(st.sampled_from(HEADS), st.binary(max_size=40))
@settings(deadline=None)
def test_no_bytes_raise(head: bytes, rest: bytes) -> None:
    """Any bytes are read without an error."""
    found = picture(head + rest)
    assert found is None or found.size
