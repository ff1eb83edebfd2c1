"""Drift: what a service answers now, compared with what it answered when it was recorded.

Each change has a verdict: what it means for programs that read the format. `judge` compares two
recordings, `run` two folders, `live` records again; `plan` chooses what is worth its price.
"""

from harness.analysis.change import ChangeKind, Verdict
from harness.drift.judge import find_drift
from harness.drift.types import Drift, DriftChange, DriftRun

__all__ = ["ChangeKind", "Drift", "DriftChange", "DriftRun", "Verdict", "find_drift"]
