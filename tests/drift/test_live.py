"""Recording again beside the cassettes on file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drift.changed_recordings import recorded, with_exchanges
from harness.cassette.store import Store
from harness.drift.live import output_folder, plan_to_record, refuses_the_request
from harness.drift.plan import parse_budget
from harness.errors import HarnessError
from harness.runner.batch import Job
from harness.scenario.files import loads
from harness.types import Exchange

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


# -------------------------------------------------------------------------------- refusals


ZHIPU, DASH = "slogan/zhipuai-glm-5.3-flash", "slogan/dashscope-qwen-flash"
FORMS: dict[str, Any] = {
    ZHIPU: lambda code: {"error": {"code": code, "message": "no"}},
    DASH: lambda code: {"code": code, "message": "no", "request_id": "1"},
}


@pytest.mark.parametrize(
    ("name", "status", "code", "result"),
    [
        (ZHIPU, 400, "1211", True),
        (ZHIPU, 404, "1211", True),
        (ZHIPU, 422, "1214", True),
        (DASH, 400, "InvalidParameter", True),
        (DASH, 400, "DataInspectionFailed", True),
        (DASH, 400, "Arrearage", False),  # the account is in debt
        (ZHIPU, 401, "1002", False),
        (ZHIPU, 402, "1113", False),
        (DASH, 403, "AccessDenied", False),
        (ZHIPU, 408, "1234", False),
        (ZHIPU, 429, "1302", False),
        (ZHIPU, 500, "500", False),
        (DASH, 503, "ServiceUnavailable", False),
    ],
)
def test_by_status_and_code(name: str, status: int, code: str, result: bool) -> None:
    """What the service says of the request, and not of a key, an account or the moment."""
    body = json.dumps(FORMS[name](code)).encode()
    assert refuses_the_request(_answered(name, status, body)) is result


def test_what_is_not_in_its_form() -> None:
    """Somebody else may have said that."""
    assert not refuses_the_request(_answered(ZHIPU, 404, b"<html>not here</html>"))
    assert not refuses_the_request(_answered(ZHIPU, 400, b"{}"))
    assert not refuses_the_request(recorded(ZHIPU).turns[0])
    assert not refuses_the_request(replace(recorded(ZHIPU).turns[0], readings=()))


def _answered(name: str, status: int, body: bytes) -> Any:
    def changed(exchange: Exchange) -> Exchange:
        headers = (("content-type", "application/json"),)
        response = replace(exchange.response, status=status, headers=headers, body=body)
        return replace(exchange, response=response)

    return with_exchanges(recorded(name), changed).turns[0]
