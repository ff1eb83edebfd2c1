"""The reader of cassettes, written by the harness or by another tool; errors name the line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from math import isfinite
from typing import Any, TypeVar

import yaml

from harness.cassette import fast_reader, safe_yaml
from harness.cassette.artefacts import NAME
from harness.cassette.safe_yaml import KeyPath
from harness.cassette.writer import HARNESS_FORMAT, PROVENANCE_TEXTS, VCRPY_FORMAT
from harness.errors import BadCassette
from harness.types import (
    Artefact,
    Cassette,
    Exchange,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)
from harness.wire import compact


class _Invalid(Exception):
    """An invalid value in a cassette.

    Attributes:
        path: The keys and indices that lead to the value.
        problem: What is wrong with it.
    """

    def __init__(self, path: KeyPath, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem


def loads(text: str | bytes, source: str = "") -> Cassette:
    """Return the cassette in *text*, which is in vcrpy's format.

    Text in the exact form that the harness writes is read by `fast_reader`, any other by PyYAML.

    Raises:
        BadCassette: The text is empty, truncated or no cassette. The error names *source* and the
            line.
    """
    try:
        return fast_reader.load(text)
    except fast_reader.NotCanonical:
        return load_yaml(text, source)


def load_yaml(text: str | bytes, source: str) -> Cassette:
    """Return the cassette in *text*, read with PyYAML. Raises BadCassette (see `loads`)."""
    try:
        document = safe_yaml.load(text)
    except yaml.YAMLError as error:
        raise _not_yaml(error, source) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadCassette(f"not a cassette: {error}", source) from None
    try:
        return _cassette(document)
    except _Invalid as error:
        line = safe_yaml.line(text, error.path)
        raise BadCassette(_message(error), source, line) from None


def _not_yaml(error: yaml.YAMLError, source: str) -> BadCassette:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return BadCassette(f"not YAML: {problem}", source, mark.line + 1 if mark else None)


def _message(error: _Invalid) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.path)
    return f"{path.lstrip('.')}: {error.problem}" if path else error.problem


def _cassette(document: object) -> Cassette:
    if document is None:
        raise _Invalid((), "the file is empty; a cassette has the keys interactions and version")
    if not isinstance(document, dict) or "interactions" not in document:
        raise _Invalid((), "not a vcrpy cassette: the key interactions is missing")
    if "version" not in document:
        raise _Invalid((), "the file was cut off: the key version, which stands last, is missing")
    if document["version"] != VCRPY_FORMAT:
        version = document["version"]
        raise _Invalid(("version",), f"vcrpy format {version!r:.40}; this reads {VCRPY_FORMAT}")
    metadata, provenance = _read_metadata(document.get("metadata"))
    interactions = _expect(document["interactions"], list, ("interactions",))
    exchanges = [
        _exchange(item, ("interactions", i), metadata[i] if i < len(metadata) else {})
        for i, item in enumerate(interactions)
    ]
    return Cassette(tuple(exchanges), provenance)


_METADATA = ("metadata", "harness")


def _read_metadata(metadata: object) -> tuple[list[Any], Provenance]:
    ours = metadata.get("harness") if isinstance(metadata, dict) else None
    if ours is None:
        return [], Provenance()
    facts = _expect(ours, dict, _METADATA)
    if facts.get("format") != HARNESS_FORMAT:
        version = facts.get("format")
        raise _Invalid(
            (*_METADATA, "format"),
            f"harness format {version!r:.40}; this reads {HARNESS_FORMAT}: record it again",
        )
    exchanges = _expect(facts.get("exchanges", []), list, (*_METADATA, "exchanges"))
    return exchanges, _provenance(facts)


def _provenance(facts: dict[str, Any]) -> Provenance:
    origin = facts.get("recorded_from", Origin.UNKNOWN.value)
    if origin not in [o.value for o in Origin]:
        allowed = ", ".join(o.value for o in Origin)
        raise _Invalid((*_METADATA, "recorded_from"), f"{origin!r:.40}; allowed: {allowed}")
    sdk = _expect(facts.get("sdk", {}), dict, (*_METADATA, "sdk"))
    return Provenance(
        recorded_from=Origin(origin),
        sdk=_sdk(sdk) if sdk else None,
        script=_strings(facts, "script"),
        volatile=_strings(facts, "volatile"),
        **{name: _word(facts.get(name, ""), (*_METADATA, name)) for name in PROVENANCE_TEXTS},
    )


def _sdk(sdk: dict[str, Any]) -> Sdk:
    path = (*_METADATA, "sdk")
    return Sdk(*(_word(sdk.get(name, ""), (*path, name)) for name in ("name", "version")))


def _strings(facts: dict[str, Any], name: str) -> tuple[str, ...]:
    path = (*_METADATA, name)
    listed = _expect(facts.get(name, []), list, path)
    return tuple(_word(item, (*path, i)) for i, item in enumerate(listed))


def _exchange(item: object, path: KeyPath, metadata: object) -> Exchange:
    request = _expect(_key(item, "request", path), dict, (*path, "request"))
    response = _expect(_key(item, "response", path), dict, (*path, "response"))
    facts = metadata if isinstance(metadata, dict) else {}
    return Exchange(
        request=_request(request, (*path, "request")),
        response=_response(response, (*path, "response")),
        timing=_timing(facts),
        chunks=_chunks(facts.get("chunks")),
        turn=facts["turn"] if type(facts.get("turn")) is int else None,
        key=facts["key"] if isinstance(facts.get("key"), str) else "",
    )


def _request(request: dict[str, Any], path: KeyPath) -> Request:
    return Request(
        method=_word(_key(request, "method", path), (*path, "method")),
        uri=_word(_key(request, "uri", path), (*path, "uri")),
        headers=_headers(request.get("headers"), (*path, "headers")),
        body=_bytes(request.get("body"), (*path, "body")),
    )


def _response(response: dict[str, Any], path: KeyPath) -> Response:
    status = _expect(_key(response, "status", path), dict, (*path, "status"))
    code = _expect(_key(status, "code", (*path, "status")), int, (*path, "status", "code"))
    body = _expect(_key(response, "body", path), dict, (*path, "body"))
    return Response(
        status=code,
        reason=_word(status.get("message") or "", (*path, "status", "message")),
        headers=_headers(response.get("headers"), (*path, "headers")),
        body=_bytes(body.get("string"), (*path, "body", "string")),
        artefact=_artefact(body, (*path, "body")) if "artefact" in body else None,
    )


def _artefact(body: dict[str, Any], path: KeyPath) -> Artefact:
    """Return the artefact that replaces a response body.

    Its name has to be a bare `<sha256>.<extension>`, without any path.
    """
    name = _word(body["artefact"], (*path, "artefact"))
    if not NAME.fullmatch(name):
        problem = f"{name!r:.80} is not the name of an artefact, <sha256>.<ending>: record it again"
        raise _Invalid((*path, "artefact"), problem)
    if body.get("string"):
        raise _Invalid(
            (*path, "string"), "a body is text or an artefact, not both: record it again"
        )
    size = _expect(_key(body, "size", path), int, (*path, "size"))
    if size < 0:
        raise _Invalid((*path, "size"), f"should be a number of bytes, not {size}")
    return Artefact(name, size)


def _timing(facts: dict[str, Any]) -> Timing | None:
    try:
        started = datetime.fromisoformat(facts["started_at"]).timestamp()
        first_byte, total = float(facts["first_byte"]), float(facts["total"])
        arrived = _arrived(facts.get("arrived"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    is_valid = all(isfinite(time) and time >= 0 for time in (first_byte, total, *arrived))
    return Timing(started, first_byte, total, arrived) if is_valid else None


def _arrived(seconds: object) -> tuple[float, ...]:
    """Return the arrival times of chunks; empty for older cassettes, which have none."""
    return tuple(map(float, seconds if isinstance(seconds, list) else []))


def _chunks(chunks: object) -> tuple[int, ...]:
    sizes = chunks if isinstance(chunks, list) else []
    return tuple(size for size in sizes if isinstance(size, int) and size > 0)


def _headers(headers: object, path: KeyPath) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, values in _expect({} if headers is None else headers, dict, path).items():
        word = _word(name, path)
        here = (*path, word)
        listed = values if isinstance(values, list) else [values]
        pairs += [(word, _word(value, here)) for value in listed]
    return tuple(pairs)


def _word(value: object, path: KeyPath) -> str:
    """Return *value* as text; numbers and dates are converted, since people leave out quotes.

    Raises _Invalid for another type.
    """
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float | date) or type(value) is int:
        return str(value)
    raise _Invalid(path, f"should be text, not {type(value).__name__}")


def _bytes(body: object, path: KeyPath) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, dict | list):
        return _json(body, path)
    return _expect(body, bytes, path)


def _json(body: object, path: KeyPath) -> bytes:
    """Return the JSON text of a body that another tool wrote as a YAML mapping or list."""
    try:
        return compact(body, allow_nan=False, default=_date).encode()
    except (TypeError, ValueError) as error:
        raise _Invalid(path, f"a body written as YAML has to be JSON: {error}") from None


def _date(value: object) -> str:
    """Return the text of a date, which YAML makes of unquoted text. Raises TypeError otherwise."""
    if not isinstance(value, date):
        raise TypeError(f"{type(value).__name__} is not")
    return str(value)


def _key(mapping: object, name: str, path: KeyPath) -> object:
    values = _expect(mapping, dict, path)
    if name not in values:
        raise _Invalid(path, f"the key {name} is missing")
    return values[name]


T = TypeVar("T")
_NAMES: Mapping[type, str] = {dict: "a mapping", list: "a list", int: "a number", bytes: "text"}


def _expect(value: object, kind: type[T], path: KeyPath) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _Invalid(path, f"should be {_NAMES[kind]}, not {type(value).__name__}")
    return value
