"""Record, replay, check and compare conversations with LLM APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.taped import use_cassette

__all__ = ["__version__", "use_cassette"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """What is used is imported when it is: `import harness` costs nothing."""
    if name == "use_cassette":
        from harness.taped import use_cassette

        return use_cassette
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
