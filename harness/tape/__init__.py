"""A tape: a cassette in a recorder.

`Recorder` and `Player` are the two tapes, and `Deck` is both in one; with `in_place` one of them,
every HTTP request of the context meets it. Recording and replaying differ in nothing else.
"""

from harness.tape.clock import checked_pace
from harness.tape.context import Tape
from harness.tape.deck import Deck
from harness.tape.finished import Finished, reusable
from harness.tape.hosts import Hosts
from harness.tape.patch import in_place
from harness.tape.player import Match, Player, as_it_is
from harness.tape.recorder import BeforeRecord, Recorder, all_of_it
from harness.tape.stock import Persister, prove_stock_reads

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
