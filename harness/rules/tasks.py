"""Rules for tasks, from their submission to their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from harness.analysis.endpoint import Endpoint, Fields, Part, Pointers, Role, States
from harness.analysis.exchange import AnalyzedExchange, violation
from harness.analysis.reply import first, seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import show
from harness.types import Finding, Json
from harness.wire import as_text, resolve


@dataclass(frozen=True, slots=True)
class _Report:
    """The state of a task in one answer.

    Attributes:
        reading: The exchange.
        endpoint: Its endpoint.
        part: The part of the answer.
        id: The task id in the answer's body; None if it has none.
        state: The state of the task; None if the answer has none.
    """

    reading: AnalyzedExchange
    endpoint: Endpoint
    part: Part
    id: str | None
    state: str | None

    @property
    def fields(self) -> Fields:
        return self.endpoint.fields

    @property
    def states(self) -> States:
        return self.endpoint.states

    @property
    def succeeded(self) -> bool:
        return self.state in self.states.succeeded

    def violation(self, expected: object, actual: object, at: str | Pointers) -> Finding:
        return self.reading.violation(expected, actual, self.part, at)


def _reports(reading: AnalyzedExchange) -> Iterator[_Report]:
    endpoint = reading.checked_endpoint
    if endpoint is None or endpoint.role not in (Role.SUBMIT, Role.POLL):
        return
    for part in reading.answers:
        task = as_text(first(part.value, endpoint.fields.task_id))
        state = as_text(first(part.value, endpoint.fields.state))
        yield _Report(reading, endpoint, part, task, state)


def _polled(reading: AnalyzedExchange) -> str | None:
    """Return the task id in the URL of a poll; None if the request is no poll."""
    endpoint = reading.endpoint
    if endpoint is None or "task" not in endpoint.path.groupindex:
        return None
    match = endpoint.path.fullmatch(urlsplit(reading.exchange.request.uri).path)
    return unquote(match.group("task")) if match else None


def task_state_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the state of a task is documented.

    A program that polls until a documented end state would never stop at another one.
    """
    for report in _reports(reading):
        states = report.states
        if report.state is not None and report.state not in states:
            expected = f"one of {', '.join(states.running + states.succeeded + states.failed)}"
            yield report.violation(expected, show(report.state), report.fields.state)


def task_moves_forward(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the state of a task only moves forward, to one end.

    After its end every further poll returns the same state, until the service forgets the task.
    """
    latest: dict[str, str] = {}
    for reading in analyzed.readings:
        for report in _reports(reading):
            task, state = report.id or _polled(reading), report.state
            if task is None or state is None or state not in report.states:
                continue
            before = latest.get(task)
            if before is not None and not _may_follow(report.states, before, state):
                yield report.violation(f"{before} or a later state", state, report.fields.state)
            latest[task] = state


def _may_follow(states: States, before: str, state: str) -> bool:
    if before not in states or before == state or state in states.forgotten:
        return True
    return not states.ended(before) and states.rank(before) <= states.rank(state)


def poll_answers_its_task(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the answer to a poll is about the requested task."""
    polled = _polled(reading)
    for report in _reports(reading):
        if polled is not None and report.id is not None and report.id != polled:
            expected = f"the requested task {show(polled)}"
            yield report.violation(expected, show(report.id), report.fields.task_id)


def task_keeps_its_id(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that a turn polls the task that it submitted.

    A turn that polls another task waits for the answer to another request.
    """
    submitted = {task for reading in analyzed.readings for task in _submitted(reading)}
    polled = {_polled(reading) for reading in analyzed.readings}
    for turn in analyzed.turns:
        own = {task for reading in turn.readings for task in _submitted(reading)}
        if not own or own & polled:
            continue
        for reading in turn.readings:
            task = _polled(reading)
            if task is not None and task not in submitted:
                expected = f"a poll of the submitted task {', '.join(sorted(map(show, own)))}"
                yield violation(expected, f"one of {show(task)}", reading.place())


def _submitted(reading: AnalyzedExchange) -> Iterator[str]:
    for report in _reports(reading):
        if report.endpoint.role is Role.SUBMIT and report.id is not None:
            yield report.id


def result_only_after_success(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a task that has not succeeded has no result."""
    for report in _reports(reading):
        if report.state in report.states and not report.succeeded:
            for pointer, _ in seen(report.part.value, report.fields.results):
                yield report.violation(f"no result while {report.state}", "one", pointer)


def success_has_result(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a task that succeeded has its result."""
    for report in _reports(reading):
        if report.succeeded and not any(seen(report.part.value, report.fields.results)):
            expected = f"a result with the state {report.state}"
            yield report.violation(expected, "none", report.fields.state)


def failed_task_says_why(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a failed task has a code and a message if its service promises them.

    DashScope does for FAILED [DOC B5], inside `output` and with HTTP 200.
    """
    for report in _reports(reading):
        if report.state not in report.states.explained:
            continue
        for name, pointers in (("code", report.fields.code), ("message", report.fields.message)):
            if not first(report.part.value, pointers):
                expected = f"a {name} with the state {report.state}"
                yield report.violation(expected, "none", pointers[-1])


def task_times_in_order(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that a task is submitted, then scheduled, then ended.

    The times have no zone (they are Beijing time [REC]), so that only their order is checked.
    """
    for report in _reports(reading):
        before: datetime | None = None
        for pointer, text in seen(report.part.value, report.fields.times):
            time = _time(text)
            if time is None and text:
                yield report.violation("a date and a time", show(text), pointer)
            elif time is not None and before is not None and time < before:
                yield report.violation(f"a time after {before}", time, pointer)
            before = time or before


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        return None


def task_times_stay(analyzed: AnalyzedTranscript) -> Iterator[Finding]:
    """Check that the times of a task are the same in every poll.

    A task is submitted once, scheduled once and ends once [REC].
    """
    times: dict[tuple[str, str], Json] = {}
    for reading in analyzed.readings:
        for report in _reports(reading):
            for pointer, text in seen(report.part.value, report.fields.times):
                # An empty text is a time still to come.
                before = times.setdefault((report.id or "", pointer), text) if text else text
                if text != before:
                    yield report.violation(f"{show(before)} as before", show(text), pointer)


def task_metrics_add_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """Check that the counts of a task's results agree with each other and with the results.

    Succeeded and failed results are together at most the total, and at the end equal to it; the
    number of links is then the number of succeeded results [DOC B5].
    """
    for report in _reports(reading):
        counts, pointers = first(report.part.value, report.fields.metrics), report.fields.metrics
        total, good, bad = (resolve(counts, f"/{n}") for n in ("TOTAL", "SUCCEEDED", "FAILED"))
        if not (isinstance(total, int) and isinstance(good, int) and isinstance(bad, int)):
            continue
        links = sum(1 for _ in seen(report.part.value, report.fields.images))
        if good + bad > total:
            yield report.violation(f"at most {total} in total", f"{good} + {bad}", pointers)
        elif report.succeeded and good + bad != total:
            yield report.violation(f"{total} in total at the end", f"{good} + {bad}", pointers)
        elif report.succeeded and links and links != good:
            yield report.violation(f"{links} succeeded, as many as links", good, pointers)
