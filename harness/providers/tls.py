"""Whom to trust on TLS connections: loaded once, as that takes longer than many a call."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The context that httpx makes for each client, made once for all of the process.

    httpcore says the protocols of the connection anew for each one it opens, always the same. A
    context that others are using must not be changed (see the ssl module), so they are said here.
    """
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    context.set_alpn_protocols = _said_already  # type: ignore[method-assign]
    return context


def _said_already(alpn_protocols: object) -> None:
    """No client of the harness asks for HTTP/2."""
