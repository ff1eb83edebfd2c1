"""The table of all API forms, for which `harness.strategies` generates requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.providers import PROVIDERS
from harness.providers.operation import ApiForm

API_FORMS: Mapping[str, ApiForm] = MappingProxyType(
    {name: form for provider in PROVIDERS.values() for name, form in provider.api_forms.items()}
)
"""Every API form, by name: `zhipuai`, `dashscope` or `compatible`."""
