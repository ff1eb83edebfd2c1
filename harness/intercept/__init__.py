"""The interception of HTTP requests: recorded by a `Recorder`, answered by a `Player`.

With `use_tape`, every HTTP request of a context is handed to one of them, or to a
`ReplayOrRecord`, which is both. Recording and replaying differ in nothing else.
"""

from harness.cassette.vcrpy_check import Persister, check_vcrpy_reads
from harness.config.hosts import AllowedHosts
from harness.intercept.clock import checked_pace
from harness.intercept.context import Tape
from harness.intercept.hooks import BeforeRecord, NormalizeRequest, identity, keep_all
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.intercept.replay_or_record import ReplayOrRecord
from harness.intercept.resume import RecordedPrefix

__all__ = [
    "AllowedHosts",
    "BeforeRecord",
    "NormalizeRequest",
    "Persister",
    "Player",
    "RecordedPrefix",
    "Recorder",
    "ReplayOrRecord",
    "Tape",
    "check_vcrpy_reads",
    "checked_pace",
    "identity",
    "keep_all",
    "use_tape",
]
