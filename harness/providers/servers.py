"""The table of the providers' servers in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.config.extras import extra
from harness.errors import HarnessError
from harness.providers import INSTALLED, PROVIDERS, SHIPPED
from harness.providers.table import ComputedMapping

if TYPE_CHECKING:
    from harness.sandbox.provider_server import ProviderServer


def _servers() -> Mapping[str, ProviderServer]:
    """Return the servers by provider name.

    Raises:
        HarnessError: A server of another package has the prefix of another one.
    """
    servers: dict[str, ProviderServer] = {}
    with extra("sandbox"):
        for name, provider in PROVIDERS.items():
            if (server := provider.server) is None:
                continue
            other = next((n for n, s in servers.items() if s.prefix == server.prefix), name)
            if {name, other} & INSTALLED.keys() - SHIPPED.keys() and other != name:
                raise HarnessError(
                    f"the sandbox cannot serve {name!r} of {provider.origin} and {other!r} of "
                    f"{PROVIDERS[other].origin}, both at {server.prefix}; "
                    "change the prefix of one, or uninstall it"
                )
            servers[name] = server
    return servers


PROVIDER_SERVERS: Mapping[str, ProviderServer] = ComputedMapping(_servers)
"""The server of each provider that the sandbox can simulate, by provider name."""
