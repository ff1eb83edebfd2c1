"""A cassette as text that stock vcrpy reads."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.cassette.yamls import OneLine, dump
from harness.types import Cassette, Exchange, LooseJson, Response

VCRPY_FORMAT = 1
HARNESS_FORMAT = 1


def dumps(cassette: Cassette) -> str:
    """A cassette as YAML that stock vcrpy reads; Chinese as Chinese, streams as literal blocks."""
    document = {
        "metadata": {"harness": _metadata(cassette)},
        "interactions": [_interaction(exchange) for exchange in cassette.exchanges],
        "version": VCRPY_FORMAT,
    }
    return dump(document)


def _metadata(cassette: Cassette) -> dict[str, LooseJson]:
    told = cassette.provenance
    facts = {
        "format": HARNESS_FORMAT,
        "recorded_from": told.recorded_from.value,
        "recorded_at": told.recorded_at,
        "scenario": told.scenario,
        "target": told.target,
        "address": told.address,
        "test": told.test,
        "note": told.note,
        "sdk": {"name": told.sdk.name, "version": told.sdk.version} if told.sdk else None,
        "script": list(told.script),
        "volatile": list(told.volatile),
    }
    kept: dict[str, LooseJson] = {name: fact for name, fact in facts.items() if fact}
    kept["exchanges"] = [_travel(exchange) for exchange in cassette.exchanges]
    return kept


def _travel(exchange: Exchange) -> dict[str, LooseJson]:
    """What vcrpy has no room for: the turn, the times, the chunks, whose key it was."""
    told: dict[str, LooseJson] = {}
    if exchange.turn is not None:
        told["turn"] = exchange.turn
    if exchange.timing is not None:
        told["started_at"] = _when(exchange.timing.start)
        told["first_byte"] = round(exchange.timing.first_byte, 6)
        told["total"] = round(exchange.timing.total, 6)
    if exchange.chunks:
        told["chunks"] = OneLine(exchange.chunks)
    if exchange.timing is not None and exchange.timing.arrived:
        told["arrived"] = OneLine(round(seconds, 4) for seconds in exchange.timing.arrived)
    if exchange.key:
        told["key"] = exchange.key
    return told


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _interaction(exchange: Exchange) -> dict[str, LooseJson]:
    request, response = exchange.request, exchange.response
    return {
        "request": {
            "method": request.method,
            "uri": request.uri,
            "body": _written(request.body) if request.body else None,
            "headers": _listed(request.headers),
        },
        "response": {
            "status": {"code": response.status, "message": response.reason},
            "headers": _listed(response.headers),
            "body": _answered(response),
        },
    }


def _answered(response: Response) -> dict[str, LooseJson]:
    """Stock vcrpy looks at `string` alone, and carries the other keys along."""
    told: dict[str, LooseJson] = {"string": _written(response.body)}
    if response.artefact is not None:
        told |= {"artefact": response.artefact.name, "size": response.artefact.size}
    return told


def _written(body: bytes) -> str | bytes:
    """Text where it is text, else bytes, which YAML writes as base64."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body


def _listed(headers: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    listed: dict[str, list[str]] = {}
    for name, value in headers:
        listed.setdefault(name, []).append(value)
    return listed
