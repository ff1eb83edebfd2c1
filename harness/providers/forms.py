"""API formats of declared services, and the well-known services as providers.

A format is a folder beside this module that has a module `service`, whose function `declare`
returns the provider for a `Service`. The folder may also have the modules `rules` and `faults` and
the folder `samples`, as that of a provider. A new format needs no change in this module. Well-known
services are declared in `config/services.toml`. They are recognised in recordings, but a scenario
can only name those that its project declares, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from harness.config.services import Service, shipped
from harness.providers.native import gemini, ollama
from harness.providers.provider import Provider

ORIGIN = "pyproject.toml"
"""The origin of a declared service."""

_PACKAGE = "harness.providers"


@cache
def forms() -> tuple[str, ...]:
    """Return the names of all API formats of declared services, such as `openai`."""
    folders = (m.name for m in iter_modules([str(Path(__file__).parent)]) if m.ispkg)
    return tuple(name for name in folders if find_spec(f"{_PACKAGE}.{name}.service"))


def in_forms(module: str, name: str) -> Iterator[Any]:
    """Yield the items of the tuple *name* in the module *module* of each API format.

    `in_forms("rules", "RULES")` yields the rules of all formats. A format without that module is
    skipped.
    """
    for form in forms():
        path = f"{_PACKAGE}.{form}.{module}"
        if find_spec(path):
            yield from getattr(import_module(path), name)


@lru_cache(maxsize=64)
def declared(service: Service) -> Provider:
    """Return the provider for *service*, which a project declares in its settings.

    Raises:
        ValueError: `service.form` is not the name of an API format.
    """
    if service.form not in forms():
        known = ", ".join(forms())
        raise ValueError(f"{service.name}: form: unknown form {service.form!r}; known are: {known}")
    provider: Provider = import_module(f"{_PACKAGE}.{service.form}.service").declare(service)
    return replace(provider, origin=ORIGIN)


# ----------------------------------------------------------------------------- well-known services


NATIVE = {"gemini": gemini.ENDPOINTS, "ollama": ollama.ENDPOINTS}
"""The endpoints in formats of their own, by service."""


@cache
def known_service(name: str) -> Provider:
    """Return the well-known service *name* as a provider. Raises KeyError if there is none."""
    provider = declared(shipped()[name])
    return replace(provider, further=NATIVE.get(name, ()) + provider.further)


def known_services() -> Mapping[str, Provider]:
    """Return the providers for all well-known services, by name."""
    return {name: known_service(name) for name in shipped()}
