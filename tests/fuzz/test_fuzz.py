"""Whatever a file or an answer holds: a finding or one clear error, never a traceback or a hang.

A few damaged files in every run; `make fuzz` reads as many as there is time for.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from contracts.recorded import learn
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.analysis.transcript import transcript_of
from harness.cassette.journal import JournalHead, exchange_record, head_record, read_journal
from harness.cassette.reader import loads
from harness.cassette.store import Store, write_text
from harness.cassette.writer import dumps
from harness.comparison.matrix import matrix
from harness.config.settings import Settings, load_settings
from harness.contracts.clause import changes
from harness.contracts.files import dumps as dump_contract
from harness.contracts.files import loads as load_contract
from harness.contracts.judge import Judge
from harness.errors import (
    BadCassette,
    BadContract,
    BadScenario,
    BadSettings,
    HarnessError,
    InterceptError,
)
from harness.providers import endpoints, recordings, rules
from harness.report import FILES, Report, comparison_text, text
from harness.runner import batch, replay
from harness.scenario.files import loads as load_scenario
from harness.scenario.steps import Scenario, digests
from harness.secrets.scanner import Scanner
from harness.types import Transcript

from .damage import damaged, runs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
CASSETTES = sorted((ROOT / "cassettes").glob("*/*.yaml"))
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
CONTRACT = learn(("x", recordings.read_cassette(path)) for path in CASSETTES[:4])
JOBS = batch.jobs(batch.load_scenarios([], ROOT / "scenarios"), [])


def is_clear(refusal: BaseException, where: str) -> None:
    """One message that begins with the place, and is no longer than a screen."""
    told = str(refusal)
    assert told.startswith(where)
    assert 0 < len(told) < 4000


def told_whole(transcript: Transcript) -> None:
    """Every rule, every comparison and every report over a transcript."""
    read, judged = rules.examine(transcript)
    report = Report(
        "fuzz",
        reads=(read,),
        findings=judged.findings,
        ignored=judged.ignored,
        matrices=(matrix([read, read]),),
    )
    for render in FILES.values():
        render(report).encode("utf-8")
    console = Console(file=io.StringIO(), width=80)
    text.report(console, report)
    comparison_text.comparison(console, report.matrices[0].pairs[0].comparison)
    text.conversation(console, read)


@runs(60)
@given(content=damaged([path.read_bytes() for path in CASSETTES]))
def test_a_damaged_cassette_is_read_or_refused(content: bytes) -> None:
    """What could still be read goes through everything that reads cassettes."""
    try:
        cassette = loads(content, "cassettes/x.yaml")
    except BadCassette as refusal:
        is_clear(refusal, "cassettes/x.yaml:")
        return
    told_whole(transcript_of(cassette, endpoints.recognise, source="x"))


@runs(25)
@given(content=damaged([path.read_bytes() for path in (*CASSETTES, *SCENARIOS)]))
def test_a_damaged_file_is_scanned(content: bytes) -> None:
    """Anything at all can be scanned, and what is found is shown without showing it."""
    key = "0123456789abcdef0123456789abcdef.fedcba9876543210"
    scanner = Scanner((key,))
    for leak in scanner.scan(content + key.encode()):
        assert key not in str(leak)


@runs(50)
@given(content=damaged([path.read_bytes() for path in SCENARIOS]))
def test_a_damaged_scenario_is_read_or_refused(content: bytes) -> None:
    """What could still be read has targets and steps with digests."""
    try:
        scenario = load_scenario(content, "scenarios/x.yaml")
    except BadScenario as refusal:
        is_clear(refusal, "scenarios/x.yaml:")
        return
    assert isinstance(scenario, Scenario)
    for target in scenario.targets:
        assert len(digests(scenario, target)) == len(scenario.steps)


@runs(25)
@given(data=st.data())
def test_a_damaged_answer_is_replayed_through_the_sdk(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The real SDK reads it; what it makes of it is a turn that is checked like any other."""
    job = data.draw(st.sampled_from(JOBS))
    folder = tmp_path_factory.mktemp("cassettes")
    cassette = Store(ROOT / "cassettes").load(job.scenario.name, job.target)
    number = data.draw(st.integers(0, len(cassette.exchanges) - 1))
    hurt = cassette.exchanges[number]
    body = data.draw(damaged([hurt.response.body]))
    status = data.draw(st.sampled_from((hurt.response.status, 200, 204, 400, 429, 500)))
    answer = replace(hurt.response, body=body, status=status)
    exchanges = list(cassette.exchanges)
    exchanges[number] = replace(hurt, response=answer, chunks=())
    write_text(
        Store(folder).path(job.scenario.name, job.target),
        dumps(replace(cassette, exchanges=tuple(exchanges))),
    )
    try:
        transcript = replay(job.scenario, job.target, Store(folder))
    except (HarnessError, InterceptError) as refusal:
        is_clear(refusal, "")
        return
    told_whole(transcript)


@runs(50)
@given(content=damaged([b'[tool.harness]\nvolatile = ["/seed", "/a/0"]\n']))
def test_damaged_settings_are_read_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A project's own words are no exception."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_bytes(content)
    try:
        assert isinstance(load_settings(folder), Settings)
    except BadSettings as refusal:
        is_clear(refusal, f"{folder / 'pyproject.toml'}")


@runs(50)
@given(content=damaged([dump_contract(CONTRACT).encode()]))
def test_a_damaged_contract_is_read_or_refused(content: bytes) -> None:
    """What could still be read can be written, learns more and judges."""
    try:
        told = load_contract(content, "contract.yaml")
    except BadContract as refusal:
        is_clear(refusal, "contract.yaml:")
        return
    assert load_contract(dump_contract(told)) == told
    read = recordings.read_cassette(CASSETTES[0])
    assert all(finding.message for finding in Judge(told).check(read))
    assert changes(told, learn([("y", read)], told)) is not None


def journals() -> list[bytes]:
    """A recording as its journal has it."""
    made = []
    for path in CASSETTES[:4]:
        whole = loads(path.read_bytes())
        records = (exchange_record(n, e) for n, e in enumerate(whole.exchanges))
        made.append(head_record(JournalHead(whole.provenance)) + b"".join(records))
    return made


@runs(50)
@given(content=damaged(journals()))
def test_a_damaged_journal_is_read_or_refused(content: bytes) -> None:
    """What was written whole is there; what is damaged in the middle is refused."""
    try:
        read = read_journal(content, "x.journal")
    except BadCassette as refusal:
        is_clear(refusal, "x.journal:")
        return
    assert 0 <= read.end <= len(content)
