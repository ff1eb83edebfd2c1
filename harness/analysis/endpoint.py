"""The types that describe an endpoint of a provider's HTTP API as data.

The descriptions are in the TOML files of each provider, which `endpoint_table` reads. Rules and
comparisons find values by `Fields`, so they do not depend on a provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from harness.types import EMPTY, Exchange, Json, Outcome
from harness.wire.pointer import Patterns, tokens

Schema = Mapping[str, Any]
"""A JSON Schema (draft 2020-12)."""


class Role(StrEnum):
    """The purpose of an endpoint.

    `answer`: its response is the answer. `submit`: it starts a task. `poll`: it reports the state
    of a task. `file`: it returns a file, such as an image. `lookup`: its response is a JSON object
    that is no answer of a model, such as a list of files. `other`: anything else, not checked.
    """

    ANSWER = "answer"
    SUBMIT = "submit"
    POLL = "poll"
    FILE = "file"
    LOOKUP = "lookup"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class States:
    """The names that an API has for the states of a task, by meaning.

    Attributes:
        running: The states before the end, in the order in which a task has them.
        succeeded: The states of a task that has a result.
        failed: The states of a task that will never have a result.
        explained: The items of `failed` that are reported with a code and a message.
        forgotten: The items of `failed` that are reported for a task that the service does not know
            or no longer knows.
    """

    running: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    def __contains__(self, state: object) -> bool:
        return state in self.running + self.succeeded + self.failed

    def ended(self, state: str) -> bool:
        """Return whether *state* is an end state, succeeded or failed."""
        return state in self.succeeded + self.failed

    def rank(self, state: str) -> int:
        """Return the position of *state* in the course of a task, from 0; all end states are equal.

        Raises:
            ValueError: The state is unknown.
        """
        return len(self.running) if self.ended(state) else self.running.index(state)


class _Found:
    """What was found in a value, which is searched once.

    Attributes:
        fields: The pointers that were searched for; None if none were yet.
        values: The first value at each that is not null.
    """

    __slots__ = ("fields", "values")

    def __init__(self) -> None:
        self.fields: Fields | None = None
        self.values: Mapping[str, Json] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """One JSON value of an answer: the whole body, or the data of one event of a stream.

    Attributes:
        value: The decoded value.
        event: The number of the event, from 1; None for a whole body.
        offset: The byte offset in the body where the value begins.
        kind: The name of the event (its `event:` line); "" if it has none.
        comments: The comment lines of the event, without the leading colon.
    """

    value: Json
    event: int | None = None
    offset: int = 0
    kind: str = ""
    comments: tuple[str, ...] = ()
    _known: _Found = field(default_factory=_Found, init=False, repr=False, compare=False)

    def share(self, other: Part) -> None:
        """Share what is found in the value with *other*, a part with the same object as value."""
        object.__setattr__(self, "_known", other._known)

    def found(self, fields: Fields) -> Mapping[str, Json]:
        """Return by pointer the first value at it that is not null.

        The pointers are those in *fields* for answers; those without such a value are left out.
        """
        known = self._known
        if known.fields is not fields:
            known.values, known.fields = fields.patterns.found_in(self.value), fields
        return known.values


Pointers = tuple[str, ...]
"""JSON pointers, the preferred one first; the token `[]` matches every item of an array."""


@dataclass(frozen=True)
class Fields:
    """The JSON pointers at which an endpoint's bodies have each value; empty if they lack it.

    The attributes from `messages` on are for requests, those before it for answers.

    Attributes:
        id: The id of the answer.
        request_id: The id of the request.
        model: The name of the model.
        choices: The array of choices. All other pointers into it name its first item.
        content: The text of the answer, or of one event.
        reasoning: The text of the reasoning, or of one event of it.
        tool_calls: The array of tool calls.
        finish_reason: The finish reason.
        index: The number of a choice.
        input_tokens: The number of input tokens.
        output_tokens: The number of output tokens.
        total_tokens: The number of all tokens.
        characters: The number of characters of a text to speak, as they are charged.
        images: The URLs of generated images.
        videos: The URLs of generated videos.
        sounds: The URLs of generated sounds.
        transcripts: The URLs of JSON files with the words of sounds.
        words: The texts in a JSON file that `transcripts` links to.
        results: All results of a task, including failed ones.
        task_id: The id of a task.
        state: The state of a task.
        times: The times of a task's submission, start and end.
        refused: The values that only a refusal has, by which it is recognized.
        code: The error code of a refusal.
        message: The message of a refusal.
        constant: The values that are the same in every event of a stream.
        role: The role of the message.
        object: The name of the type of the body, such as `chat.completion`.
        created: The time of creation, in seconds since 1970 (UTC).
        input_parts: Token counts that `input_tokens` includes.
        output_parts: Token counts that `output_tokens` includes.
        reasoning_tokens: The number of output tokens of the reasoning.
        reasoning_apart: The number of tokens of the reasoning, where a service may not include it
            in the output tokens.
        others: The content of an answer that is neither text, tool calls nor images.
        apart: The values of an answer that a refusal must not have.
        metrics: The object with the numbers of a task's results.
        vectors: The embeddings.
        positions: The index of the text that each embedding or score belongs to.
        scores: The relevance scores of a ranking.
        messages: The messages of a chat in OpenAI's format.
        own_messages: The messages of a chat in another format than OpenAI's;
            `Endpoint.conversation` translates them.
        tools: The declared tools.
        size: The requested size of images.
        count: The requested number of results.
        prompt: The prompt.
        parameters: The object with the parameters; "" for the body itself.
        texts: The texts to embed or to rank.
        dimension: The requested length of embeddings.
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
    characters: Pointers = ()
    images: Pointers = ()
    videos: Pointers = ()
    sounds: Pointers = ()
    transcripts: Pointers = ()
    words: Pointers = ()
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
    reasoning_tokens: Pointers = ()
    reasoning_apart: Pointers = ()
    others: Pointers = ()
    apart: Pointers = ()
    metrics: Pointers = ()
    vectors: Pointers = ()
    positions: Pointers = ()
    scores: Pointers = ()

    messages: Pointers = ()
    own_messages: Pointers = ()
    tools: Pointers = ()
    size: Pointers = ()
    count: Pointers = ()
    prompt: Pointers = ()
    parameters: str = ""
    texts: Pointers = ()
    dimension: Pointers = ()

    @cached_property
    def patterns(self) -> Patterns:
        """The pointers for answers, their messages, and the log probabilities of choices."""
        places = [getattr(self, name) for name in OF_ANSWERS]
        pointers = [p for one in places if one for p in ((one,) if isinstance(one, str) else one)]
        probabilities = [f"{self.choices}/[]/logprobs"] if self.choices else []
        return Patterns([*pointers, *self.messages_of_choices, *probabilities])

    @cached_property
    def of_texts(self) -> frozenset[str]:
        """The pointers of an answer without any that `Reply` has beside its id, model and texts."""
        names = ("tool_calls", "vectors", "positions", "scores", "task_id", "state")
        others = {pointer for name in names for pointer in getattr(self, name)}
        return self.patterns.all - others - self.counts - self.links

    @cached_property
    def counts(self) -> frozenset[str]:
        """The pointers to the counts in an answer that are paid for."""
        tokens = (*self.input_tokens, *self.output_tokens, *self.total_tokens)
        return frozenset((*tokens, *self.characters))

    @cached_property
    def links(self) -> frozenset[str]:
        """The pointers to the URLs of generated files."""
        return frozenset((*self.images, *self.videos, *self.sounds, *self.transcripts))

    @cached_property
    def messages_of_choices(self) -> Pointers:
        """The messages and deltas in an answer: the objects that have `content`."""
        parents = (pointer.rpartition("/")[0] for pointer in self.content)
        return tuple(parent for parent in parents if parent.endswith(("/message", "/delta")))


