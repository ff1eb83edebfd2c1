"""Cassettes over HTTP: a replay server and a recording proxy, for clients in any language."""

from __future__ import annotations

from harness.serve.library import Library, ReplaySession, load
from harness.serve.links import Links
from harness.serve.proxy import Upstream, upstreams
from harness.serve.server import ServeResult, record, replay

__all__ = [
    "Library",
    "Links",
    "ReplaySession",
    "ServeResult",
    "Upstream",
    "load",
    "record",
    "replay",
    "upstreams",
]
