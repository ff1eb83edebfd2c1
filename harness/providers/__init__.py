"""The providers: each shipped one is a package here. `PROVIDERS` is the table of all.

Other packages add providers by entry points (see `harness.providers.provider`), and a project
declares services that speak a known API format in its settings (see `forms`).

Comments and docstrings give the source of a fact about a provider as a tag: [DOC] is the provider's
documentation, [REC] a recording of the live service, [FIELD] a developer's report. Letters with a
number, such as B3, are sections of docs/WIRE_FACTS.md, which has the sources.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from harness.analysis.endpoint import Endpoint
from harness.config import plugins
from harness.config.environment import NO_KEY
from harness.config.services import shipped
from harness.config.settings import load_settings
from harness.errors import HarnessError
from harness.providers import dashscope, zhipu
from harness.providers.forms import declared, known_service
from harness.providers.provider import ComputedMapping, Provider, Session, Sleep

SHIPPED: Mapping[str, Provider] = MappingProxyType(
    {p.name: p for p in (zhipu.PROVIDER, dashscope.PROVIDER, dashscope.COMPATIBLE)}
)
"""The providers that are part of the harness, by name."""


@cache
def _installed() -> Mapping[str, Provider]:
    table = dict(SHIPPED)
    for plugin in plugins.load("harness.providers", Provider):
        name = plugin.value.name
        if name in table:
            raise plugin.broken(f"there is a provider {name!r} of {table[name].origin} already")
        endpoints = plugin.value.endpoints
        if not isinstance(endpoints, tuple) or not all(isinstance(e, Endpoint) for e in endpoints):
            raise plugin.broken("its `endpoints` should be a tuple of Endpoint")
        table[name] = replace(plugin.value, origin=plugin.origin)
    return MappingProxyType(table)


def _all() -> Mapping[str, Provider]:
    settings = load_settings(os.getcwd())
    if not settings.providers:
        return INSTALLED
    for service in settings.providers:
        if service.name in INSTALLED:
            origin = INSTALLED[service.name].origin
            raise settings.error(
                f"providers.{service.name}: there is a provider {service.name!r} of {origin} "
                "already; choose another name"
            )
    try:
        services = {service.name: declared(service) for service in settings.providers}
    except ValueError as error:
        raise settings.error(f"providers.{error}") from None
    return {**INSTALLED, **services}


INSTALLED: Mapping[str, Provider] = ComputedMapping(_installed)
"""The providers of the harness and of other installed packages, by name."""

PROVIDERS: Mapping[str, Provider] = ComputedMapping(_all)
"""Every provider, by name: those of `INSTALLED`, and the services that the project declares.

The project is that of the working folder. Its settings are read when the table is used.
"""


def find_provider(name: str) -> Provider:
    """Return the provider *name*, such as `zhipuai`.

    It may also be a well-known service that the project does not declare in its settings.

    Raises:
        HarnessError: There is no such provider.
    """
    known = _all()
    if name in known:
        return known[name]
    if name in shipped():
        return known_service(name)
    raise HarnessError(f"unknown provider {name!r}; known are {', '.join(known)}")


__all__ = ["INSTALLED", "NO_KEY", "PROVIDERS", "Provider", "Session", "Sleep", "find_provider"]
