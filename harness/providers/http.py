"""HTTP clients of the providers: one TLS context, clients bound to one address, downloads."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx
import requests
from requests.adapters import HTTPAdapter


class OtherAddress(Exception):
    """An answer led to another address, which was not followed."""


@cache
def tls_context() -> ssl.SSLContext:
    """Return the context that httpx makes for each client: loading it takes 30 ms.

    httpcore sets the protocols of the context for each connection, always to the same. A context
    in use must not be changed (see the ssl module), so they are set here once.
    """
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    context.set_alpn_protocols = _noop_set_alpn  # type: ignore[method-assign]
    return context


def _noop_set_alpn(alpn_protocols: object) -> None:
    """Do nothing: no client of the harness asks for HTTP/2."""


def refuse_other_address(url: str, address: str) -> None:
    """Raise OtherAddress unless *url* is at *address*."""
    if not url.startswith(f"{address}/"):
        raise OtherAddress(url)


def bound_transport(base: Any, address: str) -> Any:
    """Return a transport of class *base*, of httpx or alike, that reaches only *address*."""

    class BoundTransport(base):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            refuse_other_address(str(request.url), address)
            return super().handle_request(request)

    return BoundTransport(verify=tls_context())


def bound_client(address: str, timeout: float, **settings: Any) -> httpx.Client:
    """Return a client of httpx that reaches only *address*; *timeout* is in seconds."""
    transport = bound_transport(httpx.HTTPTransport, address)
    return httpx.Client(timeout=timeout, transport=transport, **settings)


class _RefusingAdapter(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        raise OtherAddress(str(request.url))


def bound_session(address: str) -> requests.Session:
    """Return a session of requests that reaches only *address*."""
    session = requests.Session()
    session.mount("http://", _RefusingAdapter())
    session.mount("https://", _RefusingAdapter())
    session.mount(f"{address}/", HTTPAdapter())
    return session


LARGEST = 64 * 2**20
"""Bytes: the download of a larger file is given up."""

TIMEOUT = 60.0
"""Seconds for a download."""


def download(url: str) -> bytes | None:
    """Return the file at *url*, or None if it cannot be fetched.

    Links come from answers and are not trusted: only http and https are fetched, redirects are
    not followed, and a file larger than `LARGEST` is given up.
    """
    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, verify=tls_context()) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    return None
        return bytes(body) if response.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
