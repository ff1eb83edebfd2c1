"""Each rule finds what it forbids, in whatever transcript the fault is injected."""

from __future__ import annotations

import pytest

from harness.analysis.transcript import analyze
from harness.faults.explain import as_recorded, as_run, sample_transcripts
from harness.faults.registry import RULE_FAULTS, breaking, injected
from harness.providers import endpoints
from harness.providers.rules import RULES, check
from harness.providers.samples import SAMPLES
from harness.types import Exchange, Transcript

from .kill_matrix import Matrix, recordings, shipped

_SMALL = 6_000
"""Bytes of answers: longer recordings are for `make kill-matrix`, which goes through all."""


def _size(transcript: Transcript) -> int:
    return sum(len(exchange.response.body) for exchange in transcript.exchanges())


def test_every_shipped_rule_has_a_fault() -> None:
    """A rule that no fault breaks may never find anything."""
    assert {fault.breaks_rule for fault in RULE_FAULTS} == {rule.name for rule in RULES}
    assert len({fault.name for fault in RULE_FAULTS}) == len(RULE_FAULTS)
    assert all(fault.harmful and fault.description.endswith(".") for fault in RULE_FAULTS)


def test_a_new_rule_may_have_no_fault() -> None:
    """A rule of a user's own is looked up without an error."""
    assert breaking("rule_of_my_own") == []


@pytest.mark.slow
def test_no_fault_is_missed() -> None:
    """Each injected fault is found by its rule; `pytest -s` prints how often."""
    matrix = Matrix()
    for transcript in sample_transcripts().values():
        matrix.add(transcript)
    for transcript in shipped():
        matrix.add(transcript)
    for transcript in [t for t in recordings() if _size(t) < _SMALL][::6]:
        matrix.add(transcript)
    print(f"\n{matrix}")  # noqa: T201 - the matrix is for whoever asks with -s
    assert matrix.missed == []
    assert matrix.unused == []


@pytest.mark.parametrize("exchanges", SAMPLES.values(), ids=SAMPLES)
def test_a_sample_breaks_no_rule(exchanges: tuple[Exchange, ...]) -> None:
    """Samples are valid as they travelled and as an SDK shows them."""
    transcript = as_recorded(exchanges)
    assert check(transcript) == ()
    assert check(as_run(transcript)) == ()


def test_every_endpoint_has_a_sample() -> None:
    """No endpoint goes untested."""
    found = [endpoints.recognise(e) for exchanges in SAMPLES.values() for e in exchanges]
    names = {endpoint.name for endpoint in found if endpoint}
    assert names >= {endpoint.name for endpoint in endpoints.ENDPOINTS}


@pytest.mark.slow
def test_a_shipped_cassette_breaks_no_rule() -> None:
    """Replayed through the official SDKs, the shipped cassettes give no finding."""
    assert [finding for transcript in shipped() for finding in check(transcript)] == []


def test_a_fault_changes_something_or_is_not_injected() -> None:
    """An injected fault never leaves the transcript as it was."""
    transcript = as_recorded(SAMPLES["dashscope image task"])
    changed = {fault.name: list(injected(fault, transcript)) for fault in RULE_FAULTS}
    assert all(transcript not in results for results in changed.values())
    assert [] in changed.values()
    assert analyze(transcript, endpoints.recognise).transcript == transcript
