"""Recordings by the day they were made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harness.errors import HarnessError
from harness.types import Provenance

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(rf"{_DAY.pattern}T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)

_LAST = "9999"
"""There is no day after the last one of that year."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment on, and before another; in UTC, where nobody says otherwise.

    `words` are how it was asked for. What does not say when it was recorded is in no period but
    the one without any bound.
    """

    first: datetime | None = None
    end: datetime | None = None
    words: str = ""

    def __bool__(self) -> bool:
        return bool(self.words)

    def __contains__(self, told: Provenance) -> bool:
        if not self:
            return True
        try:
            recorded = _aware(datetime.fromisoformat(told.recorded_at))
        except ValueError:
            return False
        begun = self.first is None or recorded >= self.first
        return begun and (self.end is None or recorded < self.end)

    def __str__(self) -> str:
        return self.words


ALWAYS = Period()


def period(since: str | None, until: str | None) -> Period:
    """What two options say: days, the last one included, or moments. Raises HarnessError."""
    first = None if since is None else _moment("--since", since)
    end = None if until is None else _moment("--until", until)
    if until is not None and end is not None and _DAY.fullmatch(until):
        end = end + timedelta(days=1)
    if first is not None and end is not None and first >= end:
        raise HarnessError(f"--since {since} is later than --until {until}: nothing is in between")
    told = (("since", since), ("until", until))
    return Period(first, end, " ".join(f"{word} {text}" for word, text in told if text is not None))


def _moment(option: str, text: str) -> datetime:
    if (_DAY.fullmatch(text) or _MOMENT.fullmatch(text)) and text < _LAST:
        try:
            return _aware(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            pass  # such as the 31st of June
    raise HarnessError(
        f"{option} {text!r} is no date; allowed: a day such as 2026-07-01, or a moment such as "
        "2026-07-01T12:00 (UTC) or 2026-07-01T20:00+08:00"
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
