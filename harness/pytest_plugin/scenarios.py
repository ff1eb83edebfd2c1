"""Scenarios as tests: one test for each target of a scenario, and for each repeat of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import errors
from harness.errors import HarnessError, InterceptError
from harness.pytest_plugin.age import check_age
from harness.pytest_plugin.summary import CassetteUse, note_use, report_findings

if TYPE_CHECKING:
    from harness.cassette.store import Store
    from harness.runner.batch import Job
    from harness.types import Transcript


class ScenarioFile(pytest.File):
    """A collector for the file of a scenario, with a test for each target and repeat."""

    def collect(self) -> Iterator[ScenarioItem]:
        """Yield a test for each target and for each of its repeats.

        Tests are named after their cassettes: `zhipuai-glm-5.3`, `zhipuai-glm-5.3~2`. An invalid
        scenario or a broken plug-in raises CollectError.
        """
        from harness.cassette.store import Store

        try:
            from harness.runner import batch

            (scenario,) = batch.load_scenarios([str(self.path)], self.path.parent)
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        store = Store(_cassette_folder(self))
        for job in batch.with_repeats(batch.jobs([scenario], []), store):
            name = job.own(store).path(scenario.name, job.target).stem
            yield ScenarioItem.from_parent(self, name=name, job=job)


def _cassette_folder(node: pytest.Item | pytest.File) -> Path:
    chosen = node.config.getoption("--cassettes")
    return Path(chosen) if chosen else node.path.parent.parent / "cassettes"


class ScenarioItem(pytest.Item):
    """The test of a scenario with one target: it is recorded if requested, replayed and checked."""

    def __init__(self, *, job: Job, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job

    def runtest(self) -> None:
        """Run the test, and fail it if a finding is an error."""
        from harness.providers.rules import examine, project_rules

        transcript = self._transcript()
        check_age(self, transcript.source, transcript.provenance)
        _, judged = examine(transcript, project_rules(Path.cwd()))
        report_findings(self, judged)

    def _transcript(self) -> Transcript:
        """Return the transcript of a replay, after a recording if one is requested."""
        from harness.runner import replay

        store = self.store()
        use = CassetteUse.REPLAYED
        try:
            if self._is_to_be_recorded():
                use = CassetteUse.LIVE
                self._record(store)
                use = CassetteUse.RECORDED
            pace = self.config.getoption("--pace")
            return replay(self.job.scenario, self.job.target, store, pace)
        except errors.CassetteMiss:
            use = CassetteUse.MISSED
            raise
        except (
            errors.BadCassette,
            errors.MissingKey,
            errors.NoCassette,
            errors.StaleCassette,
            errors.Unsupported,
        ):
            use = CassetteUse.NO_REQUESTS
            raise
        finally:
            note_use(self, use)

    def _is_to_be_recorded(self) -> bool:
        mode = self.config.getoption("--record")
        return mode == "all" or (mode == "missing" and not os.path.lexists(self.cassette))

    def _record(self, store: Store) -> None:
        from harness.config.environment import load_environment
        from harness.runner import batch, record

        is_sandbox = self.config.getoption("--record-from") == "sandbox"
        with batch.servers(is_sandbox, load_environment(Path.cwd())) as source:
            record(self.job.scenario, self.job.target, source, store, lambda step: None)

    def store(self) -> Store:
        """Return the folder of the scenarios' cassettes, with the repeat number of this test."""
        from harness.cassette.store import Store

        return self.job.own(Store(_cassette_folder(self)))

    @property
    def cassette(self) -> Path:
        """The path of this test's cassette, which may not exist yet."""
        return self.store().path(self.job.scenario.name, self.job.target)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | Any:
        """Return only the message of an error of the harness; for other errors, pytest's text."""
        if isinstance(excinfo.value, HarnessError | InterceptError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return (path of the scenario's file, line 0, name of the test), which pytest prints."""
        return self.path, 0, str(self.job)
