"""A sandbox: a real HTTP server on loopback that speaks the providers' wire formats.

With it everything, recording included, runs on a machine without keys. It is no model: what it
says is put together by rule, is always the same for the same request, and depends on all of the
conversation that was sent. Its formats are those of the real recordings, which a test sees to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from starlette.applications import Starlette

from harness.providers.dashscope import sandbox as dashscope_sandbox
from harness.providers.zhipu import sandbox as zhipu_sandbox
from harness.sandbox import server
from harness.sandbox.options import HOST, LIFELIKE, USUAL_PORT, Options
from harness.sandbox.speaker import ProviderServer

__all__ = [
    "DASHSCOPE_KEY",
    "HOST",
    "LIFELIKE",
    "PROVIDER_SERVERS",
    "USUAL_PORT",
    "ZHIPUAI_KEY",
    "Options",
    "application",
    "run_forever",
    "serve",
]

PROVIDER_SERVERS: Mapping[str, ProviderServer] = {
    "zhipuai": zhipu_sandbox.SPEAKER,
    "dashscope": dashscope_sandbox.SPEAKER,
}
"""Every provider the sandbox can speak for, by name."""

ZHIPUAI_KEY = zhipu_sandbox.KEY
DASHSCOPE_KEY = dashscope_sandbox.KEY


def application(options: Options) -> Starlette:
    """The sandbox as an ASGI application."""
    return server.assemble(options, PROVIDER_SERVERS)


def serve(options: Options) -> AbstractContextManager[str]:
    """Run a sandbox while a `with` block lasts; its value is the address, without a path."""
    return server.served(application(options), options.port)


def run_forever(options: Options, announce: Callable[[str], None] = lambda address: None) -> None:
    """Run a sandbox until it is interrupted; `announce` is told its address."""
    server.serve_forever(application(options), options.port, announce)
