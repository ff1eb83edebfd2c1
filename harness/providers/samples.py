"""The tables of all providers' samples, and of the faults that violate the providers' own rules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.analysis.fault import TranscriptFault
from harness.providers import PROVIDERS
from harness.types import Exchange

SAMPLES: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
    {name: sample for provider in PROVIDERS.values() for name, sample in provider.samples.items()}
)
"""Small valid conversations as exchanges, by name; every endpoint and mode has one."""

FAULTS: tuple[TranscriptFault, ...] = tuple(
    fault for provider in PROVIDERS.values() for fault in provider.faults
)
"""The faults that violate the providers' own rules."""
