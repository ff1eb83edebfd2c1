"""A tape: a cassette in a recorder.

`Recorder` and `Player` are the two tapes, and `Deck` is both in one; with `in_place` one of them,
every HTTP request of the context meets it. Recording and replaying differ in nothing else.
"""

from harness.cassette.stock_vcrpy import Persister, prove_stock_reads
from harness.intercept.clock import checked_pace
from harness.intercept.context import Tape
from harness.intercept.hooks import BeforeRecord, Match, identity, keep_all
from harness.intercept.hosts import Hosts
from harness.intercept.patch import in_place
from harness.intercept.player import Player
from harness.intercept.recorded_prefix import RecordedPrefix, reusable
from harness.intercept.recorder import Recorder
from harness.intercept.replay_or_record import ReplayOrRecord

__all__ = [
    "BeforeRecord",
    "Hosts",
    "Match",
    "Persister",
    "Player",
    "RecordedPrefix",
    "Recorder",
    "ReplayOrRecord",
    "Tape",
    "checked_pace",
    "identity",
    "in_place",
    "keep_all",
    "prove_stock_reads",
    "reusable",
]
