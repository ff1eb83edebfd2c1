"""Sounds and videos: small files in the real formats, the same for the same request."""

from __future__ import annotations

import struct
from base64 import b64decode
from random import Random
from urllib.parse import urlsplit

from harness.sandbox.images import ImageRequest, draw
from harness.sandbox.state import SandboxState
from harness.sandbox.text import tokens

RATE = 8000
"""The samples of a sound per second."""


def speak(text: str) -> bytes:
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


def hear(state: SandboxState, audio: str) -> str:
    """Return the words of *audio*, which is a URL or base64; of another's audio, a description."""
    name = urlsplit(audio).path.partition("/files/")[2] or audio.partition("://")[2]
    data = state.files.read(name) if "://" in audio else b64decode(audio.rpartition(",")[2])
    return words(data or b"") or f"一段录音：{name.rpartition('/')[2] or 'audio'}。"


def words(data: bytes) -> str:
    """Return the text in the comment of a WAV file; "" if it has none."""
    _, found, rest = data.partition(b"ICMT")
    length = struct.unpack("<I", rest[:4])[0] if found and len(rest) >= 4 else 0
    return rest[4 : 4 + length].decode("utf-8", "replace")


def film(prompt: str, seed: str) -> bytes:
    """Return an MP4 file for *prompt*: a container with one picture, and no track to play.

    Like any real film it is long enough to be stored beside its cassette.
    """
    still = draw(ImageRequest(prompt, 320, 180, seed))
    header = bytes(12) + struct.pack(">II", 1000, 5000) + bytes(80)
    return (
        _box(b"ftyp", b"isom" + bytes(4) + b"isommp42")
        + _box(b"moov", _box(b"mvhd", header))
        + _box(b"mdat", still)
        + _box(b"free", bytes(2048))
    )


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data
