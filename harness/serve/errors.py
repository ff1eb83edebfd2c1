"""Error responses of the server itself, in the form of the service that a request was meant for."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from harness.providers.clients import CLIENTS
from harness.providers.endpoints import ENDPOINTS
from harness.types import Json, Request
from harness.wire import tokens

HEADERS = {"x-harness-error": "1", "x-should-retry": "false"}
"""Headers of every such response; SDKs that read the second one do not ask again."""

_OPENAI = {"/error/type": "{code}", "/error/code": "{code}", "/error/message": "{message}"}


def error_response(request: Request, status: int, code: str, message: str) -> JSONResponse:
    """Return an error response with *code* and *message* where the service's clients expect them.

    The form is that of the endpoint with the path of *request*; unknown paths get OpenAI's form.
    """
    body: dict[str, Json] = {}
    for pointer, value in _members(urlsplit(request.uri).path).items():
        _set(body, pointer, value.format(code=code, message=message))
    return JSONResponse(body, status, HEADERS)


def _members(path: str) -> Mapping[str, str]:
    for client in CLIENTS:
        if client.error and client.paths.fullmatch(path):
            return client.error
    found = next((e for e in ENDPOINTS if e.path.fullmatch(path) and e.fields.message), None)
    if found is None:
        return _OPENAI
    return {found.fields.code[0]: "{code}", found.fields.message[0]: "{message}"}


def _set(body: dict[str, Json], pointer: str, value: Json) -> None:
    """Set the value at *pointer*; objects on the way are created."""
    *parents, last = tokens(pointer)
    for name in parents:
        child = body.setdefault(name, {})
        assert isinstance(child, dict)  # noqa: S101 - the pointers of errors have no arrays
        body = child
    body[last] = value
