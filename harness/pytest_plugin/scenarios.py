"""A scenario as a file of tests: one for each of its targets, and for each repeat of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.age import tell_age
from harness.pytest_plugin.summary import Verdict, tell

if TYPE_CHECKING:
    from harness.batch import Job
    from harness.cassette.store import Store
    from harness.types import Finding, Transcript


class ScenarioFile(pytest.File):
    """A scenario; its targets are its tests."""

    def collect(self) -> Iterator[ScenarioItem]:
        """One test for each target, and for each recording of it: `glm-4`, `glm-4~2`."""
        from harness import batch
        from harness.cassette.store import Store
        from harness.errors import HarnessError

        try:
            (scenario,) = batch.load_scenarios([str(self.path)], self.path.parent)
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        store = Store(cassettes_of(self))
        for job in batch.with_repeats(batch.jobs([scenario], []), store):
            name = job.own(store).path(scenario.name, job.target).stem
            yield ScenarioItem.from_parent(self, name=name, job=job)


def cassettes_of(node: pytest.Item | pytest.File) -> Path:
    """The folder of the cassettes of a scenario's file and its tests."""
    chosen = node.config.getoption("--cassettes")
    return Path(chosen) if chosen else node.path.parent.parent / "cassettes"


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
        from harness import batch
        from harness.report import describe
        from harness.types import Severity

        transcript = self._transcript()
        tell_age(self, transcript.source, transcript.provenance)
        _, judged = batch.examine(transcript, batch.project_rules())
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

        store = self.store()
        verdict = Verdict.REPLAYED
        try:
            if self._is_to_be_recorded():
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

    def _is_to_be_recorded(self) -> bool:
        asked = self.config.getoption("--record")
        return asked == "all" or (asked == "missing" and not os.path.lexists(self.cassette))

    def _record(self, store: Store) -> None:
        from contextlib import nullcontext

        from harness import batch
        from harness.config.environment import environment
        from harness.runner import record
        from harness.sandbox import Options

        known = environment(Path.cwd())
        live = self.config.getoption("--record-from") == "live"
        source = nullcontext(batch.live(known)) if live else batch.sandboxed(Options(), known)
        with source as opened:
            record(self.job.scenario, self.job.target, opened, store, lambda step: None)

    def store(self) -> Store:
        """The folder of its cassette, as that of recordings with its number."""
        from harness.cassette.store import Store

        return self.job.own(Store(cassettes_of(self)))

    @property
    def cassette(self) -> Path:
        """Where its cassette is, or would be."""
        return self.store().path(self.job.scenario.name, self.job.target)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | Any:
        """The findings, or the one message of an error, instead of a traceback."""
        from harness.errors import HarnessError, InterceptError
        from harness.report import describe

        if isinstance(excinfo.value, Broken):
            return "\n\n".join(describe(found) for found in excinfo.value.findings)
        if isinstance(excinfo.value, HarnessError | InterceptError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the test is: the scenario's file."""
        return self.path, 0, str(self.job)
