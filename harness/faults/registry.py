"""The tables of all faults.

`DELIVERY_FAULTS` change an answer that is sent to a client, `RULE_FAULTS` a transcript that the
rules check.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.fault import TranscriptFault
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.faults import (
    answers,
    content,
    media,
    network,
    sdk,
    streams,
    tasks,
    tools,
    wire_format,
)
from harness.faults.delivery import DeliveryFault
from harness.providers import endpoints, samples
from harness.types import Transcript

DELIVERY_FAULTS: tuple[DeliveryFault, ...] = tuple(
    sorted((*network.FAULTS, *content.FAULTS), key=lambda fault: fault.harmful)
)
"""Faults that change an answer on its way to a client, harmless ones first."""

RULE_FAULTS: tuple[TranscriptFault, ...] = (
    *wire_format.FAULTS,
    *answers.FAULTS,
    *streams.FAULTS,
    *tasks.FAULTS,
    *tools.FAULTS,
    *media.FAULTS,
    *samples.FAULTS,
    *sdk.FAULTS,
)
"""Faults that change a valid transcript, each with the name of the rule that has to notice it."""


def breaking(rule: str) -> list[TranscriptFault]:
    """Return the transcript faults that break the rule called *rule*; empty if there are none."""
    return [fault for fault in RULE_FAULTS if fault.breaks_rule == rule]


def injected(
    fault: TranscriptFault, subject: Transcript | AnalyzedTranscript
) -> Iterator[Transcript]:
    """Yield, for each place where *fault* can change *subject*, a copy with this change.

    *subject* is a valid transcript, analyzed or not. Yields nothing if no place can be changed.
    """
    if isinstance(subject, Transcript):
        subject = analyze(subject, endpoints.recognise)
    for place in fault.places(subject):
        changed = fault.apply(subject, place)
        if changed is not None:
            yield changed
