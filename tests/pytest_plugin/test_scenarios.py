"""Scenarios as tests: one for each target, and what else the plugin adds to pytest."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cassette.store import Store
from harness.config.environment import Environment
from harness.runner import batch
from harness.sandbox import Options

if TYPE_CHECKING:
    from conftest import Python

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

SCENARIO = """\
name: greeting
about: A greeting.
targets:
  - zhipuai/glm-5.3-flash
  - model: dashscope/qwen-flash
    parameters: {result_format: message}
steps:
  - user: 你好
    expect: {finish_reason: stop, contains: 你好}
"""


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record the scenario from the sandbox, in a folder that no test changes."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "greeting.yaml").write_text(SCENARIO, encoding="utf-8")
    todo = batch.jobs(batch.load_scenarios([], folder / "scenarios"), [])
    with batch.sandboxed(Options(port=0), Environment({})) as source:
        assert not batch.record_all(todo, source, Store(folder / "cassettes"), lambda _: None)
    return folder


@pytest.fixture
def repository(
    pytester: pytest.Pytester, recorded_once: Path, only_our_plugin: None
) -> pytest.Pytester:
    """Return a repository with a recorded scenario, without plugins that are not needed."""
    shutil.copytree(recorded_once, pytester.path, dirs_exist_ok=True)
    pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest -p no:asyncio\n"
    )
    return pytester


def change(repository: pytest.Pytester, old: str, new: str) -> None:
    """Replace a text in the scenario."""
    path = repository.path / "scenarios" / "greeting.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def messages(result: pytest.RunResult) -> str:
    """Return the part of the output with the failures."""
    return "\n".join(result.outlines)


def test_every_target_is_a_test(repository: pytest.Pytester) -> None:
    """Each target is a test, named after the scenario's file and the target."""
    result = repository.runpytest_inprocess("-v", "scenarios")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "scenarios/greeting.yaml::zhipuai-glm-5.3-flash PASSED*",
            "scenarios/greeting.yaml::dashscope-qwen-flash PASSED*",
        ]
    )


def test_every_repeat_is_a_test(repository: pytest.Pytester) -> None:
    """Each repeat of a recording is a test that replays, checks and records its own file."""
    first = repository.path / "cassettes" / "greeting" / "zhipuai-glm-5.3-flash.yaml"
    again = first.with_name("zhipuai-glm-5.3-flash~2.yaml")
    shutil.copy(first, again)
    result = repository.runpytest_inprocess("-v", "scenarios")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["scenarios/greeting.yaml::zhipuai-glm-5.3-flash~2 PASSED*"])
    text = again.read_text(encoding="utf-8")
    broken = text.replace('"finish_reason":"stop"', '"finish_reason":"odd"')
    assert broken != text
    again.write_text(broken, encoding="utf-8")
    result = repository.runpytest_inprocess("scenarios")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*greeting with zhipuai/glm-5.3-flash, repeat 2*",
            "  recording: *zhipuai-glm-5.3-flash~2.yaml",
        ]
    )
    before = first.read_bytes()
    one = (
        "scenarios/greeting.yaml::zhipuai-glm-5.3-flash~2",
        "--record=all",
        "--record-from=sandbox",
    )
    repository.runpytest_inprocess(*one).assert_outcomes(passed=1)
    assert again.read_text(encoding="utf-8") != broken
    assert first.read_bytes() == before


def test_a_target_can_be_selected(repository: pytest.Pytester) -> None:
    """A target can be selected by its id or by -k."""
    result = repository.runpytest_inprocess("scenarios/greeting.yaml::zhipuai-glm-5.3-flash")
    result.assert_outcomes(passed=1)
    result = repository.runpytest_inprocess("-k", "dashscope")
    result.assert_outcomes(passed=1, deselected=1)


def test_a_failure_shows_the_finding(repository: pytest.Pytester) -> None:
    """A failure shows rule, message, scenario, target, place and cassette without a traceback."""
    change(repository, "contains: 你好", "contains: 再见")
    result = repository.runpytest_inprocess("scenarios/greeting.yaml::zhipuai-glm-5.3-flash")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*greeting with zhipuai/glm-5.3-flash*",
            "error: expected_words",
            "expected an answer with*再见*actual*",
            "  scenario: greeting",
            "  target: zhipuai/glm-5.3-flash",
            "  place: turn 1, exchange 1*",
            "  recording: *cassettes/greeting/zhipuai-glm-5.3-flash.yaml",
            "  read more: harness rules --explain expected_words",
        ]
    )
    assert "Traceback" not in messages(result)
    assert "plugin.py" not in messages(result)


