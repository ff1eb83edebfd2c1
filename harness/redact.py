"""Secrets taken out of what is to be kept, before the first byte reaches a disk.

Headers are kept by allow-list, known keys are replaced wherever they stand, and the signing
parameters of links are masked. Placeholders keep the form, so that an SDK still parses what is
left. Redacting twice changes nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote, quote_plus

from harness.errors import SecretLeft
from harness.types import Exchange, Request, Response

PLACEHOLDER = "REDACTED"

REQUEST_HEADERS = frozenset(
    {
        "accept",
        "content-type",
        "x-accel-buffering",
        "x-dashscope-async",
        "x-dashscope-sse",
    }
)
"""Request headers that are kept. User agents are not: they name the recorder's machine."""

RESPONSE_HEADERS = frozenset(
    {
        "content-length",
        "content-type",
        "date",
        "req-arrive-time",
        "req-cost-time",
        "resp-start-time",
        "retry-after",
        "server",
        "transfer-encoding",
        "x-dashscope-call-gateway",
        "x-dashscope-finished",
        "x-dashscope-timeout",
        "x-envoy-upstream-service-time",
        "x-log-id",
        "x-request-id",
        "x-sandbox",
    }
)
"""Response headers that are kept: what rules and readers need, no cookie."""

_SIGNED = re.compile(
    r"(?i)\b(OSSAccessKeyId|Signature|security-token|X-Amz-(?:Credential|Signature|Security-Token)"
    r"|X-OSS-(?:Credential|Signature|Security-Token))(=|%3D)"
    r"(?!" + PLACEHOLDER + r"\b)[^&\s\"'\\<>]+"
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}")
_SCHEME = re.compile(r"^\s*(\w+)\s+\S")
_SHORTEST = 8
"""Shorter texts are not taken for secrets: they stand in ordinary words."""


@dataclass(frozen=True)
class Redactor:
    """Takes the given secrets, and everything that looks like a signature, out of exchanges."""

    secrets: tuple[str, ...] = ()
    _forms: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        forms = {form for secret in self.secrets for form in _forms(secret)}
        longest_first = sorted((f for f in forms if len(f) >= _SHORTEST), key=len, reverse=True)
        object.__setattr__(self, "_forms", tuple(longest_first))

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets. Raises SecretLeft if one is still to be seen."""
        clean = replace(
            exchange,
            request=self.request(exchange.request),
            response=self.response(exchange.response),
        )
        if clean.response.body != exchange.response.body:
            clean = replace(clean, chunks=())
        self._prove(clean)
        return clean

    def request(self, request: Request) -> Request:
        """The request without secrets; `authorization` keeps its scheme."""
        kept = [
            (name, _credentials(value) if name.lower() == "authorization" else self.text(value))
            for name, value in request.headers
            if name.lower() in REQUEST_HEADERS or name.lower() == "authorization"
        ]
        return replace(
            request,
            uri=self.text(request.uri),
            headers=tuple(kept),
            body=self.body(request.body),
        )

    def response(self, response: Response) -> Response:
        """The response without secrets."""
        kept = [
            (name, self.text(value))
            for name, value in response.headers
            if name.lower() in RESPONSE_HEADERS
        ]
        return replace(response, headers=tuple(kept), body=self.body(response.body))

    def body(self, body: bytes) -> bytes:
        """A body without secrets; every other byte stays as it is."""
        return self.text(body.decode("latin-1"), _latin).encode("latin-1") if body else body

    def text(self, text: str, form: Callable[[str], str] = str) -> str:
        """A text without secrets."""
        for secret in self._forms:
            text = text.replace(form(secret), PLACEHOLDER)
        text = _SIGNED.sub(rf"\1\2{PLACEHOLDER}", text)
        return _JWT.sub(PLACEHOLDER, text)

    def _prove(self, exchange: Exchange) -> None:
        """Look once more at all that would be written."""
        request, response = exchange.request, exchange.response
        headers = [*request.headers, *response.headers]
        texts = [request.uri, response.reason, *(v for _, v in headers)]
        bodies = (request.body, response.body)
        for secret in self._forms:
            raw = secret.encode()
            if any(secret in text for text in texts) or any(raw in body for body in bodies):
                raise SecretLeft(
                    f"a key would still be readable in what {request.method} answered; "
                    "nothing was written"
                )


def _latin(text: str) -> str:
    """A text's UTF-8 bytes as one character each."""
    return text.encode().decode("latin-1")


def _credentials(value: str) -> str:
    scheme = _SCHEME.match(value)
    return f"{scheme[1]} {PLACEHOLDER}" if scheme else PLACEHOLDER


def _forms(secret: str) -> set[str]:
    """A secret as it may be written: as it is, escaped for URLs and JSON, in base64."""
    raw = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
