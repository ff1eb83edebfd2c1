"""The reader of cassettes, written by the harness or by another tool; errors name the line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from harness.cassette import fast_reader, foreign, safe_yaml
from harness.cassette.artefacts import FILE_NAME
from harness.cassette.foreign import json_bytes, key
from harness.cassette.safe_yaml import Invalid, KeyPath, expect, line_of, problem_of
from harness.cassette.writer import HARNESS_FORMAT, LATEST, PROVENANCE_TEXTS, VCRPY_FORMAT
from harness.errors import BadCassette, UnversionedCassetteWarning
from harness.types import (
    Artefact,
    BrokenOff,
    Cassette,
    CodedBody,
    Exchange,
    NetworkError,
    Origin,
    Provenance,
    Request,
    Response,
    Sdk,
    Timing,
)
from harness.wire.http import is_address

if TYPE_CHECKING:
    import yaml


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
    """Return the cassette in *text*, read with PyYAML.

    Raises BadCassette, which names *source* and the line, if the text is no cassette.
    """
    import yaml

    try:
        document = safe_yaml.load(text)
    except yaml.YAMLError as error:
        not_yaml = BadCassette(_not_yaml(text, error), source, line_of(error))
        raise _conflict(text, source) or not_yaml from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadCassette(f"not a cassette: {error}", source) from None
    try:
        return _cassette(document, text, source)
    except Invalid as error:
        line = safe_yaml.line_at(text, error.path)
        raise BadCassette(_message(error), source, line) from None


_OTHER_FILES: Mapping[bytes, str] = {
    b"\x1f\x8b": "compressed with gzip: unpack it",
    b"PK\x03\x04": "a zip archive: unpack it",
    b"version https://git-lfs.": "a pointer of Git LFS: run `git lfs pull`",
    b"<": "a page of HTML or XML",
}
"""What other files are whose names may end as those of cassettes do, by their first bytes."""


def _other_file(text: str | bytes) -> str:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return next((what for start, what in _OTHER_FILES.items() if raw.startswith(start)), "")


def _not_yaml(text: str | bytes, error: yaml.YAMLError) -> str:
    """Return why a text is not YAML, which is in UTF-8 or UTF-16."""
    if what := _other_file(text):
        return f"not a cassette: {what}"
    try:
        if isinstance(text, bytes) and not text.startswith((b"\xff\xfe", b"\xfe\xff")):
            text.decode()
    except UnicodeDecodeError as wrong:
        return f"not YAML: not UTF-8 (at byte {wrong.start})"
    return f"not YAML: {problem_of(error)}"


_MARKER = re.compile(rb"^(?:<{7}|>{7}|\|{7}) .*\n?|^={7}\n", re.MULTILINE)


def _conflict(text: str | bytes, source: str) -> BadCassette | None:
    """Return the error for a text with the markers of a merge conflict; None without them."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    marker = _MARKER.search(raw)
    if marker is None:
        return None
    message = "a merge conflict: keep one of the two recordings, or record it again"
    return BadCassette(message, source, raw.count(b"\n", 0, marker.start()) + 1)


def _message(error: Invalid) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.path)
    return f"{path.lstrip('.')}: {error.problem}" if path else error.problem


def _cassette(document: object, text: str | bytes, source: str) -> Cassette:
    if document is None:
        raise Invalid((), "the file is empty; a cassette has the keys interactions and version")
    if isinstance(document, list) and "request" in next(_mappings(document), ()):
        raise Invalid((), "a cassette of vcrpy before 1.0: harness import reads it")
    if not isinstance(document, dict) or "interactions" not in document:
        raise Invalid((), _not_a_cassette(document, text))
    foreign.known_top(document)
    if "version" not in document:
        _refuse_cut_off(document, text)
    elif not _is_read(document):
        version = document["version"]
        raise Invalid(("version",), f"vcrpy format {version!r:.40}; this reads {VCRPY_FORMAT}")
    metadata, provenance = _read_metadata(document.get("metadata"))
    interactions = expect(document["interactions"], list, ("interactions",))
    exchanges = [
        _exchange(item, ("interactions", i), metadata[i] if i < len(metadata) else {})
        for i, item in enumerate(_taken(interactions))
    ]
    if "version" not in document:
        warnings.warn(f"{source}: {_NO_VERSION}", UnversionedCassetteWarning, stacklevel=2)
    return Cassette(tuple(exchanges), provenance)


