"""The data types that all packages share.

Every type is frozen, and free of I/O, clocks and providers. A `Call` is a request to any provider.
A `Reply` or `Failure` is what the provider's SDK returned for it. An `Exchange` is one HTTP request
with its response. A `Turn` has all three, so that the SDK can be checked against the raw HTTP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A decoded JSON value."""

EMPTY: Mapping[str, Any] = MappingProxyType({})
"""An immutable empty mapping, for use as a default."""


Progress: TypeAlias = Callable[[str], None]
"""A function that gets a line of text about the step that is being executed."""


class Verbosity(IntEnum):
    """The amount of a report that is printed.

    Attributes:
        QUIET: Errors, problems and the result.
        NORMAL: Long lists shortened; without comparisons of the targets.
        FULL: Everything.
    """

    QUIET = 0
    NORMAL = 1
    FULL = 2


class CallKind(StrEnum):
    """The kind of output that a call requests.

    `CHAT` and `PROMPT` both request a text: for a conversation of messages, or for a single prompt.
    """

    CHAT = "chat"
    PROMPT = "prompt"
    IMAGE = "image"
    VIDEO = "video"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"


class Mode(StrEnum):
    """The delivery of a response: one body, a stream of events, or a task that is polled."""

    SYNC = "sync"
    STREAM = "stream"
    ASYNC = "async"


class Credentials(StrEnum):
    """The API key that a call is sent with.

    `OWN` is the user's key; `WRONG` a well-formed but invalid one, to test the refusal.
    """

    OWN = "own"
    WRONG = "wrong"


class ClientKind(StrEnum):
    """The kind of the SDK's client that makes a call: blocking (`SYNC`) or asyncio (`ASYNC`)."""

    SYNC = "sync"
    ASYNC = "async"


class Reasoning(StrEnum):
    """The reasoning of earlier answers that a call sends back to the model.

    `kept` sends all of it, `dropped` none, and `loop` only that after the last message of the user:
    the reasoning between tool calls and their results.
    """

    KEPT = "kept"
    LOOP = "loop"
    DROPPED = "dropped"


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

    Attributes:
        provider: The name of the provider, such as `zhipuai`.
        model: The name of the model, such as `glm-4`.
        label: A word that distinguishes targets of the same model; usually empty.
        parameters: Parameters that are added to those of each call.
        endpoint: The endpoint to call, such as `multimodal`; empty for the one of the model.
        base_url: The base URL of the live service; empty for the provider's own.
        client: The kind of the SDK's client.
        sdk: The SDK, by its name on PyPI; empty for the provider's usual one.
    """

    provider: str
    model: str
    label: str = ""
    parameters: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    endpoint: str = ""
    base_url: str = ""
    client: ClientKind = ClientKind.SYNC
    sdk: str = ""

    def __str__(self) -> str:
        label = f" ({self.label})" if self.label else ""
        return f"{self.provider}/{self.model}{label}"

    @property
    def slug(self) -> str:
        """The target as part of a file name, such as `dashscope-qwen-plus-incremental`."""
        parts = [self.provider, self.model, self.label]
        text = "-".join(part for part in parts if part)
        return re.sub(r"[^\w.-]", "-", text)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call requested by the model.

    Attributes:
        id: The identifier of the call, by which its result is sent.
        name: The name of the function.
        arguments: The arguments as unparsed JSON text.
    """

    id: str
    name: str
    arguments: str


def shorten(text: str, length: int = 100) -> str:
    """Return *text*, with `…` in place of its middle if it is longer than *length* characters."""
    half = length // 2
    return text if len(text) <= length else f"{text[:half]}…{text[1 - half :]}"


