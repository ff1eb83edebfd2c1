"""Faults in answers about asynchronous tasks: states, ids, results, times, counts."""

from __future__ import annotations

from collections.abc import Callable

from harness.analysis.edit import put as put_value
from harness.analysis.edit import remove, with_uri
from harness.analysis.endpoint import Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.fault import (
    exchange_fault,
    faults_of,
    transcript_fault,
    with_exchange,
    with_exchanges,
)
from harness.analysis.transcript import AnalyzedTranscript
from harness.faults.select import SelectedValue, in_part, pointers, put, put_whole, state, targets
from harness.types import Exchange, Json, Transcript

_ANOTHER = "another-task"
_LONG_AGO = "1999-01-01 00:00:00.000"


@exchange_fault("task_state_is_known", lambda _: "WAITING", lambda name: str(name).lower())
def state_unknown(analyzed: AnalyzedExchange, change: Callable[[Json], Json]) -> Exchange | None:
    """Replace the state of a task by an undocumented one, or write it in lower case.

    Returns None if the answer has no documented state. *change* returns the new state, given the
    recorded one.
    """
    return put(analyzed, state(analyzed), change)


def _is_poll(analyzed: AnalyzedExchange) -> bool:
    return analyzed.endpoint is not None and analyzed.endpoint.role is Role.POLL


def _states(analyzed: AnalyzedExchange, *kinds: str) -> list[str]:
    """Return the endpoint's names of task states of these kinds, e.g. `succeeded`.

    Empty if the endpoint is unknown.
    """
    endpoint = analyzed.endpoint
    return [name for kind in kinds if endpoint for name in getattr(endpoint.states, kind)]


def _state(analyzed: AnalyzedExchange, *kinds: str) -> SelectedValue | None:
    """Return the state of the task in a response, if it is of one of these kinds; else None."""
    target = state(analyzed)
    return target if target and target.value in _states(analyzed, *kinds) else None


def _polled_again(
    read: AnalyzedTranscript, change: Callable[[AnalyzedExchange], Exchange | None]
) -> Transcript | None:
    """Return the transcript with a second, changed copy of the last poll that can be changed.

    Returns None if *change* returns None for every poll.
    """
    for analyzed in filter(_is_poll, reversed(read.readings)):
        again = change(analyzed)
        if again is not None:
            return with_exchanges(read, {analyzed.number: (analyzed.exchange, again)})
    return None


@transcript_fault("task_moves_forward", ("running",), ("failed", "succeeded"))
def ended_task_changes(read: AnalyzedTranscript, kinds: tuple[str, ...]) -> Transcript | None:
    """Repeat the poll of an ended task, with the state running or the other end.

    Returns None if no ended task was polled. *kinds* are the kinds of the new state, such as
    `running`.
    """

    def change(analyzed: AnalyzedExchange) -> Exchange | None:
        target = _state(analyzed, "succeeded", "failed")
        others = [name for name in _states(analyzed, *kinds) if target and name != target.value]
        return put(analyzed, target, others[0]) if others else None

    return _polled_again(read, change)


# --------------------------------------------------------------------------------------- ids


def _task_id(analyzed: AnalyzedExchange) -> SelectedValue | None:
    target = state(analyzed)
    return in_part(analyzed, target.part, "task_id") if target else None


def _polling_another(analyzed: AnalyzedExchange) -> Exchange:
    head, _, _ = analyzed.exchange.request.uri.rpartition("/")
    return with_uri(analyzed.exchange, f"{head}/{_ANOTHER}")


@exchange_fault("poll_answers_its_task", when=_is_poll)
def poll_answers_another_task(analyzed: AnalyzedExchange) -> Exchange | None:
    """Replace the task id in the answer to a poll.

    Returns None if the answer has no task id.
    """
    return put(analyzed, _task_id(analyzed), _ANOTHER)


@exchange_fault("poll_answers_its_task", when=_is_poll)
def poll_asks_another_task(analyzed: AnalyzedExchange) -> Exchange | None:
    """Replace the task id in the URL of a poll.

    Returns None if the answer has no task id.
    """
    return _polling_another(analyzed) if _task_id(analyzed) else None


@transcript_fault("task_keeps_its_id", "poll", "submission")
def unknown_task_polled(read: AnalyzedTranscript, changed: str) -> Transcript | None:
    """Replace the task id in the polls, or in the submission.

    *changed* is `poll` or `submission`. Returns None if no turn has exactly one submission and a
    poll.
    """
    for turn in read.turns:
        known = [r for r in turn.readings if state(r)]
        submitted, polled = [[r for r in known if _is_poll(r) is p] for p in (False, True)]
        if len(submitted) != 1 or not polled:
            continue
        if changed == "poll":
            return with_exchanges(read, {poll.number: (_polling_another(poll),) for poll in polled})
        exchange = put(submitted[0], _task_id(submitted[0]), _ANOTHER)
        return with_exchange(read, submitted[0], exchange)
    return None


