"""Cassettes as text: vcrpy's file format, version 1, read and written.

What vcrpy's format has no room for stands in `metadata` under the key `harness`; stock vcrpy
carries it along unread. `version` stands last, as vcrpy writes it: a file that was cut off has
none, and so is never taken for a shorter but whole one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeAlias, TypeVar

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

VCRPY_FORMAT = 1
HARNESS_FORMAT = 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, and the harmless Python tags that vcrpy writes."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """PyYAML's own, but a value that does not fit its tag is an error of the file."""
        try:
            if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
                raise ValueError
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            tag = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"this cannot be read as {tag}", node.start_mark
            ) from None


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MAX_DIGITS = 1000
"""Longer numbers are refused: Python takes minutes for some of them."""


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
    if not isinstance(content, str | bytes):
        raise TypeError
    return content.encode() if isinstance(content, str) else content


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


Where: TypeAlias = tuple[str | int, ...]
"""The keys that lead to a place in a cassette, from the top."""


class _Wrong(Exception):
    """Something in a cassette is not as it should be: where (keys from the top) and what."""

    def __init__(self, where: Where, what: str) -> None:
        super().__init__(what)
        self.where = where
        self.what = what


def loads(text: str | bytes, source: str = "") -> Cassette:
    """Read a cassette, ours or any other of vcrpy's format.

    Raises BadCassette, naming `source` and the line, for anything that is not one; a file that is
    empty or was cut off is never taken for a cassette without exchanges.
    """
    try:
        _refuse_bombs(text)
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
MAX_REPEATED = 2**22
"""So many characters and nodes may stand in a file by aliases alone."""


@dataclass(slots=True)
class _Nest:
    """A collection while it is being measured: with its aliases put in, how large and deep."""

    anchor: str | None
    size: int = 1
    depth: int = 1

    def take(self, size: int, depth: int) -> None:
        self.size += size
        self.depth = max(self.depth, depth + 1)


def _refuse_bombs(text: str | bytes) -> None:
    """Refuse what is small to read and too large to build.

    Deep nesting overflows the C stack of PyYAML's fast loader and ends the process; aliases of
    aliases fill the memory.
    """
    nests = [_Nest(None)]
    known: dict[str, tuple[int, int]] = {}
    repeated = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            nests.append(_Nest(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = nests.pop()
            nests[-1].take(*_measured(known, done.anchor, done.size, done.depth))
        elif isinstance(event, yaml.ScalarEvent):
            nests[-1].take(*_measured(known, event.anchor, 1 + len(event.value), 0))
        elif isinstance(event, yaml.AliasEvent):
            if any(nest.anchor == event.anchor for nest in nests):
                raise ValueError(f"the anchor {event.anchor} stands inside itself")
            size, depth = known.get(str(event.anchor), (0, 0))
            nests[-1].take(size, depth)
            repeated += size
        if len(nests) + nests[-1].depth - 1 > MAX_DEPTH + 1:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if repeated > MAX_REPEATED:
            raise ValueError("aliases make it too large")


def _measured(
    known: dict[str, tuple[int, int]], anchor: str | None, size: int, depth: int
) -> tuple[int, int]:
    """Size and depth, remembered under the anchor."""
    if anchor is not None:
        known[anchor] = size, depth
    return size, depth


def _not_yaml(error: yaml.YAMLError, source: str) -> BadCassette:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return BadCassette(f"not YAML: {problem}", source, mark.line + 1 if mark else None)


def _told(wrong: _Wrong) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in wrong.where)
    return f"{path.lstrip('.')}: {wrong.what}" if path else wrong.what


def _line(text: str | bytes, where: Where) -> int | None:
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
        raise _Wrong(("version",), f"vcrpy format {found!r:.40}; this reads {VCRPY_FORMAT}")
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
            f"harness format {found!r:.40}; this reads {HARNESS_FORMAT}: record anew",
        )
    travels = _expect(facts.get("exchanges", []), list, (*_METADATA, "exchanges"))
    return travels, _provenance(facts)


