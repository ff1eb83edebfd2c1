"""The pytest plugin: `pytest scenarios/` makes a test of every scenario with every target.

A test replays its cassette offline and fails with what the rules find. Nothing but pytest is
imported until there is a scenario to collect.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.types import Finding
    from harness.work import Job

_FOLDERS = "harness_scenarios"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and the one setting of this plugin."""
    group = parser.getgroup("harness", "conversations with LLM APIs")
    group.addoption(
        "--record",
        action="store_true",
        help="record each scenario before replaying it; live: needs keys and costs money",
    )
    group.addoption(
        "--record-from",
        choices=("live", "sandbox"),
        default="live",
        help="whom --record asks: the live services (default) or the sandbox, which has no model",
    )
    group.addoption(
        "--cassettes",
        metavar="DIR",
        help="the folder of cassettes; default: cassettes, beside the folder of scenarios",
    )
    parser.addini(
        _FOLDERS,
        type="args",
        default=["scenarios"],
        help="names of folders whose *.yaml files are scenarios; empty switches this off",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every YAML file in a folder of scenarios is one."""
    if file_path.suffix == ".yaml" and file_path.parent.name in parent.config.getini(_FOLDERS):
        scenario: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
        return scenario
    return None


class ScenarioFile(pytest.File):
    """A scenario; its targets are its tests."""

    def collect(self) -> Iterator[ScenarioItem]:
        """One test for each target."""
        from harness import work
        from harness.errors import HarnessError

        try:
            (scenario,) = work.load_scenarios([str(self.path)], self.path.parent)
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        for job in work.jobs([scenario], []):
            yield ScenarioItem.from_parent(self, name=job.target.slug, job=job)


class Broken(Exception):
    """A replay in which the rules found something."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings


class ScenarioItem(pytest.Item):
    """A scenario with one target: recorded if asked for, replayed, checked."""

    def __init__(self, *, job: Job, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job

    def runtest(self) -> None:
        """Raises Broken with every finding that is an error; lesser ones are shown."""
        from harness import work
        from harness.reports import describe
        from harness.runner import replay
        from harness.store import Store
        from harness.types import Severity

        store = Store(self._cassettes())
        if self.config.getoption("--record"):
            self._record(store)
        _, findings = work.examine(replay(self.job.scenario, self.job.target, store))
        lesser = [found for found in findings if found.severity is not Severity.ERROR]
        if lesser:
            self.add_report_section("call", "findings", "\n\n".join(map(describe, lesser)))
        if len(lesser) < len(findings):
            raise Broken(tuple(f for f in findings if f.severity is Severity.ERROR))

    def _record(self, store: Any) -> None:
        from contextlib import nullcontext

        from harness import work
        from harness.environment import environment
        from harness.runner import record
        from harness.sandbox import Options

        known = environment(Path.cwd())
        live = self.config.getoption("--record-from") == "live"
        source = nullcontext(work.live(known)) if live else work.sandboxed(Options(), known)
        with source as opened:
            record(self.job.scenario, self.job.target, opened, store, lambda step: None)

    def _cassettes(self) -> Path:
        chosen = self.config.getoption("--cassettes")
        return Path(chosen) if chosen else self.path.parent.parent / "cassettes"

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | Any:
        """The findings, or the one message of an error, instead of a traceback."""
        from harness.errors import HarnessError, OffTape
        from harness.reports import describe

        if isinstance(excinfo.value, Broken):
            return "\n\n".join(describe(found) for found in excinfo.value.findings)
        if isinstance(excinfo.value, HarnessError | OffTape):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the test is: the scenario's file."""
        return self.path, 0, f"{self.job.scenario.name} with {self.job.target}"
