"""Interactions as other tools write them, converted to the form of vcrpy.

| Form | Recognized by |
|---|---|
| vcrpy 4 and 5 with httpx | `status_code` in the response; `content` is the body |
| pydantic-ai | `parsed_body` in place of a body that is JSON |
| cassetter | a `status` that is a number; a body is `type` and `content` |
| go-vcr | `url` in the request; `code` in the response, whose body is text |
| betamax, VCR for Ruby | `base64_string` or `encoding` in a body |

A key that none of these forms has is an error: it may hold what the client has sent or read.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from datetime import date
from http import HTTPStatus
from typing import Any

from harness.cassette.safe_yaml import Invalid, KeyPath, expect
from harness.wire import compact

STRANGERS: Mapping[str, str] = {
    "http_interactions": "a cassette of betamax or of VCR for Ruby",
    "log": "an HTTP archive (HAR)",
    "requests": "a cassette of LangChain's tests: harness import reads it",
    "steps": "a scenario",
    "turns": "a scenario",
    "openapi": "a description of an API (OpenAPI)",
    "services": "a file for Docker Compose",
}
"""Files that are taken for cassettes, by a key of theirs."""

_TOP = ("interactions", "version", "metadata")
_WITHOUT_HTTP = ("grpc_interactions", "ws_interactions")
_INTERACTION = ("request", "response")
_REQUEST = ("method", "uri", "headers", "body", "parsed_body")
_RESPONSE = ("status", "headers", "body", "parsed_body")
_BODY = ("string", "artefact", "size", "base64_string", "encoding")
_GO = ("proto", "proto_major", "proto_minor", "content_length", "transfer_encoding", "trailer")
_NOTES_OF_OTHERS = {
    "interaction": ("id", "recorded_at"),
    "request": (*_GO, "host", "remote_addr", "request_uri", "form"),
    "response": (*_GO, "uncompressed", "duration", "url", "protocol", "http_version"),
}
"""Keys that repeat what other keys say, or that describe the connection; they are not kept."""


def known_top(document: dict[Any, Any]) -> None:
    """Raise Invalid if *document*, a cassette's whole content, has an unknown key.

    Exchanges of gRPC and WebSocket, which are not supported, are refused too.
    """
    for name in _WITHOUT_HTTP:
        if document.get(name):
            raise Invalid((name,), "exchanges of gRPC and WebSocket (cassetter) are not read")
    _refuse_unknown(document, (*_TOP, *_WITHOUT_HTTP), ())


def is_go(interactions: list[Any]) -> bool:
    """Return whether the first interaction has the form of go-vcr."""
    first = interactions[0] if interactions else None
    request = first.get("request") if isinstance(first, dict) else None
    return isinstance(request, dict) and "url" in request and "uri" not in request


def as_vcrpy(item: object, path: KeyPath) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the request and the response of *item*, an interaction, in the form of vcrpy.

    *path* leads to the interaction in the file, for errors. Raises Invalid for a key that no known
    form has, for a missing key, and for a value of the wrong type.
    """
    request, response = (
        expect(key(item, name, path), dict, (*path, name)) for name in _INTERACTION
    )
    known = (*_INTERACTION, *_NOTES_OF_OTHERS["interaction"])
    _refuse_unknown(expect(item, dict, path), known, path)
    is_typed = type(response.get("status")) is int and "code" not in response  # as in go-vcr
    if "code" in response and request.get("method") == "":  # Go then sends GET
        request = {**request, "method": "GET"}
    return (
        _request(request, is_typed, (*path, "request")),
        _response(response, is_typed, (*path, "response")),
    )


def _request(request: dict[str, Any], is_typed: bool, path: KeyPath) -> dict[str, Any]:
    if "url" in request and "uri" not in request:
        request = {("uri" if name == "url" else name): value for name, value in request.items()}
    for name in ("method", "uri"):
        key(request, name, path)
    _refuse_unknown(request, (*_REQUEST, *_NOTES_OF_OTHERS["request"]), path)
    body = request.get("body")
    if "parsed_body" in request:
        body = json_bytes(request["parsed_body"], (*path, "parsed_body"))
    elif is_typed:
        body = _typed(body, (*path, "body"))
    elif isinstance(body, dict) and body and body.keys() <= set(_BODY[3:]) | {"string"}:
        body = _stringed(body, (*path, "body")).get("string")
    return {**request, "body": body}


