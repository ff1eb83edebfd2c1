"""Which rules apply, and how much they weigh: what a project says for all its recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.types import EMPTY, Severity, Transcript


@dataclass(frozen=True, slots=True)
class Choice:
    """If `select` names any rules only they apply; `ignore` maps rules to reasons, `severity`
    rules to what they weigh here.
    """

    select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    severity: Mapping[str, Severity] = field(default_factory=lambda: EMPTY)

    @property
    def names(self) -> tuple[str, ...]:
        """Every rule it names."""
        return (*self.select, *self.ignore, *self.severity)

    def of(self, transcript: Transcript) -> Transcript:
        """The transcript with this choice; what its scenario says itself comes first."""
        return replace(
            transcript,
            selected=transcript.selected or self.select,
            ignored={**self.ignore, **transcript.ignored},
            severities={**self.severity, **transcript.severities},
        )


EVERYTHING = Choice()
"""Every rule, with its own weight."""
