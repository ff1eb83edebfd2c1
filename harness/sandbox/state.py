"""The state of one running sandbox: tasks, images and the number of requests."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from starlette.requests import Request

from harness.config.models import Model
from harness.config.settings import load_models
from harness.sandbox.media import ImageRequest, draw_image
from harness.sandbox.options import Options
from harness.sandbox.requests import Reason, Refused
from harness.types import Json

BEIJING = timezone(timedelta(hours=8), "Beijing")
"""The time zone of the times in the providers' answers."""

MAX_TASKS = 1000
"""The maximum number of stored tasks; then the oldest is removed."""

MAX_FILES = 500
"""The maximum number of stored files; then the oldest is removed."""


def now() -> datetime:
    """Return the current time in Beijing."""
    return datetime.now(BEIJING)


class TaskState(StrEnum):
    """The state of an asynchronous task."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class TaskFailure(NamedTuple):
    """The error code and the message with which a task ends."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Task:
    """An asynchronous task.

    Attributes:
        id: The id of the task.
        result: Data of the provider's handlers, from which they build the answers to polls.
        submitted: The time of the submission.
        failure: The failure with which the task will end; None if it will succeed.
        polls: The number of polls so far.
        state: The state after the last poll.
        scheduled: The time of the first poll; None before it.
        ended: The time of the first poll that found the task ended; None before it.
    """

    id: str
    result: object
    submitted: datetime
    failure: TaskFailure | None = None
    polls: int = 0
    state: TaskState = TaskState.PENDING
    scheduled: datetime | None = None
    ended: datetime | None = None


class TaskStore:
    """The tasks of a sandbox; the number of polls, not the time, determines their states.

    The first *pending_polls* polls of a task find it pending, the next *running_polls* find it
    running, and all later ones find it succeeded or failed.
    """

    def __init__(self, pending_polls: int, running_polls: int) -> None:
        self._pending_polls = pending_polls
        self._running_polls = running_polls
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    def submit(self, id: str, result: object, failure: TaskFailure | None = None) -> None:
        """Store a new task.

        Args:
            id: The id of the task.
            result: Data from which the provider's handlers build the answers to polls.
            failure: The failure with which the task will end; None if it will succeed.
        """
        self._tasks[id] = Task(id, result, submitted=now(), failure=failure)
        while len(self._tasks) > MAX_TASKS:
            self._tasks.popitem(last=False)

    def poll(self, id: str) -> Task | None:
        """Count a poll and return the updated task; None if there is no such task."""
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


class FileStore:
    """The generated files of a sandbox, by name; a file is made when it is downloaded."""

    def __init__(self) -> None:
        self._makers: OrderedDict[str, Callable[[], bytes]] = OrderedDict()

    def add(self, name: str, make: Callable[[], bytes]) -> None:
        """Store *make*, the function that returns the bytes of the file *name*."""
        self._makers[name] = make
        while len(self._makers) > MAX_FILES:
            self._makers.popitem(last=False)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of the file *name*; None if there is no such file."""
        make = self._makers.get(name)
        return make() if make else None


class SandboxState:
    """The state of one sandbox, shared by its provider servers.

    Attributes:
        options: The options of the sandbox.
        tasks: The submitted tasks.
        files: The generated files, which are served at `/files/<name>`.
        models: The project's table of models.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.tasks = TaskStore(options.pending_polls, options.running_polls)
        self.files = FileStore()
        self.models = load_models(Path.cwd())
        self._find_model = lru_cache(maxsize=1024)(self.models.find)
        self._requests = 0

    def find_model(self, provider: str, name: Json, kind: str, endpoint: str = "") -> Model:
        """Return the row of a model in the project's table of models, or refuse the request.

        Args:
            provider: The provider's name.
            name: The name of the model in a request.
            kind: The kind of call, such as `chat` (see `Model.kinds`).
            endpoint: The end of the name of the called endpoint (see `Model.endpoint`); "" for any.

        Raises:
            Refused: There is no such model, it is retired, or it has another endpoint.
        """
        text = name if isinstance(name, str) else ""
        row = self._find_model(provider, text)
        if row is None or (row.retired is not None and row.retired <= now().date()):
            raise Refused(Reason.UNKNOWN_MODEL)
        own = self._find_model(provider, text, kind)
        if own is None or (endpoint and own.endpoint not in ("", endpoint)):
            raise Refused(Reason.WRONG_ENDPOINT)
        return own

    async def admit(self) -> None:
        """Count a request and wait for `Options.latency`.

        Raises:
            Refused: The request is one of those that `Options.throttle_every` refuses.
        """
        self._requests += 1
        await asyncio.sleep(self.options.latency)
        every = self.options.throttle_every
        if every and self._requests % every == 0:
            raise Refused(Reason.THROTTLED)

    def check_rate_limit(self, text: str) -> None:
        """Raise Refused if *text* contains the text of `Options.throttle_on`."""
        if self.options.throttle_on and self.options.throttle_on in text:
            raise Refused(Reason.THROTTLED)

    def should_fail(self, text: str) -> bool:
        """Return whether a task with the prompt *text* will fail, by `Options.fail_tasks_on`."""
        return bool(self.options.fail_tasks_on) and self.options.fail_tasks_on in text

    def add_image(self, request: Request, name: str, image: ImageRequest) -> str:
        """Store an image under *name* and return its URL on the server that received *request*."""
        return self.add_file(request, name, partial(draw_image, image))

    def add_file(self, request: Request, name: str, make: Callable[[], bytes]) -> str:
        """Store a file under *name* and return its URL on the server that received *request*.

        *make* returns the bytes of the file; it is called at each download.
        """
        self.files.add(name, make)
        host, port = request.scope["server"]
        return f"http://{host}:{port}/files/{name}"

    async def stream(self, events: Iterable[bytes]) -> AsyncIterator[bytes]:
        """Yield the events of a stream with pauses between them.

        The pause before an event lasts 0.5 to 1.5 times `Options.chunk_gap`; it depends only on
        the bytes of the event.
        """
        for number, event in enumerate(events):
            if number:
                await asyncio.sleep(self.options.chunk_gap * (0.5 + crc32(event) / 2**32))
            yield event
