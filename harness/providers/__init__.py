"""The providers: each is a package here, and an entry of `PROVIDERS`.

Comments and docstrings give the source of a fact about a provider as a tag: [DOC] is the provider's
documentation, [REC] a recording of the live service, [FIELD] a developer's report. Letters with a
number, such as B3, are sections of docs/WIRE_FACTS.md, which has the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.config.environment import NO_KEY
from harness.errors import HarnessError
from harness.providers import dashscope, zhipu
from harness.providers.provider import Provider, Session, Sleep

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (zhipu.PROVIDER, dashscope.PROVIDER)}
)
"""Every provider, by name."""


def find_provider(name: str) -> Provider:
    """Return the provider *name*.

    Raises:
        HarnessError: There is no such provider.
    """
    if name not in PROVIDERS:
        raise HarnessError(f"unknown provider {name!r}; known are {', '.join(PROVIDERS)}")
    return PROVIDERS[name]


__all__ = ["NO_KEY", "PROVIDERS", "Provider", "Session", "Sleep", "find_provider"]
