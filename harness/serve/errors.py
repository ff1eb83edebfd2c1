"""Error responses of the server itself, in the form of the service that a request was meant for."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from harness.providers.endpoints import ENDPOINTS
from harness.types import Json, Request
from harness.wire import tokens

HEADERS = {"x-harness-error": "1", "x-should-retry": "false"}
"""Headers of every such response; SDKs that read the second one do not ask again."""

_OPENAI = (("/error/code",), ("/error/message",))


def error_response(request: Request, status: int, code: str, message: str) -> JSONResponse:
    """Return an error response with *code* and *message* where the service's clients expect them.

    The form is that of the endpoint with the path of *request*; unknown paths get OpenAI's form.
    """
    path = urlsplit(request.uri).path
    found = next((e for e in ENDPOINTS if e.path.fullmatch(path) and e.fields.message), None)
    body: dict[str, Json] = {}
    if found is None:
        _set(body, "/error/type", code)
    codes, messages = (found.fields.code, found.fields.message) if found else _OPENAI
    _set(body, codes[0], code)
    _set(body, messages[0], message)
    return JSONResponse(body, status, HEADERS)


def _set(body: dict[str, Json], pointer: str, value: Json) -> None:
    """Set the value at *pointer*; objects on the way are created."""
    *parents, last = tokens(pointer)
    for name in parents:
        child = body.setdefault(name, {})
        assert isinstance(child, dict)  # noqa: S101 - the pointers of errors have no arrays
        body = child
    body[last] = value
