"""The nouns of the harness: whoever has read this file knows the product.

Everything here is frozen and free of I/O, clocks and vendors. `Call` is what we ask, `Reply` or
`Failure` is what the official SDK made of the answer, `Exchange` is what really travelled; a
`Turn` keeps all of them side by side, so that the SDK can be held to the wire.
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
"""A decoded JSON value whose type is not checked; use `Json` in new code."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The empty mapping, usable as a default."""


class CallKind(StrEnum):
    """What a call asks for."""

    CHAT = "chat"
    PROMPT = "prompt"
    IMAGE = "image"


class Mode(StrEnum):
    """How an answer is delivered: at once, as a stream of events, or as a task that is polled."""

    SYNC = "sync"
    STREAM = "stream"
    ASYNC = "async"


class Credentials(StrEnum):
    """Whose key a call carries: the user's own, or a well-formed key that nobody owns."""

    OWN = "own"
    WRONG = "wrong"


class Severity(StrEnum):
    """How much a finding weighs: an error fails a run, the others are told."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Origin(StrEnum):
    """Who answered while recording."""

    LIVE = "live"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask: a provider and one of its models, and under which name we file the answers."""

    provider: str
    model: str
    label: str = ""
    parameters: Mapping[str, LooseJson] = field(default_factory=lambda: NOTHING)

    def __str__(self) -> str:
        label = f" ({self.label})" if self.label else ""
        return f"{self.provider}/{self.model}{label}"

    @property
    def slug(self) -> str:
        """The target as a file name: `zhipuai-glm-4`, `dashscope-qwen-plus-incremental`."""
        parts = [self.provider, self.model, self.label]
        text = "-".join(part for part in parts if part)
        return "".join(c if c.isalnum() or c in "-._" else "-" for c in text)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called; `arguments` is JSON text, just as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a conversation as it is sent."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """How to wait for a task: seconds between two questions, and how many questions at most."""

    interval: float = 2.0
    limit: int = 40


@dataclass(frozen=True, slots=True)
class Call:
    """Something asked, in our words; a provider translates it into its SDK's."""

    kind: CallKind
    mode: Mode
    model: str
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    parameters: Mapping[str, LooseJson] = field(default_factory=lambda: NOTHING)
    poll: Poll = Poll()
    credentials: Credentials = Credentials.OWN


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the provider. None where the provider did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that was answered: its link and, once fetched, its bytes."""

    url: str
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class View:
    """What the SDK showed us for one exchange: its object as plain JSON, copied at once.

    `accessed` holds the value found at each documented access path, such as
    `choices[0].message.content`, walked on the SDK's real object; a path that could not be
    walked holds a `Broken`.
    """

    value: LooseJson
    accessed: Mapping[str, LooseJson] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Broken:
    """An access path that raised: which error."""

    error: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a request that asks for several (`n`); `index` counts from 0."""

    index: int
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered, in the terms of the OpenTelemetry GenAI conventions.

    `content` and `reasoning` are None where the provider sent none at all. `states` are the task
    states in the order they were seen; empty unless the call was a task. `pieces` are the
    streamed text pieces in order, as the SDK gave them: deltas, or whole texts so far where
    `cumulative`. Where several choices were answered, `other_choices` are those after the first.
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
    """The provider said no. Data, not an exception: it is recorded, checked and compared.

    `status` is the HTTP status (or the one an error event carried); 0 where no answer came at
    all. `retry_after` is in seconds.
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
    """One HTTP request as it travelled, secrets removed."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file beside a cassette that is a body: its name, `<sha256>.<ending>`; its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response as it travelled, content coding undone, secrets removed.

    `artefact` stands for the body only in a cassette's text; whoever reads a file has the body.
    """

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    artefact: Artefact | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the case of its name."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Timing:
    """When an exchange happened: start as seconds since 1970; the others in seconds from there.

    `arrived` says of each of an answer's chunks when it came; empty where there was only one.
    """

    start: float
    first_byte: float
    total: float
    arrived: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP round trip; `chunks` are the sizes in bytes of the body's network chunks.

    `key` is the fingerprint of the credentials it was asked with, see `fingerprint`; empty where
    nobody noted it.
    """

    request: Request
    response: Response
    timing: Timing | None = None
    chunks: tuple[int, ...] = ()
    turn: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Sdk:
    """The official SDK that spoke: its distribution name and version."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a cassette comes from; all of it unknown for a cassette of another tool.

    `test` is the test that has it by its mark, as `<its file, from the cassette's folder>::<name>`.
    `note` says what was done to a cassette that was made and not recorded.
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
    """All exchanges of one scenario with one target, in order, and where they come from."""

    exchanges: tuple[Exchange, ...]
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a scenario's author expects of one answer; an empty field expects nothing."""

    finish_reason: str = ""
    contains: tuple[str, ...] = ()
    json_schema: Mapping[str, LooseJson] | None = None
    pointers: tuple[str, ...] = ()
    tool_call: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One step carried out: what we asked, what the SDK returned, what travelled.

    `outcome` is None for a turn read back from a cassette without running an SDK. `step` is the
    number of the scenario's step, counted from 1.
    """

    number: int
    exchanges: tuple[Exchange, ...]
    call: Call | None = None
    outcome: Outcome | None = None
    expect: Expectation = Expectation()
    step: int = 0


@dataclass(frozen=True, slots=True)
class Transcript:
    """A scenario as one target lived it.

    `unplayed` are exchanges that a replay's cassette holds and nobody asked for. `skipped` says,
    in words, which steps were left out and why. `ignored` maps the name of a rule that does not
    apply here to the reason the scenario gives; if `selected` names any rules, only they apply;
    `severities` are those of rules that weigh more, or less, here than elsewhere.
    """

    scenario: str
    target: str
    turns: tuple[Turn, ...]
    provenance: Provenance = Provenance()
    unplayed: tuple[Exchange, ...] = ()
    skipped: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    source: str = ""
    selected: tuple[str, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=lambda: NOTHING)

    def exchanges(self) -> Iterator[Exchange]:
        """Every exchange of every turn, in the order they travelled."""
        for turn in self.turns:
            yield from turn.exchanges


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a transcript something is: turn, exchange and event count from 1.

    `offset` is the byte offset in the body of the response, or of the request if `request`: where
    the value begins that `pointer`, a JSON pointer (RFC 6901) into the body or event, leads to, or,
    if it is missing, the innermost value that should hold it.
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
    """One place where a rule is broken, in words a user can act on.

    `expected` and `found` are the two halves of the message, for programs and tables.
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
