"""Sequences whose items are in a temporary file."""

from __future__ import annotations

import gc
import io
from pathlib import Path
from typing import Any

import pytest

from harness.cassette.workers import in_order
from harness.errors import CannotWrite
from harness.report.spool import Spool, SpooledReads

from .samples import told


@pytest.mark.parametrize("room", [0, 20, 2**20])
def test_items_are_those_that_were_added(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory and in the file; in processes that were forked too."""
    monkeypatch.setattr("harness.report.spool.IN_MEMORY", room)
    texts, spool = [f"text {number}" for number in range(20)], Spool[str]()
    assert not spool
    for text in texts:
        spool.append(text)
    assert (len(spool), [*spool], spool[-1], spool[3:5]) == (20, texts, texts[-1], texts[3:5])
    assert [*in_order(spool.__getitem__, range(20), 2)] == texts


def test_a_full_disk_is_an_error_that_names_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that is cut short and one that is refused."""
    monkeypatch.setattr("harness.report.spool.IN_MEMORY", 0)
    for file in (open("/dev/full", "wb", 0), _Short(tmp_path / "a", "wb")):  # noqa: SIM115
        monkeypatch.setattr("harness.report.spool.TemporaryFile", lambda buffering, file=file: file)
        with pytest.raises(CannotWrite, match="No space left on device; set the variable TMPDIR"):
            Spool[str]().append("text")


class _Short(io.FileIO):
    """A file that takes one byte of each write."""

    def write(self, data: Any) -> int:
        return super().write(data[:1])


def test_transcripts_are_analyzed_anew_each_time() -> None:
    """So what was parsed of one is dropped with it."""
    reads, read = SpooledReads(), told()
    reads.append(read.transcript)
    assert reads[0] == read
    assert reads[0] is not reads[0]


def test_the_file_is_closed_with_the_last_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a warning that it was left open."""
    monkeypatch.setattr("harness.report.spool.IN_MEMORY", 0)
    spool = Spool[str]()
    spool.append("text")
    file = spool._file
    del spool
    gc.collect()
    assert file.closed
