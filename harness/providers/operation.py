"""The calls that an API form offers, as data from which valid requests and answers are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.endpoint import Endpoint
from harness.types import EMPTY, Json

Values = Mapping[str, Json]
"""JSON values by the names of `Fields`, or by JSON pointers."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer says about itself: id, model, and creation time (seconds, UTC)."""

    id: str
    model: str
    created: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of call in one mode.

    Attributes:
        kind: `chat`, `prompt`, `image`, `video`, `embedding` or `rerank`.
        mode: `sync`, `stream` or `async`.
        endpoint: Where the request goes.
        url: The URL of the endpoint.
        variants: Further values of a request, one of them in each request.
        headers: Further headers of a request.
        multimodal: Whether the content of messages is a list of parts.
        without: Pointers of the forms that these answers do not have.
        poll: The endpoint for polls of a task.
        poll_url: Its URL, with `{}` for the task's id.
        results: The pointer to the generated images or videos.
        link: The member of a result that is its URL.
    """

    kind: str
    mode: str
    endpoint: Endpoint
    url: str
    variants: tuple[Values, ...] = (EMPTY,)
    headers: Headers = ()
    multimodal: bool = False
    without: tuple[str, ...] = ()
    poll: Endpoint | None = None
    poll_url: str = ""
    results: str = ""
    link: str = "url"


@dataclass(frozen=True, slots=True)
class ApiForm:
    """An API form: its operations, and what its endpoints do not say about answers.

    Attributes:
        models: Names of models that can be asked.
        operations: The calls it offers.
        ids: The forms of an answer's id, by its creation time and a number below 2**128.
        task_id: The id of a task, by such a number.
        frame: Makes the body of a stream from the data of its events.
        headers: Headers of an answer, by its head and the milliseconds it took.
        usage_apart: Whether a stream has its token counts in an event of their own.
        id_per_poll: Whether each poll of a task has an id of its own.
    """

    models: tuple[str, ...]
    operations: tuple[Operation, ...]
    ids: tuple[Callable[[int, int], str], ...]
    task_id: Callable[[int], str]
    frame: Callable[[Sequence[bytes]], bytes]
    headers: Callable[[Head, int], Headers] = lambda head, milliseconds: ()
    usage_apart: bool = False
    id_per_poll: bool = False


def frame_data_events(events: Sequence[bytes]) -> bytes:
    """Return a stream of events that have only data, ended by `[DONE]`."""
    return b"".join(b"data: " + data + b"\n\n" for data in (*events, b"[DONE]"))
