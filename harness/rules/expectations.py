"""Did the answers do what the scenario's author expects of them?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import show, violation
from harness.rules.schemas import violations
from harness.types import Failure, Finding, Place, Reply
from harness.wire import MISSING, read_json, resolve


def _place(turn: AnalyzedTurn, pointer: str = "") -> Place:
    reading = turn.answer
    if reading is None:
        return Place(turn=turn.turn.number)
    return reading.place(pointer, reading.parts[-1] if pointer and reading.parts else None)


def _replied(read: AnalyzedTranscript) -> Iterator[tuple[AnalyzedTurn, Reply]]:
    for turn in read.turns:
        if isinstance(turn.turn.outcome, Reply):
            yield turn, turn.turn.outcome


def expected_finish_reason(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The answer ended for the reason that the step expects."""
    for turn, reply in _replied(read):
        wanted = turn.turn.expect.finish_reason
        if wanted and reply.finish_reason != wanted:
            found = show(reply.finish_reason)
            yield violation(f"the finish reason {wanted}", found, _place(turn))


def expected_words(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The answer contains the words that the step expects."""
    for turn, reply in _replied(read):
        for words in turn.turn.expect.contains:
            if words not in (reply.content or ""):
                yield violation(f"an answer with {show(words)}", show(reply.content), _place(turn))


def expected_json(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The answer is JSON that fits the schema of the step."""
    for turn, reply in _replied(read):
        schema = turn.turn.expect.json_schema
        if schema is None:
            continue
        document = read_json((reply.content or "").encode("utf-8", "replace"))
        if document.problem:
            found = f"{document.problem} in {show(reply.content)}"
            yield violation("an answer in JSON", found, _place(turn))
            continue
        for pointer, expected, found in violations(schema, document.value):
            within = f"in the answer's JSON{pointer and ' at ' + pointer}"
            yield violation(expected, found, _place(turn), within)


def expected_pointers(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The places that the step expects exist in the answer, or in a stream's last event."""
    for turn, _ in _replied(read):
        parts = turn.answer.parts if turn.answer else ()
        value = parts[-1].value if parts else None
        for pointer in turn.turn.expect.pointers:
            if resolve(value, pointer) is MISSING:
                yield violation(f"something at {pointer}", "nothing there", _place(turn, pointer))


def expected_tool_call(read: AnalyzedTranscript) -> Iterator[Finding]:
    """The answer calls the tool that the step expects."""
    for turn, reply in _replied(read):
        wanted = turn.turn.expect.tool_call
        called = [call.name for call in reply.tool_calls]
        if wanted and wanted not in called:
            found = ", ".join(called) or "no call"
            yield violation(f"a call of {wanted}", found, _place(turn))


def expected_failure(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A refusal comes where the step expects it, with that code, and nowhere else."""
    for turn in read.turns:
        outcome, wanted = turn.turn.outcome, turn.turn.expect.failure
        if isinstance(outcome, Reply) and wanted:
            yield violation(f"the refusal {wanted}", "an answer", _place(turn))
        elif isinstance(outcome, Failure) and outcome.code != wanted:
            expected = f"the refusal {wanted}" if wanted else "an answer"
            found = f"the refusal {outcome.status} {outcome.code}: {show(outcome.message)}"
            yield violation(expected, found, _place(turn))


def everything_was_played(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A replay asks for every exchange that its cassette holds.

    What nobody asks for any more was recorded for a conversation that has changed since.
    """
    for exchange in read.transcript.unused:
        request = exchange.request
        found = f"{request.method} {request.uri} left over"
        yield violation("every recorded exchange to be played", found, Place(exchange.turn))
