"""Data from which `harness.strategies` generates valid requests and answers of a provider.

An `ApiForm` is one of a provider's API formats: its own, or the one compatible with OpenAI. It has
an `Operation` for each kind of call in each mode.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.endpoint import Endpoint
from harness.types import EMPTY, Json

Values = Mapping[str, Json]
"""JSON values by their location: the name of an attribute of `Fields`, or a JSON pointer."""

Headers = tuple[tuple[str, str], ...]
"""(name, value) pairs."""


@dataclass(frozen=True, slots=True)
class Head:
    """The metadata of an answer.

    Attributes:
        id: The id of the answer.
        model: The name of the model.
        created: The time of creation, in seconds since 1970 (UTC).
    """

    id: str
    model: str
    created: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of call in one mode, as data from which requests and answers are generated.

    Attributes:
        kind: `chat`, `prompt`, `image`, `video`, `embedding`, `rerank`, `speech` or
            `transcription`.
        mode: `sync`, `stream` or `async`.
        endpoint: The endpoint that the request goes to.
        url: The URL of that endpoint.
        variants: Alternatives for further values in the body of a request; a request gets the
            values of one of them.
        headers: Further headers of a request.
        multimodal: Whether the content of a message is a list of parts instead of a text.
        without: JSON pointers to values that answers to this call never have, although the
            endpoint's schema allows them.
        poll: The endpoint for polls of the task; None if the call starts no task.
        poll_url: The URL of that endpoint, with `{}` for the task's id.
        results: The JSON pointer to the generated images, videos, sounds or transcripts.
        link: The name of the member of a result that is its URL.
        is_form: Whether the request is a form with a file.
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
    is_form: bool = False


def read_operations(file: Path, form: str, endpoints: Iterable[Endpoint]) -> tuple[Operation, ...]:
    """Return the operations of the API format *form*, such as `zhipuai`, in a TOML file.

    The file has a list of tables with that name; *endpoints* has each endpoint that they name.
    """
    named = {endpoint.name: endpoint for endpoint in endpoints}
    rows = tomllib.loads(file.read_text(encoding="utf-8"))[form]
    return tuple(_operation(row, named) for row in rows)


def _operation(row: dict[str, Any], named: Mapping[str, Endpoint]) -> Operation:
    row["endpoint"], row["headers"] = named[row["endpoint"]], tuple(row.get("headers", {}).items())
    row["poll"] = named[row["poll"]] if "poll" in row else None
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Operation(**values)


@dataclass(frozen=True, slots=True)
class ApiForm:
    """An API format of a provider, as data from which requests and answers are generated.

    Attributes:
        models: Names of models for requests.
        operations: The calls that the format has.
        ids: Functions that return an answer's id, one for each pattern of ids, from the creation
            time in seconds since 1970 and a number below 2**128.
        task_id: Returns a task's id from a number below 2**128.
        frame: Returns the body of a stream from the data of its events.
        headers: Returns the format's own headers of an answer, from the answer's metadata and the
            duration in milliseconds.
        usage_apart: Whether a stream has its token counts in an event of their own.
        id_per_poll: Whether each poll of a task has a new id.
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
    """Return a stream with one `data:` line for each event, and `data: [DONE]` at its end."""
    return b"".join(b"data: " + data + b"\n\n" for data in (*events, b"[DONE]"))
