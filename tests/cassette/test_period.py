"""Which days a recording belongs to."""

from __future__ import annotations

import pytest

from harness.cassette.period import ALWAYS, period
from harness.errors import HarnessError
from harness.types import Provenance


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
