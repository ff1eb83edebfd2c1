"""The endpoints of all providers, and functions that find one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from harness.analysis.endpoint import Endpoint, find
from harness.analysis.endpoint_table import EndpointTable
from harness.config.hosts import AllowedHosts, host_of
from harness.config.services import shipped
from harness.errors import HarnessError
from harness.providers import INSTALLED, PROVIDERS, Provider
from harness.providers.forms import NATIVE, known_service, known_services
from harness.types import SANDBOX_MARK, Exchange

_FILES = EndpointTable(Path(__file__).with_suffix(".toml")).endpoints("files")

ENDPOINTS = (
    *(e for provider in INSTALLED.values() for e in provider.endpoints),
    *_FILES.values(),
)
"""Every endpoint of the installed providers. Those of declared services are named after them."""

HEADERS = frozenset(name for provider in INSTALLED.values() for name in provider.headers)
"""The names, in lower case, of the providers' own headers; a recording keeps them."""


_EVERY_FORMAT = ("anthropic", "openai")
"""Well-known services whose endpoints are of every format of declared services."""


def recognise(exchange: Exchange, provider: str = "") -> Endpoint | None:
    """Return the endpoint of an exchange by its method and path; None if it is unknown.

    *provider* is the name of the provider that the exchange was recorded from; "" if unknown. Its
    endpoints take precedence, then those of providers that have the request's host, then others.
    An exchange with the sandbox, whose host is not that of a service, may be in any known format.
    """
    request, every = exchange.request, tuple(PROVIDERS.values())
    found = _recognised(every, provider, request.method, request.uri)
    if found is None and exchange.response.header(SANDBOX_MARK):
        others = (_recognised(every, name, request.method, request.uri) for name in _EVERY_FORMAT)
        return next(filter(None, others), None)
    return found


@lru_cache(maxsize=256)
def _recognised(
    providers: tuple[Provider, ...], provider: str, method: str, uri: str
) -> Endpoint | None:
    owners = _owners(providers, provider, uri)
    candidates = (
        endpoint
        for one in owners
        for endpoint in (*NATIVE.get(one.name, ()), *one.endpoints, *one.further)
    )
    return find((*candidates, *_FILES.values()), method, uri)


def asker(exchange: Exchange, provider: str = "") -> Provider | None:
    """Return the provider whose session can make the request of *exchange*; None if there is none.

    If several can, the one with the name *provider* takes precedence, then one that has the
    request's host.
    """
    request = exchange.request
    owners = _owners(tuple(PROVIDERS.values()), provider, request.uri)
    return next((o for o in owners if find(o.endpoints, request.method, request.uri)), None)


def _owners(every: tuple[Provider, ...], provider: str, uri: str) -> Iterator[Provider]:
    """Yield those of all providers that a request may belong to, the most likely one first."""
    named = next((one for one in every if one.name == provider), None)
    if named is None and provider in shipped():
        named = known_service(provider)
    if named is not None:
        yield named
    try:
        place = host_of(uri)
    except ValueError:
        place = None
    yield from _by_host(every, place)


@lru_cache(maxsize=256)
def _by_host(
    providers: tuple[Provider, ...], place: tuple[str, int] | None
) -> tuple[Provider, ...]:
    """Return those of *providers*, and of the known services, that may have a host and port."""
    own = {one.name: one for one in providers}

    def has_place(hosts: tuple[str, ...]) -> bool:
        return place is not None and AllowedHosts(hosts).has(*place)

    here = [name for name, service in shipped().items() if has_place(service.hosts)]
    names = dict.fromkeys((*(name for name in shipped() if name in own or name in here), *own))
    table = [own[name] if name in own else known_service(name) for name in names]
    return (
        *(one for one in table if one.hosts and has_place(one.hosts)),
        *(one for one in table if not one.hosts),
        *map(known_service, here),  # a declaration has less
    )


def endpoint(name: str) -> Endpoint:
    """Return the endpoint *name*, such as `zhipuai.chat`.

    Raises:
        HarnessError: There is no such endpoint.
    """
    table = {**known_services(), **dict(PROVIDERS.items())}
    declared = (e for one in table.values() for e in (*one.endpoints, *one.further))
    by_name = {endpoint.name: endpoint for endpoint in (*ENDPOINTS, *declared)}
    if name not in by_name:
        raise HarnessError(f"unknown endpoint {name!r}; known are {', '.join(by_name)}")
    return by_name[name]
