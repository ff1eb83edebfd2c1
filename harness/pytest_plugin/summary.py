"""How each test used its cassette, its findings, and the closing line about all tests.

The use is stored in the test report's `user_properties`, so that JUnit files contain it and the
closing line is right with several processes.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.rules import Judged

_USE = "harness"
_FIXTURES = "harness-fixtures"


class CassetteUse(StrEnum):
    """Where the answers to a test's requests came from."""

    REPLAYED = "replayed"
    """From the cassette."""
    RECORDED = "recorded"
    """From the network, and they were written."""
    LIVE = "live"
    """From the network, and they were not written."""
    PARTIAL = "partial"
    """From the cassette and from the network."""
    ALLOWED = "allowed"
    """From the cassette, if any, while an allowed host outside this machine was contacted."""
    MISSED = "missed"
    """A request was not on the cassette."""
    NO_REQUESTS = "without requests"
    """The test made no request."""


_ALWAYS_SHOWN = (CassetteUse.REPLAYED, CassetteUse.RECORDED, CassetteUse.LIVE)
_USED_NETWORK = (
    CassetteUse.RECORDED,
    CassetteUse.LIVE,
    CassetteUse.PARTIAL,
    CassetteUse.ALLOWED,
)


def note_use(item: pytest.Item, use: CassetteUse) -> None:
    """Add to a test's report how it used its cassette."""
    item.user_properties.append((_USE, use.value))


def note_fixture_connection(item: pytest.Item, host: str) -> None:
    """Add to a test's report that its fixtures connected to a host, which is not recorded."""
    if (_FIXTURES, host) not in item.user_properties:
        item.user_properties.append((_FIXTURES, host))


def report_findings(item: pytest.Item, judged: Judged, *, fails: bool = True) -> None:
    """Fail a test with the errors among its findings, and add the others to its report.

    Args:
        item: The test.
        judged: The findings, and those that the project ignores.
        fails: Whether errors fail the test; else they are added to the report as well.
    """
    from harness.report import describe
    from harness.types import Severity

    errors = [f for f in judged.findings if fails and f.severity is Severity.ERROR]
    others = [f for f in judged.findings if f not in errors]
    ignored = f"{len(judged.ignored)} ignored findings"
    for title, findings in (("findings", others), (ignored, judged.ignored)):
        if findings:
            item.add_report_section("call", title, "\n\n".join(map(describe, findings)))
    if errors:
        pytest.fail("\n\n".join(map(describe, errors)), pytrace=False)


class UseCounter:
    """Counts the uses of cassettes as test reports come in, from whatever process."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._tests_with_connected_fixtures = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the test of a report."""
        if report.when == "call":
            self._uses.update(str(v) for name, v in report.user_properties if name == _USE)
        if report.when == "teardown":
            is_connected = any(name == _FIXTURES for name, _ in report.user_properties)
            self._tests_with_connected_fixtures += is_connected

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the closing line, unless no test had a cassette."""
        if self._uses or self._tests_with_connected_fixtures:
            terminalreporter.write_line(self.line())

    def line(self) -> str:
        """Return the closing line.

        For example `harness: 12 replayed, 1 recorded, 0 live; 1 test went to the network`; what
        fixtures sent is not recorded, and counted by `..., and fixtures of 2 tests did`.
        """
        shown = [use for use in CassetteUse if use in _ALWAYS_SHOWN or self._uses[use]]
        counts = ", ".join(f"{self._uses[use]} {use}" for use in shown)
        sent = sum(self._uses[use] for use in _USED_NETWORK)
        line = f"harness: {counts}; {_tests(sent)} went to the network"
        if not self._tests_with_connected_fixtures:
            return line
        fixtures = f"fixtures of {_tests(self._tests_with_connected_fixtures)} did"
        return f"{line}, {'and' if sent else 'but'} {fixtures}"


def _tests(count: int) -> str:
    return {0: "no test", 1: "1 test"}.get(count, f"{count} tests")