def _taken(items: list[Any]) -> Iterator[Any]:
    """Yield each of *items*, and replace it in the list by None.

    So the memory of an item is free as soon as the caller no longer uses it.
    """
    for index, item in enumerate(items):
        items[index] = None
        yield item


def _mappings(items: list[Any]) -> Iterator[dict[Any, Any]]:
    return (item for item in items if isinstance(item, dict))


_CUT_OFF = "the file was cut off: the key version, which stands last, is missing"
_NO_VERSION = (
    "there is no key version, which most recorders write last; the file is read as it is, and "
    "exchanges may be missing at its end"
)


def _not_a_cassette(document: object, text: str | bytes) -> str:
    named = document.keys() if isinstance(document, dict) else ()
    what = next((foreign.STRANGERS[name] for name in named if name in foreign.STRANGERS), "")
    what = what or _other_file(text)
    return f"not a vcrpy cassette: {what or 'the key interactions is missing'}"


def _is_read(document: dict[str, Any]) -> bool:
    """Return whether the version of a cassette is one that is read: 1, or 2 of go-vcr."""
    version, interactions = document["version"], document["interactions"]
    is_go = version == 2 and isinstance(interactions, list) and foreign.is_go(interactions)
    return is_go or (version == VCRPY_FORMAT and not isinstance(version, bool))


