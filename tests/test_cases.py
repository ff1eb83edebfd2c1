"""The tests that hold each input in ../shared/cases, and those of its files that commands read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Harness

TESTS = Path(__file__).parent
CASES = TESTS.parents[1] / "shared" / "cases"

HELD_BY = {
    1: "pytest_plugin/test_fixtures.py::test_a_time_of_an_isolated_test_case_is_simulated",
    2: "intercept/test_as_live.py::test_an_sdk_obeys_a_header_in_a_replay",
    3: "intercept/test_as_live.py::test_coded_bodies",
    4: "intercept/test_as_live.py::test_coded_bodies",
    5: "test_packaging.py::test_the_core_is_small",
    6: "pytest_plugin/test_fixtures.py::test_what_was_not_watched_is_told",
    7: "intercept/test_mocks.py::test_mocked_answers_are_not_recorded",
    8: "intercept/test_as_live.py::test_network_failures",
    9: "intercept/test_versions.py::test_another_urllib3",
    10: "intercept/test_threads.py::test_a_forked_pool_ends_with_one_error",
    11: "intercept/test_hooks.py::test_hooks_cannot_leak_secrets",
    12: "intercept/test_miss_texts.py::test_a_form_is_compared_by_field",
    13: "pytest_plugin/test_fixtures.py"
    "::test_tests_that_share_a_cassette_do_not_overwrite_each_other",
    14: "intercept/test_as_live.py::test_coded_bodies",
    15: "cli/test_choices.py::test_a_choice_that_differs_is_found",
    16: "rules/test_2026.py::test_forms_that_were_really_sent",
    17: "test_cases.py::test_a_command_reads_a_case",
    18: "cli/test_strangers.py::test_the_rest_is_read",
    19: "test_cases.py::test_a_command_reads_a_case",
    20: "cassette/test_foreign.py::test_a_whole_file_without_version_is_read_with_a_warning",
    21: "intercept/test_aiohttp.py::test_a_chunk_may_be_larger_than_the_buffer",
    22: "intercept/test_threads.py::test_a_miss_elsewhere_ends_the_block",
    23: "secrets/test_redactor.py::test_a_known_key_in_pieces_among_others_is_masked",
}


@pytest.mark.parametrize("case", HELD_BY)
def test_each_case_has_a_test(case: int) -> None:
    """It is where the table says."""
    file, _, name = HELD_BY[case].partition("::")
    assert f"\ndef {name}(" in (TESTS / file).read_text(encoding="utf-8")


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_no_case_is_left_out() -> None:
    """Every folder of a case is in the table; 3 and 4, and 10 and 22, share a kind."""
    folders = {int(path.name[:2]) for path in CASES.iterdir() if path.is_dir()}
    assert folders <= set(HELD_BY)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
@pytest.mark.parametrize(
    ("command", "folder", "code", "said"),
    [
        ("check", "16-forms-really-sent", 0, "ok: 2 transcripts"),
        ("scan", "17-scan-false-alarms", 0, "secrets: none of 2 files"),
        ("parse", "19-header-of-the-recorder", 0, "its recorder kept Content-Encoding: gzip"),
    ],
)
def test_a_command_reads_a_case(
    harness: Harness, command: str, folder: str, code: int, said: str
) -> None:
    """The output has the right value."""
    ran = harness(command, ".", folder=CASES / folder)
    assert ran.code == code, ran.out + ran.err
    assert said in ran.out + ran.err
