"""Selection of recordings by the time they were made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harness.errors import HarnessError
from harness.types import Provenance

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(rf"{_DAY.pattern}T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)

_END_OF_TIME = "9999"
"""Python has no day after the last one of that year."""


@dataclass(frozen=True, slots=True)
class Period:
    """The times from `first` on and before `end`; `text` are the options that it was given by.

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
            recorded = _aware(datetime.fromisoformat(provenance.recorded_at))
        except ValueError:
            return False
        has_begun = self.first is None or recorded >= self.first
        return has_begun and (self.end is None or recorded < self.end)

    def __str__(self) -> str:
        return self.text


ALWAYS = Period()


def period(since: str | None, until: str | None) -> Period:
    """Return the period of the options --since and --until.

    Each is a day (that of --until is included) or a time, in UTC unless it has an offset.

    Raises:
        HarnessError: An invalid time, or a period without any.
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
            return _aware(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            pass  # such as the 31st of June
    raise HarnessError(
        f"{option} {text!r} is not a valid date; allowed: a day such as 2026-07-01, or a time such "
        "as 2026-07-01T12:00 (UTC) or 2026-07-01T20:00+08:00"
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
