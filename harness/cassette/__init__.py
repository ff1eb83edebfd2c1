"""Cassettes as text: vcrpy's file format, version 1, read and written.

What vcrpy's format has no room for stands in `metadata` under the key `harness`; stock vcrpy
carries it along unread. `version` stands last, as vcrpy writes it: a file that was cut off has
none, and so is never taken for a shorter but whole one.

`dumps` and `loads` are text alone. What is written to a disk is `written`: bodies that are files
stand beside the text, and `put_back` has them in their place again.

While a recording goes on, its exchanges stand in a journal: see `records`.
"""

from harness.cassette.artefacts import FOLDER, Written, is_of, line_of, put_back, written
from harness.cassette.reader import loads
from harness.cassette.records import Head, Journaled, of_exchange, of_head, read_journal
from harness.cassette.writer import dumps

__all__ = [
    "FOLDER",
    "Head",
    "Journaled",
    "Written",
    "dumps",
    "is_of",
    "line_of",
    "loads",
    "of_exchange",
    "of_head",
    "put_back",
    "read_journal",
    "written",
]
