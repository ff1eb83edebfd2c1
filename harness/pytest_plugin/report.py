"""The report page of a test run: of the cassettes that its tests had."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.pytest_plugin.listing import cassette_of

_NAME = "harness-cassette"


class Reporting:
    """Writes the report when all tests are over; with several processes, the one that leads them.

    Each recording is checked by the rules of the wire. What else a test found is pytest's to tell.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: dict[str, None] = {}
        self._told = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """A test's report names its cassette, from whatever process it comes."""
        path = cassette_of(item) if call.when == "call" else None
        if path is not None:
            item.user_properties.append((_NAME, str(path)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One more cassette, if this test has one."""
        if report.when == "call":
            self._used.update((str(v), None) for name, v in report.user_properties if name == _NAME)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The folder, or why there is none."""
        there = [Path(path) for path in sorted(self._used) if Path(path).is_file()]
        if hasattr(session.config, "workerinput"):
            return
        if not there:
            self._told = "harness: no report: no test had a cassette"
            return
        from harness.errors import HarnessError
        from harness.report import comparison_report
        from harness.report.folder import write_folder

        try:
            write_folder(comparison_report.cassettes(there), self._folder)
        except HarnessError as error:
            self._told = f"harness: no report: {error}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            self._told = f"harness: the report is in {self._folder}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Where it is."""
        if self._told:
            terminalreporter.write_line(self._told)
