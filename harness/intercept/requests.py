"""The patches of the library requests, which replay a response without the use of urllib3.

requests searches the environment for proxies and prepares connection pools and certificates for
each request, which takes longer than the replay of a response. These patches skip that while a tape
only replays. `send` sets the same headers and builds the same response as requests does. Any other
request is left to the patch of urllib3, as are all requests if there are retries or recorded
network failures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, cast
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from harness.intercept.context import Patch, block_here, in_passthrough
from harness.intercept.http_client import absolute_uri
from harness.intercept.urllib3 import replay

_ADAPTERS = "requests.adapters"


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `requests.sessions`."""
    return (
        (library.HTTPAdapter, "send", _wrap_send),
        (library, "get_environ_proxies", _wrap_get_environ_proxies),
    )


def _wrap_send(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `HTTPAdapter.send` to answer from a tape that only replays."""
    if original.__module__ != _ADAPTERS or hasattr(original, "__wrapped__"):
        return original  # a mock's or a tracer's patch comes first, as when this was recorded

    def send(
        self: Any,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Any:
        if self.max_retries.total or not _is_replayed(request.url):
            return original(self, request, stream, timeout, verify, cert, proxies)
        uri = _uri(self, request, proxies)
        self.add_headers(
            request, stream=stream, timeout=timeout, verify=verify, cert=cert, proxies=proxies
        )
        response = replay(request.method, uri, request.body, _pairs(request.headers))
        return self.build_response(request, response)

    return send


def _wrap_get_environ_proxies(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the search of the environment for proxies, to find none while a tape only replays."""

    def get_environ_proxies(url: str, *args: Any, **options: Any) -> Any:
        return {} if _is_replayed(url) else original(url, *args, **options)

    return get_environ_proxies


def _is_replayed(url: str) -> bool:
    """Return whether the current tape only replays, and answers requests to *url*."""
    block = block_here()
    return not (
        block is None
        or block.tape.clock is None
        or block.tape.has_failures  # requests and urllib3 handle them, and retries
        or in_passthrough()
        or block.hosts.admits_request(url)
    )


def _uri(adapter: Any, request: Any, proxies: Any) -> str:
    """Return the URI of a request as urllib3 gets it: without login and fragment."""
    is_plain = not proxies and _PLAIN_URI.fullmatch(request.url)
    if is_plain and adapter.request_url.__module__ == _ADAPTERS:
        return str(request.url)
    parts = urlsplit(request.url)
    target = adapter.request_url(request, proxies)
    return absolute_uri(parts.scheme, parts.hostname or "", parts.port, target)


_PLAIN_URI = re.compile(r"https?://[a-z0-9.-]+/(?!/)[^#@]*(?<!\?)", re.ASCII)
"""A URI that urllib3 gets as it is."""


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """Return the pairs of name and value, without a look-up for each name."""
    is_usual = isinstance(headers, CaseInsensitiveDict)
    pairs = cast("Any", headers)._store.values() if is_usual else (headers or {}).items()
    return cast("Iterable[tuple[Any, Any]]", pairs)
