"""Scripts by which a local server sends a delivery: HTTP framing, packets and pauses."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator

from harness.faults.delivery import Delivery, Ending
from harness.sandbox.scripted_server import Pause, Reset, Script, chunks_of

PACKET_GAP = 0.004
"""Seconds between two packets, so that a client receives them separately."""

_FEW = 3
"""Largest number of packets with pauses between them; more packets are sent without pauses."""

_ACCEPTS_GZIP = re.compile(rb"(?im)^accept-encoding:[^\r\n]*\bgzip\b(?!;q=0)")


def delivery_script(
    delivery: Delivery, request_head: bytes, *, timeout: float, silence: float
) -> Script:
    """Return the steps by which a server sends a delivery.

    The body is compressed only if the delivery says so and the request accepts gzip.

    Args:
        delivery: The response, and how it is sent.
        request_head: The request line and headers of the client.
        timeout: The client's timeout in seconds.
        silence: Seconds to wait if the delivery ends in silence.
    """
    use_gzip = delivery.gzip and _ACCEPTS_GZIP.search(request_head) is not None
    return list(_steps(delivery, timeout, silence, use_gzip=use_gzip))


def _steps(
    delivery: Delivery, timeout: float, silence: float, *, use_gzip: bool
) -> Iterator[bytes | Pause | Reset]:
    if delivery.delay:
        yield Pause(delivery.delay * timeout)
    if not delivery.without_head:
        packets = list(chunks_of(delivery.response.body, delivery.packets))
        packets = list(_compressed(packets)) if use_gzip else packets
        chunked = _is_chunked(delivery)
        yield _head(delivery, sum(map(len, packets)), chunked=chunked, use_gzip=use_gzip)
        for number, packet in enumerate(packets):
            if number and len(packets) <= _FEW:
                yield Pause(PACKET_GAP)
            yield b"%x\r\n%s\r\n" % (len(packet), packet) if chunked else packet
        if chunked and delivery.ending is Ending.COMPLETE:
            yield b"0\r\n\r\n"
    if delivery.ending is Ending.RESET:
        yield from (Pause(PACKET_GAP), Reset())
    elif delivery.ending is Ending.SILENT:
        yield Pause(silence)


def _is_chunked(delivery: Delivery) -> bool:
    """Return whether the body is sent in HTTP chunks and not with Content-Length.

    That is so for streams and for bodies that end early, unless the delivery declares a length.
    """
    media_type = (delivery.response.header("content-type") or "").lower()
    cut = delivery.ending is not Ending.COMPLETE
    return delivery.declared_length is None and (cut or media_type.startswith("text/event-stream"))


def _head(delivery: Delivery, length: int, *, chunked: bool, use_gzip: bool) -> bytes:
    response = delivery.response
    declared = length if delivery.declared_length is None else delivery.declared_length
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(f"{name}: {value}" for name, value in response.headers),
        *(["Content-Encoding: gzip"] if use_gzip else []),
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {declared}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"


def _compressed(packets: list[bytes]) -> Iterator[bytes]:
    """Yield the packets compressed, each so that it can be read as soon as it arrives."""
    if len(packets) < 2:
        yield gzip.compress(b"".join(packets), mtime=0)
        return
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for packet in packets:
        yield compressor.compress(packet) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()
