"""The data types that all packages share.

Every type is frozen, and free of I/O, clocks and providers. A `Call` is a request in the terms of
the harness, a `Reply` or `Failure` is what the provider's SDK returned for it, and an `Exchange` is
one HTTP round trip. A `Turn` keeps all three, so that the SDK can be checked against the raw HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A decoded JSON value."""

LooseJson: TypeAlias = Any
"""A decoded JSON value without type checking; new code uses `Json`."""

EMPTY: Mapping[str, Any] = MappingProxyType({})
"""An immutable empty mapping, for use as a default."""


class CallKind(StrEnum):
    """The kind of output that a call requests."""

    CHAT = "chat"
    PROMPT = "prompt"
    IMAGE = "image"


class Mode(StrEnum):
    """The delivery of a response: one body, a stream of events, or a task that is polled."""

    SYNC = "sync"
    STREAM = "stream"
    ASYNC = "async"


class Credentials(StrEnum):
    """The API key that a call is sent with: the user's, or a well-formed but invalid one."""

    OWN = "own"
    WRONG = "wrong"


class Severity(StrEnum):
    """The severity of a finding. Only an error fails a run."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Origin(StrEnum):
    """The kind of server that a cassette was recorded from."""

    LIVE = "live"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """A provider and one of its models that a scenario is run against.

    `label` tells targets of the same model apart. `parameters` are merged into those of each call.
    """

    provider: str
    model: str
    label: str = ""
    parameters: Mapping[str, Json] = field(default_factory=lambda: EMPTY)

    def __str__(self) -> str:
        label = f" ({self.label})" if self.label else ""
        return f"{self.provider}/{self.model}{label}"

    @property
    def slug(self) -> str:
        """The target as part of a file name, such as `dashscope-qwen-plus-incremental`."""
        parts = [self.provider, self.model, self.label]
        text = "-".join(part for part in parts if part)
        return "".join(c if c.isalnum() or c in "-._" else "-" for c in text)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call requested by the model; `arguments` is the unparsed JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as it is sent."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """The polling of a task: `interval` in seconds between polls, `limit` of the polls."""

    interval: float = 2.0
    limit: int = 40


@dataclass(frozen=True, slots=True)
class Call:
    """A request in the terms of the harness; a provider's session passes it to the SDK."""

    kind: CallKind
    mode: Mode
    model: str
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    parameters: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    poll: Poll = Poll()
    credentials: Credentials = Credentials.OWN


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts reported by the provider; None where it reported none."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A generated image: its URL and, once downloaded, its bytes."""

    url: str
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class View:
    """The object that the SDK returned for one exchange, copied to JSON.

    `accessed` maps each documented access path, such as `choices[0].message.content`, to the value
    that the SDK's own object has there, or to an `AccessFailure`.
    """

    value: LooseJson
    accessed: Mapping[str, LooseJson] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class AccessFailure:
    """The error, as `<type>: <message>`, raised by an access path of an SDK object."""

    error: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several choices in a response (parameter `n`); `index` counts from 0."""

    index: int
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response, in the terms of the OpenTelemetry GenAI conventions.

    `content` and `reasoning` are None where the provider sent none. `states` are the states of a
    task in order of polling. `pieces` are the streamed texts in order, as the SDK returned them:
    deltas or, if `cumulative`, the whole text up to that event. `other_choices` are the choices
    after the first, which the fields hold.
    """

    id: str | None = None
    model: str | None = None
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    images: tuple[Image, ...] = ()
    task_id: str | None = None
    states: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    cumulative: bool = False
    views: tuple[View, ...] = field(default=(), repr=False)
    other_choices: tuple[Choice, ...] = ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Every choice, in the order of their indices."""
        own = Choice(0, self.content, self.reasoning, self.tool_calls, self.finish_reason)
        return (own, *self.other_choices)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error response of the provider. It is data, since it is recorded, checked and compared.

    `status` is the HTTP status, or the status in an error event; 0 where no response arrived.
    `retry_after` is in seconds.
    """

    status: int
    code: str
    message: str
    request_id: str | None = None
    retry_after: float | None = None
    views: tuple[View, ...] = field(default=(), repr=False)


