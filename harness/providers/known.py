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
def known() -> Mapping[str, Provider]:
    """Return the well-known services by name."""
    services = {name: declared(service) for name, service in shipped().items()}
    return {
        name: replace(one, further=_NATIVE.get(name, ()) + one.further)
        for name, one in services.items()
    }
