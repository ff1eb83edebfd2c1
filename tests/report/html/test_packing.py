"""The packed scenarios of large reports."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from dataclasses import replace

import pytest

from harness.analysis.transcript import analyze
from harness.providers.endpoints import recognise
from harness.report import FILES
from harness.report.model import RunInfo
from harness.report.spool import SpooledReads
from harness.types import Problem

from ..samples import sample


@pytest.fixture(autouse=True)
def packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every report is large."""
    monkeypatch.setattr("harness.report.html.packing.LARGE", 1)


def unpacked(page: str, attribute: str = "packed") -> list[str]:
    """The scenarios, or their texts for the search (`text`), as the page's script unpacks them."""
    packs = re.findall(f'data-{attribute}="([^"]+)"', page)
    return [gzip.decompress(b64decode(pack)).decode() for pack in packs]


def test_processes_that_share_the_work_make_the_same_page() -> None:
    """Whatever their number, in the order of the scenarios."""
    reports = [sample(f"Answer {number}") for number in range(12)]
    report = replace(
        reports[0],
        reads=tuple(
            replace(read, transcript=replace(read.transcript, scenario=f"scenario-{number}"))
            for number, one in enumerate(reports)
            for read in one.reads
        ),
        findings=(),
        matrices=(),
    )
    one, two = (FILES["html"](replace(report, processes=processes)) for processes in (1, 2))
    for attribute in ("packed", "text"):
        packs = unpacked(one, attribute)
        assert unpacked(two, attribute) == packs
        assert [f"Answer {n}" in pack for n, pack in enumerate(packs[:12])] == [True] * 12
        assert len(packs) == len(report.scenarios)


def test_secrets_are_masked_before_they_are_packed() -> None:
    """In the scenario and in the text that is searched, as on a page that is not packed."""
    key = "sk-" + "4f1c9a7be2d8" * 4
    report = sample(f"The key is {key}.")
    page = FILES["html"](replace(report, problems=(Problem("other", "", f"It has {key}."),)))
    assert key not in page
    for attribute in ("packed", "text"):
        packs = unpacked(page, attribute)
        assert [pack.count(key) for pack in packs] == [0] * len(packs)
        assert any("The key is" in pack for pack in packs)


def test_a_page_of_transcripts_in_a_file_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packs of its sections are in a file too."""
    monkeypatch.setattr("harness.report.model.run_info", lambda *_: RunInfo("1.0", "today"))
    transcripts, spooled = [read.transcript for read in sample().reads], SpooledReads()
    report = replace(sample(), reads=tuple(analyze(one, recognise) for one in transcripts))
    page = FILES["html"](report)
    monkeypatch.setattr("harness.report.spool.IN_MEMORY", 0)
    for transcript in transcripts:
        spooled.append(transcript)
    assert FILES["html"](replace(report, reads=spooled)) == page
    assert FILES["markdown"](replace(report, reads=spooled)) == FILES["markdown"](report)


def test_few_recordings_with_many_exchanges_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the page of a hundred long ones would need hundreds of megabytes."""
    monkeypatch.setattr("harness.report.html.packing.LARGE", 1000)
    report = sample("An answer.")
    assert unpacked(FILES["html"](report)) == []
    monkeypatch.setattr("harness.report.html.packing.MANY", 1)
    assert unpacked(FILES["html"](report)) != []


def test_secrets_beside_masked_exchanges_are_masked() -> None:
    """Recorded headers and bodies that are masked are not searched again; all else is."""
    key = "sk-" + "4f1c9a7be2d8" * 4
    report = replace(sample(), is_masked=True, problems=(Problem("other", "", f"It has {key}."),))
    page = FILES["html"](report)
    packs = [*unpacked(page), *unpacked(page, "text")]
    assert any("It has" in pack for pack in packs)
    assert not any(key in pack for pack in (page, *packs))
    answer = FILES["html"](replace(sample(f"The key is {key}."), is_masked=True))
    assert not any(key in pack for pack in unpacked(answer))