# ----------------------------------------------------------------------------------- results


def _without(
    analyzed: AnalyzedExchange, target: SelectedValue | None, value: Json, places: list[str]
) -> Exchange | None:
    """Return the exchange with the part of a target replaced by *value* without these places.

    Returns None if the target is None.
    """
    for place in places:
        value = remove(value, place)
    return put_whole(analyzed, target.part, value) if target else None


@exchange_fault("result_only_after_success")
def result_while_running(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the state of a succeeded task with results to running.

    Returns None if no succeeded task has results.
    """
    target = _state(analyzed, "succeeded")
    has_result = target and targets(analyzed, target.part, "results")
    return put(analyzed, target, _states(analyzed, "running")[0]) if has_result else None


@exchange_fault("result_only_after_success")
def running_task_with_result(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a result to a running task.

    Returns None if the task is not running, or the endpoint has no results.
    """
    target = _state(analyzed, "running")
    return _with_member(analyzed, target, "results", [{"url": "https://example.invalid/1.png"}])


def _with_member(
    analyzed: AnalyzedExchange, target: SelectedValue | None, name: str, value: Json
) -> Exchange | None:
    """Return the exchange with the field *name* set in the part of a target.

    Returns None if the target is None, or if the endpoint has no such field.
    """
    places = pointers(analyzed, name)
    if target is None or not places:
        return None
    changed = put_value(target.part.value, places[0].removesuffix("/[]"), value)
    return put_whole(analyzed, target.part, changed)


@exchange_fault("success_has_result")
def success_without_result(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the state of a running task, which has no result, to succeeded.

    Returns None if the task is not running.
    """
    target = _state(analyzed, "running")
    return put(analyzed, target, _states(analyzed, "succeeded")[0]) if target else None


@exchange_fault("success_has_result")
def result_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the results of a succeeded task.

    Returns None if the task did not succeed.
    """
    places = [place.removesuffix("/[]") for place in pointers(analyzed, "results")]
    target = _state(analyzed, "succeeded")
    return _without(analyzed, target, target and target.part.value, places)


@exchange_fault("failed_task_says_why", "code", "message")
def failure_unexplained(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Set the state of a task to failed, and remove its error code or its error message.

    *name* is the field to remove: `code` or `message`. Returns None if the answer has no documented
    state, or if the endpoint does not explain failures.
    """
    target, explained = state(analyzed), _states(analyzed, "explained")
    if target is None or not explained:
        return None
    value = put_value(target.part.value, target.pointer, explained[0])
    return _without(analyzed, target, value, [*pointers(analyzed, name)])


# ------------------------------------------------------------------------- times and metrics


def _times(analyzed: AnalyzedExchange) -> list[SelectedValue]:
    target = state(analyzed)
    return targets(analyzed, target.part, "times") if target else []


@exchange_fault("task_times_in_order")
def end_before_begin(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the last time of a task to one before the first.

    Returns None if the answer has fewer than two times.
    """
    times = _times(analyzed)
    return put(analyzed, times[-1], _LONG_AGO) if len(times) > 1 else None


@exchange_fault("task_times_in_order")
def time_unreadable(analyzed: AnalyzedExchange) -> Exchange | None:
    """Replace the first time of a task by a word.

    Returns None if the answer has no times.
    """
    return put(analyzed, next(iter(_times(analyzed)), None), "yesterday")


@transcript_fault("task_times_stay", 0, -1)
def time_changes(read: AnalyzedTranscript, place: int) -> Transcript | None:
    """Repeat the last poll with another first time (the submission) or another last time.

    Returns None if no poll has times. *place* is the index of the time: 0 for the first, -1 for the
    last.
    """

    def change(analyzed: AnalyzedExchange) -> Exchange | None:
        times = _times(analyzed) if _task_id(analyzed) else []
        return put(analyzed, times[place], _LONG_AGO) if times else None

    return _polled_again(read, change)


@exchange_fault(
    "task_metrics_add_up",
    {"TOTAL": 1, "SUCCEEDED": 2, "FAILED": 0},
    {"TOTAL": 3, "SUCCEEDED": 1, "FAILED": 1},
)
def metrics_wrong(analyzed: AnalyzedExchange, counts: Json) -> Exchange | None:
    """Set counts of results that exceed their total, or a total that exceeds the results.

    Returns None if the task did not succeed, or the endpoint has no counts. *counts* are the new
    counts, such as `{"TOTAL": 1, "SUCCEEDED": 2, "FAILED": 0}`.
    """
    return _with_member(analyzed, _state(analyzed, "succeeded"), "metrics", counts)


FAULTS = faults_of(vars())