@pytest.mark.parametrize("ending", ["missing", "stale", "broken", "off the tape"])
def test_a_scenario_that_cannot_be_replayed_fails(repository: pytest.Pytester, ending: str) -> None:
    """A scenario that cannot be replayed fails with one message."""
    cassette = repository.path / "cassettes" / "greeting" / "zhipuai-glm-5.3-flash.yaml"
    text = cassette.read_text(encoding="utf-8")
    messages_by_cause = {
        "missing": "greeting with zhipuai/glm-5.3-flash was never recorded: there is no *",
        "stale": '*greeting.yaml:8: step 1 (user "您好") changed since * was recorded; *',
        "broken": "*zhipuai-glm-5.3-flash.yaml: the file is empty; *",
        "off the tape": "no recorded answer to POST */chat/completions; the closest *",
    }
    if ending == "missing":
        cassette.unlink()
    if ending == "stale":
        change(repository, "user: 你好", "user: 您好")
    if ending == "broken":
        cassette.write_text("")
    if ending == "off the tape":
        cassette.write_text(text.replace("你好", "再见", 1), encoding="utf-8")
    result = repository.runpytest_inprocess("scenarios/greeting.yaml::zhipuai-glm-5.3-flash")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([messages_by_cause[ending]])
    assert "Traceback" not in messages(result)
    assert "plugin.py" not in messages(result)


def test_an_invalid_scenario_is_a_collection_error(repository: pytest.Pytester) -> None:
    """An invalid scenario is a collection error with file and line, and the others run."""
    (repository.path / "scenarios" / "bad.yaml").write_text("name: bad\nabout: [unclosed\n")
    result = repository.runpytest_inprocess("scenarios", "--continue-on-collection-errors")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*bad.yaml:3: not valid YAML: *"])
    assert "Traceback" not in messages(result)
    assert "plugin.py" not in messages(result)


def test_warnings_are_shown(repository: pytest.Pytester) -> None:
    """A warning does not fail a test; -rA shows it."""
    change(repository, "user: 你好", "user: 触发限流")
    change(repository, "{finish_reason: stop, contains: 你好}", '{failure: "1302"}')
    one = ("scenarios/greeting.yaml::zhipuai-glm-5.3-flash",)
    result = repository.runpytest_inprocess("--record", "--record-from", "sandbox", *one)
    result.assert_outcomes(passed=1)
    cassette = repository.path / "cassettes" / "greeting" / "zhipuai-glm-5.3-flash.yaml"
    text = cassette.read_text(encoding="utf-8")
    cassette.write_text(text.replace("code: 429", "code: 200"), encoding="utf-8")
    result = repository.runpytest_inprocess("-rA", *one)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*findings*", "warning: status_agrees_with_body"])


# ------------------------------------------------------------------------------------- options


def test_recording_from_the_sandbox(repository: pytest.Pytester) -> None:
    """--record records from the sandbox, then replays."""
    shutil.rmtree(repository.path / "cassettes")
    result = repository.runpytest_inprocess("--record", "--record-from", "sandbox", "scenarios")
    result.assert_outcomes(passed=2)
    written = sorted(path.name for path in repository.path.glob("cassettes/greeting/*"))
    assert written == ["dashscope-qwen-flash.yaml", "zhipuai-glm-5.3-flash.yaml"]