def _refuse_cut_off(document: dict[str, Any], text: str | bytes) -> None:
    """Raise Invalid if a cassette without the key version is one that was cut off.

    All of ours have the key. In those of others an exchange that is not complete, or a last line
    without an end, shows it; JSON that was cut off cannot be read in the first place.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    has_end = raw.endswith(b"\n") or raw.startswith(b"{")
    if _is_ours(document) or not has_end:
        raise Invalid((), _CUT_OFF)
    items = document["interactions"]
    if isinstance(items, list) and items:
        try:
            _exchange(items[-1], ("interactions", len(items) - 1), {})
        except Invalid:
            raise Invalid((), _CUT_OFF) from None


def _is_ours(document: dict[str, Any]) -> bool:
    metadata = document.get("metadata")
    return isinstance(metadata, dict) and "harness" in metadata


_METADATA = ("metadata", "harness")


def _read_metadata(metadata: object) -> tuple[list[Any], Provenance]:
    ours = metadata.get("harness") if isinstance(metadata, dict) else None
    if ours is None:
        return [], Provenance()
    facts = expect(ours, dict, _METADATA)
    if facts.get("format") != HARNESS_FORMAT:
        version = facts.get("format")
        raise Invalid(
            (*_METADATA, "format"),
            f"harness format {version!r:.40}; this reads {HARNESS_FORMAT}: record it again",
        )
    exchanges = expect(facts.get("exchanges", []), list, (*_METADATA, "exchanges"))
    return exchanges, _provenance(facts)


def _provenance(facts: dict[str, Any]) -> Provenance:
    origin = facts.get("recorded_from", Origin.UNKNOWN.value)
    if origin not in [o.value for o in Origin]:
        allowed = ", ".join(o.value for o in Origin)
        raise Invalid((*_METADATA, "recorded_from"), f"{origin!r:.40}; allowed: {allowed}")
    sdk = expect(facts.get("sdk", {}), dict, (*_METADATA, "sdk"))
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
    listed = expect(facts.get(name, []), list, path)
    return tuple(_word(item, (*path, i)) for i, item in enumerate(listed))


def _exchange(item: object, path: KeyPath, metadata: object) -> Exchange:
    request, response = foreign.as_vcrpy(item, path)
    facts = metadata if isinstance(metadata, dict) else {}
    return Exchange(
        request=_request(request, (*path, "request")),
        response=_response(response, (*path, "response")),
        timing=_timing(facts),
        chunks=_chunks(facts.get("chunks")),
        turn=facts["turn"] if type(facts.get("turn")) is int else None,
        key=facts["key"] if isinstance(facts.get("key"), str) else "",
        coded=_coded_body(facts.get("coded")),
        broken_off=_broken_off(facts),
    )


def _coded_body(coded: object) -> CodedBody | None:
    if not isinstance(coded, dict) or not isinstance(coded.get("coding"), str):
        return None
    body, length = coded.get("body"), coded.get("length")
    return CodedBody(
        coded["coding"],
        body if isinstance(body, bytes) else b"",
        _chunks(coded.get("chunks")),
        length if type(length) is int and length >= 0 else None,
    )


def _broken_off(facts: dict[str, Any]) -> BrokenOff | None:
    """Return the network failure that ended an exchange; None if it names no known kind."""
    try:
        return BrokenOff(NetworkError(str(facts.get("broken_off"))), str(facts.get("message", "")))
    except ValueError:
        return None


def _request(request: dict[str, Any], path: KeyPath) -> Request:
    uri = _word(key(request, "uri", path), (*path, "uri"))
    if not is_address(uri):
        raise Invalid((*path, "uri"), f"{uri!r:.80} is not an address")
    return Request(
        method=_word(key(request, "method", path), (*path, "method")),
        uri=uri,
        headers=_headers(request.get("headers"), (*path, "headers")),
        body=_bytes(request.get("body"), (*path, "body")),
    )


def _response(response: dict[str, Any], path: KeyPath) -> Response:
    status = expect(key(response, "status", path), dict, (*path, "status"))
    code = expect(key(status, "code", (*path, "status")), int, (*path, "status", "code"))
    body = expect(key(response, "body", path), dict, (*path, "body"))
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
    if not FILE_NAME.fullmatch(name):
        problem = f"{name!r:.80} is not the name of an artefact, <sha256>.<ending>: record it again"
        raise Invalid((*path, "artefact"), problem)
    if body.get("string"):
        raise Invalid((*path, "string"), "a body is text or an artefact, not both: record it again")
    size = expect(key(body, "size", path), int, (*path, "size"))
    if size < 0:
        raise Invalid((*path, "size"), f"should be a number of bytes, not {size}")
    return Artefact(name, size)


def _timing(facts: dict[str, Any]) -> Timing | None:
    try:
        started = datetime.fromisoformat(facts["started_at"]).timestamp()
        first_byte, total = float(facts["first_byte"]), float(facts["total"])
        arrived = _arrived(facts.get("arrived"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    are_times = all(isfinite(time) and time >= 0 for time in (first_byte, total, *arrived))
    is_valid = are_times and 0 <= started <= LATEST
    return Timing(started, first_byte, total, arrived) if is_valid else None


def _arrived(seconds: object) -> tuple[float, ...]:
    """Return the arrival times of chunks; empty for older cassettes, which have none."""
    return tuple(map(float, seconds if isinstance(seconds, list) else []))


def _chunks(chunks: object) -> tuple[int, ...]:
    sizes = chunks if isinstance(chunks, list) else []
    return tuple(size for size in sizes if isinstance(size, int) and size > 0)


def _headers(headers: object, path: KeyPath) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, values in expect({} if headers is None else headers, dict, path).items():
        word = _word(name, path)
        here = (*path, word)
        listed = values if isinstance(values, list) else [values]
        pairs += [(word, _header_value(value, here)) for value in listed]
    return tuple(pairs)


def _header_value(value: object, path: KeyPath) -> str:
    """Return the value of a header; YAML reads an empty one as null, and `true` as a boolean."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return _word(value, path)


def _word(value: object, path: KeyPath) -> str:
    """Return *value* as text; numbers and dates are converted, since people leave out quotes.

    Raises Invalid for another type.
    """
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float | date) or type(value) is int:
        return str(value)
    raise Invalid(path, f"expected text, actual {type(value).__name__}")


def _bytes(body: object, path: KeyPath) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, dict | list):
        return json_bytes(body, path)
    return expect(body, bytes, path)
