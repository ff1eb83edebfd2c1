"""The tables of all samples, of the faults that break providers' own rules, and of API forms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.analysis.fault import TranscriptFault
from harness.providers import INSTALLED
from harness.providers.anthropic import faults as anthropic
from harness.providers.operation import ApiForm
from harness.providers.provider import read_samples
from harness.providers.responses import faults as responses
from harness.types import Exchange

SAMPLES: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
    {
        **{name: one for provider in INSTALLED.values() for name, one in provider.samples.items()},
        **read_samples("harness.providers.anthropic"),
        **read_samples("harness.providers.responses"),
    }
)
"""Small valid conversations as exchanges, by name; every endpoint and mode has one."""

FAULTS: tuple[TranscriptFault, ...] = (
    *(fault for provider in INSTALLED.values() for fault in provider.faults),
    *anthropic.FAULTS,
    *responses.FAULTS,
)
"""The faults that violate the providers' own rules."""

API_FORMS: Mapping[str, ApiForm] = MappingProxyType(
    {name: form for provider in INSTALLED.values() for name, form in provider.api_forms.items()}
)
"""Every API form, by name: `zhipuai`, `dashscope` or `compatible`."""
