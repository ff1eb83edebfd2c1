"""Samples of all providers and the faults that break their own rules: the table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.analysis.fault import TranscriptFault
from harness.providers import PROVIDERS
from harness.types import Exchange

SAMPLES: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
    {name: sample for provider in PROVIDERS.values() for name, sample in provider.samples.items()}
)
"""The exchanges of small valid conversations of every endpoint and mode, by their name."""

FAULTS: tuple[TranscriptFault, ...] = tuple(
    fault for provider in PROVIDERS.values() for fault in provider.faults
)
