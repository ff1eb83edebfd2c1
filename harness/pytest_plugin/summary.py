"""The use of a cassette by each test, its findings, and the closing line about all tests.

The use is stored in the test report's `user_properties`. So JUnit files contain it, and the closing
line counts the tests of all processes of pytest-xdist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

import pytest

from harness.locale import localized, localized_count, mark

if TYPE_CHECKING:
    from harness.intercept.network_guard import Unwatched
    from harness.rules import Judged

_USE = "harness"
_FIXTURES = "harness-fixtures"
_CHILDREN = "harness-children"
_PROGRAM = "harness-program"
_LIBRARY = "harness-library"


class CassetteUse(StrEnum):
    """The source of the responses to a test's requests.

    Attributes:
        REPLAYED: All responses came from the cassette.
        RECORDED: All responses came from the network, and the cassette was written.
        LIVE: Responses came from the network, and the cassette was not written.
        PARTIAL: Some responses came from the cassette, the others from the network; it was written.
        ALLOWED: An allowed host outside this machine was contacted; all other responses came from
            the cassette.
        MISSED: A request was not on the cassette.
        NO_REQUESTS: The test made no request.
    """

    REPLAYED = "replayed"
    RECORDED = "recorded"
    LIVE = "live"
    PARTIAL = "partial"
    ALLOWED = "allowed"
    MISSED = "missed"
    NO_REQUESTS = "without requests"


_COUNTS = {
    CassetteUse.REPLAYED: mark("{} replayed"),
    CassetteUse.RECORDED: mark("{} recorded"),
    CassetteUse.LIVE: mark("{} live"),
    CassetteUse.PARTIAL: mark("{} partial"),
    CassetteUse.ALLOWED: mark("{} allowed"),
    CassetteUse.MISSED: mark("{} missed"),
    CassetteUse.NO_REQUESTS: mark("{} without requests"),
}
"""The text about the number of tests with each use."""

_ALWAYS_SHOWN = (CassetteUse.REPLAYED, CassetteUse.RECORDED, CassetteUse.LIVE)
_MOST_PROGRAMS = 3
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
    """Add to the report of a test that its fixtures connected to *host*, outside any cassette."""
    if (_FIXTURES, host) not in item.user_properties:
        item.user_properties.append((_FIXTURES, host))


def note_unwatched(item: pytest.Item, unwatched: Unwatched) -> None:
    """Add to a test's report the child processes and C libraries that were not watched.

    They may have used the network without being noticed.

    Secrets in the names of programs are masked.
    """
    if unwatched.children:
        from harness.providers.masking import text_masker

        mask = text_masker()
        item.user_properties.append((_CHILDREN, str(unwatched.children)))
        item.user_properties += [(_PROGRAM, mask(name)) for name in unwatched.programs]
    item.user_properties += [(_LIBRARY, name) for name in unwatched.libraries]


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
    ignored = localized("{} ignored findings").format(len(judged.ignored))
    for title, findings in ((localized("findings"), others), (ignored, judged.ignored)):
        if findings:
            item.add_report_section("call", title, "\n\n".join(map(describe, findings)))
    if errors:
        pytest.fail("\n\n".join(map(describe, errors)), pytrace=False)


class UseCounter:
    """A plugin that counts the uses of cassettes in the test reports of all processes.

    *has_no_network* says whether pytest runs with `--no-network`.
    """

    def __init__(self, *, has_no_network: bool = False) -> None:
        self._has_no_network = has_no_network
        self._uses: Counter[str] = Counter()
        self._tests_with_connected_fixtures = 0
        self._children = 0
        self._programs: set[str] = set()
        self._libraries: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count how a test used its cassette, and what was not watched, from its last report."""
        if report.when != "teardown":
            return
        values: dict[str, list[str]] = {}
        for name, value in report.user_properties:
            values.setdefault(name, []).append(str(value))
        self._uses.update(values.get(_USE, ()))
        self._tests_with_connected_fixtures += _FIXTURES in values
        self._children += sum(map(int, values.get(_CHILDREN, ())))
        self._programs.update(values.get(_PROGRAM, ()))
        self._libraries.update(values.get(_LIBRARY, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the closing line; nothing if no test had a cassette."""
        if self._uses or self._tests_with_connected_fixtures:
            terminalreporter.write_line(self.line())

    def line(self) -> str:
        """Return the closing line.

        For example `harness: 12 replayed, 1 recorded, 0 live; 1 test went to the network`. If
        fixtures opened connections, `, and fixtures of 2 tests did` follows. Child processes and
        libraries that were not watched are listed in place of `no test went to the network`. With
        `--no-network`, the line says that no test could.
        """
        shown = [use for use in CassetteUse if use in _ALWAYS_SHOWN or self._uses[use]]
        comma = localized(", ")
        counts = comma.join(localized(_COUNTS[use]).format(self._uses[use]) for use in shown)
        claims = comma.join(self._claims())
        return f"harness: {counts}" + localized("; ") + claims

    def _claims(self) -> Iterator[str]:
        if self._has_no_network:
            yield localized("no test could go to the network")
            return
        sent = sum(self._uses[use] for use in _USED_NETWORK)
        unwatched = list(self._unwatched())
        if sent or not unwatched:
            yield localized("{} went to the network").format(_tests(sent))
        if count := self._tests_with_connected_fixtures:
            also, but = localized("and fixtures of {} did"), localized("but fixtures of {} did")
            yield (also if sent or unwatched else but).format(_tests(count))
        yield from unwatched

    def _unwatched(self) -> Iterator[str]:
        if self._children:
            counted = localized_count(
                self._children,
                "{} child process was not watched",
                "{} child processes were not watched",
            )
            yield counted + self._named_programs()
        if self._libraries:
            names = localized(" and ").join(sorted(self._libraries))
            one, many = localized("{} was not watched"), localized("{} were not watched")
            yield (one if len(self._libraries) == 1 else many).format(names)

    def _named_programs(self) -> str:
        """Return the names of the first programs in parentheses; "" if none is known."""
        names = sorted(self._programs)
        if len(names) > _MOST_PROGRAMS:
            names[_MOST_PROGRAMS:] = ["..."]
        listed = localized(", ").join(names)
        return localized(" ({})").format(listed) if names else ""


def _tests(count: int) -> str:
    return localized_count(count, "{} test", "{} tests") if count else localized("no test")
