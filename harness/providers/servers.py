"""How the sandbox stands in for each provider, by the provider's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers import PROVIDERS
from harness.sandbox import ProviderServer

PROVIDER_SERVERS: Mapping[str, ProviderServer] = MappingProxyType(
    {name: server for name, provider in PROVIDERS.items() if (server := provider.server)}
)
"""Every provider that the sandbox can stand in for."""
