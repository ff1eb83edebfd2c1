"""Retries: temporary failures, their number and their waits."""

from __future__ import annotations

import pytest

from harness.providers import retries
from harness.providers.retries import NO_RETRIES, Retries, send_with_retries
from harness.types import Failure, Outcome, Reply

THROTTLED = Failure(429, "1302", "too many requests")
WRONG = Failure(400, "1211", "no such model")


@pytest.mark.parametrize(
    ("attempt", "retry_after", "wait"),
    [(1, None, 1.0), (2, None, 2.0), (4, None, 8.0), (9, None, 60.0), (1, 0.0, 0.0), (3, 7.0, 7.0)],
)
def test_waits_double_unless_retry_after_is_set(
    attempt: int, retry_after: float | None, wait: float
) -> None:
    """Waits double from 1 second up to 60; a Retry-After header takes precedence."""
    assert Retries().wait(attempt, Failure(429, "c", "m", retry_after=retry_after)) == wait


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("", None),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1.2.3", None),
        ("²", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_as_seconds(header: str | None, value: float | None) -> None:
    """A Retry-After header is a number of seconds; its other forms are ignored."""
    assert retries.retry_after(header) == value


@pytest.mark.parametrize(
    ("status", "temporary"), [(0, False), (400, False), (401, False), (429, True), (500, True)]
)
def test_which_failures_are_temporary(status: int, temporary: bool) -> None:
    """HTTP 429 and 5xx are temporary; any other status is not."""
    assert retries.is_temporary(Failure(status, "c", "m")) is temporary


@pytest.mark.parametrize(
    ("outcomes", "policy", "waits", "result"),
    [
        ([THROTTLED, THROTTLED, Reply()], Retries(), [1.0, 2.0], Reply()),
        ([THROTTLED] * 3, Retries(limit=2), [1.0, 2.0], THROTTLED),
        ([THROTTLED], NO_RETRIES, [], THROTTLED),
        ([WRONG], Retries(), [], WRONG),
        ([THROTTLED, WRONG], Retries(), [1.0], WRONG),
    ],
)
def test_a_call_is_made_again_while_its_failure_is_temporary(
    outcomes: list[Outcome], policy: Retries, waits: list[float], result: Outcome
) -> None:
    """Retries end with a reply, another failure, or the limit."""
    remaining, slept = iter(outcomes), list[float]()
    assert send_with_retries(lambda: next(remaining), slept.append, policy) == result
    assert slept == waits
    assert list(remaining) == []
