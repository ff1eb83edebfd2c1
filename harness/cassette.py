"""Cassettes as text: vcrpy's file format, version 1, read and written.

What vcrpy's format has no room for stands in `metadata` under the key `harness`; stock vcrpy
carries it along unread. `version` stands last, as vcrpy writes it: a file that was cut off has
none, and so is never taken for a shorter but whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import yaml

from harness.errors import BadCassette
from harness.types import (
    Cassette,
    Exchange,
    Json,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)
from harness.wire import children

VCRPY_FORMAT = 1
HARNESS_FORMAT = 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, and the harmless Python tags that vcrpy writes."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """PyYAML's safe dumper, writing for people who review a diff."""

    def ignore_aliases(self, data: object) -> bool:
        """Never write `&id001`: equal headers are repeated, as vcrpy's readers expect."""
        return True


class _OneLine(list[int]):
    """A list written in one line."""


def _text(dumper: Any, text: str) -> Any:
    """Streams and other texts of several lines as literal blocks."""
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


def _one_line(dumper: Any, numbers: _OneLine) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", numbers, flow_style=True)


def _file_body(loader: Any, node: Any) -> bytes:
    """A request body that was a file: vcrpy pickles the buffer and its position."""
    state = loader.construct_mapping(node, deep=True).get("state") or (b"",)
    content = state[0] if state else b""
    return content.encode() if isinstance(content, str) else bytes(content)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_OneLine, _one_line)
_Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node)
)
for _tag in ("python/str", "python/unicode"):
    _Loader.add_constructor(
        f"tag:yaml.org,2002:{_tag}", lambda loader, node: loader.construct_scalar(node)
    )
_Loader.add_constructor("tag:yaml.org,2002:python/object/new:_io.BytesIO", _file_body)


def dumps(cassette: Cassette) -> str:
    """A cassette as YAML that stock vcrpy reads; Chinese as Chinese, streams as literal blocks."""
    document = {
        "metadata": {"harness": _metadata(cassette)},
        "interactions": [_interaction(exchange) for exchange in cassette.exchanges],
        "version": VCRPY_FORMAT,
    }
    # A width that no line reaches: folded lines would make a one-word change a diff of many lines.
    return str(
        yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=2**31 - 1)
    )


def _metadata(cassette: Cassette) -> dict[str, Json]:
    told = cassette.provenance
    facts = {
        "format": HARNESS_FORMAT,
        "recorded_from": told.recorded_from.value,
        "recorded_at": told.recorded_at,
        "scenario": told.scenario,
        "target": told.target,
        "address": told.address,
        "sdk": {"name": told.sdk.name, "version": told.sdk.version} if told.sdk else None,
        "script": list(told.script),
        "volatile": list(told.volatile),
    }
    kept: dict[str, Json] = {name: fact for name, fact in facts.items() if fact}
    kept["exchanges"] = [_travel(exchange) for exchange in cassette.exchanges]
    return kept


def _travel(exchange: Exchange) -> dict[str, Json]:
    """What vcrpy has no room for: the turn, the times, the chunks."""
    told: dict[str, Json] = {}
    if exchange.turn is not None:
        told["turn"] = exchange.turn
    if exchange.timing is not None:
        told["started_at"] = _when(exchange.timing.start)
        told["first_byte"] = round(exchange.timing.first_byte, 6)
        told["total"] = round(exchange.timing.total, 6)
    if exchange.chunks:
        told["chunks"] = _OneLine(exchange.chunks)
    return told


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _interaction(exchange: Exchange) -> dict[str, Json]:
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
            "body": {"string": _written(response.body)},
        },
    }


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


class _Wrong(Exception):
    """Something in a cassette is not as it should be: where (keys from the top) and what."""

    def __init__(self, where: tuple[str | int, ...], what: str) -> None:
        super().__init__(what)
        self.where = where
        self.what = what


def loads(text: str | bytes, source: str = "") -> Cassette:
    """Read a cassette, ours or any other of vcrpy's format.

    Raises BadCassette, naming `source` and the line, for anything that is not one; a file that is
    empty or was cut off is never taken for a cassette without exchanges.
    """
    try:
        _refuse_depth(text)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader
    except yaml.YAMLError as error:
        raise _not_yaml(error, source) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadCassette(f"not a cassette: {error}", source) from None
    try:
        return _cassette(document)
    except _Wrong as wrong:
        raise BadCassette(_told(wrong), source, _line(text, wrong.where)) from None


MAX_DEPTH = 100


