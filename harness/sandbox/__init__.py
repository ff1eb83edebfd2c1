"""A sandbox: a real HTTP server on loopback that speaks the providers' wire formats.

With it everything, recording included, runs without keys. There is no language model behind it:
replies are composed by rule, are the same for the same request, and depend on the whole
conversation in the request. Which providers it serves is passed in; their formats are tested
against real recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from harness.sandbox.options import DEFAULT_PORT, HOST, LIFELIKE, Options
from harness.sandbox.provider_server import ProviderServer
from harness.sandbox.server import application, run_in_foreground, run_in_thread

__all__ = [
    "DEFAULT_PORT",
    "HOST",
    "LIFELIKE",
    "Options",
    "ProviderServer",
    "application",
    "run_forever",
    "serve",
]


def serve(options: Options, servers: Mapping[str, ProviderServer]) -> AbstractContextManager[str]:
    """Run a sandbox during a `with` block, whose value is its address without a path."""
    return run_in_thread(application(options, servers), options.port)


def run_forever(
    options: Options,
    servers: Mapping[str, ProviderServer],
    announce: Callable[[str], None] = lambda address: None,
) -> None:
    """Run a sandbox until it is interrupted; *announce* is called with its address."""
    run_in_foreground(application(options, servers), options.port, announce)
