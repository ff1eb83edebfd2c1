"""What one running sandbox remembers: tasks, images and the number of requests."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from zlib import crc32

from starlette.requests import Request

from harness.sandbox.images import ImageRequest, ImageStore
from harness.sandbox.options import Options
from harness.sandbox.requests import Reason, Refused

BEIJING = timezone(timedelta(hours=8), "Beijing")
"""The providers report local times of Beijing, which has no daylight saving time."""

MAX_TASKS = 1000
"""How many tasks are remembered; the oldest are forgotten first."""


def now() -> datetime:
    """Return the current time in Beijing."""
    return datetime.now(BEIJING)


class TaskState(StrEnum):
    """The state of a task."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """An asynchronous task and how often it was polled.

    `result` is whatever the provider server that submitted the task needs to describe it;
    `failure` is the (code, message) of a task that will fail.
    """

    id: str
    result: object
    submitted: datetime
    failure: tuple[str, str] | None = None
    polls: int = 0
    state: TaskState = TaskState.PENDING
    scheduled: datetime | None = None
    ended: datetime | None = None


class TaskStore:
    """The tasks of a sandbox. Polling is what moves a task on."""

    def __init__(self, pending_polls: int, running_polls: int) -> None:
        self._pending_polls = pending_polls
        self._running_polls = running_polls
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def submit(self, id: str, result: object, failure: tuple[str, str] | None = None) -> None:
        """Remember a new task."""
        self._tasks[id] = Task(id, result, submitted=now(), failure=failure)
        while len(self._tasks) > MAX_TASKS:
            self._tasks.popitem(last=False)

    def poll(self, id: str) -> Task | None:
        """Return the task after one more poll; None where there is no such task."""
        task = self._tasks.get(id)
        if task is None:
            return None
        task = replace(task, polls=task.polls + 1, scheduled=task.scheduled or now())
        if task.polls > self._pending_polls + self._running_polls:
            state = TaskState.FAILED if task.failure else TaskState.SUCCEEDED
            task = replace(task, state=state, ended=task.ended or now())
        elif task.polls > self._pending_polls:
            task = replace(task, state=TaskState.RUNNING)
        self._tasks[id] = task
        return task


class SandboxState:
    """The state of one sandbox, shared by its provider servers."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.tasks = TaskStore(options.pending_polls, options.running_polls)
        self.images = ImageStore()
        self._requests = 0

    async def admit(self) -> None:
        """Count a request, wait for the latency, and refuse each N-th request."""
        self._requests += 1
        await asyncio.sleep(self.options.latency)
        every = self.options.throttle_every
        if every and self._requests % every == 0:
            raise Refused(Reason.THROTTLED)

    def check_rate_limit(self, text: str) -> None:
        """Refuse a request whose text asks to be throttled."""
        if self.options.throttle_on and self.options.throttle_on in text:
            raise Refused(Reason.THROTTLED)

    def should_fail(self, text: str) -> bool:
        """Return whether a task with this prompt is to fail."""
        return bool(self.options.fail_tasks_on) and self.options.fail_tasks_on in text

    def add_image(self, request: Request, name: str, image: ImageRequest) -> str:
        """Keep an image under *name* and return its URL on this server."""
        self.images.add(name, image)
        host, port = request.scope["server"]
        return f"http://{host}:{port}/files/{name}"

    async def stream(self, events: Iterable[bytes]) -> AsyncIterator[bytes]:
        """Yield the events of a stream with pauses between them.

        A pause lasts between 0.5 and 1.5 times the option `chunk_gap`, and is the same whenever
        the same event follows.
        """
        for number, event in enumerate(events):
            if number:
                await asyncio.sleep(self.options.chunk_gap * (0.5 + crc32(event) / 2**32))
            yield event
