"""Cassettes over HTTP: a replay server and a recording proxy, for clients in any language."""

from __future__ import annotations

from harness.serve.library import Library, Session, load
from harness.serve.links import Links
from harness.serve.proxy import Upstream, upstreams
from harness.serve.server import Result, record, replay

__all__ = [
    "Library",
    "Links",
    "Result",
    "Session",
    "Upstream",
    "load",
    "record",
    "replay",
    "upstreams",
]
