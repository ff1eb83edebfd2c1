"""HTTP clients for providers: a shared TLS context, clients limited to one address, downloads."""

from __future__ import annotations

import ssl
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    import requests


class OtherAddress(Exception):
    """Raised when a client limited to one address is about to send a request to another one."""


@cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context that all httpx clients share, because creating one takes 30 ms.

    httpcore sets the ALPN protocols of a context again for each connection, always to the same
    value. A context in use must not be changed (see the ssl module), so they are set here once, and
    the method that sets them is replaced by one that does nothing.
    """
    library = "httpx" if find_spec("httpx") else "httpx2"  # which newer SDKs use
    context: ssl.SSLContext = import_module(library).create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    context.set_alpn_protocols = _noop_set_alpn  # type: ignore[method-assign]
    return context


def _noop_set_alpn(alpn_protocols: object) -> None:
    """Do nothing; replaces `SSLContext.set_alpn_protocols`."""


def refuse_other_address(url: str, address: str) -> None:
    """Raise OtherAddress unless *url* begins with *address* (scheme, host and port)."""
    if not url.startswith(f"{address}/"):
        raise OtherAddress(url)


def bound_transport(base: Any, address: str) -> Any:
    """Return a transport that raises OtherAddress for requests to other addresses than *address*.

    Args:
        base: The class of the transport: `httpx.HTTPTransport`, or one of a compatible library.
        address: The scheme, host and port, such as `http://127.0.0.1:1234`.
    """
    transport = _bound_type(base)(verify=tls_context())
    transport.address = address
    return transport


@cache
def _bound_type(base: Any) -> Any:
    """Return a subclass of the transport *base* that is limited to its attribute `address`."""

    class BoundTransport(base):  # type: ignore[misc]
        address: str

        def handle_request(self, request: Any) -> Any:
            refuse_other_address(str(request.url), self.address)
            return super().handle_request(request)

    return BoundTransport


def bound_client(address: str, timeout: float, **settings: Any) -> httpx.Client:
    """Return an httpx client that raises OtherAddress for requests to other addresses.

    Args:
        address: The allowed scheme, host and port, such as `http://127.0.0.1:1234`.
        timeout: The timeout of a request, in seconds.
        settings: Further arguments of `httpx.Client`.
    """
    import httpx

    transport = bound_transport(httpx.HTTPTransport, address)
    return httpx.Client(timeout=timeout, transport=transport, **settings)


def bound_session(address: str) -> requests.Session:
    """Return a `requests.Session` that raises OtherAddress for requests not to *address*."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.mount("http://", _refusing_adapter())
    session.mount("https://", _refusing_adapter())
    session.mount(f"{address}/", HTTPAdapter())
    return session


@cache
def _refusing_adapter() -> requests.adapters.HTTPAdapter:
    """Return an adapter for `requests` that raises OtherAddress for each request."""
    from requests.adapters import HTTPAdapter

    class RefusingAdapter(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
            raise OtherAddress(str(request.url))

    return RefusingAdapter()


LARGEST = 64 * 2**20
"""The maximum size of a downloaded file, in bytes."""

TIMEOUT = 60.0
"""The timeout of a download, in seconds."""


def download(url: str) -> bytes | None:
    """Return the file at *url*; None if it cannot be downloaded or is larger than `LARGEST`.

    The URL comes from an answer and is not trusted: only http and https are allowed, and redirects
    are not followed.
    """
    import httpx

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
