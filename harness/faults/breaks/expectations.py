"""Expecting something else of an answer than what came."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.transcript import AnalyzedTurn
from harness.faults.breaks.edit import reply_of
from harness.types import Expectation, Failure, Turn


def _expecting(told: AnalyzedTurn, expect: Expectation) -> Turn | None:
    return replace(told.turn, expect=expect) if reply_of(told) else None


def another_end_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects another finish reason."""
    return _expecting(told, Expectation(finish_reason="no_such_reason"))


def end_is_expected_in_capitals(told: AnalyzedTurn) -> Turn | None:
    """The author writes the finish reason in capitals."""
    reply = reply_of(told)
    reason = (reply.finish_reason or "").upper() if reply else ""
    if reply is None or reason == (reply.finish_reason or ""):
        return None
    return _expecting(told, Expectation(finish_reason=reason))


def other_words_are_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects words that were not said."""
    return _expecting(told, Expectation(contains=("\u2603\u2603",)))


def one_word_of_two_is_missing(told: AnalyzedTurn) -> Turn | None:
    """The author expects words that were said, and others that were not."""
    reply = reply_of(told)
    said = (reply.content or "")[:4] if reply else ""
    return _expecting(told, Expectation(contains=(said, "\u2603\u2603"))) if said else None


def json_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects JSON of a kind that no answer is."""
    schema = {"type": "object", "required": ["no such key"]}
    return _expecting(told, Expectation(json_schema=schema))


def another_type_of_json_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The answer is JSON, and not of the type that the author expects."""
    reply = reply_of(told)
    if reply is None:
        return None
    expect = Expectation(json_schema={"type": "array"})
    return replace(told.turn, outcome=replace(reply, content='{"a": []}'), expect=expect)


def another_place_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects something at a place where nothing is."""
    return _expecting(told, Expectation(pointers=("/no such place",)))


def one_place_of_two_is_missing(told: AnalyzedTurn) -> Turn | None:
    """The author expects something at two places, and one of them is empty."""
    return _expecting(told, Expectation(pointers=("", "/no such place")))


def another_call_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects a tool to be called that was not."""
    return _expecting(told, Expectation(tool_call="no_such_function"))


def call_is_expected_by_half_its_name(told: AnalyzedTurn) -> Turn | None:
    """The author leaves out the end of the name of a function that was called."""
    reply = reply_of(told)
    names = [call.name for call in reply.tool_calls] if reply else []
    half = names[0][:-1] if names else ""
    return _expecting(told, Expectation(tool_call=half)) if half and half not in names else None


def refusal_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects a refusal, and an answer came."""
    return _expecting(told, Expectation(failure="no_such_code"))


def answer_is_expected(told: AnalyzedTurn) -> Turn | None:
    """The author expects an answer, and a refusal came."""
    if not isinstance(told.turn.outcome, Failure) or not told.turn.outcome.code:
        return None
    return replace(told.turn, expect=Expectation())
