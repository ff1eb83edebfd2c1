"""Artefacts: response bodies such as images and audio, stored as files beside their cassette.

Half a megabyte of base64 cannot be reviewed, and changes with every recording. The YAML text of the
cassette holds the hash and the size of such a body instead. This module does not read or write
files (see `store`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from harness.cassette.writer import dumps
from harness.types import Artefact, Cassette, Exchange, Response

FOLDER = "artefacts"
"""The name of the folder beside a cassette that holds its artefacts."""

FILE_NAME = re.compile(r"[0-9a-f]{64}\.[a-z][a-z0-9]{0,7}")
"""The pattern of an artefact's file name: the SHA-256 of its bytes, and an extension."""

SMALLEST = 1024
"""The size in bytes from which a body may become an artefact; shorter ones stay in the text."""

_PREFIXES = ("image/", "audio/", "video/", "font/")
_TYPES = ("application/octet-stream", "application/pdf", "application/zip")
_SIGNATURES = (
    *((0, b"\x89PNG\r\n\x1a\n", "png"), (0, b"\xff\xd8\xff", "jpg"), (0, b"GIF8", "gif")),
    *((8, b"WEBP", "webp"), (0, b"<svg", "svg"), (0, b"%PDF-", "pdf"), (0, b"PK\x03\x04", "zip")),
    *((8, b"WAVE", "wav"), (0, b"ID3", "mp3"), (0, b"\xff\xfb", "mp3"), (0, b"OggS", "ogg")),
    *((0, b"fLaC", "flac"), (4, b"ftyp", "mp4"), (0, b"\x1aE\xdf\xa3", "webm")),
)
"""The signatures of known file formats: offset, bytes at that offset, and extension.

The Content-Type is not used for the extension, so that the same bytes always get the same name.
"""


@dataclass(frozen=True, slots=True)
class CassetteFiles:
    """The contents of a cassette's files.

    Attributes:
        text: The YAML text of the cassette.
        artefacts: The bytes of its artefacts, by file name.
    """

    text: str
    artefacts: Mapping[str, bytes]


def to_files(cassette: Cassette) -> CassetteFiles:
    """Return the YAML text of *cassette*, and the bodies that are stored as files beside it."""
    artefacts: dict[str, bytes] = {}
    exchanges = tuple(_move_body(exchange, artefacts) for exchange in cassette.exchanges)
    return CassetteFiles(dumps(replace(cassette, exchanges=exchanges)), artefacts)


def _move_body(exchange: Exchange, artefacts: dict[str, bytes]) -> Exchange:
    body = exchange.response.body
    if not is_file(exchange.response):
        return exchange
    artefact = artefact_of(body)
    artefacts[artefact.name] = body
    return replace(exchange, response=replace(exchange.response, body=b"", artefact=artefact))


def is_file(response: Response) -> bool:
    """Return whether the body of *response* is to be stored as an artefact.

    That is a body of at least 1 KiB which is not UTF-8, or whose Content-Type is that of a file
    (image, audio ...).
    """
    if len(response.body) < SMALLEST:
        return False
    kind = (response.header("content-type") or "").partition(";")[0].strip().lower()
    return kind.startswith(_PREFIXES) or kind in _TYPES or not _is_text(response.body)


def artefact_of(body: bytes) -> Artefact:
    """Return the artefact for *body*: a file name, `<sha256>.<extension>`, and the size in bytes.

    The text of the cassette has this name and size in place of the body.
    """
    extensions = (extension for at, sign, extension in _SIGNATURES if body.startswith(sign, at))
    extension = next(extensions, "txt" if _is_text(body) else "bin")
    return Artefact(f"{sha256(body).hexdigest()}.{extension}", len(body))


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_hash(name: str, body: bytes) -> bool:
    """Return whether the artefact's file name *name* begins with the SHA-256 of *body*."""
    return name.startswith(f"{sha256(body).hexdigest()}.")


def with_artefacts(cassette: Cassette, fetch: Callable[[int, Artefact], bytes]) -> Cassette:
    """Return *cassette* with the bytes of each artefact as the body of its response.

    Args:
        cassette: A cassette read from text.
        fetch: A function that returns the bytes of an artefact. It gets the index of the exchange
            and the artefact, and is called once for each name. Its exceptions are not caught.
    """
    if all(exchange.response.artefact is None for exchange in cassette.exchanges):
        return cassette
    bodies: dict[str, bytes] = {}
    exchanges = list(cassette.exchanges)
    for index, exchange in enumerate(exchanges):
        artefact = exchange.response.artefact
        if artefact is not None:
            if artefact.name not in bodies:
                bodies[artefact.name] = fetch(index, artefact)
            response = replace(exchange.response, body=bodies[artefact.name], artefact=None)
            exchanges[index] = replace(exchange, response=response)
    return replace(cassette, exchanges=tuple(exchanges))
