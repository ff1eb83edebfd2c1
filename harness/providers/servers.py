"""The table of the providers' servers in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.config.extras import extra
from harness.providers import PROVIDERS
from harness.providers.table import Table

if TYPE_CHECKING:
    from harness.sandbox.provider_server import ProviderServer


def _servers() -> Mapping[str, ProviderServer]:
    with extra("sandbox"):
        servers = {name: provider.server for name, provider in PROVIDERS.items()}
    return {name: server for name, server in servers.items() if server}


PROVIDER_SERVERS: Mapping[str, ProviderServer] = Table(_servers)
"""The server of each provider that the sandbox can simulate, by provider name."""
