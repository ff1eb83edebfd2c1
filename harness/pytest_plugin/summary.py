"""How each test used its cassette, its findings, and the closing line about all tests.

The use is stored in the test report's `user_properties`. So JUnit files contain it, and the closing
line counts the tests of all processes of pytest-xdist.
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
    """The source of the responses to a test's requests."""

    REPLAYED = "replayed"
    """All responses came from the cassette."""
    RECORDED = "recorded"
    """All responses came from the network, and the cassette was written."""
    LIVE = "live"
    """Responses came from the network, and the cassette was not written."""
    PARTIAL = "partial"
    """Some responses came from the cassette, the others from the network; it was written."""
    ALLOWED = "allowed"
    """An allowed host outside this machine was contacted; other responses are of the cassette."""
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
    """Add *use* to the report of a test."""
    item.user_properties.append((_USE, use.value))


def note_fixture_connection(item: pytest.Item, host: str) -> None:
    """Add *host* to the report of a test, as one that the test's fixtures connected to."""
    if (_FIXTURES, host) not in item.user_properties:
        item.user_properties.append((_FIXTURES, host))


def report_findings(item: pytest.Item, judged: Judged, *, fails: bool = True) -> None:
    """Fail a test with the errors among its findings, and add the other findings to its report.

    Args:
        item: The test.
        judged: The findings, and those that the project ignores.
        fails: Whether errors fail the test; otherwise they are only added to its report.
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
    """A plugin that counts the uses of cassettes in the test reports of all processes."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._tests_with_connected_fixtures = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the use of a cassette, or the fixtures' connections, in a test's report."""
        if report.when == "call":
            self._uses.update(str(v) for name, v in report.user_properties if name == _USE)
        if report.when == "teardown":
            is_connected = any(name == _FIXTURES for name, _ in report.user_properties)
            self._tests_with_connected_fixtures += is_connected

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the closing line; nothing if no test had a cassette."""
        if self._uses or self._tests_with_connected_fixtures:
            terminalreporter.write_line(self.line())

    def line(self) -> str:
        """Return the closing line.

        For example `harness: 12 replayed, 1 recorded, 0 live; 1 test went to the network`. If
        fixtures opened connections, `, and fixtures of 2 tests did` follows.
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
