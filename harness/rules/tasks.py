"""Does a task go from its submission to one end, and bring what it promised?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from harness.analysis.endpoint import Endpoint, Part, Role
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, seen
from harness.analysis.transcript import AnalyzedTranscript
from harness.rules.rule import answers, show, spoken, violation, where
from harness.types import Finding, LooseJson
from harness.wire import resolve


@dataclass(frozen=True, slots=True)
class _Told:
    """What one answer says of a task."""

    reading: AnalyzedExchange
    endpoint: Endpoint
    part: Part
    task: str | None
    state: str | None

    def violation(self, expected: str, found: str, pointer: str) -> Finding:
        return violation(expected, found, self.reading.place(pointer, self.part))

    @property
    def state_at(self) -> str:
        return where(self.part, self.endpoint.fields.state)


def _told(reading: AnalyzedExchange) -> Iterator[_Told]:
    endpoint = spoken(reading)
    if endpoint is None or endpoint.role not in (Role.SUBMIT, Role.POLL):
        return
    for part in answers(reading):
        task, state = (
            first(part.value, pointers)
            for pointers in (endpoint.fields.task_id, endpoint.fields.state)
        )
        yield _Told(reading, endpoint, part, _text(task), _text(state))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _polled(reading: AnalyzedExchange) -> str | None:
    """The task that a poll's path asks for."""
    endpoint = reading.endpoint
    if endpoint is None or "task" not in endpoint.path.groupindex:
        return None
    match = endpoint.path.fullmatch(urlsplit(reading.exchange.request.uri).path)
    return unquote(match.group("task")) if match else None


def task_state_is_known(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The state of a task is one of those the documentation lists.

    A loop that waits for a known end would never see another one.
    """
    for told in _told(reading):
        states = told.endpoint.states
        if told.state is not None and told.state not in states:
            known = ", ".join(states.running + states.succeeded + states.failed)
            yield told.violation(f"one of {known}", show(told.state), told.state_at)


def task_moves_forward(read: AnalyzedTranscript) -> Iterator[Finding]:
    """A task only moves forward, and it ends once.

    After its end every further poll repeats the same state, until the service has forgotten it.
    """
    latest: dict[str, str] = {}
    for reading in read.readings:
        for told in _told(reading):
            task = told.task or _polled(reading)
            if task is None or told.state is None or told.state not in told.endpoint.states:
                continue
            before = latest.get(task)
            if before is not None and not _follows(told.endpoint, before, told.state):
                yield told.violation(f"{before} or what follows it", told.state, told.state_at)
            latest[task] = told.state


def _follows(endpoint: Endpoint, before: str, state: str) -> bool:
    states = endpoint.states
    if before not in states or before == state or state in states.forgotten:
        return True
    return not states.ended(before) and states.rank(before) <= states.rank(state)


def poll_answers_its_task(reading: AnalyzedExchange) -> Iterator[Finding]:
    """The answer to a poll is about the task that was asked for."""
    asked = _polled(reading)
    for told in _told(reading):
        if asked is not None and told.task is not None and told.task != asked:
            pointer = where(told.part, told.endpoint.fields.task_id)
            yield told.violation(
                f"the task {show(asked)} that was asked for", show(told.task), pointer
            )


def task_keeps_its_id(read: AnalyzedTranscript) -> Iterator[Finding]:
    """What is polled is what was submitted.

    A turn that polls another task than its own waits for somebody else's answer.
    """
    submitted = {told.task for reading in read.readings for told in _submissions(reading)}
    polled = {_polled(reading) for reading in read.readings}
    for turn in read.turns:
        own = {told.task for reading in turn.readings for told in _submissions(reading)}
        if not own or own & polled:
            continue
        for reading in turn.readings:
            task = _polled(reading)
            if task is not None and task not in submitted:
                wanted = ", ".join(sorted(show(name) for name in own))
                expected = f"a poll of the submitted task {wanted}"
                yield violation(expected, f"one of {show(task)}", reading.place())


def _submissions(reading: AnalyzedExchange) -> Iterator[_Told]:
    return (
        told
        for told in _told(reading)
        if told.endpoint.role is Role.SUBMIT and told.task is not None
    )


def result_only_after_success(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A task that has not succeeded has no result yet."""
    for told in _told(reading):
        states = told.endpoint.states
        if told.state not in states or told.state in states.succeeded:
            continue
        for pointer, _ in seen(told.part.value, told.endpoint.fields.results):
            yield told.violation(f"no result while {told.state}", "one", pointer)


def success_has_result(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A task that succeeded brings its result."""
    for told in _told(reading):
        succeeded = told.state in told.endpoint.states.succeeded
        if succeeded and not any(seen(told.part.value, told.endpoint.fields.results)):
            yield told.violation(f"a result with the state {told.state}", "none", told.state_at)


def failed_task_says_why(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A task that failed carries a code and a message where its service promises them.

    DashScope does for FAILED [DOC B5], inside `output` and with HTTP 200.
    """
    for told in _told(reading):
        fields = told.endpoint.fields
        if told.state not in told.endpoint.states.explained:
            continue
        for name, pointers in (("code", fields.code), ("message", fields.message)):
            if not first(told.part.value, pointers):
                yield told.violation(f"a {name} with the state {told.state}", "none", pointers[-1])


def task_times_in_order(reading: AnalyzedExchange) -> Iterator[Finding]:
    """A task is submitted, then scheduled, then ended.

    The times carry no zone (they are Beijing time [REC]), so only their order can be checked.
    """
    for told in _told(reading):
        before: datetime | None = None
        for pointer, text in seen(told.part.value, told.endpoint.fields.times):
            time = _time(text)
            if time is None and text:
                yield told.violation("a date and a time", show(text), pointer)
            elif time is not None and before is not None and time < before:
                yield told.violation(f"a time after {before}", str(time), pointer)
            before = time or before


def task_times_stay(read: AnalyzedTranscript) -> Iterator[Finding]:
    """What a poll tells of a task's past is what the poll before told.

    A task is submitted once, scheduled once and ends once [REC].
    """
    known: dict[tuple[str, str], LooseJson] = {}
    for reading in read.readings:
        for told in _told(reading):
            for pointer, text in seen(told.part.value, told.endpoint.fields.times):
                if text == "":
                    continue  # not yet
                before = known.setdefault((told.task or "", pointer), text)
                if text != before:
                    yield told.violation(f"{show(before)} as told before", show(text), pointer)


def task_metrics_add_up(reading: AnalyzedExchange) -> Iterator[Finding]:
    """What a task counts of its results agrees with the results.

    No more have succeeded and failed than there are in all; once it ended, exactly so many, and
    those with a link are those that succeeded [DOC B5].
    """
    for told in _told(reading):
        counts = first(told.part.value, told.endpoint.fields.metrics)
        total, good, bad = (
            resolve(counts, f"/{name}") for name in ("TOTAL", "SUCCEEDED", "FAILED")
        )
        if not (isinstance(total, int) and isinstance(good, int) and isinstance(bad, int)):
            continue
        pointer = where(told.part, told.endpoint.fields.metrics)
        if good + bad > total:
            yield told.violation(f"at most {total} in all", f"{good} + {bad}", pointer)
        elif told.state in told.endpoint.states.succeeded:
            links = sum(1 for _ in seen(told.part.value, told.endpoint.fields.images))
            if good + bad != total:
                yield told.violation(f"{total} in all, as it ended", f"{good} + {bad}", pointer)
            elif links and links != good:
                yield told.violation(
                    f"{links} that succeeded, as many as links", str(good), pointer
                )


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        return None
