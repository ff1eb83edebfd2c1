"""The API forms whose requests and answers can be made up, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers import PROVIDERS
from harness.providers.operation import ApiForm

API_FORMS: Mapping[str, ApiForm] = MappingProxyType(
    {name: form for provider in PROVIDERS.values() for name, form in provider.api_forms.items()}
)
