"""Whether a refusal says something of the service, or of the key, the account, the moment."""

from __future__ import annotations

from harness.analysis.transcript import AnalyzedTurn
from harness.types import Failure

_OTHERWISE = frozenset({401, 402, 403, 407, 408, 429})
"""Statuses that say nothing of the request: no or another key, no money, too much or too late."""


def refuses_the_request(turn: AnalyzedTurn) -> bool:
    """Whether a service says that it does not take this request, in its own form, with HTTP 4xx.

    A page of something in between, server trouble, throttling and a missing answer say nothing of
    what the service would have answered.
    """
    said, answered = turn.outcome, turn.answer
    if not isinstance(said, Failure) or answered is None or answered.endpoint is None:
        return False
    in_its_form = bool(said.code or said.message) and said.code not in answered.endpoint.unpaid
    return in_its_form and 400 <= said.status < 500 and said.status not in _OTHERWISE
