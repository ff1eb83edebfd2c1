"""Faults in tasks: states, results, times, ids."""

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
from harness.faults.select import Target, in_part, pointers, put, put_whole, state, targets
from harness.types import Exchange, Json, Transcript

_ANOTHER = "another-task"
_LONG_AGO = "1999-01-01 00:00:00.000"


@exchange_fault("task_state_is_known", lambda _: "WAITING", lambda name: str(name).lower())
def state_unknown(analyzed: AnalyzedExchange, change: Callable[[Json], Json]) -> Exchange | None:
    """Set the state to one that is not documented, or write it in lower case."""
    return put(analyzed, state(analyzed), change)


def _is_poll(analyzed: AnalyzedExchange) -> bool:
    return analyzed.endpoint is not None and analyzed.endpoint.role is Role.POLL


def _states(analyzed: AnalyzedExchange, *kinds: str) -> list[str]:
    """Return an endpoint's states of these kinds."""
    endpoint = analyzed.endpoint
    return [name for kind in kinds if endpoint for name in getattr(endpoint.states, kind)]


def _state(analyzed: AnalyzedExchange, *kinds: str) -> Target | None:
    """Return the state of a task, if it is of one of these kinds."""
    target = state(analyzed)
    return target if target and target.value in _states(analyzed, *kinds) else None


def _polled_again(
    read: AnalyzedTranscript, change: Callable[[AnalyzedExchange], Exchange | None]
) -> Transcript | None:
    """Repeat the last poll of a task with a changed answer."""
    for analyzed in filter(_is_poll, reversed(read.readings)):
        again = change(analyzed)
        if again is not None:
            return with_exchanges(read, {analyzed.number: (analyzed.exchange, again)})
    return None


@transcript_fault("task_moves_forward", ("running",), ("failed", "succeeded"))
def ended_task_changes(read: AnalyzedTranscript, kinds: tuple[str, ...]) -> Transcript | None:
    """Poll an ended task again, and find it running or with another end."""

    def change(analyzed: AnalyzedExchange) -> Exchange | None:
        target = _state(analyzed, "succeeded", "failed")
        others = [name for name in _states(analyzed, *kinds) if target and name != target.value]
        return put(analyzed, target, others[0]) if others else None

    return _polled_again(read, change)


# --------------------------------------------------------------------------------------- ids


def _task_id(analyzed: AnalyzedExchange) -> Target | None:
    target = state(analyzed)
    return in_part(analyzed, target.part, "task_id") if target else None


def _polling_another(analyzed: AnalyzedExchange) -> Exchange:
    head, _, _ = analyzed.exchange.request.uri.rpartition("/")
    return with_uri(analyzed.exchange, f"{head}/{_ANOTHER}")


@exchange_fault("poll_answers_its_task", when=_is_poll)
def poll_answers_another_task(analyzed: AnalyzedExchange) -> Exchange | None:
    """Answer a poll with the id of another task."""
    return put(analyzed, _task_id(analyzed), _ANOTHER)


@exchange_fault("poll_answers_its_task", when=_is_poll)
def poll_asks_another_task(analyzed: AnalyzedExchange) -> Exchange | None:
    """Poll another task than the one that the answer is about."""
    return _polling_another(analyzed) if _task_id(analyzed) else None


@transcript_fault("task_keeps_its_id", "poll", "submission")
def unknown_task_polled(read: AnalyzedTranscript, changed: str) -> Transcript | None:
    """Poll a task that was never submitted, or submit one that is never polled."""
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
    analyzed: AnalyzedExchange, target: Target | None, value: Json, places: list[str]
) -> Exchange | None:
    """Replace the whole part of a target by a value without what stands at some places."""
    for place in places:
        value = remove(value, place)
    return put_whole(analyzed, target.part, value) if target else None


@exchange_fault("result_only_after_success")
def result_while_running(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the state of a task with a result to running."""
    target = _state(analyzed, "succeeded")
    has_result = target and targets(analyzed, target.part, "results")
    return put(analyzed, target, _states(analyzed, "running")[0]) if has_result else None


@exchange_fault("result_only_after_success")
def running_task_with_result(analyzed: AnalyzedExchange) -> Exchange | None:
    """Add a result to a running task."""
    target = _state(analyzed, "running")
    return _with_member(analyzed, target, "results", [{"url": "https://example.invalid/1.png"}])


def _with_member(
    analyzed: AnalyzedExchange, target: Target | None, name: str, value: Json
) -> Exchange | None:
    """Put a field into the part of a target."""
    places = pointers(analyzed, name)
    if target is None or not places:
        return None
    changed = put_value(target.part.value, places[0].removesuffix("/[]"), value)
    return put_whole(analyzed, target.part, changed)


@exchange_fault("success_has_result")
def success_without_result(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the state of a running task without result to succeeded."""
    target = _state(analyzed, "running")
    return put(analyzed, target, _states(analyzed, "succeeded")[0]) if target else None


@exchange_fault("success_has_result")
def result_missing(analyzed: AnalyzedExchange) -> Exchange | None:
    """Remove the results of a task that succeeded."""
    places = [place.removesuffix("/[]") for place in pointers(analyzed, "results")]
    target = _state(analyzed, "succeeded")
    return _without(analyzed, target, target and target.part.value, places)


@exchange_fault("failed_task_says_why", "code", "message")
def failure_unexplained(analyzed: AnalyzedExchange, name: str) -> Exchange | None:
    """Let the task fail without a code, or without a message."""
    target, explained = state(analyzed), _states(analyzed, "explained")
    if target is None or not explained:
        return None
    value = put_value(target.part.value, target.pointer, explained[0])
    return _without(analyzed, target, value, [*pointers(analyzed, name)])


# ------------------------------------------------------------------------- times and metrics


def _times(analyzed: AnalyzedExchange) -> list[Target]:
    target = state(analyzed)
    return targets(analyzed, target.part, "times") if target else []


@exchange_fault("task_times_in_order")
def end_before_begin(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set the last time of a task to before the first."""
    times = _times(analyzed)
    return put(analyzed, times[-1], _LONG_AGO) if len(times) > 1 else None


@exchange_fault("task_times_in_order")
def time_unreadable(analyzed: AnalyzedExchange) -> Exchange | None:
    """Set a time to a word."""
    return put(analyzed, next(iter(_times(analyzed)), None), "yesterday")


@transcript_fault("task_times_stay", 0, -1)
def time_changes(read: AnalyzedTranscript, place: int) -> Transcript | None:
    """Poll again, and change the time of submission or the latest of the times."""

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
    """Count more successful results than there are, or fewer results than there are."""
    return _with_member(analyzed, _state(analyzed, "succeeded"), "metrics", counts)


FAULTS = faults_of(vars())
