"""The report on all cassettes that tests used, `--cassette-report`, and `--list-cassettes`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.cassettes import cassette_path, has_cassette, name_of
from harness.pytest_plugin.scenarios import ScenarioItem


class CassetteListing:
    """A plugin that writes a JSON file with the file, name and cassette of each collected test.

    Tests that are deselected, by `-m` or `-k` in a project's settings, are listed as well.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the list of all collected tests, before options such as `-k` deselect some."""
        self._items.update((item.nodeid, item) for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the list when collection has ended, since marks may be added until then."""
        self._items.update((item.nodeid, item) for item in session.items)
        entries = [_entry(item) for item in self._items.values()]
        self._file.write_text(json.dumps(entries), encoding="utf-8")


def _entry(item: pytest.Item) -> dict[str, str | None]:
    cassette = cassette_of(item)
    return {
        "file": str(item.path),
        "test": name_of(item),
        "cassette": str(cassette) if cassette else None,
    }


def cassette_of(item: pytest.Item) -> Path | None:
    """Return the path of a test's cassette, which may not exist yet; None if the test has none."""
    if isinstance(item, ScenarioItem):
        return item.cassette
    return cassette_path(item) if has_cassette(item) else None


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
        """Add the path of a test's cassette to the `user_properties` of the test's report.

        This happens in the process that runs the test, such as a worker of pytest-xdist.
        """
        path = cassette_of(item) if call.when == "call" else None
        if path is not None:
            item.user_properties.append((_CASSETTE, str(path)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Read the path of the cassette from a test's report, for the report on all cassettes."""
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
        from harness.checks.check import Kept
        from harness.report import write_folder
        from harness.report.build import draw_nothing, tests_report

        try:
            report = tests_report(
                paths, ALWAYS, 1, lambda text: None, Kept.TRANSCRIPTS, draw_nothing
            )
            write_folder(report, self._folder)
        except HarnessError as error:
            self._message = f"harness: no report: {error}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        else:
            self._message = f"harness: the report is in {self._folder}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the path of the report, or why it was not written."""
        if self._message:
            terminalreporter.write_line(self._message)