class Medium(StrEnum):
    """The medium of a part of a message."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class ContentPart:
    """A part of a message's content: a text, or an image, audio or video by URL or file.

    Attributes:
        medium: Whether the part is a text, an image, an audio or a video.
        value: The text, the URL, or the file's name as the scenario gives it.
        path: The file; None for a text or URL.
        members: Further JSON members that the part gets in the request, such as `cache_control`.
    """

    medium: Medium
    value: str
    path: Path | None = None
    members: Mapping[str, Json] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as it is sent to the provider.

    Attributes:
        role: `system`, `user`, `assistant` or `tool`.
        content: The text; of a content in parts, the texts of the parts.
        tool_calls: The function calls of an assistant's message.
        tool_call_id: In a message of role `tool`, the `id` of the call whose result it is.
        reasoning: The reasoning of an assistant's message, if it is sent back.
        parts: The parts of the content, if it is sent as a list of parts.
        signature: The signature by which the provider recognises this reasoning; usually empty.
        sent: The whole message as JSON, which is sent unchanged to a provider that uses the same
            message format; usually empty.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""
    parts: tuple[ContentPart, ...] = ()
    signature: str = ""
    sent: Mapping[str, Json] = field(default_factory=lambda: EMPTY)

    @property
    def text(self) -> str:
        """The content for a reader: the text, and a line for each image, audio and video."""
        lines = (
            part.value if part.medium is Medium.TEXT else f"[{part.medium}: {shorten(part.value)}]"
            for part in self.parts
        )
        return "\n".join(lines) if self.parts else self.content


@dataclass(frozen=True, slots=True)
class Poll:
    """The polling of an async call's task.

    Attributes:
        interval: The seconds between two polls.
        limit: The maximum number of polls.
        timeout: The maximum number of seconds from the submission to the last poll.
    """

    interval: float = 2.0
    limit: int = 40
    timeout: float = math.inf

    @property
    def polls_in_time(self) -> int:
        """The number of polls that fit into `timeout` and `limit`; at least 1.

        The time that each poll itself takes is not counted.
        """
        fits = self.timeout / self.interval if self.interval else math.inf
        return max(1, int(min(fits, self.limit)))


SETTINGS = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})
"""Parameters that configure a request and are not members of its body; SDKs have them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to any provider; the provider's session passes it to the SDK.

    Attributes:
        kind: The kind of output that is requested.
        mode: The delivery of the response.
        model: The name of the model.
        messages: The messages of a chat; empty for other kinds.
        prompt: The text of a call that is not a chat: a prompt, a text to embed or to speak, the
            description of an image or video, or the query of a ranking. Empty for a chat.
        parameters: The parameters, passed on unchanged.
        poll: How the task of an async call is polled.
        credentials: The API key to send.
        endpoint: The endpoint to call, such as `multimodal`; empty for the one of the model.
        inputs: What a call that is not a chat sends besides the prompt: texts or images to embed,
            documents to rank, images to change, audio to transcribe.
        client: The kind of the SDK's client that makes the call.
        sdk: The SDK, by its name on PyPI; empty for the provider's usual one.
    """

    kind: CallKind
    mode: Mode
    model: str
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    parameters: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    poll: Poll = Poll()
    credentials: Credentials = Credentials.OWN
    endpoint: str = ""
    inputs: tuple[ContentPart, ...] = ()
    client: ClientKind = ClientKind.SYNC
    sdk: str = ""

    @property
    def members(self) -> dict[str, Json]:
        """The parameters that are members of the request body, with those in `extra_body`.

        Settings of the SDK, such as `timeout`, are left out.
        """
        given = {name: value for name, value in self.parameters.items() if name not in SETTINGS}
        extra = self.parameters.get("extra_body")
        return {**given, **(extra if isinstance(extra, dict) else {})}

    @property
    def task_kind(self) -> str:
        """The kind of the call, such as `image`; `image async` if its result has to be polled."""
        return f"{self.kind} {self.mode}" if self.mode is Mode.ASYNC else str(self.kind)

    @property
    def parts(self) -> tuple[ContentPart, ...]:
        """The inputs; if there are none, the prompt as the only part."""
        return self.inputs or (ContentPart(Medium.TEXT, self.prompt),)

    @property
    def media(self) -> tuple[ContentPart, ...]:
        """The inputs that are images, audio or videos."""
        return tuple(part for part in self.inputs if part.medium is not Medium.TEXT)

    @property
    def has_reasoning(self) -> bool:
        """Whether a message has the reasoning of an earlier answer."""
        return any(message.reasoning for message in self.messages)


def with_reasoning(call: Call, reasoning: Reasoning) -> Call:
    """Return *call* with only the earlier reasoning in its messages that is to be sent.

    *reasoning* says which; in all other messages it becomes empty.
    """
    if not call.has_reasoning:
        return call
    asked = [number for number, message in enumerate(call.messages) if message.role == "user"]
    last = asked[-1] if asked else -1
    kept = tuple(
        message
        if not message.reasoning
        or reasoning is Reasoning.KEPT
        or (reasoning is Reasoning.LOOP and number > last)
        else replace(message, reasoning="")
        for number, message in enumerate(call.messages)
    )
    return replace(call, messages=kept)


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts that the provider reported; a count is None if it was not reported.

    Attributes:
        input_tokens: The tokens of the request.
        output_tokens: The tokens of the answer.
        total_tokens: The sum, as the provider reported it.
        cache_read: Input tokens that were read from a cache. This and the following counts are set
            only if `input_tokens` does not include them, as in Anthropic's format; otherwise 0.
        cache_write: Input tokens that were written to a cache for 5 minutes.
        cache_write_hour: Input tokens that were written to a cache for an hour.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read: int = field(default=0, kw_only=True)
    cache_write: int = field(default=0, kw_only=True)
    cache_write_hour: int = field(default=0, kw_only=True)

    @property
    def cached(self) -> int:
        """The number of input tokens, read from or written to a cache, not in `input_tokens`."""
        return self.cache_read + self.cache_write + self.cache_write_hour


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A generated image, video or sound, or a transcript of a sound.

    Attributes:
        url: The URL in the response; empty if the response is the file.
        data: The bytes of the file; None until it is downloaded.
        medium: Whether the file is an image, a video, a sound or (as text) a transcript.
    """

    url: str
    data: bytes | None = field(default=None, repr=False)
    medium: Medium = Medium.IMAGE


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document of a ranking: its index in the request, from 0, and its relevance score."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class View:
    """The object that the SDK returned for one HTTP response or event, copied to JSON.

    Attributes:
        value: The object as JSON.
        accessed: Maps each documented access path, such as `choices[0].message.content`, to the
            value that the SDK's own object has there, or to an `AccessFailure`.
    """

    value: Any
    accessed: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class AccessFailure:
    """An error that was raised by evaluating an access path on an SDK's object.

    Attributes:
        error: The error, as `<type>: <message>`.
    """

    error: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several choices in a response (parameter `n`).

    Attributes:
        index: The index of the choice, from 0.
        content: The text; None if the provider sent none.
        reasoning: The text of the model's reasoning; None if the provider sent none.
        tool_calls: The function calls that the model requests.
        finish_reason: The reason why the model stopped; None if the provider sent none.
    """

    index: int
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response, with fields named as in the OpenTelemetry GenAI conventions.

    Attributes:
        id: The identifier of the response.
        model: The model that answered, by the response.
        content: The text of the first choice; None if the provider sent none.
        reasoning: The reasoning of the first choice; None if the provider sent none.
        tool_calls: The function calls of the first choice.
        finish_reason: The finish reason of the first choice.
        usage: The token counts; None if the provider sent none.
        files: The generated images, videos and sounds.
        vectors: The embeddings, in the order of the response.
        ranking: The ranked documents, in the order of the response.
        task_id: The identifier of the task of an async call.
        states: The states of that task, in the order of polling.
        pieces: The streamed texts in order, as the SDK returned them.
        cumulative: Whether each piece is the whole text so far; otherwise it is only the new text.
        views: The SDK's objects, copied to JSON: one for each response or event.
        other_choices: The choices after the first.
        signature: The provider's signature of the reasoning, which is sent back with it.
        characters: The number of characters that are charged; None if the provider sent none.
    """

    id: str | None = None
    model: str | None = None
    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    files: tuple[GeneratedFile, ...] = ()
    vectors: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    ranking: tuple[Ranked, ...] = ()
    task_id: str | None = None
    states: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    cumulative: bool = False
    views: tuple[View, ...] = field(default=(), repr=False)
    other_choices: tuple[Choice, ...] = ()
    signature: str = ""
    characters: int | None = None

    @property
    def images(self) -> tuple[GeneratedFile, ...]:
        """The generated images."""
        return tuple(file for file in self.files if file.medium is Medium.IMAGE)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All choices, in the order of their indices."""
        own = Choice(0, self.content, self.reasoning, self.tool_calls, self.finish_reason)
        return (own, *self.other_choices)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error response of the provider. It is data, since it is recorded, checked and compared.

    Attributes:
        status: The HTTP status, or the status in an error event; 0 if no response arrived.
        code: The provider's error code; empty if it sent none.
        message: The provider's error message.
        request_id: The provider's identifier of the request; None if it sent none.
        retry_after: The value of the header Retry-After in seconds; None if it was not sent.
        views: The SDK's objects, copied to JSON: one for each response or event.
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
    """One HTTP request; in a cassette, secrets are removed.

    Attributes:
        method: The method, such as `POST`.
        uri: The absolute URI.
        headers: Pairs of name and value, in the order in which they were sent.
        body: The bytes of the body.
    """

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A response body stored as a file beside its cassette.

    Attributes:
        name: The file name, `<sha256>.<extension>`.
        size: The size in bytes.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response, with its content coding decoded; in a cassette, secrets are removed.

    Attributes:
        status: The HTTP status.
        reason: The reason phrase; may be empty.
        headers: Pairs of name and value, in the order in which they were received.
        body: The bytes of the body.
        artefact: The file that replaces the body in the text of a cassette; None if the body is in
            the text, or was loaded from the file.
    """

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    artefact: Artefact | None = None

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name* (in any case); None if it is absent."""
        wanted = name.lower()
        for own, value in self.headers:
            if own.lower() == wanted:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of an exchange.

    Attributes:
        start: The start of the request, in seconds since 1970 (UTC).
        first_byte: The arrival of the body's first chunk, in seconds after `start`.
        total: The end of the response, in seconds after `start`.
        arrived: The arrival of each chunk of the body, in seconds after `start`; empty if there
            was only one chunk.
    """

    start: float
    first_byte: float
    total: float
    arrived: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CodedBody:
    """A response body as it was sent, if its content coding was undone for the cassette.

    Attributes:
        coding: The value of the header Content-Encoding, such as `gzip`.
        body: The bytes as they were sent; empty if they would show a secret.
        chunks: The sizes in bytes of the chunks in which they arrived.
        length: The value of the header Content-Length; None if it was not sent.
    """

    coding: str
    body: bytes = field(default=b"", repr=False)
    chunks: tuple[int, ...] = ()
    length: int | None = None


