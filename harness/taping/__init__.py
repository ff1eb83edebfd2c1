"""A tape: a cassette in a recorder.

`Recorder` and `Player` are the two tapes, and `Deck` is both in one; with `in_place` one of them,
every HTTP request of the context meets it. Recording and replaying differ in nothing else.
"""

from harness.taping.clock import checked_pace
from harness.taping.context import Tape
from harness.taping.deck import Deck
from harness.taping.finished import Finished, reusable
from harness.taping.hooks import BeforeRecord, Match, all_of_it, as_it_is
from harness.taping.hosts import Hosts
from harness.taping.patch import in_place
from harness.taping.player import Player
from harness.taping.recorder import Recorder
from harness.taping.stock import Persister, prove_stock_reads

__all__ = [
    "BeforeRecord",
    "Deck",
    "Finished",
    "Hosts",
    "Match",
    "Persister",
    "Player",
    "Recorder",
    "Tape",
    "all_of_it",
    "as_it_is",
    "checked_pace",
    "in_place",
    "prove_stock_reads",
    "reusable",
]
