"""The table of the providers' servers in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers import PROVIDERS
from harness.sandbox import ProviderServer

PROVIDER_SERVERS: Mapping[str, ProviderServer] = MappingProxyType(
    {name: server for name, provider in PROVIDERS.items() if (server := provider.server)}
)
"""The server of each provider that the sandbox can simulate, by provider name."""
