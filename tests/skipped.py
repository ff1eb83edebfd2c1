"""What was skipped, and how to have it run: the last lines of `make test`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

HOW_TO_RUN = {
    "no browser": "apt-get install chromium (.ci/run does so, where it may)",
    "real recordings": "put the recordings of the real services into ../shared",
    "pytest-xdist": "pip install pytest-xdist",
    "root may read": "run the tests as another user than root",
    "setuptools 77": "pip install 'setuptools>=77'",
    "moto or s3fs": "make stores",
    "ossfs is not": "make stores",
    "distributed is not": "make stores",
    "is not installed": "install it, if need be in an environment of its own",
    "is what runs these": "they run already",
}
"""How to have a skipped test run, by a part of the reason why it was skipped."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say last what was skipped, and how to have it run."""
    yield
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    if not reasons:
        return
    terminalreporter.section("skipped, and how to have it run")
    for reason, count in reasons.most_common():
        how = next((text for part, text in HOW_TO_RUN.items() if part in reason), "")
        terminalreporter.line(f"{count} skipped: {reason}" + (f"; to run: {how}" if how else ""))
