"""Bodies that are files of their own: pictures, sound, films. They stand beside the cassette.

Half a megabyte of base64 cannot be reviewed, and is written again with every recording. So a body
that is a file is taken out of the text, which names it by what it holds; the store puts it back.
Nothing here touches a file: what is to be written is told, what is to be read is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from harness.cassette import yamls
from harness.cassette.writer import dumps
from harness.types import Artefact, Cassette, Exchange, Response

FOLDER = "artefacts"
"""The folder beside a cassette in which its artefacts lie."""

NAME = re.compile(r"[0-9a-f]{64}\.[a-z][a-z0-9]{0,7}")
"""What an artefact is called: the SHA-256 of its bytes, and an ending."""

SMALLEST = 1024
"""A shorter body stays in the cassette, in bytes: some twenty lines tell more than a name."""

_KINDS = ("image/", "audio/", "video/", "font/")
_TYPES = ("application/octet-stream", "application/pdf", "application/zip")
_SIGNS = (
    *((0, b"\x89PNG\r\n\x1a\n", "png"), (0, b"\xff\xd8\xff", "jpg"), (0, b"GIF8", "gif")),
    *((8, b"WEBP", "webp"), (0, b"<svg", "svg"), (0, b"%PDF-", "pdf"), (0, b"PK\x03\x04", "zip")),
    *((8, b"WAVE", "wav"), (0, b"ID3", "mp3"), (0, b"\xff\xfb", "mp3"), (0, b"OggS", "ogg")),
    *((0, b"fLaC", "flac"), (4, b"ftyp", "mp4"), (0, b"\x1aE\xdf\xa3", "webm")),
)
"""What files begin with, from which byte on. The ending is by the bytes alone, not by what their
server calls them: the same bytes are the same file."""


@dataclass(frozen=True, slots=True)
class Written:
    """A cassette on its way to the disk: its text, and by name the files that the text names."""

    text: str
    artefacts: Mapping[str, bytes]


def written(cassette: Cassette) -> Written:
    """What is to be written of a cassette: bodies that are files apart from the text."""
    artefacts: dict[str, bytes] = {}
    exchanges = tuple(_without_file(exchange, artefacts) for exchange in cassette.exchanges)
    return Written(dumps(replace(cassette, exchanges=exchanges)), artefacts)


def _without_file(exchange: Exchange, artefacts: dict[str, bytes]) -> Exchange:
    body = exchange.response.body
    if not is_file(exchange.response):
        return exchange
    found = artefact_of(body)
    artefacts[found.name] = body
    return replace(exchange, response=replace(exchange.response, body=b"", artefact=found))


def is_file(response: Response) -> bool:
    """Whether a body is a file: of a kilobyte or more, and by its content type or for want of
    being UTF-8 nothing that is read as text."""
    if len(response.body) < SMALLEST:
        return False
    kind = (response.header("content-type") or "").partition(";")[0].strip().lower()
    return kind.startswith(_KINDS) or kind in _TYPES or not _is_text(response.body)


def artefact_of(body: bytes) -> Artefact:
    """Under which name bytes are kept."""
    signs = (ending for at, sign, ending in _SIGNS if body.startswith(sign, at))
    ending = next(signs, "txt" if _is_text(body) else "bin")
    return Artefact(f"{sha256(body).hexdigest()}.{ending}", len(body))


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_of(name: str, body: bytes) -> bool:
    """Whether these are the bytes that an artefact's name stands for."""
    return name.startswith(f"{sha256(body).hexdigest()}.")


def put_back(cassette: Cassette, fetch: Callable[[int, Artefact], bytes]) -> Cassette:
    """The cassette with every body in its place.

    `fetch` gives the bytes of an artefact, named by an exchange, counted from 0; what it raises is
    raised. Each artefact is fetched once, however often it is named.
    """
    if all(exchange.response.artefact is None for exchange in cassette.exchanges):
        return cassette
    bodies: dict[str, bytes] = {}
    exchanges = list(cassette.exchanges)
    for number, exchange in enumerate(exchanges):
        named = exchange.response.artefact
        if named is not None:
            if named.name not in bodies:
                bodies[named.name] = fetch(number, named)
            response = replace(exchange.response, body=bodies[named.name], artefact=None)
            exchanges[number] = replace(exchange, response=response)
    return replace(cassette, exchanges=tuple(exchanges))


def line_of(text: str | bytes, number: int) -> int | None:
    """The line on which an exchange, counted from 0, names its artefact."""
    return yamls.line(text, ("interactions", number, "response", "body", "artefact"))
