"""Removal of secrets from exchanges before they are written.

Request headers are kept by allow-list, response headers unless they are about the connection.
Known keys are replaced wherever they occur; cookies, and parameters that sign links, are masked.
Placeholders keep the structure, so that an SDK can still parse the result. Redacting twice changes
nothing. If a key can still be read in the result, it is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from harness.errors import SecretNotRedacted
from harness.secrets.shapes import (
    MIN_LENGTH,
    PLACEHOLDER,
    TOKEN,
    keys,
    mask_credentials,
    mask_named,
    mask_signatures,
    without_keys,
)
from harness.secrets.texts import joined_pieces, latin, readings, written_forms
from harness.types import Exchange, Request, Response
from harness.wire.codings import inflated_texts

REQUEST_HEADERS = frozenset({"accept", "content-type", "x-accel-buffering"})
"""Request headers that are kept; no user agent, since it names the recorder's machine."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    }
)
"""Response headers that are not kept, as they are about one connection (RFC 9110, 7.6.1).

Transfer-Encoding is kept, since it tells how the chunks of a body reach the client.
"""


@dataclass(frozen=True)
class Redactor:
    """Removes given secrets, tokens and the signatures of links from exchanges.

    Attributes:
        secrets: The keys to remove; those shorter than `MIN_LENGTH` are ignored.
        headers: Names of request headers, in lower case, that are kept in addition to
            `REQUEST_HEADERS`.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    headers: frozenset[str] = frozenset()
    _forms: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        long_enough = [secret for secret in self.secrets if len(secret) >= MIN_LENGTH]
        forms = {form for secret in long_enough for form in written_forms(secret)}
        longest_first = sorted(sorted(forms), key=len, reverse=True)
        object.__setattr__(self, "_forms", tuple(longest_first))

    def exchange(self, exchange: Exchange) -> Exchange:
        """Return the exchange without secrets.

        Raises:
            SecretNotRedacted: A secret would still be readable in it.
        """
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
        """Return the request without secrets; its `authorization` header keeps its scheme."""
        kept = [
            (name, mask_credentials(value) if name.lower() == "authorization" else self.text(value))
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
        """Return the response without secrets; its content length is that of the new body."""
        body = self.body(response.body)
        length = None if body == response.body else str(len(body))
        kept = [
            (
                name,
                length if length and name.lower() == "content-length" else self.header(name, value),
            )
            for name, value in response.headers
            if name.lower() not in HOP_BY_HOP
        ]
        reason = self.text(response.reason)
        return replace(response, reason=reason, headers=tuple(kept), body=body)

    def header(self, name: str, value: str) -> str:
        """Return the value of a response header without secrets; cookies keep all but the value."""
        return without_keys(self.text(mask_named(name, value)))

    def body(self, body: bytes) -> bytes:
        """Return a body without secrets; all other bytes are unchanged."""
        return self.text(body.decode("latin-1"), latin).encode("latin-1") if body else body

    def text(self, text: str, convert: Callable[[str], str] = str) -> str:
        """Return a text without secrets; *convert* encodes a secret as the text is encoded."""
        for secret in self._forms:
            text = text.replace(convert(secret), PLACEHOLDER)
        return TOKEN.sub(PLACEHOLDER, mask_signatures(text))

    def _refuse_compressed(self, exchange: Exchange) -> None:
        """Raise SecretNotRedacted if the response body is compressed and cannot be searched."""
        coding = exchange.response.header("content-encoding") or "identity"
        if exchange.response.body and coding.lower() != "identity":
            raise SecretNotRedacted(
                f"the response to {exchange.request.method} has the content coding {coding[:40]}, "
                "which could not be undone to look for secrets; nothing was written"
            )

    def _prove(self, exchange: Exchange) -> None:
        """Raise SecretNotRedacted if a secret can be read in anything that would be written."""
        method = exchange.request.method
        for where, text in _parts(exchange):
            for number, reading in enumerate(readings(text)):
                if any(latin(form) in reading for form in self._forms):
                    raise SecretNotRedacted(
                        f"a known key would still be readable in {where} of a {method}; "
                        "nothing was written"
                    )
                key = next(keys(reading), None)
                if key is not None:
                    offset = f", byte {key.start}" if where.endswith(" body") and not number else ""
                    raise SecretNotRedacted(
                        f"what looks like {key.kind} would be written, in {where}{offset} of a "
                        f"{method}; if it is one, put it into the provider's environment variable, "
                        "or keep it out of the conversation; nothing was written"
                    )


def _parts(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield (location, text) for everything in an exchange that would be written."""
    request, response = exchange.request, exchange.response
    yield "the address", latin(request.uri)
    yield "the reason", latin(response.reason)
    for side, headers in (("request", request.headers), ("response", response.headers)):
        yield from ((f"the {side} header {name}", latin(value)) for name, value in headers)
    for side, body in (("request", request.body), ("response", response.body)):
        text = body.decode("latin-1")
        yield f"the {side} body", text
        for reading in readings(text):
            for inner in inflated_texts(reading):
                yield f"compressed data in the {side} body", inner
        for pointer, joined in joined_pieces(body):
            yield f"the joined pieces at {pointer} of the {side} stream", latin(joined)
