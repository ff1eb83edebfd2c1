"""Samples of all providers and the faults that break their own rules: the table of contents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.analysis.fault import TranscriptFault
from harness.providers.dashscope import samples as dashscope_samples
from harness.providers.zhipu import samples as zhipu_samples
from harness.types import Exchange

SAMPLES: Mapping[str, tuple[Exchange, ...]] = MappingProxyType(
    {**zhipu_samples.SAMPLES, **dashscope_samples.SAMPLES}
)
"""The exchanges of small valid conversations of every endpoint and mode, by their name."""

FAULTS: tuple[TranscriptFault, ...] = (*zhipu_samples.FAULTS, *dashscope_samples.FAULTS)
