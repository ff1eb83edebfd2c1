"""A sandbox: a real HTTP server on loopback that responds in the providers' formats.

With it every command, `harness record` included, works without API keys. It has no language model:
replies are composed by rules, are the same for the same request, and depend on the whole
conversation in the request. The caller passes the providers to serve; their formats are tested
against real recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from harness.config.extras import extra
from harness.sandbox.options import DEFAULT_PORT, HOST, LIFELIKE, Options

if TYPE_CHECKING:
    from harness.sandbox.provider_server import ProviderServer

__all__ = [
    "DEFAULT_PORT",
    "HOST",
    "LIFELIKE",
    "Options",
    "serve",
]


def serve(options: Options, servers: Mapping[str, ProviderServer]) -> AbstractContextManager[str]:
    """Return a context manager that runs a sandbox; its value is the address without a path.

    *servers* are the servers of the providers, by provider name.

    Raises:
        HarnessError: The sandbox cannot listen on the port, or does not start.
        MissingExtra: The packages of the extra `sandbox` are not installed.
    """
    with extra("sandbox"):
        from harness.sandbox.server import application, run_in_thread

    return run_in_thread(application(options, servers), options.port)
