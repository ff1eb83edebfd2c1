"""The lowest version of each HTTP library whose private names the patches are tested with."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import MappingProxyType

LOWEST: Mapping[str, str] = MappingProxyType(
    {"aiohttp": "3.12.1", "httpx": "0.27", "requests": "2.31", "urllib3": "2.0.2"}
)
"""The lowest tested version of each patched library; httpx2 is tested in every version."""

_NEEDED = MappingProxyType({"requests": ("requests", "urllib3")})
"""The libraries whose patches a library needs, where these are not its own alone."""


def unsupported(name: str) -> str:
    """Return why requests of an imported library cannot be intercepted; empty if they can.

    Args:
        name: The import name of the library, or of a module of it.
    """
    library = name.partition(".")[0]
    for needed in _NEEDED.get(library, (library,)):
        module = sys.modules.get(needed)
        here, lowest = str(getattr(module, "__version__", "")), LOWEST.get(needed, "")
        if needed == "urllib3" and hasattr(module, "AsyncPoolManager"):
            return (
                "requests over urllib3 are neither recorded nor replayed: urllib3-future has "
                "taken the place of urllib3; undo it with: pip install --force-reinstall urllib3"
            )
        if here and lowest and _release(here) < _release(lowest):
            return (
                f"requests over {needed} are neither recorded nor replayed: "
                f"{needed} {here} is older than {lowest}"
            )
    return ""


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
