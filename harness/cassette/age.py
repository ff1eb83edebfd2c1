"""The age of recordings, by the real clock, and periods that select recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harness.errors import HarnessError
from harness.types import Finding, Provenance, Severity

RULE = "cassette_age"

RULE_TEXT = """A recording is not older than --max-age allows.

Its age is counted from `recorded_at` in the cassette, by the clock of this machine. A cassette
without it is of unknown age: it is reported like an older one. With --max-age-fails, the finding is
an error. Nothing is ever recorded because of its age."""
"""The explanation of the rule `cassette_age` that `harness rules` prints."""

_UNITS = {"h": 1 / 24, "d": 1.0, "w": 7.0}
_LONGEST = 36_500
"""The greatest limit that can be set, in days."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The greatest allowed age of a recording.

    Attributes:
        text: The limit as the user wrote it, such as `30d`.
        longest: The limit as a duration.
        fails: Whether an older recording is an error; otherwise it is a warning.
    """

    text: str
    longest: timedelta
    fails: bool = False


def parse_limit(text: str, fails: bool) -> Limit:
    """Return the limit for a text such as `30d`, `12h` or `4w`.

    With *fails*, an older recording is an error instead of a warning. Raises HarnessError for an
    invalid text.
    """
    match = re.fullmatch(r"([0-9]{1,6})([hdw])", text, re.ASCII)
    days = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < days <= _LONGEST:
        raise HarnessError(
            f"{text!r} is not a valid age; allowed: a whole number and h, d or w, such as 12h, "
            "30d or 4w"
        )
    return Limit(text, timedelta(days=days), fails)


def limit_of_options(text: str | None, fails: bool) -> Limit | None:
    """Return the limit that --max-age (*text*) and --max-age-fails (*fails*) set.

    Return None without --max-age. Raises HarnessError for an invalid age, or for --max-age-fails
    without --max-age.
    """
    if text is None and fails:
        raise HarnessError("--max-age-fails goes with --max-age, such as --max-age 30d")
    return None if text is None else parse_limit(text, fails)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def age(provenance: Provenance, at: datetime) -> timedelta | None:
    """Return how old a recording is at the time *at*; 0 if it was recorded later.

    *provenance* has the time of recording. Return None if that time is missing or invalid.
    """
    try:
        return max(at - _aware(provenance.recorded_at), timedelta())
    except (ValueError, OverflowError):
        return None


def days(provenance: Provenance, at: datetime) -> int | None:
    """Return how old a recording is at the time *at*, in whole days.

    *provenance* has the time of recording. Return None if that time is missing or invalid.
    """
    known = age(provenance, at)
    return None if known is None else known.days


def findings(provenance: Provenance, limit: Limit, at: datetime) -> Iterator[Finding]:
    """Yield a finding if the recording that *provenance* describes is too old at the time *at*.

    A recording whose time is missing, invalid or more than an hour in the future counts as too old.
    The finding is an error if `limit.fails` is true, otherwise a warning.
    """
    known = age(provenance, at)
    is_future = known is not None and _aware(provenance.recorded_at) - at > _CLOCKS_DIFFER
    if known is not None and known <= limit.longest and not is_future:
        return
    if known is None:
        actual = "unknown: recorded_at is missing or invalid"
    elif is_future:
        actual = f"unknown: recorded_at is in the future ({provenance.recorded_at})"
    else:
        actual = f"{known.days} days (recorded {provenance.recorded_at})"
    expected = f"an age of at most {limit.text}"
    yield Finding(
        f"expected {expected}, actual {actual}",
        rule=RULE,
        severity=Severity.ERROR if limit.fails else Severity.WARNING,
        expected=expected,
        actual=actual,
    )


_CLOCKS_DIFFER = timedelta(hours=1)
"""The longest time by which a recording may be in the future: clocks and time zones differ."""


# --------------------------------------------------------------------------------- periods

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(rf"{_DAY.pattern}T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)

_END_OF_TIME = "9999"
"""The first year that is not accepted, since Python has no day after its last one."""


@dataclass(frozen=True, slots=True)
class Period:
    """The times from `first` (included) to `end` (excluded), by which recordings are selected.

    Attributes:
        first: The first time of the period; None for no lower bound.
        end: The first time after the period; None for no upper bound.
        text: The command-line options that set the period; empty for the period without bounds.

    A recording of unknown time is in no period, except the one without bounds.
    """

    first: datetime | None = None
    end: datetime | None = None
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text)

    def __contains__(self, provenance: Provenance) -> bool:
        if not self:
            return True
        try:
            recorded = _aware(provenance.recorded_at)
        except ValueError:
            return False
        has_begun = self.first is None or recorded >= self.first
        return has_begun and (self.end is None or recorded < self.end)

    def __str__(self) -> str:
        return self.text


ALWAYS = Period()


def period(since: str | None, until: str | None) -> Period:
    """Return the period set by the options --since and --until; None sets no bound.

    Each is a day (that of --until is included) or a time, in UTC unless it has an offset.

    Raises:
        HarnessError: A time is invalid, or --since is not before --until.
    """
    first = None if since is None else _moment("--since", since)
    end = None if until is None else _moment("--until", until)
    if until is not None and end is not None and _DAY.fullmatch(until):
        end = end + timedelta(days=1)
    if first is not None and end is not None and first >= end:
        raise HarnessError(f"--since {since} is later than --until {until}: nothing is in between")
    options = (("since", since), ("until", until))
    text = " ".join(f"{name} {value}" for name, value in options if value is not None)
    return Period(first, end, text)


def _moment(option: str, text: str) -> datetime:
    if (_DAY.fullmatch(text) or _MOMENT.fullmatch(text)) and text < _END_OF_TIME:
        try:
            return _aware(text)
        except (ValueError, OverflowError):
            pass  # such as the 31st of June
    raise HarnessError(
        f"{option} {text!r} is not a valid date; allowed: a day such as 2026-07-01, or a time such "
        "as 2026-07-01T12:00 (UTC) or 2026-07-01T20:00+08:00"
    )


def _aware(text: str) -> datetime:
    """Return a time in ISO 8601, in UTC unless it has an offset. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
