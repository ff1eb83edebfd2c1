"""Plug-ins: what other installed packages add to the harness by entry points.

The groups are `harness.providers`, `harness.rules` and `harness.reports`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from harness.errors import HarnessError

T = TypeVar("T")

OWN = "harness"
"""The origin of what is part of the harness itself."""


@dataclass(frozen=True, slots=True)
class Plugin(Generic[T]):
    """The object that an entry point of another package adds.

    Attributes:
        name: The name of the entry point.
        origin: The package and its version, such as `harness-echo 1.0`.
        package: The name of the package.
        value: The object.
    """

    name: str
    origin: str
    package: str
    value: T

    def broken(self, reason: str) -> HarnessError:
        """Return an exception that names the package, what is wrong (*reason*) and what to do."""
        return HarnessError(
            f"the plug-in {self.name!r} of the package {self.origin} cannot be used: {reason}; "
            f"fix or update that package, or remove it: pip uninstall {self.package}"
        )


def load(group: str, expected: type[T] | tuple[type[T], ...]) -> tuple[Plugin[T], ...]:
    """Return the plug-ins of installed packages in an entry point group, sorted by package, name.

    Args:
        group: The group, such as `harness.rules`.
        expected: The type of the objects, or several types.

    Raises:
        HarnessError: An entry point cannot be imported, or its object has another type.
    """
    every = _entry_points(tuple(sys.path))
    points = sorted(every.select(group=group), key=lambda p: (p.dist.name if p.dist else "", p))
    plugins: dict[tuple[str, str, str], Plugin[T]] = {}
    for point in points:
        package = point.dist.name if point.dist else point.module
        origin = f"{package} {point.dist.version}" if point.dist else package
        try:
            value = point.load()
        except (Exception, SystemExit) as error:
            reason = f"{point.value} cannot be imported ({type(error).__name__}: {error})"
            raise Plugin(point.name, origin, package, None).broken(reason) from error
        plugin = Plugin(point.name, origin, package, value)
        if not isinstance(value, expected):
            types = expected if isinstance(expected, tuple) else (expected,)
            names = " or ".join(f"a {kind.__name__}" for kind in types)
            found = f"a {type(value).__name__}"
            raise plugin.broken(f"{point.value} should be {names} (group {group}), not {found}")
        plugins.setdefault((package, point.name, point.value), plugin)
    return tuple(plugins.values())


def are_installed(*groups: str) -> bool:
    """Return whether any installed package has an entry point in one of *groups*.

    A group is, for example, `harness.rules`.
    """
    every = _entry_points(tuple(sys.path))
    return any(every.select(group=group) for group in groups)


@lru_cache(maxsize=1)
def _entry_points(_path: tuple[str, ...]) -> Any:
    """Return the entry points of all packages; they are read once for each `sys.path`."""
    return entry_points()
