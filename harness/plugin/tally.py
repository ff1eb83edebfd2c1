"""What each test did with its cassette, and one line about all of them.

A verdict travels with the test's report, in `user_properties`, so that JUnit files have it and the
line is right with several processes.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import pytest

_NAME = "harness"


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


class Tally:
    """Counts verdicts as reports come in, from wherever they come."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One more, if this test has a verdict."""
        if report.when == "call":
            self._seen.update(str(v) for name, v in report.user_properties if name == _NAME)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The line, unless no test had to do with a cassette."""
        if self._seen:
            terminalreporter.write_line(self.line())

    def line(self) -> str:
        """`harness: 12 replayed, 1 recorded, 0 live; 1 test went to the network`."""
        told = [v for v in Verdict if v in _TOLD_ALWAYS or self._seen[v]]
        counts = ", ".join(f"{self._seen[verdict]} {verdict}" for verdict in told)
        out = sum(self._seen[verdict] for verdict in _WENT_OUT)
        tests = {0: "no test", 1: "1 test"}.get(out, f"{out} tests")
        return f"harness: {counts}; {tests} went to the network"
