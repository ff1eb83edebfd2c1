"""Image generation: PNG files of the requested size, the same for the same request."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageDraw


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """An image to draw.

    Attributes:
        prompt: The prompt; with the seed, it determines colours and position.
        width: In pixels.
        height: In pixels.
        seed: Any text.
    """

    prompt: str
    width: int
    height: int
    seed: str = ""


_PAPER, _FUR, _INNER, _INK, _WHITE = range(5)

_KITTEN = (
    ("ellipse", _FUR, (25, 50, 75, 100)),  # body
    ("ellipse", _INNER, (40, 65, 60, 98)),
    ("polygon", _FUR, (18, 0, 44, 18, 17, 36)),  # ears
    ("polygon", _INNER, (21, 7, 37, 19, 21, 30)),
    ("ellipse", _FUR, (16, 12, 84, 66)),  # head
    ("ellipse", _WHITE, (27, 28, 41, 44)),  # eyes
    ("ellipse", _INK, (30, 31, 38, 43)),
    ("line", _INK, (40, 51, 14, 46)),  # whiskers
    ("line", _INK, (40, 51, 14, 51)),
    ("line", _INK, (40, 51, 14, 56)),
    ("polygon", _INK, (46, 47, 54, 47, 50, 52)),  # nose
    ("line", _INK, (50, 52, 44, 57, 38, 55)),  # mouth
)
"""The shapes of a kitten in a square of 100 by 100: (shape, colour, (x, y, x, y, ...)).

Each is drawn twice, the second time mirrored.
"""


def draw(request: ImageRequest) -> bytes:
    """Return a PNG file with a kitten; prompt and seed determine its colours and position."""
    text = f"{request.prompt}\n{request.seed}".encode("utf-8", "replace")
    digest = hashlib.sha256(text).digest()
    image = Image.new("P", (request.width, request.height), _PAPER)
    image.putpalette(_palette(digest))
    size = min(request.width, request.height) * (60 + digest[6] % 20) // 100
    left = (request.width - size) * (30 + digest[7] % 40) // 100
    top = (request.height - size) // 2
    pen = ImageDraw.Draw(image)
    for kind, colour, coordinates in _KITTEN:
        for mirrored in (False, True):
            xs = [100 - x if mirrored else x for x in coordinates[0::2]]
            if kind == "ellipse":  # its box begins on the left
                xs.sort()
            points = [
                (left + x * (size / 100), top + y * (size / 100))
                for x, y in zip(xs, coordinates[1::2], strict=True)
            ]
            getattr(pen, kind)(points, fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=6)
    return file.getvalue()


def _palette(digest: bytes) -> list[int]:
    paper = [200 + byte % 56 for byte in digest[0:3]]
    fur = [90 + byte % 110 for byte in digest[3:6]]
    inner = [min(255, part + 60) for part in fur]
    return [*paper, *fur, *inner, 40, 30, 30, 255, 255, 255]
