"""Record, replay, check and compare conversations with LLM APIs.

The names in `__all__` are the public Python API; docs/PYTHON_API.md describes them, and
docs/STABILITY.md says what may change. `__init__.pyi` says where each is defined.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"


@cache
def _modules() -> dict[str, str]:
    """Return the module of each public name that `__init__.pyi` imports."""
    import ast

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    return {
        one.name: str(node.module)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if one.asname == one.name
    }


def __getattr__(name: str) -> object:
    """Import a public name when it is used first, so that `import harness` is fast."""
    if name == "__all__":
        return __dir__()
    if name == "vcrpy_persister":
        return _persister()
    if name == "strategies":
        return import_module("harness.strategies")
    if name in _modules():
        return vars(import_module(_modules()[name]))[name]
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, for completion in editors and shells."""
    return sorted([*_modules(), "__version__", "vcrpy_persister"])


def _persister() -> object:
    """Return the persister with which stock vcrpy reads artefacts."""
    from harness.cassette.store import read
    from harness.cassette.vcrpy_check import Persister

    return Persister(read)
