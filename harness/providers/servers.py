"""The table of the providers' servers in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.config.extras import extra
from harness.errors import HarnessError
from harness.providers import INSTALLED, PROVIDERS, SHIPPED
from harness.providers.clients import CLIENTS
from harness.providers.forms import ORIGIN
from harness.providers.provider import ComputedMapping

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
            if provider.origin == ORIGIN:  # the same server for all services of a format
                server = replace(server, prefix=urlsplit(provider.address).path)
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


def sandbox_servers() -> Mapping[str, ProviderServer]:
    """Return the sandbox's servers by name: one for each provider, and `SDKs`.

    `SDKs` is for programs that use the SDKs of OpenAI or Anthropic; it accepts any model.
    """
    return {**PROVIDER_SERVERS, "SDKs": _sdk_server()}


def _sdk_server() -> ProviderServer:
    """Return a server that accepts any model.

    Its paths are those of the services, so that a replay finds what was recorded from it.
    """
    with extra("sandbox"):
        from harness.providers.anthropic.sandbox import SERVER as MESSAGES
        from harness.providers.openai.sandbox import server
        from harness.providers.responses.sandbox import SERVER as RESPONSES
    chat = server("/v1")
    messages = [(verb, path.removeprefix("/v1"), run) for verb, path, run in MESSAGES.routes]
    return replace(
        chat,
        routes=(*chat.routes, *RESPONSES.routes, *messages),
        refuse=lambda request, refused: (
            MESSAGES if request.url.path.endswith("/messages") else chat
        ).refuse(request, refused),
    )


def sandbox_variables(base: str) -> dict[str, str]:
    """Return environment variables that make clients use the sandbox at the URL *base*.

    They are the base URLs and API keys of all providers and clients.
    """
    variables: dict[str, str] = {}
    keys: dict[str, str] = {}
    for name, server in PROVIDER_SERVERS.items():
        provider = PROVIDERS[name]
        variables[provider.address_variable] = f"{base}{server.prefix}"
        variables[provider.key_variable] = keys[server.prefix] = server.key
    for client in CLIENTS:
        path = urlsplit(client.address).path
        for variable in client.address_variables:
            variables.setdefault(variable, f"{base}{path}")
        variables.setdefault(client.key_variable, keys.get(path, _sdk_server().key))
    return variables