def _refuse_depth(text: str | bytes) -> None:
    """Deep nesting overflows the C stack of PyYAML's fast loader and ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")


def _not_yaml(error: yaml.YAMLError, source: str) -> BadCassette:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return BadCassette(f"not YAML: {problem}", source, mark.line + 1 if mark else None)


def _told(wrong: _Wrong) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in wrong.where)
    return f"{path.lstrip('.')}: {wrong.what}" if path else wrong.what


def _line(text: str | bytes, where: tuple[str | int, ...]) -> int | None:
    """The line of the deepest key on the way to `where` that the file has."""
    node = yaml.compose(text, Loader=_Loader)
    line = None
    for key in where:
        found = _child(node, key)
        if found is None:
            break
        node, line = found
    return line


def _child(node: Any, key: str | int) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child = node.value[key]
        return child, child.start_mark.line + 1
    return None


def _cassette(document: Json) -> Cassette:
    if document is None:
        raise _Wrong((), "the file is empty; a cassette has the keys interactions and version")
    if not isinstance(document, dict) or "interactions" not in document:
        raise _Wrong((), "not a vcrpy cassette: the key interactions is missing")
    if "version" not in document:
        raise _Wrong((), "the file was cut off: the key version, which stands last, is missing")
    if document["version"] != VCRPY_FORMAT:
        found = document["version"]
        raise _Wrong(("version",), f"vcrpy format {found!r}; this reads {VCRPY_FORMAT}")
    travels, provenance = _read_metadata(document.get("metadata"))
    listed = _expect(document["interactions"], list, ("interactions",))
    exchanges = [
        _exchange(item, ("interactions", i), travels[i] if i < len(travels) else {})
        for i, item in enumerate(listed)
    ]
    return Cassette(tuple(exchanges), provenance)


_METADATA = ("metadata", "harness")


def _read_metadata(metadata: Json) -> tuple[list[Json], Provenance]:
    ours = metadata.get("harness") if isinstance(metadata, dict) else None
    if ours is None:
        return [], Provenance()
    facts = _expect(ours, dict, _METADATA)
    if facts.get("format") != HARNESS_FORMAT:
        found = facts.get("format")
        raise _Wrong(
            (*_METADATA, "format"),
            f"harness format {found!r}; this reads {HARNESS_FORMAT}: record anew",
        )
    travels = _expect(facts.get("exchanges", []), list, (*_METADATA, "exchanges"))
    return travels, _provenance(facts)


def _provenance(facts: dict[str, Json]) -> Provenance:
    origin = facts.get("recorded_from", Origin.UNKNOWN.value)
    if origin not in [o.value for o in Origin]:
        allowed = ", ".join(o.value for o in Origin)
        raise _Wrong((*_METADATA, "recorded_from"), f"{origin!r}; allowed: {allowed}")
    sdk = _expect(facts.get("sdk", {}), dict, (*_METADATA, "sdk"))
    return Provenance(
        recorded_from=Origin(origin),
        recorded_at=str(facts.get("recorded_at", "")),
        scenario=str(facts.get("scenario", "")),
        target=str(facts.get("target", "")),
        address=str(facts.get("address", "")),
        sdk=Sdk(str(sdk.get("name", "")), str(sdk.get("version", ""))) if sdk else None,
        script=_strings(facts, "script"),
        volatile=_strings(facts, "volatile"),
    )


def _strings(facts: dict[str, Json], name: str) -> tuple[str, ...]:
    return tuple(str(item) for item in _expect(facts.get(name, []), list, (*_METADATA, name)))


def _exchange(item: Json, where: tuple[str | int, ...], travel: Json) -> Exchange:
    request = _expect(_key(item, "request", where), dict, (*where, "request"))
    response = _expect(_key(item, "response", where), dict, (*where, "response"))
    told = travel if isinstance(travel, dict) else {}
    return Exchange(
        request=_request(request, (*where, "request")),
        response=_response(response, (*where, "response")),
        timing=_timing(told),
        chunks=_chunks(told.get("chunks")),
        turn=told["turn"] if isinstance(told.get("turn"), int) else None,
    )


def _request(request: dict[str, Json], where: tuple[str | int, ...]) -> Request:
    return Request(
        method=str(_key(request, "method", where)),
        uri=str(_key(request, "uri", where)),
        headers=_headers(request.get("headers"), (*where, "headers")),
        body=_bytes(request.get("body"), (*where, "body")),
    )


def _response(response: dict[str, Json], where: tuple[str | int, ...]) -> Response:
    status = _expect(_key(response, "status", where), dict, (*where, "status"))
    code = _expect(_key(status, "code", (*where, "status")), int, (*where, "status", "code"))
    body = _expect(_key(response, "body", where), dict, (*where, "body"))
    return Response(
        status=code,
        reason=str(status.get("message") or ""),
        headers=_headers(response.get("headers"), (*where, "headers")),
        body=_bytes(body.get("string"), (*where, "body", "string")),
    )


def _timing(told: dict[str, Json]) -> Timing | None:
    try:
        started = datetime.fromisoformat(told["started_at"]).timestamp()
        return Timing(started, float(told["first_byte"]), float(told["total"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _chunks(chunks: Json) -> tuple[int, ...]:
    sizes = chunks if isinstance(chunks, list) else []
    return tuple(size for size in sizes if isinstance(size, int) and size > 0)


def _headers(headers: Json, where: tuple[str | int, ...]) -> tuple[tuple[str, str], ...]:
    found = _expect({} if headers is None else headers, dict, where)
    pairs = []
    for name, values in found.items():
        listed = values if isinstance(values, list) else [values]
        pairs += [(str(name), _header(value)) for value in listed]
    return tuple(pairs)


def _header(value: Json) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: Json, where: tuple[str | int, ...]) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, dict | list):
        return _json(body, where)
    return _expect(body, bytes, where)


def _json(body: Json, where: tuple[str | int, ...]) -> bytes:
    """A JSON body that a recorder wrote as YAML, for readers; what travelled was JSON."""
    seen: set[int] = set()
    level = [body]
    while level:
        if any(id(node) in seen for node in level):
            raise _Wrong(where, "a body written as YAML may not use anchors")
        seen.update(id(node) for node in level)
        level = [child for node in level for child in children(node) if children(child)]
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str).encode()


def _key(mapping: Json, name: str, where: tuple[str | int, ...]) -> Json:
    found = _expect(mapping, dict, where)
    if name not in found:
        raise _Wrong(where, f"the key {name} is missing")
    return found[name]


T = TypeVar("T")
_NAMES: Mapping[type, str] = {dict: "a mapping", list: "a list", int: "a number", bytes: "text"}


def _expect(value: Json, kind: type[T], where: tuple[str | int, ...]) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _Wrong(where, f"should be {_NAMES[kind]}, not {type(value).__name__}")
    return value
