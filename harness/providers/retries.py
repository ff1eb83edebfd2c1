"""Retries: which failures are temporary, how often a call is made again, and the waits between.

SDKs are opened without retries of their own, so that every attempt is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.types import Failure, Outcome


@dataclass(frozen=True, slots=True)
class Retries:
    """The number of retries after temporary failures, and the wait before each.

    The first wait is `first` seconds, and each further wait is twice as long as the one before.
    A failure with a Retry-After header sets the wait itself. No wait is longer than `longest`.

    Attributes:
        limit: The maximum number of retries after the first attempt; 0 disables retries.
        first: The wait before the first retry, in seconds.
        longest: The maximum wait, in seconds.
    """

    limit: int = 4
    first: float = 1.0
    longest: float = 60.0

    def wait(self, attempt: int, failure: Failure) -> float:
        """Return the seconds to wait after attempt number *attempt* (from 1) ended in *failure*."""
        after = failure.retry_after
        return min(self.first * 2 ** (attempt - 1) if after is None else after, self.longest)


DEFAULT_RETRIES = Retries()
"""Up to four retries, after 1, 2, 4 and 8 seconds unless Retry-After headers say otherwise."""

NO_RETRIES = Retries(limit=0)
"""No retries: every call is made once."""


def send_with_retries(
    send: Callable[[], Outcome], sleep: Callable[[float], None], retries: Retries
) -> Outcome:
    """Return the result of *send*, called again while it returns a temporary failure.

    The last failure is returned once `retries.limit` is reached.

    Args:
        send: Makes the call once and returns its outcome.
        sleep: Waits for a number of seconds.
        retries: The maximum number of retries and the waits.
    """
    outcome = send()
    for attempt in range(1, retries.limit + 1):
        if not isinstance(outcome, Failure) or not is_temporary(outcome):
            break
        sleep(retries.wait(attempt, outcome))
        outcome = send()
    return outcome


def is_temporary(failure: Failure) -> bool:
    """Return whether a retry may succeed: the HTTP status is 429 (too many requests) or 5xx."""
    return failure.status == 429 or failure.status >= 500


def retry_after(header: str | None) -> float | None:
    """Return the value of a Retry-After header in seconds; None if it is absent or a date."""
    return float(header) if header and header.replace(".", "", 1).isdecimal() else None
