"""Links in recorded answers, rewritten so that the files come from the replay server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from urllib.parse import urlsplit

from harness.types import Exchange, Request
from harness.wire.codings import with_changed_body

HEADER = "x-harness-rewritten-links"
"""The header of an answer whose links are not the recorded ones."""


@dataclass(frozen=True)
class Links:
    """The addresses of recorded files, such as generated pictures.

    Attributes:
        recorded: The URIs of the recorded GET requests, the longest first.
    """

    recorded: tuple[str, ...]

    @classmethod
    def of(cls, exchanges: Iterable[Exchange]) -> Links:
        """Return the links to the files that *exchanges* downloaded with GET."""
        uris = {
            e.request.uri
            for e in exchanges
            if (e.request.method, e.response.status) == ("GET", 200)
            and urlsplit(e.request.uri).netloc
        }
        return cls(tuple(sorted(uris, key=lambda uri: (-len(uri), uri))))

    def rewritten(self, exchange: Exchange, place: str) -> Exchange:
        """Return *exchange* with the recorded links in its response replaced by links to *place*.

        *place* is the base URL of a session. A response with rewritten links has the header
        `HEADER`. It is divided into the same chunks, unless a link extends over two of them; then
        the `chunks` of the result are empty.
        """
        body = self._replaced(exchange.response.body, place)
        if body == exchange.response.body:
            return exchange
        pieces = [self._replaced(piece, place) for piece in _pieces(exchange)]
        headers = (*exchange.response.headers, (HEADER, "1"))
        response = replace(exchange.response, headers=headers, body=body)
        chunks = tuple(map(len, pieces)) if b"".join(pieces) == body else ()
        return replace(with_changed_body(replace(exchange, response=response)), chunks=chunks)

    def restored(self, request: Request, place: str) -> Request:
        """Return *request* with the links to *place* in its body replaced by the recorded ones.

        This is the inverse of `rewritten`.
        """
        body = request.body
        for uri in self.recorded:
            for old, new in _spellings(uri, place):
                body = body.replace(new, old)
        return request if body == request.body else replace(request, body=body)

    def _replaced(self, body: bytes, place: str) -> bytes:
        for uri in self.recorded:
            for old, new in _spellings(uri, place):
                body = body.replace(old, new)
        return body


def _spellings(uri: str, place: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield a recorded link and its replacement, in each of the ways in which JSON spells them."""
    parts = urlsplit(uri)
    other = f"{place}{parts.path}{'?' if parts.query else ''}{parts.query}"
    yield uri.encode(), other.encode()
    for plain, escaped in (("/", "\\/"), ("&", "\\u0026")):
        yield uri.replace(plain, escaped).encode(), other.replace(plain, escaped).encode()


def _pieces(exchange: Exchange) -> Iterator[bytes]:
    for start, end in pairwise(accumulate(exchange.chunks, initial=0)):
        yield exchange.response.body[start:end]
