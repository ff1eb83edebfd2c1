"""Drift: what a service answers now beside what it answered when it was recorded, judged by what
a reader of the format has to fear. Begin with `nouns`, then `judging`; `planning` chooses what is
worth being asked anew.
"""

from harness.drift.judging import drift
from harness.drift.types import Change, Drift, Kind, Verdict

__all__ = ["Change", "Drift", "Kind", "Verdict", "drift"]
