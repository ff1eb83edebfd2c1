"""HTTP clients that reach the address they are for and no other: an answer may redirect."""

from __future__ import annotations

from typing import Any

import httpx
import requests
from requests.adapters import HTTPAdapter

from harness.providers.parser import Asked
from harness.providers.tls import trusted


class Elsewhere(Exception):
    """An answer led to another address, and nobody followed."""


class _Here(httpx.HTTPTransport):
    def __init__(self, address: str) -> None:
        super().__init__(verify=trusted())
        self._address = address

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        refuse_elsewhere(str(request.url), self._address)
        return super().handle_request(request)


class _Nowhere(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, *more: Any, **options: Any) -> Any:
        raise Elsewhere(str(request.url))


def refuse_elsewhere(url: str, address: str) -> None:
    """Raises Elsewhere unless a URL is at this address."""
    if not url.startswith(f"{address}/"):
        raise Elsewhere(url)


def over_httpx(asked: Asked, **settings: Any) -> httpx.Client:
    """A client of httpx."""
    return httpx.Client(timeout=asked.timeout, transport=_Here(asked.address), **settings)


def over_requests(asked: Asked) -> requests.Session:
    """A session of requests."""
    session = requests.Session()
    session.mount("http://", _Nowhere())
    session.mount("https://", _Nowhere())
    session.mount(f"{asked.address}/", HTTPAdapter())
    return session
