"""All faults: the table of contents.

A fault in a delivery is sent to a client; a fault in a transcript is checked by the rules.
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
"""Changes of an answer on its way to a client, harmless ones first."""

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
"""Changes of a valid transcript, each with the rule that has to notice it."""


def breaking(rule: str) -> list[TranscriptFault]:
    """Return the faults that break a rule; a new rule may have none."""
    return [fault for fault in RULE_FAULTS if fault.breaks_rule == rule]


def injected(
    fault: TranscriptFault, subject: Transcript | AnalyzedTranscript
) -> Iterator[Transcript]:
    """Yield the transcript with a fault, once for each of its places that can be changed."""
    if isinstance(subject, Transcript):
        subject = analyze(subject, endpoints.recognise)
    for place in fault.places(subject):
        changed = fault.apply(subject, place)
        if changed is not None:
            yield changed
