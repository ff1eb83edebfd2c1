"""The answers of a recording that was interrupted, given again to whoever goes on with it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.errors import CassetteMiss
from harness.intercept.matching import Key, closest, key_of
from harness.secrets.shapes import PLACEHOLDER
from harness.types import Exchange, Request
from harness.wire import read_json, walk


@dataclass
class RecordedPrefix:
    """Finished exchanges, each an answer to one request.

    Where they are `all_of_it`, nothing else is asked before all of them were given: the same
    conversation asks the same, and whatever else goes out would be paid for twice.
    """

    exchanges: tuple[Exchange, ...] = ()
    volatile: tuple[str, ...] = ()
    keep_all: bool = False
    _waiting: dict[Key, deque[Exchange]] = field(init=False, default_factory=dict)
    _given: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for exchange in self.exchanges:
            key = key_of(exchange.request, self.volatile)
            self._waiting.setdefault(key, deque()).append(exchange)

    @property
    def left(self) -> int:
        """How many nobody asked for yet."""
        return len(self.exchanges) - self._given

    def take(self, request: Request, clean: Request) -> Exchange | None:
        """The answer to a request, which is known without secrets; None where it is to be fetched.

        Raises CassetteMiss where it cannot be, or may not.
        """
        with self._lock:
            waiting = self._waiting.get(key_of(clean, self.volatile))
            if waiting:
                self._given += 1
                return waiting.popleft()
        if self.keep_all:
            self._refuse(request, clean)
        return None

    def _refuse(self, request: Request, clean: Request) -> None:
        asked = f"{clean.method} {clean.uri.partition('?')[0]}"
        if f"={PLACEHOLDER}" in request.uri:
            raise CassetteMiss(
                f"{asked}: the signature of this link was not kept with the answer; {_ANEW}"
            )
        if self.left:
            told = closest(clean, self.exchanges, self.volatile)
            raise CassetteMiss(
                f"{asked} was not asked before this recording was interrupted; {told}\n{_ANEW}"
            )


_ANEW = "the recording cannot be gone on with; begin anew: harness record --afresh"


def reusable(exchanges: Sequence[Exchange]) -> int:
    """How many of a conversation's exchanges, from the first, can be given again.

    A signed link is kept without its signature, and so leads nowhere: an answer whose link was
    not followed yet is fetched again, if that is free, as asking for a task's state is.
    """
    followed = {exchange.request.uri for exchange in exchanges}
    asked = [exchange.request.method != "GET" for exchange in exchanges]
    paid = len(asked) - asked[::-1].index(True) if True in asked else 0
    for number, exchange in enumerate(exchanges[paid:], start=paid):
        if not followed.issuperset(_cut_links(exchange)):
            return number
    return len(exchanges)


def _cut_links(exchange: Exchange) -> Iterator[str]:
    """The links of an answer that have lost a signature."""
    body = exchange.response.body
    if PLACEHOLDER.encode() not in body:
        return
    for _, value in walk(read_json(body).value):
        if isinstance(value, str) and value.startswith("http") and f"={PLACEHOLDER}" in value:
            yield value
