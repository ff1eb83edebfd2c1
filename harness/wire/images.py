"""Readers of image files: format and size from the first bytes, and a full decode by Pillow."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from harness.config.extras import extra

MAX_PIXELS = 64_000_000
"""The maximum number of pixels of an image to decode; the services' images have far fewer."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The media type and the size of an image.

    Attributes:
        media_type: The media type, such as `image/png`.
        width: The width in pixels; 0 if it cannot be read.
        height: The height in pixels; 0 if it cannot be read.
    """

    media_type: str
    width: int = 0
    height: int = 0

    @property
    def size(self) -> str:
        """Width and height, such as `1024x768`; `unknown` if they could not be read."""
        return f"{self.width}x{self.height}" if self.width else "unknown"


def inspect_image(data: bytes) -> ImageInfo | None:
    """Return the format and size of an image; None for an unknown format. Never raises.

    They are read from the first bytes of *data*.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageInfo("image/png", _big(data[16:20]), _big(data[20:24]))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ImageInfo("image/gif", _little(data[6:8]), _little(data[8:10]))
    if data.startswith(b"\xff\xd8\xff"):
        return ImageInfo("image/jpeg", *_jpeg(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageInfo("image/webp", *_webp(data))
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return ImageInfo("image/bmp", _little(data[18:22]), _little(data[22:26]))
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _jpeg(data: bytes) -> tuple[int, int]:
    """Return (width, height) from the first start-of-frame segment; (0, 0) if there is none."""
    start = 2
    while start + 9 <= len(data) and data[start] == 0xFF:
        marker = data[start + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _big(data[start + 7 : start + 9]), _big(data[start + 5 : start + 7])
        start += 1 if marker == 0xFF else 2 + _big(data[start + 2 : start + 4])
    return 0, 0


def _webp(data: bytes) -> tuple[int, int]:
    if len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    if data[12:16] == b"VP8L":
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF


# What Pillow raises for a broken image, a decompression bomb, or bytes of another kind; Pillow's
# own errors are subclasses of OSError and of RuntimeWarning.
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    RuntimeWarning,
    struct.error,
    zlib.error,
)


def decode_image(data: bytes) -> tuple[int, int] | str:
    """Decode an image completely and return (width, height) in pixels, or an error message.

    Images with more than `MAX_PIXELS` are not decoded; their size is the error message.

    Raises:
        MissingExtra: Pillow is not installed.
    """
    with extra("images"):
        from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            formats = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
            with Image.open(io.BytesIO(data), formats=formats) as image:
                if image.width * image.height > MAX_PIXELS:
                    return f"{image.width} x {image.height} pixels"
                image.load()
                return image.size
    except UnidentifiedImageError:
        return "bytes of no known form"
    except (*_BROKEN, Image.DecompressionBombError) as error:
        return f"{type(error).__name__}: {error}"