class NetworkError(StrEnum):
    """The kinds of network failures that end an exchange."""

    NAME = "name not resolved"
    REFUSED = "connection refused"
    UNREACHABLE = "no connection"
    TLS = "TLS handshake failed"
    PROXY = "proxy failed"
    CONNECT_TIMEOUT = "connect timeout"
    READ_TIMEOUT = "read timeout"
    WRITE_TIMEOUT = "write timeout"
    POOL_TIMEOUT = "no free connection"
    TIMEOUT = "timeout"
    RESET = "connection reset"
    WRITE = "sending failed"
    CLOSED = "connection closed"
    PROTOCOL = "invalid response"
    REQUEST = "invalid request"
    SCHEME = "unsupported protocol"


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """The network failure that ended an exchange.

    Attributes:
        kind: The kind of failure.
        message: The message of the HTTP library's error.
    """

    kind: NetworkError
    message: str = ""


SANDBOX_MARK = "x-sandbox"
"""The header that is in every response of the sandbox, and that no real service sends."""

NO_STATUS = 0
"""The status of an exchange that a network failure ended before a response arrived."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request with its response.

    Attributes:
        request: The request.
        response: The response; after a network failure the part of it that arrived, or only the
            status `NO_STATUS` if none did.
        timing: The times; None if they were not recorded.
        chunks: The sizes in bytes of the chunks in which the response body arrived; empty if they
            were not recorded.
        turn: The number of the turn that the exchange belongs to, from 1; None if it is not known.
        key: The fingerprint of the API key (see `harness.secrets`); empty if it was not recorded.
        coded: The response body as it was sent; None if it is the body of `response`.
        broken_off: The network failure that ended the exchange; None if the response is complete.
    """

    request: Request
    response: Response
    timing: Timing | None = None
    chunks: tuple[int, ...] = ()
    turn: int | None = None
    key: str = ""
    coded: CodedBody | None = None
    broken_off: BrokenOff | None = None


