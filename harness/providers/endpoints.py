"""The endpoints of all providers, and functions that find one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from harness.analysis.endpoint import Endpoint, Role, find
from harness.config.hosts import AllowedHosts, host_of
from harness.errors import HarnessError
from harness.providers import INSTALLED, PROVIDERS, Provider
from harness.providers.known import known
from harness.types import Exchange

FILE = Endpoint(
    name="files.file",
    method="GET",
    path=re.compile(
        r".*\.(?:png|jpe?g|webp|gif|bmp|mp4|webm|mp3|wav)|.*/[0-9a-f-]{36}-[0-9]+\.json",
        re.IGNORECASE,
    ),
    role=Role.FILE,
    answer={},
    refusal={},
)
"""The endpoint of files that answers link to: images, films, sounds, transcripts; on any host."""

ENDPOINTS = (*(e for provider in INSTALLED.values() for e in provider.endpoints), FILE)
"""Every endpoint of the installed providers. Those of declared services are named after them."""

HEADERS = frozenset(name for provider in INSTALLED.values() for name in provider.headers)
"""The names, in lower case, of the providers' own headers; a recording keeps them."""


def recognise(exchange: Exchange, provider: str = "") -> Endpoint | None:
    """Return the endpoint of an exchange by its method and path; None if it is unknown.

    An endpoint of *provider*, from which it was recorded, takes precedence, then an endpoint of a
    provider that has its host, then any other.
    """
    candidates = (e for one in _owners(exchange, provider) for e in (*one.endpoints, *one.further))
    return find(candidates, exchange) or find([FILE], exchange)


def asker(exchange: Exchange, provider: str = "") -> Provider | None:
    """Return the first provider, as in `recognise`, whose session can make the request."""
    owners = _owners(exchange, provider)
    return next((one for one in owners if find(one.endpoints, exchange)), None)


def _owners(exchange: Exchange, provider: str) -> Iterator[Provider]:
    """Yield the providers that an exchange may belong to, the most likely one first."""
    table = {**known(), **dict(PROVIDERS.items())}
    if provider in table:
        yield table[provider]
    yield from _of_host(exchange.request.uri, (one for one in table.values() if one.hosts))
    yield from (one for one in table.values() if not one.hosts)
    yield from _of_host(exchange.request.uri, known().values())  # a declaration has less


def _of_host(uri: str, providers: Iterable[Provider]) -> Iterator[Provider]:
    """Yield those of *providers* that have the host of *uri*."""
    try:
        host, port = host_of(uri)
    except ValueError:
        return
    yield from (provider for provider in providers if _is_among(provider.hosts, host, port))


@lru_cache(maxsize=4096)
def _is_among(hosts: tuple[str, ...], host: str, port: int) -> bool:
    return AllowedHosts(hosts).has(host, port)


def endpoint(name: str) -> Endpoint:
    """Return the endpoint *name*, such as `zhipuai.chat`.

    Raises:
        HarnessError: There is no such endpoint.
    """
    table = {**known(), **dict(PROVIDERS.items())}
    declared = (e for one in table.values() for e in (*one.endpoints, *one.further))
    by_name = {endpoint.name: endpoint for endpoint in (*ENDPOINTS, *declared)}
    if name not in by_name:
        raise HarnessError(f"unknown endpoint {name!r}; known are {', '.join(by_name)}")
    return by_name[name]