def _response(response: dict[str, Any], is_typed: bool, path: KeyPath) -> dict[str, Any]:
    if "status_code" in response:
        response = _of_old_httpx(response, path)
    elif "code" in response:
        response = _of_go(response, path)
    elif is_typed:
        typed = {"string": _typed(response.get("body"), (*path, "body"))}
        response = {**response, "status": _status(response["status"]), "body": typed}
    _refuse_unknown(response, (*_RESPONSE, *_NOTES_OF_OTHERS["response"]), path)
    if "parsed_body" in response:
        parsed = json_bytes(response["parsed_body"], (*path, "parsed_body"))
        return {**response, "body": {"string": parsed}}
    body = key(response, "body", path)
    if body is None:
        return {**response, "body": {"string": None}}
    body = expect(body, dict, (*path, "body"))
    _refuse_unknown(body, _BODY, (*path, "body"))
    return {**response, "body": _stringed(body, (*path, "body"))}


def _of_old_httpx(response: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    rest = {name: response[name] for name in response if name not in ("status_code", "content")}
    body = {"string": key(response, "content", path)}
    return {**rest, "status": _status(response["status_code"]), "body": body}


def _of_go(response: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    rest = {name: response[name] for name in response if name != "code"}
    reason = str(response.get("status") or "").removeprefix(str(response["code"])).strip()
    status = {"code": response["code"], "message": reason}
    return {**rest, "status": status, "body": {"string": key(response, "body", path)}}


def _status(code: object) -> dict[str, object]:
    """Return vcrpy's status for a status code, with the reason phrase that belongs to it."""
    phrases = {status.value: status.phrase for status in HTTPStatus}
    return {"code": code, "message": phrases.get(code, "") if type(code) is int else ""}


def _typed(body: object, path: KeyPath) -> bytes | None:
    """Return the bytes of a body of cassetter: `type` and `content`."""
    typed = expect({"type": "none"} if body is None else body, dict, path)
    kind, content = key(typed, "type", path), typed.get("content")
    _refuse_unknown(typed, ("type", "content"), path)
    if kind == "json":
        return json_bytes(content, (*path, "content"))
    if kind == "none":
        return None
    if kind not in ("text", "binary"):
        raise Invalid((*path, "type"), f"{kind!r:.40}; allowed: json, text, binary, none")
    text = expect(content, str, (*path, "content"))
    try:
        return text.encode("utf-8", "surrogatepass") if kind == "text" else bytes.fromhex(text)
    except ValueError:
        raise Invalid((*path, "content"), "a binary body has to be hexadecimal") from None


def _stringed(body: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """Return a body without the keys `base64_string` and `encoding` of betamax."""
    if "base64_string" in body:
        packed = expect(body["base64_string"], str, (*path, "base64_string"))
        try:
            return {"string": base64.b64decode(packed)}
        except ValueError:
            raise Invalid((*path, "base64_string"), "is not base64") from None
    encoding, text = body.get("encoding"), body.get("string")
    if encoding and isinstance(text, str):
        try:
            return {"string": text.encode(str(encoding))}
        except (LookupError, UnicodeError):
            raise Invalid((*path, "encoding"), f"{encoding!r:.40} does not fit the body") from None
    return {name: value for name, value in body.items() if name != "encoding"}


def _refuse_unknown(mapping: dict[Any, Any], known: Collection[str], path: KeyPath) -> None:
    for name in mapping:
        if name not in known:
            problem = f"unknown key {str(name)!r:.60}; known here: {', '.join(known)}"
            raise Invalid((*path, str(name)), problem)


def json_bytes(body: object, path: KeyPath) -> bytes:
    """Return *body*, which another tool wrote as YAML, as JSON text.

    *path* leads to the body in the file, for errors. Raises Invalid for a value that JSON does not
    have.
    """
    try:
        return compact(body, allow_nan=False, default=_date).encode()
    except (TypeError, ValueError) as error:
        raise Invalid(path, f"a body written as YAML has to be JSON: {error}") from None


def _date(value: object) -> str:
    """Return the text of a date, which YAML makes of unquoted text. Raises TypeError otherwise."""
    if not isinstance(value, date):
        raise TypeError(f"{type(value).__name__} is not")
    return str(value)


def key(mapping: object, name: str, path: KeyPath) -> object:
    """Return the value of the key *name* in *mapping*.

    *path* leads to the mapping in the file, for errors. Raises Invalid if *mapping* is no mapping
    or has no such key.
    """
    values = expect(mapping, dict, path)
    if name not in values:
        raise Invalid(path, f"the key {name} is missing")
    return values[name]
