"""A sandbox: a real HTTP server on loopback that speaks the providers' wire formats.

With it everything, recording included, runs on a machine without keys. It is no model: what it
says is put together by rule, is always the same for the same request, and depends on all of the
conversation that was sent. Its formats are those of the real recordings, which a test sees to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from starlette.applications import Starlette

from harness.sandbox import dashscope, server, zhipuai
from harness.sandbox.options import HOST, LIFELIKE, USUAL_PORT, Options
from harness.sandbox.speaker import Speaker

__all__ = [
    "DASHSCOPE_KEY",
    "HOST",
    "LIFELIKE",
    "SPEAKERS",
    "USUAL_PORT",
    "ZHIPUAI_KEY",
    "Options",
    "application",
    "run_forever",
    "serve",
]

SPEAKERS: Mapping[str, Speaker] = {
    "zhipuai": zhipuai.SPEAKER,
    "dashscope": dashscope.SPEAKER,
}
"""Every provider the sandbox can speak for, by name."""

ZHIPUAI_KEY = zhipuai.KEY
DASHSCOPE_KEY = dashscope.KEY


def application(options: Options) -> Starlette:
    """The sandbox as an ASGI application."""
    return server.assemble(options, SPEAKERS)


def serve(options: Options) -> AbstractContextManager[str]:
    """Run a sandbox while a `with` block lasts; its value is the address, without a path."""
    return server.served(application(options), options.port)


def run_forever(options: Options, announce: Callable[[str], None] = lambda address: None) -> None:
    """Run a sandbox until it is interrupted; `announce` is told its address."""
    server.serve_forever(application(options), options.port, announce)
