"""A changed answer as what a server on loopback sends: framing, packets, pauses."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator

from harness.faults.transport import Ending, Sent
from harness.sandbox.scripted_server import Pause, Reset, Script

GAP = 0.004
"""Seconds between two packets that a client is to see apart."""

_FEW = 3
"""With more pieces than this, each a chunk of its own, nothing is waited for between them."""

_TAKES_GZIP = re.compile(rb"(?im)^accept-encoding:[^\r\n]*\bgzip\b(?!;q=0)")


def script(sent: Sent, head: bytes, *, timeout: float, silence: float) -> Script:
    """What is sent to a client whose request has this head; times are in seconds.

    A client that does not say that it takes gzip is sent none.
    """
    return list(_steps(sent, _TAKES_GZIP.search(head) is not None, timeout, silence))


def _steps(
    sent: Sent, takes_gzip: bool, timeout: float, silence: float
) -> Iterator[bytes | Pause | Reset]:
    if sent.wait:
        yield Pause(sent.wait * timeout)
    if not sent.headless:
        packed = sent.packed and takes_gzip
        pieces = list(_gzipped(sent)) if packed else list(_cut(sent.response.body, sent.pieces))
        chunked = _is_chunked(sent)
        yield _head(sent, sum(map(len, pieces)), chunked=chunked, packed=packed)
        for number, piece in enumerate(pieces):
            if number and len(pieces) <= _FEW:
                yield Pause(GAP)
            yield b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        if chunked and sent.ending is Ending.WHOLE:
            yield b"0\r\n\r\n"
    if sent.ending is Ending.RESET:
        yield from (Pause(GAP), Reset())
    elif sent.ending is Ending.SILENT:
        yield Pause(silence)


def _is_chunked(sent: Sent) -> bool:
    """Streams are, and what breaks off: its length would say that it does."""
    kind = (sent.response.header("content-type") or "").lower()
    broken = sent.ending is not Ending.WHOLE
    return sent.declared is None and (broken or kind.startswith("text/event-stream"))


def _head(sent: Sent, length: int, *, chunked: bool, packed: bool) -> bytes:
    response = sent.response
    declared = length if sent.declared is None else sent.declared
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(f"{name}: {value}" for name, value in response.headers),
        *(["Content-Encoding: gzip"] if packed else []),
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {declared}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"


def _cut(body: bytes, sizes: tuple[int, ...]) -> Iterator[bytes]:
    at = 0
    for size in (*sizes, len(body)):
        if piece := body[at : at + size]:
            yield piece
        at += size


def _gzipped(sent: Sent) -> Iterator[bytes]:
    """Each piece compressed so that a client can read it at once, as a stream must be."""
    if not sent.pieces:
        yield gzip.compress(sent.response.body, mtime=0)
        return
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for piece in _cut(sent.response.body, sent.pieces):
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
