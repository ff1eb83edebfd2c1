"""The needs of the patches: the lowest tested version of each library, and names in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

LOWEST: Mapping[str, str] = MappingProxyType(
    {"aiohttp": "3.12.2", "httpx": "0.27", "requests": "2.31", "urllib3": "2.0.2"}
)
"""The lowest tested version of each patched library; httpx2 is tested in every version."""

_TRANSPORTS = (
    *("HTTPTransport.handle_request", "HTTPTransport._pool"),
    *("AsyncHTTPTransport.handle_async_request", "AsyncHTTPTransport._pool"),
)

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aiohttp": (
            "aiohttp.client:ClientSession._request",
            "aiohttp.client:ClientSession._middlewares",
            "aiohttp.client_proto:ResponseHandler._payload",
            "aiohttp.client_proto:ResponseHandler._on_read_timeout",
            "aiohttp.client_proto:ResponseHandler._reading_paused",
            "aiohttp.connector:BaseConnector.connect",
            "aiohttp.connector:Connection._notify_release",
            "aiohttp.connector:Connection._protocol",
            "aiohttp.http_parser:DeflateBuffer.feed_data",
            "aiohttp.streams:StreamReader._buffer",
            "aiohttp.streams:StreamReader._timer",
            "aiohttp.streams:StreamReader._wait",
        ),
        "asyncio": (
            "asyncio.base_events:BaseEventLoop.call_at",
            "asyncio.base_events:BaseEventLoop._ready",
            "asyncio.events:TimerHandle._callback",
            "asyncio.events:TimerHandle._run",
        ),
        "http": (
            "http.client:HTTPConnection._tunnel_host",
            "http.client:HTTPConnection._tunnel_port",
        ),
        "httpx": tuple(f"httpx:{name}" for name in _TRANSPORTS),
        "httpx2": tuple(f"httpx2:{name}" for name in _TRANSPORTS),
        "requests": (
            "requests.adapters:HTTPAdapter.send",
            "requests.adapters:HTTPAdapter.add_headers",
            "requests.adapters:HTTPAdapter.build_response",
            "requests.adapters:HTTPAdapter.request_url",
            "requests.structures:CaseInsensitiveDict._store",
        ),
        "urllib3": (
            "urllib3.connectionpool:HTTPConnectionPool._make_request",
            "urllib3.connectionpool:HTTPSConnectionPool._prepare_proxy",
            "urllib3.response:HTTPResponse._body",
            "urllib3.response:HTTPResponse._error_catcher",
            "urllib3.response:HTTPResponse._fp_read",
            "urllib3.response:HTTPResponse._handle_chunk",
            "urllib3.response:HTTPResponse._original_response",
            "urllib3.response:HTTPResponse._update_chunk_length",
            "urllib3.response:HTTPResponse.chunk_left",
        ),
    }
)
"""The names that the patches replace, call or override, as `module:Class.name`."""

_EFFECTS = MappingProxyType(
    {
        "asyncio": "sleeps of a replay take real time",
        "http": "requests over http.client are neither recorded nor replayed",
    }
)
"""The consequence for a library that cannot be patched, where its name does not say it."""

_NEEDED = MappingProxyType({"requests": ("requests", "urllib3")})
"""The libraries whose patches a library needs, where these are not its own alone."""


def unsupported(name: str) -> str:
    """Return why an imported library cannot be patched, and what follows; empty if it can be.

    Args:
        name: The import name of the library, or of a module of it.
    """
    library = name.partition(".")[0]
    for needed in _NEEDED.get(library, (library,)):
        module = sys.modules.get(needed)
        here, lowest = str(getattr(module, "__version__", "")), LOWEST.get(needed, "")
        effect = f"requests over {needed} are neither recorded nor replayed"
        if needed == "urllib3" and hasattr(module, "AsyncPoolManager"):
            return (
                f"{effect}: urllib3-future has taken the place of urllib3; "
                "undo it with: pip install --force-reinstall urllib3"
            )
        if here and lowest and _release(here) < _release(lowest):
            return f"{effect}: {needed} {here} is older than {lowest}"
        if missing := missing_name(needed):
            owner = f"{needed} {here}" if here else f"Python {sys.version.split()[0]}"
            return (
                f"{_EFFECTS.get(needed, effect)}: {owner} has no {missing}, which the patches "
                "need; harness doctor shows the versions that are tested"
            )
    return ""


@cache
def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


@cache
def missing_name(library: str) -> str:
    """Return the first of `NAMES` that the imported *library* lacks; empty if it has them all."""
    for name in NAMES.get(library, ()):
        module, _, path = name.partition(":")
        *classes, last = path.split(".")
        owner: Any = sys.modules.get(module)
        for part in classes:
            owner = getattr(owner, part, None)
        if not hasattr(owner, last) and not _initializes(owner, last):
            return path
    return ""


def _initializes(owner: Any, attribute: str) -> bool:
    """Return whether the initializer of a class, or of a base class, sets *attribute*."""
    initializers = (vars(cls).get("__init__") for cls in getattr(owner, "__mro__", ()))
    codes = (getattr(function, "__code__", None) for function in initializers)
    return any(code is not None and attribute in code.co_names for code in codes)
