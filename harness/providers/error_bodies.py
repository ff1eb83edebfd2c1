"""Error bodies that do not come from a service, in the form that its clients expect."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from harness.analysis.edit import put
from harness.providers.clients import CLIENTS
from harness.providers.endpoints import ENDPOINTS
from harness.types import Json, Request

_OPENAI = {"/error/type": "{code}", "/error/code": "{code}", "/error/message": "{message}"}


def error_body(request: Request, code: str, message: str, status: int = 0) -> Json:
    """Return a body with *code* and *message* where the service's clients expect them.

    The form is that of the endpoint with the path of *request*; unknown paths get OpenAI's form. If
    the endpoint has a code of its own for *status*, it takes the place of *code*.
    """
    path = urlsplit(request.uri).path
    found = next((e for e in ENDPOINTS if e.path.fullmatch(path) and e.fields.message), None)
    statuses = found.statuses if found else {}
    code = next((name for name, known in statuses.items() if status in known), code)
    body: Json = {}
    for pointer, value in _members(path).items():
        body = put(body, pointer, value.format(code=code, message=message))
    return body


def _members(path: str) -> Mapping[str, str]:
    for client in CLIENTS:
        if client.error and client.paths.fullmatch(path):
            return client.error
    found = next((e for e in ENDPOINTS if e.path.fullmatch(path) and e.fields.message), None)
    if found is None:
        return _OPENAI
    return {found.fields.code[0]: "{code}", found.fields.message[0]: "{message}"}