_NAMES = tuple(one.name for one in dataclass_fields(Fields))
OF_ANSWERS = _NAMES[: _NAMES.index("messages")]
"""The names of the attributes of `Fields` for answers."""

NO_FIELDS = Fields()


@lru_cache(maxsize=1024)
def first_names(pointers: Pointers) -> frozenset[str] | None:
    """Return the first member name in each of *pointers*, such as `data` of `/data/0/url`.

    Return None if one of them is "", which points to the whole value.
    """
    names = [tokens(pointer)[:1] for pointer in pointers]
    return frozenset(name for (name,) in names) if all(names) else None


def may_have(value: Json, pointers: Pointers) -> bool:
    """Return whether *value* may have a value at one of *pointers*, by a quick check.

    It is False only for an object that has none of the members with which the pointers begin.
    """
    names = first_names(pointers)
    return names is None or type(value) is not dict or not names.isdisjoint(value)


ReadAnswer = Callable[[Sequence[Part], Json], "Outcome | None"]
"""A function that reads the outcome in a 2xx answer, from its parts and the JSON of the request."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The description of one operation of a provider's HTTP API.

    Attributes:
        name: The provider or API form, a dot, and the operation, such as `zhipuai.chat`.
        method: The HTTP method.
        path: A regular expression for the whole path of the URL, on any host. One that begins with
            `//` is for the host and the path.
        role: The purpose of the endpoint.
        answer: The JSON Schema of the body of a 2xx answer.
        refusal: The JSON Schema of the body of a refusal.
        read: Reads an answer that `fields` cannot describe; None if they can.
        event: The JSON Schema of one event of a stream; None if there are no streams.
        ends_with_done: Whether a stream ends with the event `[DONE]`.
        volatile: The paths of values that differ between any two answers: JSON pointers with `[]`
            for all items of an array.
        finish_reasons: The documented finish reasons.
        states: The states of its tasks.
        cumulative: Returns whether each event of a stream repeats the text so far, given the JSON
            body of the request; None if that depends on the model.
        fields: The locations of the values in the bodies.
        repeats_finish: Whether a stream may have its finish reason in more than one event.
        objects: The possible values of the field `object`.
        statuses: The HTTP statuses that each error code is sent with.
        unpaid: The error codes for an account without balance, which do not concern the request.
        tells_usage: Returns whether a stream ends with token counts, given the JSON body of the
            request.
        keeps_reasoning: Returns whether the model reads earlier reasoning, which the request then
            has to repeat, given the JSON body of the request.
        runs_tools: Returns whether the service itself runs tools, such as a search, given the JSON
            body of the request.
        counts_reasoning: Returns whether an answer with reasoning counts its tokens, given the JSON
            body of the request.
        conversation: Returns (JSON pointer, message in OpenAI's format) of each message in the JSON
            body of a request; None if the endpoint's messages have that format anyway.
        remembers: Returns whether the service itself has earlier messages, which the request then
            leaves out, given the JSON body of the request.
        unshown: The types of events without content, for which SDKs return no object.
        roles: The roles that a message of a request may have.
        takes_prefill: Whether the last message of a request may be the assistant's.
        foreign: The paths in an answer of values that repeat the request or that tools returned;
            contracts leave them out.
        exempt: The names of the rules that the service is known to break.
        estimates_input: Whether the input tokens before the last event of a stream are an estimate.
        refusal_types: The media types that a refusal of a stream may have beside JSON's.
        speaks: Whether an answer is the bytes of a sound, not JSON.
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
    fields: Fields = NO_FIELDS
    repeats_finish: bool = False
    objects: frozenset[str] = frozenset()
    statuses: Mapping[str, frozenset[int]] = field(default_factory=lambda: EMPTY)
    unpaid: frozenset[str] = frozenset()
    tells_usage: Callable[[Json], bool] = lambda request: False
    keeps_reasoning: Callable[[Json], bool] = lambda request: False
    counts_reasoning: Callable[[Json], bool] = lambda request: False
    runs_tools: Callable[[Json], bool] = lambda request: False
    conversation: Callable[[Json], list[tuple[str, Json]]] | None = None
    remembers: Callable[[Json], bool] = lambda request: False
    unshown: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ("system", "user", "assistant", "tool")
    takes_prefill: bool = False
    foreign: Pointers = ()
    exempt: frozenset[str] = frozenset()
    estimates_input: bool = False
    refusal_types: tuple[str, ...] = ()
    speaks: bool = False

    @property
    def dialect(self) -> str:
        """The provider or API form: the part of `name` before its first dot."""
        return self.name.partition(".")[0]

    def fits(self, method: str, uri: str) -> bool:
        """Return whether a request with the HTTP method *method* to *uri* goes to this endpoint."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            return False
        places = (parts.path, f"//{parts.netloc}{parts.path}")
        return method.upper() == self.method and any(map(self.path.fullmatch, places))


class Recognise(Protocol):
    """A function that returns the endpoint of an exchange, None if it is unknown."""

    def __call__(self, exchange: Exchange, provider: str = "") -> Endpoint | None:
        """Return the endpoint of *exchange*, which was recorded from *provider* ("": unknown)."""


def find(endpoints: Iterable[Endpoint], method: str, uri: str) -> Endpoint | None:
    """Return the first of *endpoints* that takes requests with this method and URI, or None."""
    return next((endpoint for endpoint in endpoints if endpoint.fits(method, uri)), None)
