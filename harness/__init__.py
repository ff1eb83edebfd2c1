"""Record, replay, check and compare conversations with LLM APIs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import strategies
    from harness.api.use_cassette import use_cassette
    from harness.cassette.vcrpy_check import Persister

    vcrpy_persister: Persister

__all__ = ["__version__", "strategies", "use_cassette", "vcrpy_persister"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a public name when it is used first, so that `import harness` is fast."""
    if name == "strategies":
        return import_module("harness.strategies")
    if name == "use_cassette":
        return import_module("harness.api.use_cassette").use_cassette
    if name == "vcrpy_persister":
        from harness.cassette.store import read
        from harness.cassette.vcrpy_check import Persister

        return Persister(read)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
