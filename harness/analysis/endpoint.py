"""An endpoint of a provider's HTTP API, described as data.

What a provider's wire looks like is written in its `endpoints.py`; here is what such a description
consists of. Rules and comparisons work with `Fields`, so they know no provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from harness.types import NOTHING, Exchange, Failure, LooseJson, Outcome

Schema = Mapping[str, LooseJson]


class Role(StrEnum):
    """What an endpoint is for in a conversation."""

    ANSWER = "answer"
    SUBMIT = "submit"
    POLL = "poll"
    FILE = "file"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class States:
    """A task's states on the wire, by what they mean; `running` in the order they come.

    `explained` are those of the failed states that come with a code and a message, `forgotten`
    those that are told of a task which the service no longer knows, however it ended.
    """

    running: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    def __contains__(self, state: object) -> bool:
        return state in self.running + self.succeeded + self.failed

    def ended(self, state: str) -> bool:
        """Whether a task in this state never changes again."""
        return state in self.succeeded + self.failed

    def rank(self, state: str) -> int:
        """How far a task has come; `running` is in the order a task goes through it."""
        return len(self.running) if self.ended(state) else self.running.index(state)


@dataclass(frozen=True, slots=True)
class Part:
    """One JSON value of an answer: the whole body, or one event of a stream.

    `offset` is the byte offset of the value's text in the body; `kind` and `comments` are the
    event's.
    """

    value: LooseJson
    event: int | None = None
    offset: int = 0
    kind: str = ""
    comments: tuple[str, ...] = ()


Pointers = tuple[str, ...]
"""JSON pointers, most telling first; the token `[]` stands for every item of an array."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Where things stand on an endpoint's wire, so that rules need not know whose wire it is.

    The first group is in one part of an answer, the second in a request. `refused` leads to
    something only in a refusal; `results` are all results of a task, failed ones included;
    `constant` is what every event of a stream repeats unchanged. `input_parts` and `output_parts`
    are counts of tokens that are within `input_tokens` and `output_tokens`; `apart` is what a
    refusal has not got. `parameters` leads to the object that holds a request's parameters.
    """

    id: Pointers = ()
    request_id: Pointers = ()
    model: Pointers = ()
    content: Pointers = ()
    reasoning: Pointers = ()
    tool_calls: Pointers = ()
    finish_reason: Pointers = ()
    index: Pointers = ()
    input_tokens: Pointers = ()
    output_tokens: Pointers = ()
    total_tokens: Pointers = ()
    images: Pointers = ()
    results: Pointers = ()
    task_id: Pointers = ()
    state: Pointers = ()
    times: Pointers = ()
    refused: Pointers = ()
    code: Pointers = ()
    message: Pointers = ()
    constant: Pointers = ()
    role: Pointers = ()
    object: Pointers = ()
    created: Pointers = ()
    input_parts: Pointers = ()
    output_parts: Pointers = ()
    apart: Pointers = ()
    metrics: Pointers = ()
    vectors: Pointers = ()
    positions: Pointers = ()
    scores: Pointers = ()

    messages: Pointers = ()
    tools: Pointers = ()
    size: Pointers = ()
    count: Pointers = ()
    prompt: Pointers = ()
    parameters: str = ""
    texts: Pointers = ()
    dimension: Pointers = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of one provider's HTTP API, and what its documentation promises of it.

    `path` is matched against the whole URL path, whatever the host. `answer`, `event` and
    `refusal` are JSON Schemas of a 2xx body, of one stream event and of a refusal. `volatile` are
    paths (in the notation of `wire.shape`) whose values differ between any two answers. `read`
    turns the parts of a 2xx answer into a `Reply` (or a `Failure` that came with status 200);
    `refuse` turns a refusal's body into a `Failure`. `repeats_finish` says that a stream is known
    to tell its finish reason more than once. `objects` are what the field `object` may say;
    `statuses` maps an error code to the HTTP statuses it comes with, and `unpaid` are codes that
    say something of the account's money and nothing of the request; `tells_usage` says whether a
    stream that was asked for so ends with a count of its tokens. `cumulative` is None where the
    request leaves it to the model.
    """

    name: str
    method: str
    path: re.Pattern[str]
    role: Role
    answer: Schema
    refusal: Schema
    read: Callable[[Sequence[Part], LooseJson], Outcome | None]
    refuse: Callable[[int, LooseJson], Failure]
    event: Schema | None = None
    ends_with_done: bool = False
    volatile: frozenset[str] = frozenset()
    finish_reasons: frozenset[str] = frozenset()
    states: States = States()
    cumulative: Callable[[LooseJson], bool | None] = lambda asked: False
    fields: Fields = Fields()
    repeats_finish: bool = False
    objects: frozenset[str] = frozenset()
    statuses: Mapping[str, frozenset[int]] = field(default_factory=lambda: NOTHING)
    unpaid: frozenset[str] = frozenset()
    tells_usage: Callable[[LooseJson], bool] = lambda asked: False

    @property
    def dialect(self) -> str:
        """Whose wire it is: the endpoint's name up to its first dot."""
        return self.name.partition(".")[0]

    def fits(self, method: str, uri: str) -> bool:
        """Whether a request goes to this endpoint."""
        try:
            path = urlsplit(uri).path
        except ValueError:
            return False
        return method.upper() == self.method and self.path.fullmatch(path) is not None


Recognise = Callable[[Exchange], Endpoint | None]


def recogniser(endpoints: Iterable[Endpoint]) -> Recognise:
    """A function that finds an exchange's endpoint by method and path."""
    table = tuple(endpoints)

    def recognise(exchange: Exchange) -> Endpoint | None:
        request = exchange.request
        return next((e for e in table if e.fits(request.method, request.uri)), None)

    return recognise
