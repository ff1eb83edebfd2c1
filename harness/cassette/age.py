"""How old recordings are, by the real clock: a replay's own time has no say in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from harness.errors import HarnessError
from harness.report.report import Report
from harness.types import Finding, Provenance, Severity

RULE = "cassette_age"

TEXT = """A recording is not older than --max-age allows.

Its age is counted from `recorded_at` in the cassette, by the clock of this machine. A cassette
that does not say when it was recorded is of unknown age: that is told, and with --max-age-fails
it fails too, for nobody can say that it is young enough. Nothing is ever recorded because of its
age."""
"""What `harness rules` tells of it."""

_UNITS = {"h": 1 / 24, "d": 1.0, "w": 7.0}
_LONGEST = 36_500
"""Days."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How old a recording may be, and whether an older one fails or is told."""

    text: str
    longest: timedelta
    fails: bool = False


def limit(text: str, fails: bool) -> Limit:
    """`30d`, `12h` or `4w` as a limit. Raises HarnessError for anything else."""
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text, re.ASCII)
    days = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < days <= _LONGEST:
        raise HarnessError(
            f"{text!r} is no age; allowed: a whole number and h, d or w, such as 12h, 30d or 4w"
        )
    return Limit(text, timedelta(days=days), fails)


def limits(text: str | None, fails: bool) -> Limit | None:
    """A limit as two options say it; None where there is none. Raises HarnessError."""
    if text is None and fails:
        raise HarnessError("--max-age-fails goes with --max-age, such as --max-age 30d")
    return None if text is None else limit(text, fails)


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def age(told: Provenance, at: datetime) -> timedelta | None:
    """How long before `at` it was recorded; None where nobody says. Never negative."""
    try:
        recorded = datetime.fromisoformat(told.recorded_at)
        aware = recorded if recorded.tzinfo else recorded.replace(tzinfo=UTC)
        return max(at - aware, timedelta())
    except (ValueError, OverflowError):
        return None


def days(told: Provenance, at: datetime) -> int | None:
    """The same in whole days."""
    found = age(told, at)
    return None if found is None else found.days


def findings(told: Provenance, allowed: Limit, at: datetime) -> Iterator[Finding]:
    """A finding where a recording is too old, or of unknown age."""
    found = age(told, at)
    if found is not None and found <= allowed.longest:
        return
    said = "unknown: nobody says when it was recorded" if found is None else f"{found.days} days"
    if found is not None:
        said += f" (recorded {told.recorded_at})"
    yield Finding(
        f"expected an age of at most {allowed.text}, actual {said}",
        rule=RULE,
        severity=Severity.ERROR if allowed.fails else Severity.WARNING,
        expected=f"an age of at most {allowed.text}",
        actual=said,
    )


def aged(report: Report, allowed: Limit | None) -> Report:
    """A report with what is to be said of the age of its recordings."""
    if allowed is None:
        return report
    at = now()
    found = tuple(
        replace(finding, scenario=told.scenario, target=told.target, source=told.source)
        for told in (one.transcript for one in report.reads)
        for finding in findings(told.provenance, allowed, at)
    )
    return replace(report, findings=(*report.findings, *found))
