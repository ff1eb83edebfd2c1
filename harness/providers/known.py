"""Well-known services: the declarations that come with the harness, as providers.

They are recognised in recordings; scenarios name them once a project declares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from harness.config.services import shipped
from harness.providers.forms import declared
from harness.providers.native import gemini, ollama
from harness.providers.provider import Provider

_NATIVE = {"gemini": gemini.ENDPOINTS, "ollama": ollama.ENDPOINTS}
"""The endpoints in formats of their own, by service."""


@cache
def known_service(name: str) -> Provider:
    """Return a well-known service. Raises KeyError if there is none of this name."""
    provider = declared(shipped()[name])
    return replace(provider, further=_NATIVE.get(name, ()) + provider.further)


def known() -> Mapping[str, Provider]:
    """Return the well-known services by name."""
    return {name: known_service(name) for name in shipped()}
