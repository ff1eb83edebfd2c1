"""The table of the providers' servers in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.config.extras import extra
from harness.providers import PROVIDERS

if TYPE_CHECKING:
    from harness.sandbox.provider_server import ProviderServer

with extra("sandbox"):
    PROVIDER_SERVERS: Mapping[str, ProviderServer] = MappingProxyType(
        {name: server for name, provider in PROVIDERS.items() if (server := provider.server)}
    )
"""The server of each provider that the sandbox can simulate, by provider name."""
