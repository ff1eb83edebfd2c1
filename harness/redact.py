"""Secrets taken out of what is to be kept, before the first byte reaches a disk.

Headers are kept by allow-list, known keys are replaced wherever they stand, and the signing
parameters of links are masked. Placeholders keep the form, so that an SDK still parses what is
left. Redacting twice changes nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import quote, quote_plus

from harness.errors import SecretLeft
from harness.types import Exchange, Request, Response

PLACEHOLDER = "REDACTED"

REQUEST_HEADERS = frozenset({"accept", "content-type", "x-accel-buffering"})
"""Request headers that are kept. User agents are not: they name the recorder's machine."""

RESPONSE_HEADERS = frozenset(
    {
        "content-length",
        "content-type",
        "date",
        "location",
        "retry-after",
        "server",
        "transfer-encoding",
        "x-request-id",
        "x-sandbox",
    }
)
"""Response headers that are kept: what rules and readers need, no cookie."""

_NAMES = (
    r"(?:OSSAccessKeyId|Signature|security-token"
    r"|X-(?:Amz|OSS)-(?:Credential|Signature|Security-Token))"
)
_BEFORE = r"(?:(?<![A-Za-z0-9_])|(?<=%26)|(?<=%3F)|(?<=\\u0026)|(?<=\\u003F))"
_SIGNED = re.compile(
    # As it is, or with = written as Java's and Go's JSON writers do; a value ends at any escape.
    rf"(?P<name>{_BEFORE}{_NAMES}(?:=|\\u003D))(?:[A-Za-z0-9+/=_.~-]|%[0-9A-F]{{2}}|\\u003D)+"
    # Inside another URL, where the value's own %2B stands as %252B.
    rf"|(?P<inner>{_BEFORE}{_NAMES}%3D)(?:[A-Za-z0-9_.~-]|%25[0-9A-F]{{2}}|%2[BF]|%3D)+",
    re.ASCII | re.IGNORECASE,
)
"""A parameter that signs a link, and its value. In bodies, bytes stand as one character each, so
that a letter of another alphabet must never be taken for a part of a word."""
_WORD = "[A-Za-z0-9_-]"
_JWT = re.compile(rf"eyJ{_WORD}{{4,}}\.{_WORD}{{4,}}\.{_WORD}{{4,}}")
_SCHEME = re.compile(r"\s*(Bearer|Basic)\s+\S", re.ASCII | re.IGNORECASE)
_SHORTEST = 8
"""Shorter texts are not taken for secrets: they stand in ordinary words."""


@dataclass(frozen=True)
class Redactor:
    """Takes the given secrets, and everything that looks like a signature, out of exchanges.

    `headers` are kept besides those every service has; their names are in lower case.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    headers: frozenset[str] = frozenset()
    _forms: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        long_enough = [secret for secret in self.secrets if len(secret) >= _SHORTEST]
        forms = {form for secret in long_enough for form in _forms(secret)}
        longest_first = sorted(sorted(forms), key=len, reverse=True)
        object.__setattr__(self, "_forms", tuple(longest_first))

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets. Raises SecretLeft if one is still to be seen."""
        self._refuse_compressed(exchange)
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
            if name.lower() in REQUEST_HEADERS | self.headers | {"authorization"}
        ]
        return replace(
            request,
            uri=self.text(request.uri),
            headers=tuple(kept),
            body=self.body(request.body),
        )

    def response(self, response: Response) -> Response:
        """The response without secrets; its content length is that of the body that is left."""
        body = self.body(response.body)
        length = None if body == response.body else str(len(body))
        kept = [
            (name, length if length and name.lower() == "content-length" else self.text(value))
            for name, value in response.headers
            if name.lower() in RESPONSE_HEADERS | self.headers
        ]
        reason = self.text(response.reason)
        return replace(response, reason=reason, headers=tuple(kept), body=body)

    def body(self, body: bytes) -> bytes:
        """A body without secrets; every other byte stays as it is."""
        return self.text(body.decode("latin-1"), _latin).encode("latin-1") if body else body

    def text(self, text: str, form: Callable[[str], str] = str) -> str:
        """A text without secrets."""
        for secret in self._forms:
            text = text.replace(form(secret), PLACEHOLDER)
        text = _SIGNED.sub(lambda m: f"{m['name'] or m['inner']}{PLACEHOLDER}", text)
        return _JWT.sub(PLACEHOLDER, text)

    def _refuse_compressed(self, exchange: Exchange) -> None:
        """What nobody can look into cannot be made safe."""
        coding = exchange.response.header("content-encoding") or "identity"
        if exchange.response.body and coding.lower() != "identity":
            raise SecretLeft(
                f"what {exchange.request.method} answered came in the content coding "
                f"{coding[:40]}, which could not be undone to look for secrets; "
                "nothing was written"
            )

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
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return {
        secret,
        *quoted,
        *(_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in quoted),
        *(json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)),
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        *(form for encode in _BASE64 for form in _encoded(secret.encode(), encode)),
    }


_ESCAPE = re.compile("%[0-9A-F]{2}")
_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)


def _encoded(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Base64 of the whole, and what it is inside a longer text, wherever it begins there."""
    yield encode(raw).decode()
    yield encode(raw).decode().rstrip("=")
    for before in range(3):
        text = encode(b"\0" * before + raw).decode()
        yield text[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
