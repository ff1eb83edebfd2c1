"""A recorded answer, and the places in it where something can be changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from harness.analysis.endpoint import Endpoint
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import read_answer
from harness.faults.transport.sent import UNFIT
from harness.types import Exchange, LooseJson, Outcome, Reply, Response

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}+")
_LATER_BYTES = range(0x80, 0xC0)
"""The second and further bytes of a character in UTF-8."""


@dataclass(frozen=True)
class Recorded:
    """An exchange of an endpoint that is known, as a source of changed answers."""

    exchange: Exchange
    endpoint: Endpoint

    @cached_property
    def reading(self) -> AnalyzedExchange:
        """The exchange, read."""
        return AnalyzedExchange(self.exchange, self.endpoint)

    @property
    def is_stream(self) -> bool:
        """Whether the answer came as server-sent events."""
        return self.reading.is_stream

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return self.exchange.response.body

    @cached_property
    def boundaries(self) -> tuple[int, ...]:
        """The offsets in a stream at which an event has just ended."""
        return tuple(found.end() for found in _BLANK_LINE.finditer(self.body))

    @cached_property
    def insides(self) -> tuple[int, ...]:
        """The offsets inside a character of several bytes."""
        return tuple(at for at, byte in enumerate(self.body) if byte in _LATER_BYTES)

    @property
    def outcome(self) -> Outcome | None:
        """What the answer says, apart from how it was cut in pieces."""
        return told(self.reading.outcome)

    def response(self, body: bytes | None = None, *more: tuple[str, str]) -> Response:
        """The recorded answer with another body; `more` headers take the place of its own."""
        own = {name.lower() for name, _ in more} | UNFIT
        response = self.exchange.response
        kept = tuple((n, v) for n, v in response.headers if n.lower() not in own)
        return Response(
            response.status,
            response.reason,
            (*kept, *more),
            self.body if body is None else body,
        )

    def keeps(self, response: Response) -> bool:
        """Whether another answer to the same request says the same."""
        changed = AnalyzedExchange(replace(self.exchange, response=response), self.endpoint)
        return told(changed.outcome) == self.outcome

    def keeps_after(self, change: Callable[[LooseJson], LooseJson]) -> bool:
        """Whether the answer says the same with each of its JSON values changed."""
        parts = [replace(part, value=change(part.value)) for part in self.reading.parts]
        return (
            told(read_answer(self.endpoint, parts, self.reading.request_json.value)) == self.outcome
        )


def told(outcome: Outcome | None) -> Outcome | None:
    """An outcome without what depends on how it travelled: pieces and an SDK's views."""
    if isinstance(outcome, Reply):
        return replace(outcome, pieces=(), views=())
    return outcome if outcome is None else replace(outcome, views=())
