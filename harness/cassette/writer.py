"""The writer of cassettes: YAML that vcrpy reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from harness.cassette.safe_yaml import FlowList, dump
from harness.types import Cassette, CodedBody, Exchange, Response

VCRPY_FORMAT = 1
HARNESS_FORMAT = 1
PROVENANCE_TEXTS = ("recorded_at", "scenario", "target", "address", "test", "note", "parent")
"""The fields of a `Provenance` that are texts, in the order in which they are written."""
LATEST = 253402300799
"""The last second, since 1970, that a cassette can have as a time."""


def dumps(cassette: Cassette) -> str:
    """Return *cassette* as YAML that vcrpy reads.

    Chinese is not escaped, and bodies of several lines, such as streams, are literal blocks.
    """
    document = {
        "metadata": {"harness": _metadata(cassette)},
        "interactions": [_interaction(exchange) for exchange in cassette.exchanges],
        "version": VCRPY_FORMAT,
    }
    return dump(document).removesuffix(_END_MARKER)


_END_MARKER = "...\n"
"""What YAML may write after a text that ends with line breaks; the version ends a cassette, too."""


def spliced(head: Cassette, texts: Iterable[str]) -> Iterator[str]:
    """Yield the text of a cassette in pieces, with only one of them in memory at a time.

    Args:
        head: A cassette with the provenance, and without exchanges.
        texts: For each exchange, the text of a cassette with only this exchange.
    """
    start, _, end = dumps(head).rpartition("    exchanges: []\ninteractions: []\n")
    yield f"{start}    exchanges:\n"
    with TemporaryFile("w+", encoding="utf-8", newline="") as file:
        for text in texts:
            metadata, _, rest = text.partition("\ninteractions:\n")
            yield metadata.partition("    exchanges:\n")[2] + "\n"
            file.write(rest.removesuffix(end))
        yield "interactions:\n"
        file.seek(0)
        yield from iter(partial(file.read, 2**20), "")
    yield end


def _metadata(cassette: Cassette) -> dict[str, Any]:
    provenance = cassette.provenance
    sdk = provenance.sdk
    values = {
        "format": HARNESS_FORMAT,
        "recorded_from": provenance.recorded_from.value,
        **{name: getattr(provenance, name) for name in PROVENANCE_TEXTS},
        "sdk": {"name": sdk.name, "version": sdk.version} if sdk else None,
        "script": list(provenance.script),
        "volatile": list(provenance.volatile),
    }
    metadata: dict[str, Any] = {name: value for name, value in values.items() if value}
    metadata["exchanges"] = [_exchange_metadata(exchange) for exchange in cassette.exchanges]
    return metadata


def _exchange_metadata(exchange: Exchange) -> dict[str, Any]:
    """Return an exchange's data that vcrpy has no fields for.

    These are the turn, the times, the sizes of chunks, the API key's fingerprint, the body before
    its content coding was undone, and the network failure that ended the exchange.
    """
    timing = exchange.timing
    metadata: dict[str, Any] = {}
    if exchange.turn is not None:
        metadata["turn"] = exchange.turn
    if timing is not None:
        start = datetime.fromtimestamp(timing.start, UTC)
        metadata["started_at"] = start.isoformat(timespec="microseconds")
        metadata["first_byte"] = round(timing.first_byte, 6)
        metadata["total"] = round(timing.total, 6)
    if exchange.chunks:
        metadata["chunks"] = FlowList(exchange.chunks)
    if timing is not None and timing.arrived:
        metadata["arrived"] = FlowList(round(seconds, 4) for seconds in timing.arrived)
    if exchange.key:
        metadata["key"] = exchange.key
    if exchange.coded is not None:
        metadata["coded"] = _coded_body(exchange.coded)
    if exchange.broken_off is not None:
        metadata["broken_off"] = exchange.broken_off.kind.value
        metadata["message"] = exchange.broken_off.message
    return metadata


def _coded_body(coded: CodedBody) -> dict[str, Any]:
    values = {"chunks": FlowList(coded.chunks), "body": coded.body, "length": coded.length}
    return {
        "coding": coded.coding,
        **{name: value for name, value in values.items() if value not in ((), b"", None)},
    }


def _interaction(exchange: Exchange) -> dict[str, Any]:
    request, response = exchange.request, exchange.response
    return {
        "request": {
            "method": request.method,
            "uri": request.uri,
            "body": _scalar(request.body) if request.body else None,
            "headers": _header_lists(request.headers),
        },
        "response": {
            "status": {"code": response.status, "message": response.reason},
            "headers": _header_lists(response.headers),
            "body": _response_body(response),
        },
    }


def _response_body(response: Response) -> dict[str, Any]:
    """Return the mapping of a response body; vcrpy reads only its key `string`."""
    body: dict[str, Any] = {"string": _scalar(response.body)}
    if response.artefact is not None:
        body |= {"artefact": response.artefact.name, "size": response.artefact.size}
    return body


def _scalar(body: bytes) -> str | bytes:
    """Return *body* as text if it is UTF-8, else unchanged; YAML writes bytes as base64."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body


def _header_lists(headers: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        lists.setdefault(name, []).append(value)
    return lists
