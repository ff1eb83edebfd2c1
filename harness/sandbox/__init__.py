"""A sandbox: a real HTTP server on loopback that speaks the providers' wire formats.

With it everything, recording included, runs without keys. There is no language model behind it:
replies are composed by rule, are the same for the same request, and depend on the whole
conversation in the request. Which providers it serves is passed in; their formats are tested
against real recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from starlette.applications import Starlette

from harness.sandbox import server
from harness.sandbox.options import HOST, LIFELIKE, USUAL_PORT, Options
from harness.sandbox.speaker import ProviderServer

__all__ = [
    "HOST",
    "LIFELIKE",
    "USUAL_PORT",
    "Options",
    "ProviderServer",
    "application",
    "run_forever",
    "serve",
]


def application(options: Options, servers: Mapping[str, ProviderServer]) -> Starlette:
    """Return the sandbox of these provider servers as an ASGI application."""
    return server.assemble(options, servers)


def serve(options: Options, servers: Mapping[str, ProviderServer]) -> AbstractContextManager[str]:
    """Run a sandbox during a `with` block, whose value is its address without a path."""
    return server.served(application(options, servers), options.port)


def run_forever(
    options: Options,
    servers: Mapping[str, ProviderServer],
    announce: Callable[[str], None] = lambda address: None,
) -> None:
    """Run a sandbox until it is interrupted; *announce* is called with its address."""
    server.serve_forever(application(options, servers), options.port, announce)
