"""Breaking tasks: states, results, times, whose they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.analysis.endpoint import Part, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.breaks import edit
from harness.rules.rule import answers, spoken
from harness.types import Exchange, LooseJson, Transcript
from harness.wire import resolve


def _state(reading: AnalyzedExchange) -> tuple[Part | None, str, str]:
    """What an answer says of a task's state: the part, where, and which."""
    endpoint = spoken(reading)
    for part in answers(reading)[:1] if endpoint else []:
        if endpoint and endpoint.role in (Role.SUBMIT, Role.POLL):
            pointer = edit.place(part, endpoint.fields.state)
            told = resolve(part.value, pointer) if pointer else None
            if isinstance(told, str) and told in endpoint.states:
                return part, pointer, told
    return None, "", ""


def state_is_new(reading: AnalyzedExchange) -> Exchange | None:
    """The state is one that nobody documented."""
    part, pointer, _ = _state(reading)
    return edit.put(reading, part, pointer, "WAITING")


def state_is_quiet(reading: AnalyzedExchange) -> Exchange | None:
    """The state is written in small letters."""
    part, pointer, state = _state(reading)
    return edit.put(reading, part, pointer, state.lower())


def _after(
    read: AnalyzedTranscript, change: Callable[[AnalyzedExchange], Exchange | None]
) -> Transcript | None:
    """The last poll of a task, changed and asked once more."""
    for turn in reversed(read.turns):
        for reading in reversed(turn.readings):
            is_poll = reading.endpoint is not None and reading.endpoint.role is Role.POLL
            again = change(reading) if is_poll else None
            if again is not None:
                return edit.swapped(read, reading, reading.exchange, again)
    return None


def _in_state(reading: AnalyzedExchange, of: str) -> Exchange | None:
    part, pointer, state = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or not endpoint.states.ended(state):
        return None
    others = [other for other in getattr(endpoint.states, of) if other != state]
    return edit.put(reading, part, pointer, others[0]) if others else None


def task_begins_again(read: AnalyzedTranscript) -> Transcript | None:
    """A task that has ended is running at the next poll."""
    return _after(read, lambda reading: _in_state(reading, "running"))


def task_ends_otherwise(read: AnalyzedTranscript) -> Transcript | None:
    """A task that has ended has another end at the next poll."""
    return _after(
        read, lambda reading: _in_state(reading, "failed") or _in_state(reading, "succeeded")
    )


def poll_is_answered_for_another(reading: AnalyzedExchange) -> Exchange | None:
    """The answer to a poll is about another task."""
    endpoint = spoken(reading)
    part, _, _ = _state(reading)
    if part is None or endpoint is None or endpoint.role is not Role.POLL:
        return None
    pointer = edit.place(part, endpoint.fields.task_id)
    return edit.put(reading, part, pointer, "another-task") if pointer else None


def another_task_is_polled(reading: AnalyzedExchange) -> Exchange | None:
    """Another task is polled than the one that is answered about."""
    endpoint = spoken(reading)
    part, _, _ = _state(reading)
    if part is None or endpoint is None or endpoint.role is not Role.POLL:
        return None
    if not edit.place(part, endpoint.fields.task_id):
        return None
    head, _, _ = reading.exchange.request.uri.rpartition("/")
    return edit.with_uri(reading.exchange, f"{head}/another-task")


def _submitted_and_polled(
    read: AnalyzedTranscript,
) -> tuple[AnalyzedExchange, list[AnalyzedExchange]] | None:
    for turn in read.turns:
        told = [r for r in turn.readings if _state(r)[0]]
        submitted = [r for r in told if r.endpoint and r.endpoint.role is Role.SUBMIT]
        polled = [r for r in told if r.endpoint and r.endpoint.role is Role.POLL]
        if len(submitted) == 1 and polled:
            return submitted[0], polled
    return None


def somebody_elses_task_is_polled(read: AnalyzedTranscript) -> Transcript | None:
    """Every poll asks for a task that nobody submitted."""
    found = _submitted_and_polled(read)
    if found is None:
        return None
    told = {}
    for reading in found[1]:
        head, _, _ = reading.exchange.request.uri.rpartition("/")
        told[reading.number] = edit.with_uri(reading.exchange, f"{head}/another-task")
    return _exchanged(read, told)


def submission_names_another_task(read: AnalyzedTranscript) -> Transcript | None:
    """What was submitted is another task than the one that is polled."""
    found = _submitted_and_polled(read)
    endpoint = found[0].endpoint if found else None
    if found is None or endpoint is None:
        return None
    part, _, _ = _state(found[0])
    pointer = edit.place(part, endpoint.fields.task_id) if part else ""
    changed = edit.put(found[0], part, pointer, "another-task") if pointer else None
    return _exchanged(read, {found[0].number: changed}) if changed else None


