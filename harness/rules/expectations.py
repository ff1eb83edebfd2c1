"""Rules for what the author of a scenario expects of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from harness.analysis.exchange import violation
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn
from harness.rules.rule import show, turn_place
from harness.rules.schemas import violations
from harness.types import Failure, Finding, Place, Reply
from harness.wire import MISSING, read_json, resolve


def _replied(analyzed: AnalyzedTranscript) -> Iterator[tuple[AnalyzedTurn, Reply]]:
    for turn in analyzed.turns:
        if isinstance(turn.turn.outcome, Reply):
            yield turn, turn.turn.outcome


def expected_finish_reason(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an answer has the finish reason that the step expects."""
    for turn, reply in _replied(analyzed):
        expected = turn.turn.expect.finish_reason
        if expected and reply.finish_reason != expected:
            actual = show(reply.finish_reason)
            yield violation(f"the finish reason {expected}", actual, turn_place(turn))


def expected_words(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an answer contains the words that the step expects."""
    for turn, reply in _replied(analyzed):
        for words in turn.turn.expect.contains:
            if words not in (reply.content or ""):
                expected = f"an answer with {show(words)}"
                yield violation(expected, show(reply.content), turn_place(turn))


def expected_json(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an answer is JSON that fits the schema of the step."""
    for turn, reply in _replied(analyzed):
        schema = turn.turn.expect.json_schema
        if schema is None:
            continue
        document = read_json((reply.content or "").encode("utf-8", "replace"))
        if document.problem:
            actual = f"{document.problem} in {show(reply.content)}"
            yield violation("an answer in JSON", actual, turn_place(turn))
            continue
        for pointer, expected, actual in violations(schema, document.value):
            within = f"in the answer's JSON{pointer and ' at ' + pointer}"
            yield violation(expected, actual, turn_place(turn), within)


def expected_states(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a task has the states that the step expects, in their order.

    A state that several polls in a row reported counts once.
    """
    for turn, reply in _replied(analyzed):
        expected = turn.turn.expect.states
        actual = tuple(state for state, _ in groupby(reply.states))
        if expected and actual != expected:
            yield violation(" → ".join(expected), " → ".join(actual) or "no task", turn_place(turn))


def expected_pointers(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the pointers of the step exist in the answer, or in a stream's last event."""
    for turn, _ in _replied(analyzed):
        parts = turn.answer.parts if turn.answer else ()
        value = parts[-1].value if parts else None
        for pointer in turn.turn.expect.pointers:
            if resolve(value, pointer) is MISSING:
                yield violation(f"a value at {pointer}", "none", turn_place(turn, pointer))


def expected_tool_call(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that an answer calls the tool that the step expects."""
    for turn, reply in _replied(analyzed):
        expected = turn.turn.expect.tool_call
        called = [call.name for call in reply.tool_calls]
        if expected and expected not in called:
            actual = ", ".join(called) or "no call"
            yield violation(f"a call of {expected}", actual, turn_place(turn))


def expected_failure(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a refusal comes where the step expects it, with its code, and nowhere else."""
    for turn in analyzed.turns:
        outcome, code = turn.turn.outcome, turn.turn.expect.failure
        if isinstance(outcome, Reply) and code:
            yield violation(f"the refusal {code}", "an answer", turn_place(turn))
        elif isinstance(outcome, Failure) and outcome.code != code:
            expected = f"the refusal {code}" if code else "an answer"
            actual = f"the refusal {outcome.status} {outcome.code}: {show(outcome.message)}"
            yield violation(expected, actual, turn_place(turn))


def everything_was_played(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a replay requests every exchange of its cassette.

    An unused exchange was recorded for a conversation that has changed since.
    """
    for exchange in analyzed.transcript.unused:
        request = exchange.request
        actual = f"{request.method} {request.uri} unused"
        yield violation("a request for every recorded exchange", actual, Place(exchange.turn))