def test_recording_live_needs_a_key(
    repository: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live recording without a key fails, and the cassette stays."""
    monkeypatch.delenv("ZHIPUAI_API_KEY", raising=False)
    cassette = repository.path / "cassettes" / "greeting" / "zhipuai-glm-5.3-flash.yaml"
    before = cassette.read_bytes()
    result = repository.runpytest_inprocess(
        "--record", "scenarios/greeting.yaml::zhipuai-glm-5.3-flash"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["recording live from zhipuai needs a key: set ZHIPUAI_API_KEY *"])
    assert cassette.read_bytes() == before


def test_the_folder_of_cassettes_is_an_option(repository: pytest.Pytester) -> None:
    """--cassettes sets the folder of cassettes."""
    (repository.path / "cassettes").rename(repository.path / "tapes")
    repository.runpytest_inprocess("scenarios").assert_outcomes(failed=2)
    result = repository.runpytest_inprocess("scenarios", "--cassettes", "tapes")
    result.assert_outcomes(passed=2)


def test_the_folders_of_scenarios_are_a_setting(repository: pytest.Pytester) -> None:
    """A setting names the folders of scenarios; if it is empty, there are none."""
    (repository.path / "scenarios").rename(repository.path / "talks")
    repository.runpytest_inprocess().assert_outcomes()
    result = repository.runpytest_inprocess("-o", "harness_scenarios=talks chats")
    result.assert_outcomes(passed=2)
    result = repository.runpytest_inprocess("-o", "harness_scenarios=", "talks")
    result.assert_outcomes()


def test_other_files_are_not_collected(repository: pytest.Pytester) -> None:
    """Files in other folders, and files that are not YAML, are not collected."""
    names = ("docs/other.yaml", "cassettes/odd.yaml", "scenarios/deeper/other.yaml")
    for name in (*names, "scenarios/readme.md"):
        path = repository.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: [")
    repository.makepyfile("def test_mine(): pass")
    repository.runpytest_inprocess().assert_outcomes(passed=3)


def test_the_plugin_can_be_disabled(
    repository: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disabled by its name, the plugin adds nothing."""
    for variable in ("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_PLUGINS"):
        monkeypatch.delenv(variable)
    repository.makepyfile("def test_mine(): pass")
    result = repository.runpytest_inprocess("-p", "no:llm-harness")
    result.assert_outcomes(passed=1)
    result = repository.runpytest_inprocess("-p", "no:llm-harness", "--record")
    result.stderr.fnmatch_lines(["*unrecognized arguments: --record*"])


def test_junit_files_hold_the_finding(repository: pytest.Pytester) -> None:
    """JUnit files of pytest hold the test and its finding."""
    change(repository, "contains: 你好", "contains: 再见")
    repository.runpytest_inprocess("scenarios", "--junit-xml", "junit.xml")
    (suite,) = ET.parse(repository.path / "junit.xml").getroot()  # noqa: S314 - pytest's file
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    names = [case.get("name") for case in suite.iter("testcase")]
    assert names == ["zhipuai-glm-5.3-flash", "dashscope-qwen-flash"]
    assert "error: expected_words" in (next(suite.iter("failure")).text or "")


def test_the_plugin_imports_only_itself(python: Python) -> None:
    """The plugin imports only its own modules and the translations until there is a scenario."""
    code = (
        "import sys, pytest\nbefore = {*sys.modules}\nimport harness.pytest_plugin\n"
        "print(*sorted(name for name in {*sys.modules} - before))"
    )
    loaded = python("-c", code).stdout.split()
    package = "harness.pytest_plugin"
    modules = ("age", "cassettes", "clean_cassettes", "failures", "network", "scenarios", "summary")
    own = [
        "harness",
        "harness.errors",
        "harness.locale",
        package,
        *(f"{package}.{module}" for module in modules),
    ]
    assert loaded == ["_contextvars", "contextvars", *own]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["one process", "several"])
@pytest.mark.usefixtures("only_our_plugin")
def test_a_report_of_a_run(repository: pytest.Pytester, processes: tuple[str, ...]) -> None:
    """The report holds the cassettes of the tests side by side."""
    repository.makepyfile(test_other="def test_other(): pass")
    done = repository.runpytest_subprocess(
        "scenarios", "test_other.py", "--cassette-report", "out", *processes
    )
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(["harness: the report is in out"])
    report = json.loads((repository.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert (report["title"], report["ok"]) == ("Tests", True)
    assert [one["target"] for one in report["transcripts"]] == [
        "dashscope/qwen-flash",
        "zhipuai/glm-5.3-flash",
    ]
    assert [len(one["targets"]) for one in report["matrices"]] == [2]
    assert "<article" in (repository.path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("only_our_plugin")
def test_a_run_without_cassettes_has_no_report(repository: pytest.Pytester) -> None:
    """Without cassettes there is no report, and a line says so."""
    repository.makepyfile(test_other="def test_other(): pass")
    done = repository.runpytest_subprocess("test_other.py", "--cassette-report", "out")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["harness: no report: no test had a cassette"])


@pytest.mark.slow
@pytest.mark.usefixtures("only_our_plugin")
def test_a_report_that_cannot_be_written_fails_the_run(repository: pytest.Pytester) -> None:
    """A report that cannot be written fails the run with a line."""
    (repository.path / "out").write_text("a file", encoding="utf-8")
    done = repository.runpytest_subprocess("scenarios", "--cassette-report", "out")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stdout.fnmatch_lines(["harness: no report: *out*"])
    done.stdout.no_fnmatch_line("*INTERNALERROR*")