def _exchanged(read: AnalyzedTranscript, told: dict[int, Exchange]) -> Transcript:
    turns = []
    for turn in read.turns:
        exchanges = tuple(told.get(r.number, r.exchange) for r in turn.readings)
        turns.append(replace(turn.turn, exchanges=exchanges))
    return replace(read.transcript, turns=tuple(turns))


def result_comes_while_it_runs(reading: AnalyzedExchange) -> Exchange | None:
    """A task has its result and is still running."""
    part, pointer, state = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or state not in endpoint.states.succeeded:
        return None
    if not edit.place(part, endpoint.fields.results):
        return None
    return edit.put(reading, part, pointer, endpoint.states.running[0])


def running_task_has_a_result(reading: AnalyzedExchange) -> Exchange | None:
    """A running task tells of a result."""
    part, _, state = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or state not in endpoint.states.running:
        return None
    pointer = endpoint.fields.results[0].removesuffix("/[]")
    told = edit.planted(part.value, pointer, [{"url": "https://example.invalid/1.png"}])
    return edit.put(reading, part, "", told)


def success_is_told_too_early(reading: AnalyzedExchange) -> Exchange | None:
    """A task without result says that it has succeeded."""
    part, pointer, state = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or state not in endpoint.states.running:
        return None
    return edit.put(reading, part, pointer, endpoint.states.succeeded[0])


def result_is_missing(reading: AnalyzedExchange) -> Exchange | None:
    """A task that succeeded has no result."""
    part, _, state = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or state not in endpoint.states.succeeded:
        return None
    value: LooseJson = part.value
    for pattern in endpoint.fields.results:
        value = edit.without(value, pattern.removesuffix("/[]"))
    return edit.put(reading, part, "", value)


def _reason(reading: AnalyzedExchange, name: str) -> Exchange | None:
    part, pointer, _ = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or not endpoint.states.explained:
        return None
    value = edit.planted(part.value, pointer, endpoint.states.explained[0])
    for pattern in getattr(endpoint.fields, name):
        value = edit.without(value, pattern)
    return edit.put(reading, part, "", value)


def failure_has_no_code(reading: AnalyzedExchange) -> Exchange | None:
    """A task failed and has no code."""
    return _reason(reading, "code")


def failure_has_no_message(reading: AnalyzedExchange) -> Exchange | None:
    """A task failed and has no message."""
    return _reason(reading, "message")


def _times(reading: AnalyzedExchange) -> tuple[Part | None, list[str]]:
    part, _, _ = _state(reading)
    endpoint = reading.endpoint
    told = [p for p, _ in edit.held(part, endpoint.fields.times)] if part and endpoint else []
    return part, told


def task_ends_before_it_begins(reading: AnalyzedExchange) -> Exchange | None:
    """The last of a task's times is before the first."""
    part, told = _times(reading)
    return edit.put(reading, part, told[-1], "1999-01-01 00:00:00.000") if len(told) > 1 else None


def time_is_a_word(reading: AnalyzedExchange) -> Exchange | None:
    """A time is told in words."""
    part, told = _times(reading)
    return edit.put(reading, part, told[0], "yesterday") if told else None


def _another_time(reading: AnalyzedExchange, position: int) -> Exchange | None:
    part, told = _times(reading)
    known = part and reading.endpoint and first(part.value, reading.endpoint.fields.task_id)
    return (
        edit.put(reading, part, told[position], "1999-01-01 00:00:00.000")
        if known and told
        else None
    )


def submission_moves(read: AnalyzedTranscript) -> Transcript | None:
    """A later poll tells another time of submission."""
    return _after(read, lambda reading: _another_time(reading, 0))


def last_time_moves(read: AnalyzedTranscript) -> Transcript | None:
    """A later poll tells another time of what came last."""
    return _after(read, lambda reading: _another_time(reading, -1))


def _metrics(reading: AnalyzedExchange, total: int, good: int, bad: int) -> Exchange | None:
    part, _, state = _state(reading)
    endpoint = reading.endpoint
    if part is None or endpoint is None or not endpoint.fields.metrics:
        return None
    if state not in endpoint.states.succeeded:
        return None
    told = {"TOTAL": total, "SUCCEEDED": good, "FAILED": bad}
    return edit.put(reading, part, "", edit.planted(part.value, endpoint.fields.metrics[0], told))


def more_succeed_than_there_are(reading: AnalyzedExchange) -> Exchange | None:
    """More results have succeeded than there are."""
    return _metrics(reading, 1, 2, 0)


def some_results_are_lost(reading: AnalyzedExchange) -> Exchange | None:
    """A task ended, and some of its results neither succeeded nor failed."""
    return _metrics(reading, 3, 1, 1)
