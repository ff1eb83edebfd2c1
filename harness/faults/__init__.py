"""Fault injection: named changes to recorded exchanges, sent to clients or checked by rules.

The public functions make faults for one's own tests (docs/FAULTS_IN_TESTS.md). They are imported
when they are used first: each client of `harness faults` runs in a process of its own, which has to
start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.faults.injected import (
        InjectedFault,
        cut_after,
        disconnected,
        empty_stream,
        fault,
        malformed_event,
        malformed_json,
        refused,
        reset,
        server_error,
        slow,
        timeout,
        too_many_requests,
        wrong_content_type,
    )

__all__ = [
    "InjectedFault",
    "cut_after",
    "disconnected",
    "empty_stream",
    "fault",
    "malformed_event",
    "malformed_json",
    "refused",
    "reset",
    "server_error",
    "slow",
    "timeout",
    "too_many_requests",
    "wrong_content_type",
]

if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        """Import a public function when it is used first."""
        if name in __all__:
            return getattr(import_module("harness.faults.injected"), name)
        raise AttributeError(f"module 'harness.faults' has no attribute {name!r}")
