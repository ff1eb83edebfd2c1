"""Checks of what ends by a timeout, on a machine that may be busy."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def patiently(check: Callable[[float], None], first: float = 0.2) -> None:
    """Run a check with a timeout of *first* seconds; where it fails, with one ten times as long.

    What is to come in time then also comes on a busy machine. The last timeout is 100 times
    *first*.
    """
    for patience in (first, 10 * first):
        try:
            return check(patience)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001, S110 - raised by the last one
            pass
    return check(100 * first)
