"""What becomes of a recording that was interrupted: gone on with, begun anew, or left alone."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from harness.cassette import Head, Journaled
from harness.cassette.journal import Journal
from harness.errors import UnfinishedRecording
from harness.intercept import RecordedPrefix, reusable
from harness.types import Failure, Origin, Provenance, Turn


class OnInterrupted(StrEnum):
    """What is done where an interrupted recording left answers.

    They are paid for, so unless somebody says that they are to be used (`resume`) or thrown away
    (`afresh`), nothing is recorded.
    """

    REFUSE = "refuse"
    RESUME = "resume"
    AFRESH = "afresh"


def taken_up(journal: Journal, left: OnInterrupted) -> RecordedPrefix:
    """What an interrupted recording of the same answered, to be given again; as a rule nothing.

    Raises UnfinishedRecording where there are answers that may not or cannot be used,
    CassetteInUse, BadCassette.
    """
    journal.over = left is OnInterrupted.AFRESH
    if journal.over:
        journal.lock()
        return RecordedPrefix()
    found = journal.look()
    if not found.records or found.head is None:
        return RecordedPrefix()
    if left is OnInterrupted.REFUSE:
        raise UnfinishedRecording(_told(journal, found, found.head))
    changed = next(_changed(found.head.provenance, journal.head.provenance), None)
    if changed:
        raise UnfinishedRecording(
            f"{journal.path}: the interrupted recording cannot be gone on with: {changed}; "
            f"begin anew: {_command(journal.head.provenance, journal)} --afresh"
        )
    exchanges = [record.exchange for record in found.records]
    count = reusable(exchanges)
    journal.go_on(found, count)
    return RecordedPrefix(tuple(exchanges[:count]), found.head.provenance.volatile, keep_all=True)


def _told(journal: Journal, found: Journaled, head: Head) -> str:
    """That answers are there, and the two ways out."""
    count = len(found.records)
    answers = "1 answer" if count == 1 else f"{count} answers"
    again = _command(head.provenance, journal)
    return (
        f"{journal.path}: {answers} of a recording that was interrupted; go on with it: "
        f"{again} --resume, or throw them away: {again} --afresh"
    )


def _command(told: Provenance, journal: Journal) -> str:
    sandbox = " --sandbox" if told.recorded_from is Origin.SANDBOX else ""
    return f"harness record {told.scenario} --target {journal.cassette.stem}{sandbox}"


def _changed(then: Provenance, now: Provenance) -> Iterator[str]:
    """Why answers are of no use to a recording, in words."""
    if (then.scenario, then.target) != (now.scenario, now.target):
        yield f"it is of {then.scenario or 'something else'} with {then.target or 'no target'}"
    if then.script != now.script:
        yield f"the scenario changed since, at {_first_change(then.script, now.script)}"
    if then.recorded_from is not now.recorded_from:
        yield f"it was made from: {then.recorded_from}, this one from: {now.recorded_from}"
    # A sandbox listens wherever there is room.
    if then.address != now.address and now.recorded_from is not Origin.SANDBOX:
        yield f"it was made at {then.address}, this one at {now.address}"


def _first_change(then: tuple[str, ...], now: tuple[str, ...]) -> str:
    pairs = zip(then, now, strict=False)
    number = next((n for n, (a, b) in enumerate(pairs, start=1) if a != b), None)
    return f"step {number}" if number else f"its length: {len(then)} steps then, {len(now)} now"


def take_back(journal: Journal, turn: Turn) -> str:
    """Keep a refusal out of the journal, so that going on asks again; says what is left of it.

    Of a task that was begun and did not end, the beginning stays: it is paid for.
    """
    asked = [exchange.request.method for exchange in turn.exchanges]
    patience = isinstance(turn.outcome, Failure) and turn.outcome.status == 0 and "GET" in asked
    journal.forget(turn.number, asked.index("GET") if patience else 0)
    if not len(journal):
        return "nothing was written"
    again = _command(journal.head.provenance, journal)
    return f"no cassette was written; what was answered before is kept: {again} --resume"
