"""The treatment of an interrupted recording: continue it, start over, or refuse to record."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from harness.cassette.journal import Journal
from harness.errors import CassetteMiss, UnfinishedRecording
from harness.intercept.context import raise_error
from harness.intercept.matching import Key, closest, key_of
from harness.secrets.shapes import PLACEHOLDER
from harness.types import Exchange, Failure, Origin, Provenance, Request, Turn
from harness.wire import read_json, walk


@dataclass
class RecordedPrefix:
    """The exchanges of an interrupted recording, each of which answers one request.

    Attributes:
        exchanges: The recorded exchanges.
        volatile: JSON pointers into request bodies that are ignored when requests are matched.
        is_strict: Whether no other request may be sent until all exchanges were used. The continued
            conversation has to repeat the interrupted one, or it would be paid for twice.
    """

    exchanges: tuple[Exchange, ...] = ()
    volatile: tuple[str, ...] = ()
    is_strict: bool = False
    _waiting: dict[Key, deque[Exchange]] = field(init=False, default_factory=dict)
    _used: int = field(init=False, default=0)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for exchange in self.exchanges:
            key = key_of(exchange.request, self.volatile)
            self._waiting.setdefault(key, deque()).append(exchange)

    @property
    def remaining(self) -> int:
        """The number of exchanges that have not been used yet."""
        return len(self.exchanges) - self._used

    def take(self, request: Request, redacted: Request) -> Exchange | None:
        """Return the exchange that answers a request, or None if the request is to be sent.

        Args:
            request: The request as it would be sent.
            redacted: The same request without secrets, for matching.

        Raises:
            CassetteMiss: with `is_strict`, the request must not be sent: exchanges are unused, or
                it follows a link whose signature was redacted.
        """
        with self._lock:
            waiting = self._waiting.get(key_of(redacted, self.volatile))
            if waiting:
                self._used += 1
                return waiting.popleft()
        if self.is_strict:
            self._check_may_be_sent(request, redacted)
        return None

    def _check_may_be_sent(self, request: Request, redacted: Request) -> None:
        description = f"{redacted.method} {redacted.uri.partition('?')[0]}"
        if f"={PLACEHOLDER}" in request.uri:
            why = "the signature of this link was not kept with the recorded answer"
            raise_error(CassetteMiss(f"{description}: {why}; {_RESTART}"))
        if self.remaining:
            details = closest(redacted, self.exchanges, self.volatile)
            why = "is not a request of the interrupted recording"
            raise_error(CassetteMiss(f"{description} {why}; {details}\n{_RESTART}"))


_RESTART = "the recording cannot be continued; start over: harness record --afresh"


class OnInterrupted(StrEnum):
    """The treatment of the answers in an interrupted recording of the same cassette.

    `refuse` raises UnfinishedRecording, `resume` replays the answers, which are already paid for,
    and `afresh` discards them.
    """

    REFUSE = "refuse"
    RESUME = "resume"
    AFRESH = "afresh"


def recorded_prefix(journal: Journal, on_interrupted: OnInterrupted) -> RecordedPrefix:
    """Return the exchanges in *journal*, an unfinished recording, that answer requests again.

    The result is empty with `afresh`, or if there are none. The journal is locked, and further
    exchanges are appended after these.

    Raises:
        UnfinishedRecording: the journal has exchanges, and *on_interrupted* is `refuse`, or they
            cannot be used because the scenario, target or server changed.
        CassetteInUse: another process is recording the same cassette.
        BadCassette: the journal cannot be read.
    """
    journal.overwrite = on_interrupted is OnInterrupted.AFRESH
    if journal.overwrite:
        journal.lock()
        return RecordedPrefix()
    content = journal.read()
    if not content.records or content.head is None:
        return RecordedPrefix()
    before, now = content.head.provenance, journal.head.provenance
    if on_interrupted is OnInterrupted.REFUSE:
        count = len(content.records)
        command = _command(before, journal)
        raise UnfinishedRecording(
            f"{journal.path}: an interrupted recording has left "
            f"{count} {'answer' if count == 1 else 'answers'}; continue it: {command} --resume, "
            f"or discard them: {command} --afresh"
        )
    changed = next(_changes(before, now), None)
    if changed:
        raise UnfinishedRecording(
            f"{journal.path}: the interrupted recording cannot be continued: {changed}; "
            f"start over: {_command(now, journal)} --afresh"
        )
    exchanges = [record.exchange for record in content.records]
    count = _reusable(exchanges)
    journal.resume(content, count)
    return RecordedPrefix(tuple(exchanges[:count]), before.volatile, is_strict=True)


def _command(provenance: Provenance, journal: Journal) -> str:
    sandbox = " --sandbox" if provenance.recorded_from is Origin.SANDBOX else ""
    return f"harness record {provenance.scenario} --target {journal.cassette.stem}{sandbox}"


def _changes(before: Provenance, now: Provenance) -> Iterator[str]:
    """Yield the reasons why exchanges recorded for *before* cannot be used for *now*."""
    if (before.scenario, before.target) != (now.scenario, now.target):
        scenario, target = before.scenario or "another scenario", before.target or "no target"
        yield f"it is of {scenario} with {target}"
    if before.script and before.script != now.script:  # a killed chat does not have one
        yield f"the scenario changed, at {_first_change(before.script, now.script)}"
    if before.recorded_from is not now.recorded_from:
        yield f"it was recorded from: {before.recorded_from}, now from: {now.recorded_from}"
    # A sandbox takes any port that is free.
    if before.address != now.address and now.recorded_from is not Origin.SANDBOX:
        yield f"it was recorded at {before.address}, now at {now.address}"


def _first_change(before: tuple[str, ...], now: tuple[str, ...]) -> str:
    pairs = zip(before, now, strict=False)
    number = next((n for n, (a, b) in enumerate(pairs, start=1) if a != b), None)
    return f"step {number}" if number else f"its length: {len(before)} steps, now {len(now)}"


def _reusable(exchanges: Sequence[Exchange]) -> int:
    """Return how many of a conversation's exchanges, counted from the first, can be used again.

    A signed link is stored without its signature, so it cannot be followed later. Therefore a final
    GET, such as the polling of a task, is repeated if the links in its response were not followed
    yet; it is free. Exchanges up to the last other request, which was paid for, are always used.
    """
    followed = {exchange.request.uri for exchange in exchanges}
    is_paid = [exchange.request.method != "GET" for exchange in exchanges]
    first_free = len(is_paid) - is_paid[::-1].index(True) if True in is_paid else 0
    for number, exchange in enumerate(exchanges[first_free:], start=first_free):
        if not followed.issuperset(_unsigned_links(exchange)):
            return number
    return len(exchanges)


def _unsigned_links(exchange: Exchange) -> Iterator[str]:
    """Yield the links in a JSON response whose signature was redacted."""
    body = exchange.response.body
    if PLACEHOLDER.encode() not in body:
        return
    for _, value in walk(read_json(body).value):
        if isinstance(value, str) and value.startswith("http") and f"={PLACEHOLDER}" in value:
            yield value


def discard_refusal(journal: Journal, turn: Turn) -> str:
    """Remove a refused turn from the journal, so that a continued recording sends it again.

    If the turn is a task that did not end in time, its submission stays, since it is paid for.

    Returns:
        A text for the error message: whether earlier answers are kept, and how to continue.
    """
    methods = [exchange.request.method for exchange in turn.exchanges]
    timed_out = isinstance(turn.outcome, Failure) and turn.outcome.status == 0 and "GET" in methods
    journal.drop_turn(turn.number, methods.index("GET") if timed_out else 0)
    if not len(journal):
        return "nothing was written"
    command = _command(journal.head.provenance, journal)
    return f"no cassette was written; earlier answers are kept: {command} --resume"
