"""What each test did with its cassette, and one line about all of them.

A verdict travels with the test's report, in `user_properties`, so that JUnit files have it and the
line is right with several processes.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import pytest

_NAME = "harness"
_FIXTURES = "harness-fixtures"


class Verdict(StrEnum):
    """Where a test's answers came from."""

    REPLAYED = "replayed"
    RECORDED = "recorded"
    LIVE = "live"
    PARTIAL = "partial"
    ALLOWED = "allowed"
    UNTOUCHED = "untouched"


_TOLD_ALWAYS = (Verdict.REPLAYED, Verdict.RECORDED, Verdict.LIVE)
_WENT_OUT = (Verdict.RECORDED, Verdict.LIVE, Verdict.PARTIAL, Verdict.ALLOWED)


def tell(item: pytest.Item, verdict: Verdict) -> None:
    """Have a test's report say what it did: from the cassette (replayed), from the network and
    written (recorded) or not (live), from both (partial), or no request at all (untouched).

    `allowed` is a test whose cassette had all its answers, or none to give, while a host outside
    this machine was reached past it, as it may be by `allow_hosts`: that is not offline.
    """
    item.user_properties.append((_NAME, verdict.value))


def tell_of_fixtures(item: pytest.Item, host: str) -> None:
    """Have a test's report say that its fixtures reached a host, past any cassette."""
    if (_FIXTURES, host) not in item.user_properties:
        item.user_properties.append((_FIXTURES, host))


class Tally:
    """Counts verdicts as reports come in, from wherever they come."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._fixtures = 0
        """Tests whose fixtures went to the network."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One more, if this test has a verdict."""
        if report.when == "call":
            self._seen.update(str(v) for name, v in report.user_properties if name == _NAME)
        if report.when == "teardown":
            self._fixtures += any(name == _FIXTURES for name, _ in report.user_properties)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The line, unless no test had to do with a cassette."""
        if self._seen or self._fixtures:
            terminalreporter.write_line(self.line())

    def line(self) -> str:
        """`harness: 12 replayed, 1 recorded, 0 live; 1 test went to the network`.

        Fixtures are outside of their test's cassette: `..., and fixtures of 2 tests did`.
        """
        told = [v for v in Verdict if v in _TOLD_ALWAYS or self._seen[v]]
        counts = ", ".join(f"{self._seen[verdict]} {verdict}" for verdict in told)
        out = sum(self._seen[verdict] for verdict in _WENT_OUT)
        tests = {0: "no test", 1: "1 test"}.get(out, f"{out} tests")
        line = f"harness: {counts}; {tests} went to the network"
        if not self._fixtures:
            return line
        of = "1 test" if self._fixtures == 1 else f"{self._fixtures} tests"
        return f"{line}, {'and' if out else 'but'} fixtures of {of} did"
