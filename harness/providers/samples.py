"""Tables: sample exchanges, faults that break the rules of one provider, and API formats."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.analysis.fault import TranscriptFault
from harness.providers import INSTALLED
from harness.providers.forms import forms, in_forms
from harness.providers.operation import ApiForm
from harness.providers.provider import read_samples
from harness.types import Exchange

SAMPLES: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
    {
        **{name: one for provider in INSTALLED.values() for name, one in provider.samples.items()},
        **{n: s for form in forms() for n, s in read_samples(f"harness.providers.{form}").items()},
    }
)
"""Small valid conversations as exchanges, by name; every endpoint and mode has one."""

FAULTS: tuple[TranscriptFault, ...] = (
    *(fault for provider in INSTALLED.values() for fault in provider.faults),
    *in_forms("faults", "FAULTS"),
)
"""The faults that violate the providers' own rules."""

API_FORMS: Mapping[str, ApiForm] = MappingProxyType(
    {name: form for provider in INSTALLED.values() for name, form in provider.api_forms.items()}
)
"""Every API form, by name: `zhipuai`, `dashscope` or `compatible`."""
