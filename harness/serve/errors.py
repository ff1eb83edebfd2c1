"""Error responses of the server itself, in the form of the service that a request was meant for."""

from __future__ import annotations

from starlette.responses import JSONResponse

from harness.providers.error_bodies import error_body
from harness.types import Request

HEADERS = {"x-harness-error": "1", "x-should-retry": "false"}
"""Headers of every such response; SDKs that read the second one do not ask again."""


def error_response(request: Request, status: int, code: str, message: str) -> JSONResponse:
    """Return an error response with *code* and *message* where clients expect them."""
    return JSONResponse(error_body(request, code, message), status, HEADERS)