@dataclass(frozen=True, slots=True)
class Sdk:
    """The distribution name and version of the SDK used for a recording."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a cassette; every field is empty for a cassette of another tool.

    Attributes:
        recorded_from: The kind of server that it was recorded from.
        recorded_at: The time of the recording, in ISO 8601.
        scenario: The name of the scenario; empty for a cassette of `use_cassette` or a test.
        target: The target as text, such as `zhipuai/glm-5.3-flash`.
        address: The base URL of the server.
        sdk: The SDK that made the requests.
        script: A digest of each step of the scenario, to detect that the scenario changed.
        volatile: JSON pointers into request bodies that are ignored when requests are matched.
        test: The test that the cassette belongs to, as
            `<file, relative to the cassette's folder>::<name>`.
        note: A remark on a cassette that was edited or generated.
        parent: The recording whose conversation this one continues, as
            `<scenario>/<target>@<turn>`; empty if there is none.
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
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Cassette:
    """The recorded exchanges of one cassette file, in the order of their requests."""

    exchanges: tuple[Exchange, ...]
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expectations of a scenario for one response; an empty field is not checked.

    Attributes:
        finish_reason: The finish reason.
        contains: Texts that the response must contain.
        json_schema: A JSON Schema for the text of the response, read as JSON.
        pointers: JSON pointers that must exist in the response body.
        tool_call: The name of a function that the model must call.
        states: The states of the task in order, each once.
        failure: The error code of the expected failure.
    """

    finish_reason: str = ""
    contains: tuple[str, ...] = ()
    json_schema: Mapping[str, Json] | None = None
    pointers: tuple[str, ...] = ()
    tool_call: str = ""
    states: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One executed step of a scenario.

    Attributes:
        number: The number of the turn, from 1.
        exchanges: The HTTP exchanges of the step.
        call: The call; None for a turn that was read from a cassette without running an SDK.
        outcome: What the SDK returned or raised; None if no SDK was run.
        expect: What the scenario expects of the response.
        step: The number of the step in the scenario, from 1; 0 if there is no scenario.
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
        scenario: The name of the scenario.
        target: The target as text, such as `zhipuai/glm-5.3-flash`.
        turns: The executed steps, in order.
        provenance: The provenance of the cassette.
        unused: Exchanges of the replayed cassette whose requests were not made.
        skipped: A sentence for each skipped step, with the reason.
        ignored: Names of rules that do not apply, each with the reason given by the scenario.
        source: The path of the cassette.
        selected: Names of the rules that apply; empty for all rules.
        severities: The severity of each named rule, which replaces the rule's own.
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
    """A position in a transcript.

    Attributes:
        turn: The number of the turn, from 1; None for the whole transcript.
        exchange: The number of the exchange in its turn, from 1; None for the whole turn.
        event: The number of the event in a stream, from 1; None outside of a stream.
        offset: The byte offset, in the body, of the value at `pointer` or, if that value does not
            exist, of its nearest existing ancestor; None if it is not known.
        pointer: A JSON pointer (RFC 6901) into the body or event.
        request: Whether the body is the request's; otherwise it is the response's.
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

    Attributes:
        message: The text of the finding.
        place: The position in the transcript.
        rule: The name of the rule.
        severity: The severity.
        scenario: The name of the scenario.
        target: The target as text, such as `zhipuai/glm-5.3-flash`.
        source: The path of the cassette.
        expected: What the rule expects, as a text; a part of `message`.
        actual: What was in the recording instead, as a text; a part of `message`.
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


@dataclass(frozen=True, slots=True)
class Problem:
    """The reason why a scenario and target could not be recorded, read or replayed.

    Attributes:
        scenario: The name of the scenario.
        target: The target as text, such as `zhipuai/glm-5.3-flash`.
        text: The error message.
    """

    scenario: str
    target: str
    text: str
