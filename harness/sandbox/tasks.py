"""Tasks: asked for once, polled until done, and forgotten when there are too many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum

from harness.types import LooseJson

BEIJING = timezone(timedelta(hours=8), "Beijing")
"""Both services give local times of Beijing, which has no summer time."""

MOST_TASKS = 1000
"""So many tasks are remembered; the oldest is forgotten first."""


class Stage(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """Something that takes a while: what it will come to, and how often it was asked after.

    `failure` is a (code, message) pair for a task that will fail, else None.
    """

    id: str
    result: LooseJson
    submitted: datetime
    failure: tuple[str, str] | None = None
    polls: int = 0
    stage: Stage = Stage.PENDING
    scheduled: datetime | None = None
    ended: datetime | None = None


class Tasks:
    """The tasks of one sandbox: pending, then running, then done or failed for good."""

    def __init__(self, pending: int, running: int, now: Callable[[], datetime]) -> None:
        self._pending = pending
        self._running = running
        self._now = now
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def submit(self, id: str, result: LooseJson, failure: tuple[str, str] | None = None) -> Task:
        """Take on a task."""
        task = Task(id=id, result=result, submitted=self._now(), failure=failure)
        self._tasks[id] = task
        while len(self._tasks) > MOST_TASKS:
            self._tasks.popitem(last=False)
        return task

    def poll(self, id: str) -> Task | None:
        """The task as it stands now; asking is what moves it on. None where there is none."""
        task = self._tasks.get(id)
        if task is None:
            return None
        polls = task.polls + 1
        stage = self._stage(polls, task)
        now = self._now()
        ended = task.ended or (now if stage in (Stage.DONE, Stage.FAILED) else None)
        scheduled = task.scheduled or now
        task = replace(task, polls=polls, stage=stage, scheduled=scheduled, ended=ended)
        self._tasks[id] = task
        return task

    def _stage(self, polls: int, task: Task) -> Stage:
        if polls <= self._pending:
            return Stage.PENDING
        if polls <= self._pending + self._running:
            return Stage.RUNNING
        return Stage.FAILED if task.failure else Stage.DONE
