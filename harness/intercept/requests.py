"""The patch of requests, which replays a response without passing through urllib3.

requests prepares connection pools and certificates for each request, which takes longer than the
replay of a response. This patch skips that while a tape only replays. Its `send` sets the same
headers and builds the same response as requests does. Any other request is left to the patch of
urllib3, as are all requests if there are retries or recorded network failures.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from harness.intercept.context import Patch, block_here, bypasses_tape, in_passthrough
from harness.intercept.http_client import absolute_uri
from harness.intercept.urllib3 import replay

_OPTIONS = {"stream": False, "timeout": None, "verify": True, "cert": None, "proxies": None}
"""The parameters of `HTTPAdapter.send` after the request, with their defaults."""


def patches(library: ModuleType) -> tuple[Patch, ...]:
    """Return the patches of *library*, the imported module `requests.adapters`."""

    def wrap_send(original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `HTTPAdapter.send` to answer from a tape that only replays."""
        if original.__module__ != library.__name__ or hasattr(original, "__wrapped__"):
            return original  # a mock's or a tracer's patch comes first, as when this was recorded

        def send(self: Any, request: Any, *args: Any, **given: Any) -> Any:
            options = {**_OPTIONS, **dict(zip(_OPTIONS, args, strict=False)), **given}
            block = block_here()
            if (
                block is None
                or block.tape.clock is None
                or in_passthrough()
                or bypasses_tape(request.url)
            ):
                return original(self, request, **options)
            if (
                block.tape.has_failures or self.max_retries.total
            ):  # requests and urllib3 handle them
                return original(self, request, **options)
            parts = urlsplit(request.url)  # urllib3 gets it without login and fragment
            target = self.request_url(request, options["proxies"])
            uri = absolute_uri(parts.scheme, parts.hostname or "", parts.port, target)
            self.add_headers(request, **options)
            response = replay(request.method, uri, request.body, request.headers)
            return self.build_response(request, response)

        return send

    return ((library.HTTPAdapter, "send", wrap_send),)