def _provenance(facts: dict[str, Json]) -> Provenance:
    origin = facts.get("recorded_from", Origin.UNKNOWN.value)
    if origin not in [o.value for o in Origin]:
        allowed = ", ".join(o.value for o in Origin)
        raise _Wrong((*_METADATA, "recorded_from"), f"{origin!r:.40}; allowed: {allowed}")
    sdk = _expect(facts.get("sdk", {}), dict, (*_METADATA, "sdk"))
    return Provenance(
        recorded_from=Origin(origin),
        recorded_at=_text_at(facts, "recorded_at"),
        scenario=_text_at(facts, "scenario"),
        target=_text_at(facts, "target"),
        address=_text_at(facts, "address"),
        sdk=_sdk(sdk) if sdk else None,
        script=_strings(facts, "script"),
        volatile=_strings(facts, "volatile"),
    )


def _sdk(sdk: dict[str, Json]) -> Sdk:
    where = (*_METADATA, "sdk")
    return Sdk(*(_word(sdk.get(name, ""), (*where, name)) for name in ("name", "version")))


def _text_at(facts: dict[str, Json], name: str) -> str:
    return _word(facts.get(name, ""), (*_METADATA, name))


def _strings(facts: dict[str, Json], name: str) -> tuple[str, ...]:
    where = (*_METADATA, name)
    listed = _expect(facts.get(name, []), list, where)
    return tuple(_word(item, (*where, i)) for i, item in enumerate(listed))


def _exchange(item: Json, where: Where, travel: Json) -> Exchange:
    request = _expect(_key(item, "request", where), dict, (*where, "request"))
    response = _expect(_key(item, "response", where), dict, (*where, "response"))
    told = travel if isinstance(travel, dict) else {}
    return Exchange(
        request=_request(request, (*where, "request")),
        response=_response(response, (*where, "response")),
        timing=_timing(told),
        chunks=_chunks(told.get("chunks")),
        turn=told["turn"] if type(told.get("turn")) is int else None,
    )


def _request(request: dict[str, Json], where: Where) -> Request:
    return Request(
        method=_word(_key(request, "method", where), (*where, "method")),
        uri=_word(_key(request, "uri", where), (*where, "uri")),
        headers=_headers(request.get("headers"), (*where, "headers")),
        body=_bytes(request.get("body"), (*where, "body")),
    )


def _response(response: dict[str, Json], where: Where) -> Response:
    status = _expect(_key(response, "status", where), dict, (*where, "status"))
    code = _expect(_key(status, "code", (*where, "status")), int, (*where, "status", "code"))
    body = _expect(_key(response, "body", where), dict, (*where, "body"))
    return Response(
        status=code,
        reason=_word(status.get("message") or "", (*where, "status", "message")),
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


def _headers(headers: Json, where: Where) -> tuple[tuple[str, str], ...]:
    found = _expect({} if headers is None else headers, dict, where)
    pairs = []
    for name, values in found.items():
        listed = values if isinstance(values, list) else [values]
        word = _word(name, where)
        pairs += [(word, _word(value, (*where, word))) for value in listed]
    return tuple(pairs)


def _word(value: Json, where: Where) -> str:
    """A short text; a number is taken for one, as people leave out quotes."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str | float | date) or type(value) is int:
        return str(value)
    raise _Wrong(where, f"should be text, not {type(value).__name__}")


def _bytes(body: Json, where: Where) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, dict | list):
        return _json(body, where)
    return _expect(body, bytes, where)


def _json(body: Json, where: Where) -> bytes:
    """A JSON body that a recorder wrote as YAML, for readers; what travelled was JSON."""
    try:
        text = json.dumps(
            body, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_day
        )
        return text.encode()
    except (TypeError, ValueError) as error:
        raise _Wrong(where, f"a body written as YAML has to be JSON: {error}") from None


def _day(value: object) -> str:
    """YAML takes a date for more than the text it is in JSON."""
    if not isinstance(value, date):
        raise TypeError(f"{type(value).__name__} is not")
    return str(value)


def _key(mapping: Json, name: str, where: Where) -> Json:
    found = _expect(mapping, dict, where)
    if name not in found:
        raise _Wrong(where, f"the key {name} is missing")
    return found[name]


T = TypeVar("T")
_NAMES: Mapping[type, str] = {dict: "a mapping", list: "a list", int: "a number", bytes: "text"}


def _expect(value: Json, kind: type[T], where: Where) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _Wrong(where, f"should be {_NAMES[kind]}, not {type(value).__name__}")
    return value
