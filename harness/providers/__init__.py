"""The providers. A new one is a package here and a line in `PROVIDERS`."""

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
"""Every provider, by its name."""


def find_provider(name: str) -> Provider:
    """Return the provider with this name.

    Raises:
        HarnessError: There is no such provider.
    """
    if name not in PROVIDERS:
        raise HarnessError(f"unknown provider {name!r}; known are {', '.join(PROVIDERS)}")
    return PROVIDERS[name]


__all__ = ["NO_KEY", "PROVIDERS", "Provider", "Session", "Sleep", "find_provider"]
