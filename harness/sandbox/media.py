"""Images, sounds and videos: small files in the real formats, the same for the same request."""

from __future__ import annotations

import hashlib
import io
import struct
from base64 import b64decode
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image, ImageDraw

from harness.sandbox.texts import TEXTS, tokens

if TYPE_CHECKING:
    from harness.sandbox.state import SandboxState


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """An image to draw.

    Attributes:
        prompt: The prompt; with the seed, it determines colours and position.
        width: The width in pixels.
        height: The height in pixels.
        seed: Any text; the same prompt with another seed gives another picture.
    """

    prompt: str
    width: int
    height: int
    seed: str = ""


def draw_image(request: ImageRequest) -> bytes:
    """Return a PNG file with a kitten; prompt and seed determine its colours and position."""
    text = f"{request.prompt}\n{request.seed}".encode("utf-8", "replace")
    digest = hashlib.sha256(text).digest()
    image = Image.new("P", (request.width, request.height), 0)
    image.putpalette(_palette(digest))
    size = min(request.width, request.height) * (60 + digest[6] % 20) // 100
    left = (request.width - size) * (30 + digest[7] % 40) // 100
    top = (request.height - size) // 2
    pen = ImageDraw.Draw(image)
    for kind, colour, coordinates in TEXTS["kitten"]["shapes"]:
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


RATE = 8000
"""The samples of a sound per second."""


def synthesize_speech(text: str) -> bytes:
    """Return a WAV file for *text*: a tone for each token, and the text itself as a comment."""
    samples = bytearray()
    for token in tokens(text):
        period = 8 + Random(token).randrange(24)  # noqa: S311 - the same for the same token
        samples += bytes(128 + 60 * (at // period % 2) for at in range(RATE // 20))
    samples += b"\x80" * max(0, 2048 - len(samples))
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE, 1, 8)
    comment = b"INFO" + _chunk(b"ICMT", text.encode("utf-8", "replace"))
    chunks = _chunk(b"fmt ", form) + _chunk(b"LIST", comment) + _chunk(b"data", bytes(samples))
    return _chunk(b"RIFF", b"WAVE" + chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def transcribe(state: SandboxState, audio: str) -> str:
    """Return the text spoken in *audio*, a URL or base64; a fixed text if no sandbox made it.

    *state* has the files to which URLs of this sandbox lead.
    """
    name = urlsplit(audio).path.partition("/files/")[2] or audio.partition("://")[2]
    data = state.files.read(name) if "://" in audio else b64decode(audio.rpartition(",")[2])
    return spoken_text(data or b"") or f"一段录音：{name.rpartition('/')[2] or 'audio'}。"


def spoken_text(data: bytes) -> str:
    """Return the text in the comment of a WAV file; "" if it has none."""
    _, found, rest = data.partition(b"ICMT")
    length = struct.unpack("<I", rest[:4])[0] if found and len(rest) >= 4 else 0
    return rest[4 : 4 + length].decode("utf-8", "replace")


def make_video(prompt: str, seed: str) -> bytes:
    """Return an MP4 file with one picture, drawn from *prompt* and *seed*; it cannot be played.

    The file is padded to the size from which bodies are stored in files beside their cassette.
    """
    still = draw_image(ImageRequest(prompt, 320, 180, seed))
    header = bytes(12) + struct.pack(">II", 1000, 5000) + bytes(80)
    return (
        _box(b"ftyp", b"isom" + bytes(4) + b"isommp42")
        + _box(b"moov", _box(b"mvhd", header))
        + _box(b"mdat", still)
        + _box(b"free", bytes(2048))
    )


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data
