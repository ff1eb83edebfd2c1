"""A short cut in requests: what a replay answers need not pass through urllib3.

requests looks for a pool of connections and for certificates first, every time, which takes longer
than a recorded answer. What may go out is left to the seam in urllib3 (`over_urllib3`), and what
else an adapter does to a request is done here too.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from harness.intercept import urllib3 as patch_urllib3
from harness.intercept.clock import Seam
from harness.intercept.context import current, on_the_way, passes


def seams(library: ModuleType) -> tuple[Seam, ...]:
    """What to patch in `requests.adapters`, and how."""

    def on_tape(original: Callable[..., Any]) -> Callable[..., Any]:
        """`HTTPAdapter.send`, answered by a tape that only plays."""
        if _is_of_others(original, library):
            return original  # theirs comes first, as it did when this was recorded

        def send(
            self: Any,
            request: Any,
            stream: bool = False,
            timeout: Any = None,
            verify: Any = True,
            cert: Any = None,
            proxies: Any = None,
        ) -> Any:
            options = {
                "stream": stream,
                "timeout": timeout,
                "verify": verify,
                "cert": cert,
                "proxies": proxies,
            }
            tape = current.get()
            # A tape that may record has no time of its own.
            if tape is None or tape.clock is None or on_the_way.get() or passes(request.url):
                return original(self, request, **options)
            uri = _uri(request.url, self.request_url(request, proxies))
            self.add_headers(request, **options)
            found = patch_urllib3.played(tape, request.method, uri, request.body, request.headers)
            if found is None:
                return original(self, request, **options)
            return self.build_response(request, found)

        return send

    return ((library.HTTPAdapter, "send", on_tape),)


def _is_of_others(original: Callable[..., Any], library: ModuleType) -> bool:
    """Whether somebody else has patched it: a mock, or what traces requests."""
    return original.__module__ != library.__name__ or hasattr(original, "__wrapped__")


def _uri(url: str, asked: str) -> str:
    """The address as urllib3 would be asked for it: without login and fragment."""
    parts = urlsplit(url)
    return patch_urllib3.whole(parts.scheme, parts.hostname or "", parts.port, asked)