Outcome: TypeAlias = Reply | Failure


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, byte for byte, with secrets removed."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A response body stored as a file beside its cassette.

    `name` is `<sha256>.<extension>`, `size` is in bytes.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response, with its content coding decoded and secrets removed.

    `artefact` replaces the body in the text of a cassette only; reading the file loads the body.
    """

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    artefact: Artefact | None = None

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name* (in any case), or None."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of an exchange: `start` in seconds since 1970, the others in seconds after it.

    `arrived` are the arrival times of the body's chunks; empty where there was only one.
    """

    start: float
    first_byte: float
    total: float
    arrived: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP round trip.

    `chunks` are the sizes of the response body's network chunks in bytes. `turn` is the number of
    the turn it belongs to. `key` is the fingerprint of the API key (see `harness.secrets`); empty
    where it was not recorded.
    """

    request: Request
    response: Response
    timing: Timing | None = None
    chunks: tuple[int, ...] = ()
    turn: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Sdk:
    """The distribution name and version of the SDK used for a recording."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a cassette; every field is empty for a cassette of another tool.

    `recorded_at` is in ISO 8601. `script` are the digests of the scenario's steps. `volatile` are
    JSON pointers into request bodies that are ignored when requests are matched. `test` is the test
    that the cassette belongs to, as `<file, relative to the cassette's folder>::<name>`. `note`
    describes a cassette that was edited or generated.
    """

    recorded_from: Origin = Origin.UNKNOWN
    recorded_at: str = ""
    scenario: str = ""
    target: str = ""
    address: str = ""
    sdk: Sdk | None = None
    script: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    test: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cassette:
    """All exchanges of one scenario and target in order, with their provenance."""

    exchanges: tuple[Exchange, ...]
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a scenario expects of one response; an empty field is not checked."""

    finish_reason: str = ""
    contains: tuple[str, ...] = ()
    json_schema: Mapping[str, Json] | None = None
    pointers: tuple[str, ...] = ()
    tool_call: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One executed step: the call, its HTTP exchanges, and what the SDK returned.

    `number` counts turns from 1; `step` is the number of the scenario's step, from 1. `call` and
    `outcome` are None for a turn that was read from a cassette without running an SDK.
    """

    number: int
    exchanges: tuple[Exchange, ...]
    call: Call | None = None
    outcome: Outcome | None = None
    expect: Expectation = Expectation()
    step: int = 0


@dataclass(frozen=True, slots=True)
class Transcript:
    """One run of a scenario against one target.

    Attributes:
        unused: Exchanges of the replayed cassette that were not requested.
        skipped: A sentence for each skipped step, with the reason.
        ignored: Names of rules that do not apply, each with the reason given by the scenario.
        source: The path of the cassette.
        selected: Names of the rules that apply; empty for all rules.
        severities: Severities of rules that differ from the rules' own.
    """

    scenario: str
    target: str
    turns: tuple[Turn, ...]
    provenance: Provenance = Provenance()
    unused: tuple[Exchange, ...] = ()
    skipped: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    source: str = ""
    selected: tuple[str, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=lambda: EMPTY)

    def exchanges(self) -> Iterator[Exchange]:
        """Yield every exchange of every turn in order."""
        for turn in self.turns:
            yield from turn.exchanges


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a transcript. Turns, exchanges and events are counted from 1.

    `pointer` is a JSON pointer (RFC 6901) into the body or event. `offset` is the byte offset of
    its value in the response body (in the request body if `request`) or, where that is missing, of
    its innermost existing ancestor.
    """

    turn: int | None = None
    exchange: int | None = None
    event: int | None = None
    offset: int | None = None
    pointer: str = ""
    request: bool = False

    def __str__(self) -> str:
        numbered = [("turn", self.turn), ("exchange", self.exchange), ("event", self.event)]
        words = [f"{name} {number}" for name, number in numbered if number is not None]
        if self.request:
            words.append("request")
        if self.offset is not None:
            words.append(f"byte {self.offset}")
        if self.pointer:
            words.append(self.pointer)
        return ", ".join(words)


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation of a rule at one place.

    `expected` and `actual` are the two halves of `message`. `source` is the path of the cassette.
    """

    message: str
    place: Place = NOWHERE
    rule: str = ""
    severity: Severity = Severity.ERROR
    scenario: str = ""
    target: str = ""
    source: str = ""
    expected: str = ""
    actual: str = ""


Findings: TypeAlias = Iterable[Finding]


@dataclass(frozen=True, slots=True)
class Problem:
    """The error message of a scenario and target that could not be recorded, read or replayed."""

    scenario: str
    target: str
    text: str
