"""The report about all cassettes that the tests of a run used, `--cassette-report`."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.pytest_plugin.listing import cassette_of

_CASSETTE = "harness-cassette"


class CassetteReport:
    """A plugin that writes the report after all tests; with pytest-xdist, in the main process.

    The report has the findings of the response-format rules. Other failures of tests are in
    pytest's own report.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: set[str] = set()
        self._message = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Add the path of a test's cassette to the test's report, in the process that runs it."""
        path = cassette_of(item) if call.when == "call" else None
        if path is not None:
            item.user_properties.append((_CASSETTE, str(path)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the path of the cassette in a test's report."""
        if report.when == "call":
            self._used |= {str(v) for name, v in report.user_properties if name == _CASSETTE}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report; if that fails, end pytest with a usage error."""
        if hasattr(session.config, "workerinput"):
            return
        paths = [Path(path) for path in sorted(self._used) if Path(path).is_file()]
        if not paths:
            self._message = "harness: no report: no test had a cassette"
            return
        from harness.cassette.age import ALWAYS
        from harness.errors import HarnessError
        from harness.report import write_folder
        from harness.report.build import tests_report

        try:
            write_folder(tests_report(paths, ALWAYS, workers=1), self._folder)
        except HarnessError as error:
            self._message = f"harness: no report: {error}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            self._message = f"harness: the report is in {self._folder}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print where the report is, or why there is none."""
        if self._message:
            terminalreporter.write_line(self._message)
