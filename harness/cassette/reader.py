"""A cassette read from text, ours or another tool's; whatever is wrong with it, by its line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from math import isfinite
from typing import TypeVar

import yaml

from harness.cassette import fast_reader, yamls
from harness.cassette.artefacts import NAME
from harness.cassette.writer import HARNESS_FORMAT, VCRPY_FORMAT
from harness.cassette.yamls import Where
from harness.errors import BadCassette
from harness.types import (
    Artefact,
    Cassette,
    Exchange,
    LooseJson,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)
from harness.wire import compact


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
        return fast_reader.load(text)
    except fast_reader.NotCanonical:
        return by_yaml(text, source)


def by_yaml(text: str | bytes, source: str) -> Cassette:
    """The same by PyYAML, which reads every form."""
    try:
        document = yamls.load(text)
    except yaml.YAMLError as error:
        raise _not_yaml(error, source) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadCassette(f"not a cassette: {error}", source) from None
    try:
        return _cassette(document)
    except _Wrong as wrong:
        raise BadCassette(_told(wrong), source, yamls.line(text, wrong.where)) from None


def _not_yaml(error: yaml.YAMLError, source: str) -> BadCassette:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return BadCassette(f"not YAML: {problem}", source, mark.line + 1 if mark else None)


def _told(wrong: _Wrong) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in wrong.where)
    return f"{path.lstrip('.')}: {wrong.what}" if path else wrong.what


def _cassette(document: LooseJson) -> Cassette:
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


def _read_metadata(metadata: LooseJson) -> tuple[list[LooseJson], Provenance]:
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


def _provenance(facts: dict[str, LooseJson]) -> Provenance:
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
        test=_text_at(facts, "test"),
        note=_text_at(facts, "note"),
        sdk=_sdk(sdk) if sdk else None,
        script=_strings(facts, "script"),
        volatile=_strings(facts, "volatile"),
    )


def _sdk(sdk: dict[str, LooseJson]) -> Sdk:
    where = (*_METADATA, "sdk")
    return Sdk(*(_word(sdk.get(name, ""), (*where, name)) for name in ("name", "version")))


def _text_at(facts: dict[str, LooseJson], name: str) -> str:
    return _word(facts.get(name, ""), (*_METADATA, name))


def _strings(facts: dict[str, LooseJson], name: str) -> tuple[str, ...]:
    where = (*_METADATA, name)
    listed = _expect(facts.get(name, []), list, where)
    return tuple(_word(item, (*where, i)) for i, item in enumerate(listed))


def _exchange(item: LooseJson, where: Where, travel: LooseJson) -> Exchange:
    request = _expect(_key(item, "request", where), dict, (*where, "request"))
    response = _expect(_key(item, "response", where), dict, (*where, "response"))
    told = travel if isinstance(travel, dict) else {}
    return Exchange(
        request=_request(request, (*where, "request")),
        response=_response(response, (*where, "response")),
        timing=_timing(told),
        chunks=_chunks(told.get("chunks")),
        turn=told["turn"] if type(told.get("turn")) is int else None,
        key=told["key"] if isinstance(told.get("key"), str) else "",
    )


def _request(request: dict[str, LooseJson], where: Where) -> Request:
    return Request(
        method=_word(_key(request, "method", where), (*where, "method")),
        uri=_word(_key(request, "uri", where), (*where, "uri")),
        headers=_headers(request.get("headers"), (*where, "headers")),
        body=_bytes(request.get("body"), (*where, "body")),
    )


def _response(response: dict[str, LooseJson], where: Where) -> Response:
    status = _expect(_key(response, "status", where), dict, (*where, "status"))
    code = _expect(_key(status, "code", (*where, "status")), int, (*where, "status", "code"))
    body = _expect(_key(response, "body", where), dict, (*where, "body"))
    return Response(
        status=code,
        reason=_word(status.get("message") or "", (*where, "status", "message")),
        headers=_headers(response.get("headers"), (*where, "headers")),
        body=_bytes(body.get("string"), (*where, "body", "string")),
        artefact=_artefact(body, (*where, "body")) if "artefact" in body else None,
    )


def _artefact(body: dict[str, LooseJson], where: Where) -> Artefact:
    """The file that is the body. Its name is not trusted: it may be nothing but a hash."""
    name = _word(body["artefact"], (*where, "artefact"))
    if not NAME.fullmatch(name):
        said = f"{name!r:.80} is not the name of an artefact, <sha256>.<ending>: record anew"
        raise _Wrong((*where, "artefact"), said)
    if body.get("string"):
        raise _Wrong((*where, "string"), "a body is text or an artefact, not both: record anew")
    size = _expect(_key(body, "size", where), int, (*where, "size"))
    if size < 0:
        raise _Wrong((*where, "size"), f"should be a number of bytes, not {size}")
    return Artefact(name, size)


def _timing(told: dict[str, LooseJson]) -> Timing | None:
    try:
        started = datetime.fromisoformat(told["started_at"]).timestamp()
        first_byte, total = float(told["first_byte"]), float(told["total"])
        arrived = _arrived(told.get("arrived"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    sane = all(isfinite(time) and time >= 0 for time in (first_byte, total, *arrived))
    return Timing(started, first_byte, total, arrived) if sane else None


def _arrived(seconds: LooseJson) -> tuple[float, ...]:
    """When chunks came; older cassettes do not say."""
    told = seconds if isinstance(seconds, list) else []
    return tuple(float(second) for second in told)


def _chunks(chunks: LooseJson) -> tuple[int, ...]:
    sizes = chunks if isinstance(chunks, list) else []
    return tuple(size for size in sizes if isinstance(size, int) and size > 0)


def _headers(headers: LooseJson, where: Where) -> tuple[tuple[str, str], ...]:
    found = _expect({} if headers is None else headers, dict, where)
    pairs = []
    for name, values in found.items():
        word = _word(name, where)
        here = (*where, word)
        listed = values if isinstance(values, list) else [values]
        pairs += [(word, _word(value, here)) for value in listed]
    return tuple(pairs)


def _word(value: LooseJson, where: Where) -> str:
    """A short text; a number is taken for one, as people leave out quotes."""
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float | date) or type(value) is int:
        return str(value)
    raise _Wrong(where, f"should be text, not {type(value).__name__}")


def _bytes(body: LooseJson, where: Where) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, dict | list):
        return _json(body, where)
    return _expect(body, bytes, where)


def _json(body: LooseJson, where: Where) -> bytes:
    """A JSON body that a recorder wrote as YAML, for readers; what travelled was JSON."""
    try:
        return compact(body, allow_nan=False, default=_day).encode()
    except (TypeError, ValueError) as error:
        raise _Wrong(where, f"a body written as YAML has to be JSON: {error}") from None


def _day(value: object) -> str:
    """YAML takes a date for more than the text it is in JSON."""
    if not isinstance(value, date):
        raise TypeError(f"{type(value).__name__} is not")
    return str(value)


def _key(mapping: LooseJson, name: str, where: Where) -> LooseJson:
    found = _expect(mapping, dict, where)
    if name not in found:
        raise _Wrong(where, f"the key {name} is missing")
    return found[name]


T = TypeVar("T")
_NAMES: Mapping[type, str] = {dict: "a mapping", list: "a list", int: "a number", bytes: "text"}


def _expect(value: LooseJson, kind: type[T], where: Where) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _Wrong(where, f"should be {_NAMES[kind]}, not {type(value).__name__}")
    return value
