"""The endpoints of all providers, and functions that find one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from harness.analysis.endpoint import Endpoint, Role, find
from harness.analysis.json_schema import STRING, array, record
from harness.config.hosts import AllowedHosts, host_of
from harness.errors import HarnessError
from harness.providers import INSTALLED, PROVIDERS, Provider
from harness.providers.known import known
from harness.types import Exchange

FILE = Endpoint(
    name="files.file",
    method="GET",
    path=re.compile(r".*\.(?:png|jpe?g|webp|gif|bmp|mp4|webm|mp3|wav)", re.IGNORECASE),
    role=Role.FILE,
    answer={},
    refusal={},
)
"""The endpoint of files that answers link to, such as generated images, on any host."""

TRANSCRIPT = replace(
    FILE,
    name="files.transcript",
    path=re.compile(r".*/[0-9a-f-]{36}-[0-9]+\.json"),
    answer=record({"transcripts": array(record({"text": STRING}))}),
)
"""The endpoint of the words of a sound [DOC] Paraformer, Fun-ASR, Qwen-ASR; on any host."""

ENDPOINTS = (*(e for provider in INSTALLED.values() for e in provider.endpoints), FILE, TRANSCRIPT)
"""Every endpoint of the installed providers. Those of declared services are named after them."""

HEADERS = frozenset(name for provider in INSTALLED.values() for name in provider.headers)
"""The names, in lower case, of the providers' own headers; a recording keeps them."""


def recognise(exchange: Exchange, provider: str = "") -> Endpoint | None:
    """Return the endpoint of an exchange by its method and path; None if it is unknown.

    An endpoint of *provider*, from which it was recorded, takes precedence, then an endpoint of a
    provider that has its host, then any other.
    """
    candidates = (e for one in _owners(exchange, provider) for e in (*one.endpoints, *one.further))
    return find(candidates, exchange) or find([FILE, TRANSCRIPT], exchange)


def asker(exchange: Exchange, provider: str = "") -> Provider | None:
    """Return the first provider, as in `recognise`, whose session can make the request."""
    owners = _owners(exchange, provider)
    return next((one for one in owners if find(one.endpoints, exchange)), None)


def _owners(exchange: Exchange, provider: str) -> Iterator[Provider]:
    """Yield the providers that an exchange may belong to, the most likely one first."""
    every = tuple(PROVIDERS.values())
    named = {**known(), **{one.name: one for one in every}}.get(provider)
    if named is not None:
        yield named
    try:
        place = host_of(exchange.request.uri)
    except ValueError:
        place = None
    yield from _by_host(every, place)


@lru_cache(maxsize=256)
def _by_host(
    providers: tuple[Provider, ...], place: tuple[str, int] | None
) -> tuple[Provider, ...]:
    """Return those of *providers*, and of the known services, that may have a host and port."""
    table = {**known(), **{one.name: one for one in providers}}

    def have_host(some: Iterable[Provider]) -> Iterator[Provider]:
        return (one for one in some if place and AllowedHosts(one.hosts).has(*place))

    return (
        *have_host(one for one in table.values() if one.hosts),
        *(one for one in table.values() if not one.hosts),
        *have_host(known().values()),  # a declaration has less
    )


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
