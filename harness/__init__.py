"""Record, replay, check and compare conversations with LLM APIs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import strategies
    from harness.api.use_cassette import use_cassette
    from harness.api.use_cassette import use_cassette as tape
    from harness.intercept import Persister

    vcrpy_persister: Persister

__all__ = ["__version__", "strategies", "tape", "use_cassette", "vcrpy_persister"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """What is used is imported when it is: `import harness` costs nothing."""
    if name == "strategies":
        return import_module("harness.strategies")
    if name in ("tape", "use_cassette"):  # the second is what vcrpy calls it
        from harness.api.use_cassette import use_cassette

        return use_cassette
    if name == "vcrpy_persister":
        from harness.cassette.store import read
        from harness.intercept import Persister

        return Persister(read)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
