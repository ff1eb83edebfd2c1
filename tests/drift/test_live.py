"""Recording again beside the cassettes on file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cassette.store import Store
from harness.drift.live import output_folder, plan_to_record
from harness.drift.plan import parse_budget
from harness.errors import HarnessError
from harness.runner.batch import Job
from harness.scenario.files import loads

SCENARIO = loads("name: hi\ntargets: [zhipuai/glm-4]\nsteps: [user: Hi, user: Bye]\n")


def test_the_folder_of_the_cassettes_on_file_is_refused(tmp_path: Path) -> None:
    """New recordings never replace the cassettes that they are compared with."""
    indirect = tmp_path / "x" / ".."
    with (
        pytest.raises(HarnessError, match="holds the cassettes on file"),
        output_folder(indirect, tmp_path),
    ):
        pass


@pytest.mark.parametrize("name", ["a", "z"])
def test_any_other_folder_is_used_as_it_is(tmp_path: Path, name: str) -> None:
    """A folder that is named is used, wherever it sorts beside that of the cassettes."""
    with output_folder(tmp_path / name, tmp_path / "cassettes") as folder:
        assert folder == tmp_path / name


def test_without_a_folder_a_temporary_one_is_used_and_removed(tmp_path: Path) -> None:
    """Without --out nothing is left behind."""
    with output_folder(None, tmp_path) as folder:
        assert folder.is_dir()
    assert not folder.exists()


def test_a_budget_is_spent_to_its_last_call(tmp_path: Path) -> None:
    """What was never recorded counts with its calls; what does not fit is omitted."""
    jobs = [Job(SCENARIO, target, repeat) for target in SCENARIO.targets for repeat in (1, 2)]
    plan = plan_to_record(jobs, Store(tmp_path), parse_budget("2"))
    assert len(plan.chosen) == 1
    assert [omitted.reason for omitted in plan.omitted] == ["costs 2 calls, 0 remaining"]
