"""How old recordings are, and which periods they belong to."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import harness
from harness.cassette.age import (
    ALWAYS,
    days,
    findings,
    limit_of_options,
    parse_limit,
    period,
    utc_now,
)
from harness.errors import HarnessError
from harness.report import Report
from harness.report.build import add_age_findings
from harness.types import Provenance, Severity

CASSETTE = Path(__file__).parents[2] / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


def recorded(at: str) -> Provenance:
    """A recording of that time."""
    return Provenance(recorded_at=at)


@pytest.mark.parametrize(
    ("text", "longest"),
    [("12h", timedelta(hours=12)), ("30d", timedelta(days=30)), ("4w", timedelta(weeks=4))],
)
def test_limits(text: str, longest: timedelta) -> None:
    """A whole number, and what it counts."""
    assert parse_limit(text, fails=False).longest == longest


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "0d", "1.5d", "30m", "999999w", "３d"])
def test_what_is_no_age(text: str) -> None:
    """One message that says what is allowed."""
    with pytest.raises(HarnessError, match=r"not a valid age; allowed: .* 12h, 30d or 4w"):
        parse_limit(text, fails=False)


def test_failing_needs_a_limit() -> None:
    """It would be green for the wrong reason."""
    with pytest.raises(HarnessError, match="--max-age-fails goes with --max-age"):
        limit_of_options(None, fails=True)
    assert limit_of_options(None, fails=False) is None


@pytest.mark.parametrize(
    ("at", "whole"),
    [
        ("2026-03-31T11:59:59+00:00", 0),
        ("2026-03-30T12:00:01+00:00", 0),
        ("2026-03-30T12:00:00Z", 1),
        ("2026-03-30T19:00:00+08:00", 1),
        ("2026-03-01T12:00:00", 30),
        ("2027-01-01T00:00:00+00:00", 0),
        ("", None),
        ("yesterday", None),
    ],
)
def test_ages(at: str, whole: int | None) -> None:
    """In whole days, whatever the zone; unknown where nobody says."""
    assert days(recorded(at), NOON) == whole


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_found(fails: bool) -> None:
    """Nothing up to the limit; beyond it, and where the age is unknown, a warning or an error."""
    allowed = parse_limit("30d", fails=fails)
    assert not list(findings(recorded("2026-03-01T12:00:00Z"), allowed, NOON))
    (old,) = findings(recorded("2026-03-01T11:59:59Z"), allowed, NOON)
    (unknown,) = findings(recorded(""), allowed, NOON)
    weight = Severity.ERROR if fails else Severity.WARNING
    assert (old.rule, old.severity, unknown.severity) == ("cassette_age", weight, weight)
    assert "actual 30 days (recorded 2026-03-01T11:59:59Z)" in old.message
    assert "unknown" in unknown.message


def test_a_replays_time_has_no_say() -> None:
    """A replay that sleeps for a year makes no recording older."""
    before, then = utc_now(), time.time()
    with harness.use_cassette(CASSETTE, allow_unused=True):
        time.sleep(365 * 86_400)
        assert time.time() - then > 364 * 86_400
        assert days(recorded(before.isoformat()), utc_now()) == 0


def test_without_a_limit() -> None:
    """A report stays as it is."""
    report = Report("Check")
    assert add_age_findings(report, None) is report


@pytest.mark.parametrize(
    ("since", "until", "recorded", "inside"),
    [
        (None, None, "", True),
        (None, None, "yesterday", True),
        ("2026-07-01", None, "2026-07-01T00:00:00+00:00", True),
        ("2026-07-01", None, "2026-06-30T23:59:59+00:00", False),
        ("2026-07-01", None, "2026-07-01T07:59:59+08:00", False),
        ("2026-07-01", None, "2026-07-01", True),
        ("2026-07-01", None, "", False),
        ("2026-07-01", None, "yesterday", False),
        (None, "2026-07-01", "2026-07-01T23:59:59+00:00", True),
        (None, "2026-07-01", "2026-07-02T00:00:00+00:00", False),
        (None, "2026-07-01", "0001-01-01T00:00:00+00:00", True),
        ("2026-07-01", "2026-07-01", "2026-07-01T12:00:00+00:00", True),
        ("2026-07-01T12:00", "2026-07-01T13:00Z", "2026-07-01T12:00:00+00:00", True),
        ("2026-07-01T12:00", "2026-07-01T13:00Z", "2026-07-01T13:00:00+00:00", False),
        ("2026-07-01T20:00+08:00", None, "2026-07-01T11:59:59+00:00", False),
    ],
)
def test_what_is_inside(since: str | None, until: str | None, recorded: str, inside: bool) -> None:
    """The last day too; what is of no day is in no period."""
    assert (Provenance(recorded_at=recorded) in period(since, until)) is inside


def test_how_it_is_said() -> None:
    """In a message."""
    assert str(period("2026-07-01", "2026-07-31")) == "since 2026-07-01 until 2026-07-31"
    assert period(None, None) == ALWAYS
    assert not ALWAYS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-06-31",
        "2026-7-1",
        "20260701",
        "2026-W27",
        "10000-01-01",
        "9999-12-31",
        "2026-07-01 12:00",
        "2026-07-01T25:00",
        "0000-01-01",
        "\u0662026-07-01",
    ],
)
def test_what_is_no_date(text: str) -> None:
    """One clear message for both options."""
    for option, words in (("--since", (text, None)), ("--until", (None, text))):
        with pytest.raises(HarnessError) as raised:
            period(*words)
        assert str(raised.value).startswith(
            f"{option} {text!r} is not a valid date; allowed: a day such as 2026-07-01, or a time"
        )


def test_the_wrong_way_round() -> None:
    """Nothing could be inside."""
    with pytest.raises(HarnessError, match="--since 2026-07-02 is later than --until 2026-07-01"):
        period("2026-07-02", "2026-07-01")


@pytest.mark.parametrize(("later", "passes"), [(0, True), (1, False), (30_000, False)])
def test_a_recording_from_the_future_is_of_unknown_age(later: int, passes: bool) -> None:
    """Its date says nothing about its age."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    made = Provenance(recorded_at=(at + timedelta(days=later)).isoformat())
    found = list(findings(made, parse_limit("30d", True), at))
    assert (not found) == passes
    assert passes or "in the future" in found[0].message
