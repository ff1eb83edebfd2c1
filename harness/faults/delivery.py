"""Deliveries: recorded answers as they are sent to a client, changed, split or broken off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

from harness.analysis.endpoint import Endpoint
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import Fault, name_and_description, once
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
"""Headers, in lower case, that describe the recorded connection and not the answer."""

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}+")


class Reaction(StrEnum):
    """The reaction of a client to a changed answer.

    Attributes:
        SAME: The client returned the same value as for the unchanged answer.
        ERROR: The client raised a typed error, or reported a refusal.
        WRONG: The client returned another value, and raised no error.
        HANG: The client neither returned nor raised in time.
        CRASH: The client raised an error that is not typed (see `Client`), or its process ended.
    """

    SAME = "same"
    ERROR = "error"
    WRONG = "wrong"
    HANG = "hang"
    CRASH = "crash"


class Ending(StrEnum):
    """The end of a connection.

    Attributes:
        COMPLETE: The server closes the connection after a body that is complete by HTTP's rules.
        CLOSED: The server closes the connection before the end of the body.
        RESET: The server resets the connection (TCP RST) before the end of the body.
        SILENT: The connection stays open, but nothing more is sent.
        REFUSED: The connection is refused, so that nothing is sent at all.
    """

    COMPLETE = "complete"
    CLOSED = "closed"
    RESET = "reset"
    SILENT = "silent"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A response, and how it is sent.

    Attributes:
        description: What was changed, in a few words.
        response: The response that is sent.
        packets: The sizes of the packets in bytes; empty for one packet.
        ending: How the connection ends.
        delay: The time before the first byte, as a share of the client's timeout.
        without_head: Whether nothing is sent, not even the status line.
        declared_length: The value of a wrong Content-Length; None for none.
        gzip: Whether the body is compressed, for clients that accept it.
        may_be_same: Whether the reaction SAME passes too, although the fault is harmful, as the
            client may not need what was changed.
        counts_raised: The number that was added to each token count (twice this number to each
            total); 0 if counts are unchanged.
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


def event_ends(body: bytes) -> tuple[int, ...]:
    """Return the byte offset after each event of a stream."""
    return tuple(match.end() for match in _BLANK_LINE.finditer(body))


def packets_of(body: bytes, size: int) -> tuple[int, ...]:
    """Return the sizes of packets, one for each event, for the first *size* bytes of *body*."""
    ends = [end for end in (0, *event_ends(body)) if end < size]
    return tuple(end - start for start, end in pairwise((*ends, size)))


def changed_response(recorded: Response, body: bytes, *headers: tuple[str, str]) -> Response:
    """Return the response *recorded* with *body*, and with *headers* added or replaced.

    Headers about the recorded connection, such as Content-Length, are removed.
    """
    replaced = {name.lower() for name, _ in headers} | CONNECTION_HEADERS
    kept = tuple((n, v) for n, v in recorded.headers if n.lower() not in replaced)
    return Response(recorded.status, recorded.reason, (*kept, *headers), body)


@dataclass(frozen=True)
class RecordedAnswer(AnalyzedExchange):
    """A recorded exchange of a known endpoint, to whose answer faults are applied.

    Attributes:
        endpoint: The endpoint that was called; never None, unlike in the base class.
    """

    endpoint: Endpoint

    @property
    def body(self) -> bytes:
        """The body of the response."""
        return self.exchange.response.body

    @cached_property
    def event_ends(self) -> tuple[int, ...]:
        """The byte offset after each event of a stream."""
        return event_ends(self.body)

    def response(self, body: bytes | None = None, *headers: tuple[str, str]) -> Response:
        """Return the response with *body*, and with *headers* added or replaced.

        If *body* is None, the recorded body is kept. Headers about the recorded connection, such as
        Content-Length, are removed.
        """
        return changed_response(
            self.exchange.response, self.body if body is None else body, *headers
        )

    def says_the_same(self, response: Response) -> bool:
        """Return whether *response* is read as the same reply or refusal as the recorded one."""
        changed = AnalyzedExchange(replace(self.exchange, response=response), self.endpoint)
        return content_of(changed.outcome) == content_of(self.outcome)


def content_of(outcome: Outcome | None) -> Outcome | None:
    """Return *outcome* without stream pieces and SDK objects, which depend on the delivery.

    Returns None if *outcome* is None.
    """
    if isinstance(outcome, Reply):
        return replace(outcome, pieces=(), views=())
    return outcome if outcome is None else replace(outcome, views=())


DeliveryFault: TypeAlias = Fault[RecordedAnswer, Delivery]
Places: TypeAlias = Callable[[RecordedAnswer], Sequence[int]]


def allowed(fault: DeliveryFault, delivery: Delivery) -> frozenset[Reaction]:
    """Return the reactions of a client to *delivery* with which the case passes.

    For a harmless fault this is SAME; for a harmful one it is ERROR, and also SAME if
    `delivery.may_be_same` is true.
    """
    if not fault.harmful:
        return frozenset({Reaction.SAME})
    return frozenset({Reaction.ERROR, *([Reaction.SAME] if delivery.may_be_same else [])})


def once_in_streams(answer: RecordedAnswer) -> Sequence[int]:
    """Return the places of a fault that can be applied to a stream in one way only.

    This is `(0,)` for a stream and empty for a document.
    """
    return (0,) if answer.is_stream else ()


def delivery_fault(
    places: Places = once, *, harmful: bool
) -> Callable[[Callable[[RecordedAnswer, int], Delivery]], DeliveryFault]:
    """Return a decorator that makes a fault from a function that changes an answer.

    The function takes an answer and a place, and returns the delivery of the changed answer.

    Args:
        places: A function that returns the places of an answer at which the fault can be applied.
        harmful: Whether the change removes something that a client needs.
    """
    return lambda function: Fault(
        *name_and_description(function), function, harmful=harmful, places=places
    )
