"""Pictures: real PNG files of the size asked for, always the same for the same wish."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image, ImageDraw

MOST_PICTURES = 500
"""So many wishes are remembered; the oldest is forgotten first."""

_PAPER, _FUR, _INNER, _INK, _WHITE = range(5)


@dataclass(frozen=True, slots=True)
class Wish:
    """A picture before it is drawn."""

    prompt: str
    width: int
    height: int
    seed: str = ""


class Gallery:
    """Pictures by name. Only the wishes are kept: a picture is drawn when somebody looks."""

    def __init__(self) -> None:
        self._wishes: OrderedDict[str, Wish] = OrderedDict()

    def hang(self, name: str, wish: Wish) -> None:
        """Give a wish a name."""
        self._wishes[name] = wish
        while len(self._wishes) > MOST_PICTURES:
            self._wishes.popitem(last=False)

    def show(self, name: str) -> bytes | None:
        """The PNG file of that name."""
        wish = self._wishes.get(name)
        return draw(wish) if wish else None


def draw(wish: Wish) -> bytes:
    """A kitten: its colours and the place where it sits come from prompt and seed."""
    text = f"{wish.prompt}\n{wish.seed}".encode("utf-8", "replace")
    chance = hashlib.sha256(text).digest()
    picture = Image.new("P", (wish.width, wish.height), _PAPER)
    picture.putpalette(_palette(chance))
    size = min(wish.width, wish.height) * (60 + chance[6] % 20) // 100
    x = (wish.width - size) * (30 + chance[7] % 40) // 100
    y = (wish.height - size) // 2
    _kitten(ImageDraw.Draw(picture), x, y, size / 100)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return file.getvalue()


def _palette(chance: bytes) -> list[int]:
    paper = [200 + byte % 56 for byte in chance[0:3]]
    fur = [90 + byte % 110 for byte in chance[3:6]]
    inner = [min(255, part + 60) for part in fur]
    return [*paper, *fur, *inner, 40, 30, 30, 255, 255, 255]


def _kitten(pen: ImageDraw.ImageDraw, x: float, y: float, unit: float) -> None:
    """A kitten in a square of 100 by 100 units: body, two ears, face."""

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, ...]:
        return x + left * unit, y + top * unit, x + right * unit, y + bottom * unit

    def shape(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + across * unit, y + down * unit) for across, down in points]

    pen.ellipse(box(25, 50, 75, 100), fill=_FUR)
    pen.ellipse(box(40, 65, 60, 98), fill=_INNER)
    for side in (-1, 1):
        ear = [(50 + side * 32, 0), (50 + side * 6, 18), (50 + side * 33, 36)]
        pen.polygon(shape(*ear), fill=_FUR)
        inside = [(50 + side * 29, 7), (50 + side * 13, 19), (50 + side * 29, 30)]
        pen.polygon(shape(*inside), fill=_INNER)
    pen.ellipse(box(16, 12, 84, 66), fill=_FUR)
    for side in (-1, 1):
        eye = 50 + side * 16
        pen.ellipse(box(eye - 7, 28, eye + 7, 44), fill=_WHITE)
        pen.ellipse(box(eye - 4, 31, eye + 4, 43), fill=_INK)
        for end in (46, 51, 56):
            pen.line(shape((50 + side * 10, 51), (50 + side * 36, end)), fill=_INK)
    pen.polygon(shape((46, 47), (54, 47), (50, 52)), fill=_INK)
    pen.line(shape((50, 52), (44, 57), (38, 55)), fill=_INK)
    pen.line(shape((50, 52), (56, 57), (62, 55)), fill=_INK)
