"""An endpoint of a provider's HTTP API, described as data.

What a provider's wire looks like is written in its `endpoints.py`; here is what such a description
consists of. Rules and comparisons work with `Fields`, so they know no provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from harness.types import EMPTY, Exchange, Json, Outcome

Schema = Mapping[str, Any]
"""A JSON Schema (draft 2020-12)."""


class Role(StrEnum):
    """What an endpoint is for in a conversation."""

    ANSWER = "answer"
    SUBMIT = "submit"
    POLL = "poll"
    FILE = "file"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class States:
    """The names of a task's states on the wire, by their meaning.

    Attributes:
        running: In the order in which a task goes through them.
        succeeded: States of a task that has its result.
        failed: States of a task that will never have one.
        explained: Those of `failed` that come with a code and a message.
        forgotten: Those of `failed` that are reported of a task unknown to the service.
    """

    running: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    def __contains__(self, state: object) -> bool:
        return state in self.running + self.succeeded + self.failed

    def ended(self, state: str) -> bool:
        """Return whether a task in this state never changes again."""
        return state in self.succeeded + self.failed

    def rank(self, state: str) -> int:
        """Return how far a task in this state has come, from 0; all ends rank alike."""
        return len(self.running) if self.ended(state) else self.running.index(state)


@dataclass(frozen=True, slots=True)
class Part:
    """One JSON value of an answer: the whole body, or the data of one event of a stream.

    Attributes:
        value: The decoded value.
        event: The number of the event, from 1; None for a whole body.
        offset: The byte offset of the value's text in the body.
        kind: The event's name, its `event:` line.
        comments: The event's comment lines.
    """

    value: Json
    event: int | None = None
    offset: int = 0
    kind: str = ""
    comments: tuple[str, ...] = ()


Pointers = tuple[str, ...]
"""JSON pointers, the preferred one first; the token `[]` stands for every item of an array."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Where values stand on an endpoint's wire. The first group is in answers.

    Attributes:
        choices: The array of an answer's choices. Pointers into it lead to its first item.
        index: The number of a choice.
        images: Links to the images of an answer.
        results: All results of a task, failed ones included.
        refused: Leads to something only in a refusal.
        constant: What each event of a stream repeats unchanged.
        input_parts: Counts of tokens that are included in `input_tokens`.
        output_parts: Counts of tokens that are included in `output_tokens`.
        apart: What a refusal does not have.
        parameters: The object that holds a request's parameters; the body itself by default.
    """

    id: Pointers = ()
    request_id: Pointers = ()
    model: Pointers = ()
    choices: str = ""
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


ReadAnswer = Callable[[Sequence[Part], Json], "Outcome | None"]
"""From the parts of a 2xx answer and the JSON of its request to what it says."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of a provider's HTTP API, and what its documentation promises of it.

    Attributes:
        name: The provider's or API form's name, a dot, and the operation's.
        method: The HTTP method.
        path: Matches the whole path of the URL, whatever the host.
        answer: The schema of a 2xx body.
        refusal: The schema of the body of a refusal.
        read: Reads the answer where `fields` cannot describe it.
        event: The schema of one event of a stream.
        ends_with_done: Whether a stream ends with `[DONE]`.
        volatile: Paths, as in `analysis.shape`, whose values differ between any two answers.
        finish_reasons: The finish reasons that are documented.
        states: The states of its tasks.
        cumulative: Whether each event of a stream repeats the text so far, by the JSON of the
            request; None where the request leaves it to the model.
        fields: Where values stand.
        repeats_finish: Whether a stream is known to give its finish reason more than once.
        objects: Possible values of the field `object`.
        statuses: The HTTP statuses that each error code comes with.
        unpaid: Error codes about the account's balance, which say nothing about the request.
        tells_usage: Whether a stream ends with its token counts, by the JSON of the request.
    """

    name: str
    method: str
    path: re.Pattern[str]
    role: Role
    answer: Schema
    refusal: Schema
    read: ReadAnswer | None = None
    event: Schema | None = None
    ends_with_done: bool = False
    volatile: frozenset[str] = frozenset()
    finish_reasons: frozenset[str] = frozenset()
    states: States = States()
    cumulative: Callable[[Json], bool | None] = lambda request: False
    fields: Fields = Fields()
    repeats_finish: bool = False
    objects: frozenset[str] = frozenset()
    statuses: Mapping[str, frozenset[int]] = field(default_factory=lambda: EMPTY)
    unpaid: frozenset[str] = frozenset()
    tells_usage: Callable[[Json], bool] = lambda request: False

    @property
    def dialect(self) -> str:
        """The provider or API form whose wire it is: the name up to its first dot."""
        return self.name.partition(".")[0]

    def fits(self, method: str, uri: str) -> bool:
        """Return whether a request with this method and URI goes to this endpoint."""
        try:
            path = urlsplit(uri).path
        except ValueError:
            return False
        return method.upper() == self.method and self.path.fullmatch(path) is not None


Recognise = Callable[[Exchange], Endpoint | None]
"""From an exchange to its endpoint, None where no endpoint fits."""


def recogniser(endpoints: Iterable[Endpoint]) -> Recognise:
    """Return a function that finds an exchange's endpoint by its method and path."""
    table = tuple(endpoints)

    def recognise(exchange: Exchange) -> Endpoint | None:
        request = exchange.request
        return next((e for e in table if e.fits(request.method, request.uri)), None)

    return recognise
