"""A short cut in requests: what a replay answers need not pass through urllib3.

requests looks for a pool of connections and for certificates first, every time, which takes longer
than a recorded answer. What may go out is left to the seam in urllib3 (`over_urllib3`).
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from harness.taping import over_urllib3
from harness.taping.clock import Seam
from harness.taping.context import current, on_the_way, passes


def seams(library: ModuleType) -> tuple[Seam, ...]:
    """What to patch in `requests.adapters`, and how."""
    without_login = library.urldefragauth

    def on_tape(original: Callable[..., Any]) -> Callable[..., Any]:
        """`HTTPAdapter.send`, answered by a tape that only plays."""

        def send(self: Any, request: Any, *more: Any, **options: Any) -> Any:
            tape = current.get()
            # A tape that may record has no time of its own.
            if tape is None or tape.clock is None or on_the_way.get() or passes(request.url):
                return original(self, request, *more, **options)
            uri = without_login(request.url)
            found = over_urllib3.played(tape, request.method, uri, request.body, request.headers)
            if found is None:
                return original(self, request, *more, **options)
            return self.build_response(request, found)

        return send

    return ((library.HTTPAdapter, "send", on_tape),)
