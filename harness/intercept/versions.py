"""The lowest supported version of each patched library, and its names that the patches use."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

LOWEST: Mapping[str, str] = MappingProxyType(
    {"aiohttp": "3.12.2", "httpx": "0.27", "requests": "2.31", "urllib3": "2.0.2"}
)
"""The lowest tested version of each patched library; httpx2 is tested in every version."""


def _names() -> Mapping[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for line in Path(__file__).with_name("names.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            library = line.partition(":")[0].partition(".")[0]
            names[library] = (*names.get(library, ()), line)
    return MappingProxyType(names)


NAMES: Mapping[str, tuple[str, ...]] = _names()
"""The names that the patches replace, call or override, as `module:Class.name`, by library."""

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
    """Return why an imported library cannot be patched, and the consequence; empty if it can be.

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
    """Return the first name that the patches need and *library* lacks; empty if it has all.

    *library* is the name of an imported library, such as `urllib3`; the names are in `NAMES`.
    """
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
