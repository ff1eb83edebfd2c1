"""Removal of secrets from exchanges before they are written.

Request headers are kept by allow-list, response headers unless they are about the connection.
Known keys are replaced wherever they occur; cookies, and parameters that sign links, are masked.
Placeholders keep the structure, so that an SDK can still parse the result. Redacting twice changes
nothing. If a key can still be read in the result, it is not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from harness.errors import SecretNotRedacted
from harness.secrets.names import mask_credentials, mask_named
from harness.secrets.search import KNOWN_KEY, Found, Search, replaced
from harness.secrets.shapes import PLACEHOLDER
from harness.secrets.texts import latin, unlatin
from harness.types import Exchange, Request, Response
from harness.wire.codings import DECODERS, is_known, unreadable, with_changed_body

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

_LONGEST_KEPT = 200
"""The longest text whose masked form is kept: names and values of headers come again and again."""


def _mask(search: Search, text: str) -> str:
    plain = latin(text)
    clean = search.mask(plain)
    return text if clean == plain else unlatin(clean)


_masked = lru_cache(maxsize=4096)(_mask)

_PASSWORD = re.compile(r"(^\w+://[^/@:?#]*:)[^/@?#]+(?=@)")
"""The password in an address, which is masked whatever it looks like."""


@dataclass(frozen=True)
class Redactor:
    """The removal of secrets from exchanges: of known keys, tokens and signatures of links.

    Attributes:
        secrets: The keys to remove; those shorter than `MIN_LENGTH` are ignored.
        headers: Names of request headers, in lower case, that are kept in addition to
            `REQUEST_HEADERS`.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    headers: frozenset[str] = frozenset()
    _search: Search = field(init=False, repr=False, compare=False, default_factory=Search)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_search", Search(self.secrets))

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
            key=self.text(exchange.key),
        )
        clean = self._adapted(clean, exchange)
        self._prove(clean, exchange)
        return clean

    def _adapted(self, clean: Exchange, exchange: Exchange) -> Exchange:
        """Return the clean exchange with what else depends on its body, and the error masked."""
        if clean.response.body != exchange.response.body:
            clean = with_changed_body(clean)
        if clean.broken_off is not None:
            message = self.text(clean.broken_off.message)
            clean = replace(clean, broken_off=replace(clean.broken_off, message=message))
        return clean

    def request(self, request: Request) -> Request:
        """Return the request without secrets, and without headers that are not to be kept.

        The `authorization` header keeps its scheme.
        """
        kept = [
            (
                self.text(name),
                mask_credentials(value) if name.lower() == "authorization" else self.text(value),
            )
            for name, value in request.headers
            if name.lower() in REQUEST_HEADERS | self.headers | {"authorization"}
        ]
        return replace(
            request,
            method=self.text(request.method),
            uri=self.text(_PASSWORD.sub(rf"\1{PLACEHOLDER}", request.uri, count=1)),
            headers=tuple(kept),
            body=self.body(request.body),
        )

    def response(self, response: Response) -> Response:
        """Return the response without secrets, and without headers about the connection.

        The content length is that of the new body.
        """
        body = self.body(response.body)
        length = None if body == response.body else str(len(body))
        kept = [
            (
                self.text(name),
                length if length and name.lower() == "content-length" else self.header(name, value),
            )
            for name, value in response.headers
            if name.lower() not in HOP_BY_HOP
        ]
        reason = self.text(response.reason)
        return replace(response, reason=reason, headers=tuple(kept), body=body)

    def header(self, name: str, value: str) -> str:
        """Return *value*, of the response header *name*, without secrets.

        A cookie keeps its name and attributes.
        """
        return self.text(mask_named(name, value))

    def shown(self, exchange: Exchange) -> Exchange:
        """Return the exchange for display: with all its headers, and the secrets in it masked.

        If it holds no secret, the same object is returned.
        """
        request, response = exchange.request, exchange.response
        clean = replace(
            exchange,
            request=replace(
                request,
                method=self.text(request.method),
                uri=self.text(request.uri),
                headers=self._shown_headers(request.headers),
                body=self.body(request.body),
            ),
            response=replace(
                response,
                reason=self.text(response.reason),
                headers=self._shown_headers(response.headers),
                body=self.body(response.body),
            ),
        )
        clean = self._adapted(clean, exchange)
        return exchange if clean == exchange else clean

    def _shown_headers(self, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((self.text(name), self.header(name, value)) for name, value in headers)

    def shown_text(self, text: str) -> str:
        """Return *text* for display, with its secrets masked; encoded data is not searched."""
        plain = latin(text)
        found = self._search.in_readings(plain)
        return unlatin(replaced(plain, found)) if found else text

    def body(self, body: bytes) -> bytes:
        """Return *body* with a placeholder for each secret; all other bytes are unchanged."""
        if not body:
            return body
        plain = body.decode("latin-1")
        clean = self._search.mask(plain)
        if clean is not plain:
            body = clean.encode("latin-1")
        del plain, clean
        return self._search.mask_streams(body)

    def text(self, text: str) -> str:
        """Return *text* with a placeholder for each secret."""
        if len(text) <= _LONGEST_KEPT:
            return _masked(self._search, text)
        return _mask(self._search, text)

    def _refuse_compressed(self, exchange: Exchange) -> None:
        """Raise SecretNotRedacted if the response body is compressed and cannot be searched.

        A coding that no library compresses by, such as `utf-8`, does not hide anything.
        """
        coding = exchange.response.header("content-encoding") or ""
        lacking = [name for name in DECODERS if name in coding.lower() and not is_known(name)]
        if exchange.response.body and lacking:
            raise SecretNotRedacted(
                f"the response to {exchange.request.method} has the content coding {coding[:40]}, "
                "which could not be undone to look for secrets; nothing was written; install "
                f"{DECODERS[lacking[0]]}, or send Accept-Encoding: gzip"
            )
        for body in (exchange.request.body, exchange.response.body):
            if coding := unreadable(body):
                raise SecretNotRedacted(
                    f"a body of {exchange.request.method} is compressed by {coding}, and no "
                    "library for it is installed to look for secrets in it: install brotli or "
                    "zstandard; nothing was written"
                )

    def _prove(self, clean: Exchange, exchange: Exchange) -> None:
        """Raise SecretNotRedacted if a secret can be read in anything that would be written."""
        for where, found in self._left(clean, exchange):
            hit = found[0].hits[0]
            what = "a known key" if hit.kind == KNOWN_KEY else f"what looks like {hit.kind}"
            raise SecretNotRedacted(
                f"{what} would still be readable in {where} of a {clean.request.method}; "
                "nothing was written"
            )

    def _left(self, clean: Exchange, exchange: Exchange) -> Iterator[tuple[str, Sequence[Found]]]:
        """Yield (location, secrets) for each part of the cleaned exchange that still has some."""
        for where, text in _parts(clean):
            if found := self._search.find(text):
                yield where, found
        for side, new, old in (
            ("request", clean.request.body, exchange.request.body),
            ("response", clean.response.body, exchange.response.body),
        ):
            if new == old and PLACEHOLDER.encode() not in new:
                continue  # it was searched, and nothing was found
            if found := self._search.find(new.decode("latin-1")):
                yield f"the {side} body", found
            for pieces, found in self._search.find_in_streams(new):
                yield f"the joined pieces at {pieces.place} of the {side} stream", found


def _parts(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield (location, text) for everything but the bodies in an exchange."""
    request, response = exchange.request, exchange.response
    if exchange.coded is not None:
        yield "the compressed response body", exchange.coded.body.decode("latin-1")
    yield "the address", latin(request.uri)
    yield "the reason", latin(response.reason)
    for side, headers in (("request", request.headers), ("response", response.headers)):
        yield from ((f"the {side} header {name}", latin(value)) for name, value in headers)
