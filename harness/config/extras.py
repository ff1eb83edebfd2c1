"""The extras of the distribution: what is installed only where it is needed.

`pyproject.toml` lists the packages of each extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import MissingExtra

DISTRIBUTION = "llm-conversation-harness"


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Raise MissingExtra if an import in the `with` block fails because a package is missing.

    Args:
        name: The extra that installs the package; the message has the command.

    Raises:
        MissingExtra: The block imported a package that is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if isinstance(error, MissingExtra) or package in ("", "harness"):
            raise
        raise MissingExtra(missing(package, name), name=package) from None


def missing(package: str, name: str) -> str:
    """Return the message that *package* is not installed, and how to install the extra *name*."""
    return f"{package} is not installed; install it with: {install_command(name)}"


def install_command(name: str) -> str:
    """Return the command that installs the extra *name*."""
    return f"pip install '{DISTRIBUTION}[{name}]'"
