"""A scenario as a file of tests: one for each of its targets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin.aging import tell_age
from harness.plugin.tally import Verdict, tell

if TYPE_CHECKING:
    from harness.store import Store
    from harness.types import Finding, Transcript
    from harness.work import Job


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
        from harness.types import Severity

        transcript = self._transcript()
        tell_age(self, transcript.source, transcript.provenance)
        _, judged = work.examine(transcript, work.project_rules())
        findings = judged.findings
        lesser = [found for found in findings if found.severity is not Severity.ERROR]
        if lesser:
            self.add_report_section("call", "findings", "\n\n".join(map(describe, lesser)))
        if judged.ignored:
            told = "\n\n".join(map(describe, judged.ignored))
            self.add_report_section("call", f"{len(judged.ignored)} ignored findings", told)
        if len(lesser) < len(findings):
            raise Broken(tuple(f for f in findings if f.severity is Severity.ERROR))

    def _transcript(self) -> Transcript:
        """The replay, after a recording where one is asked for."""
        from harness import errors
        from harness.runner import replay
        from harness.store import Store

        store = Store(self.cassettes())
        verdict = Verdict.REPLAYED
        try:
            if self._is_to_be_recorded(store):
                verdict = Verdict.LIVE
                self._record(store)
                verdict = Verdict.RECORDED
            pace = self.config.getoption("--pace")
            return replay(self.job.scenario, self.job.target, store, pace)
        except (
            errors.BadCassette,
            errors.MissingKey,
            errors.NoCassette,
            errors.StaleCassette,
            errors.Unsupported,
        ):
            verdict = Verdict.UNTOUCHED
            raise
        finally:
            tell(self, verdict)

    def _is_to_be_recorded(self, store: Store) -> bool:
        asked = self.config.getoption("--record")
        path = store.path(self.job.scenario.name, self.job.target)
        return asked == "all" or (asked == "missing" and not os.path.lexists(path))

    def _record(self, store: Store) -> None:
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

    def cassettes(self) -> Path:
        """The folder of scenarios' cassettes."""
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
