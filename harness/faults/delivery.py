"""A recorded answer as it is sent to a client: changed, cut in packets, or broken off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from harness.analysis.endpoint import Endpoint
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import Fault, describe, once
from harness.types import Outcome, Reply, Response

CONNECTION_HEADERS = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "set-cookie",
        "transfer-encoding",
    }
)
"""Headers, in lower case, that belonged to the recorded connection and not to the answer."""

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}+")


class Verdict(StrEnum):
    """What a client made of a changed answer.

    The same as of the unchanged one, a typed error, another answer without any error, no end
    within its timeout, or an error that says only that its own code failed.
    """

    SAME = "same"
    ERROR = "error"
    WRONG = "wrong"
    HANG = "hang"
    CRASH = "crash"


class Ending(StrEnum):
    """How a connection ends: in valid HTTP, closed or reset before that, or not at all."""

    COMPLETE = "complete"
    CLOSED = "closed"
    RESET = "reset"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One answer as it is sent.

    Attributes:
        description: What was changed, in a few words.
        response: What is sent.
        packets: The sizes of the packets in bytes; one packet if there are none.
        ending: How the connection ends.
        delay: The time before the first byte, as a share of the client's timeout.
        without_head: Whether nothing at all is sent.
        declared_length: A Content-Length that the body does not have.
        gzip: Whether the body is compressed, for clients that accept it.
        may_be_same: Whether all that a client needs may still be in it, so that the same answer
            is right even after a harmful change.
        counts_raised: The number that was added to token counts, and twice to totals.
    """

    description: str
    response: Response
    packets: tuple[int, ...] = ()
    ending: Ending = Ending.COMPLETE
    delay: float = 0.0
    without_head: bool = False
    declared_length: int | None = None
    gzip: bool = False
    may_be_same: bool = False
    counts_raised: int = 0


@dataclass(frozen=True)
class RecordedAnswer(AnalyzedExchange):
    """An exchange of a known endpoint, as a source of deliveries."""

    endpoint: Endpoint

    @property
    def body(self) -> bytes:
        """The body of the response."""
        return self.exchange.response.body

    @cached_property
    def event_ends(self) -> tuple[int, ...]:
        """The offsets in a stream at which an event has just ended."""
        return tuple(match.end() for match in _BLANK_LINE.finditer(self.body))

    def response(self, body: bytes | None = None, *headers: tuple[str, str]) -> Response:
        """Return the response with another body, and *headers* in place of its own."""
        replaced = {name.lower() for name, _ in headers} | CONNECTION_HEADERS
        own = self.exchange.response
        kept = tuple((n, v) for n, v in own.headers if n.lower() not in replaced)
        body = self.body if body is None else body
        return Response(own.status, own.reason, (*kept, *headers), body)

    def says_the_same(self, response: Response) -> bool:
        """Return whether another response to the same request has the same content."""
        changed = AnalyzedExchange(replace(self.exchange, response=response), self.endpoint)
        return content_of(changed.outcome) == content_of(self.outcome)


def content_of(outcome: Outcome | None) -> Outcome | None:
    """Return an outcome without what depends on the delivery: pieces and an SDK's views."""
    if isinstance(outcome, Reply):
        return replace(outcome, pieces=(), views=())
    return outcome if outcome is None else replace(outcome, views=())


DeliveryFault: TypeAlias = Fault[RecordedAnswer, Delivery]
Places: TypeAlias = Callable[[RecordedAnswer], Sequence[int]]


def allowed(fault: DeliveryFault, delivery: Delivery) -> frozenset[Verdict]:
    """Return the right verdicts: the same answer, or after a harmful change an error."""
    if not fault.harmful:
        return frozenset({Verdict.SAME})
    return frozenset({Verdict.ERROR, *([Verdict.SAME] if delivery.may_be_same else [])})


def once_in_streams(answer: RecordedAnswer) -> Sequence[int]:
    """Return the only place of a fault that only streams can have."""
    return (0,) if answer.is_stream else ()


def delivery_fault(
    places: Places = once, *, harmful: bool
) -> Callable[[Callable[[RecordedAnswer, int], Delivery]], DeliveryFault]:
    """Make a fault from a function that returns the delivery of an answer, changed at a place."""
    return lambda function: Fault(*describe(function), function, harmful=harmful, places=places)
