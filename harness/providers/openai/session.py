"""OpenAI's SDK `openai`: a session, a parser, and helpers for SDKs of services in its format."""

from __future__ import annotations

import copy
import mimetypes
import tomllib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.analysis.endpoint import Endpoint, Role
from harness.analysis.reply import read_refusal
from harness.config.extras import extra
from harness.providers.http import bound_transport, tls_context
from harness.providers.retries import retry_after
from harness.providers.sdk import (
    EMPTY_STREAM,
    INVALID_KEY,
    EventLoop,
    Parser,
    RecordedRequest,
    access,
    dump,
    failure_of,
    outcome_as_shown,
    outcome_of,
    parameters_of,
)
from harness.types import (
    EMPTY,
    SETTINGS,
    Call,
    CallKind,
    ClientKind,
    ContentPart,
    Credentials,
    Failure,
    GeneratedFile,
    Medium,
    Message,
    Mode,
    Outcome,
    Reply,
    View,
)
from harness.wire import as_object, read_json

if TYPE_CHECKING:
    from harness.providers.provider import Sleep


def message(line: Message) -> dict[str, Any]:
    """Return *line* in OpenAI's format, as a new dict, since an SDK may change its arguments."""
    if line.sent:
        return copy.deepcopy(dict(line.sent))
    content = [_part(part) for part in line.parts] or line.content
    sent: dict[str, Any] = {"role": line.role, "content": content}
    if line.tool_calls:
        sent["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in line.tool_calls
        ]
    if line.tool_call_id:
        sent["tool_call_id"] = line.tool_call_id
    if line.reasoning:
        sent["reasoning_content"] = line.reasoning
    return sent


def _part(part: ContentPart) -> dict[str, Any]:
    """Return a part of a message's content; a file is sent in it, coded as base64."""
    if part.medium is Medium.TEXT:
        return {"type": "text", "text": part.value, **part.members}
    if part.medium is not Medium.AUDIO:
        name = f"{part.medium}_url"
        return {"type": name, name: {"url": data_url(part)}, **part.members}
    audio = {"data": base64_of(part), "format": Path(part.value).suffix.lstrip(".") or "wav"}
    return {"type": "input_audio", "input_audio": audio, **part.members}


def base64_of(part: ContentPart) -> str:
    """Return the file of *part* in base64; its value, such as a URL, if it has no file."""
    return part.value if part.path is None else b64encode(part.path.read_bytes()).decode()


def data_url(part: ContentPart) -> str:
    """Return the file of *part* as a `data:` URL; its value, a URL, if it has no file."""
    kind = mimetypes.guess_type(part.value)[0] or "application/octet-stream"
    return part.value if part.path is None else f"data:{kind};base64,{base64_of(part)}"


def settings_in(body: dict[str, Any]) -> dict[str, Any]:
    """Remove the SDK's parameters, such as `extra_body` and `timeout`, from *body*; return them."""
    return {name: body.pop(name) for name in sorted(SETTINGS) if name in body}


def arguments(
    function: Callable[..., Any], body: dict[str, Any], settings: Mapping[str, Any] = EMPTY
) -> dict[str, Any]:
    """Return the keyword arguments with which an SDK's *function* sends the JSON body *body*.

    They are copies, because an SDK may change its arguments. A member of *body* that is no argument
    of the function becomes a member of its argument `extra_body`. *settings* are further arguments,
    such as `timeout`.
    """
    known = parameters_of(function).keys() - SETTINGS
    members = copy.deepcopy(body)
    sent: dict[str, Any] = {name: value for name, value in members.items() if name in known}
    extra = {name: value for name, value in members.items() if name not in known}
    sent |= copy.deepcopy(dict(settings))
    extra |= sent.pop("extra_body", {})
    return {**sent, "extra_body": extra} if extra else sent


WRONG_KEY = "sk-00000000000000000000000000000000"
"""An invalid API key in the usual format."""

# The access paths in the examples of OpenAI's documentation.


@dataclass(frozen=True, slots=True)
class SdkOperation:
    """An endpoint as a function of the SDK `openai` or `anthropic`: how to call and read it.

    Attributes:
        path: The path that the SDK appends to the base URL.
        function: The function of a client, such as `chat.completions.create`; empty if the SDK has
            none.
        body: Returns the JSON body of a call, without `stream`.
        shown: The access paths by which the documentation's examples read the result, such as
            `choices[0].message.content`.
        sdk: The name of the SDK's package.
        classes: The names of the SDK's client and of the base class of its exceptions.
        other_base: A part of the base URL, and the text that replaces it for this operation.
    """

    path: str
    function: str
    body: Callable[[Call], dict[str, Any]]
    shown: tuple[str, ...] = ()
    sdk: str = "openai"
    classes: tuple[str, str] = ("OpenAI", "OpenAIError")
    other_base: tuple[str, str] = ("", "")

    @property
    def module(self) -> Any:
        """The SDK's package."""
        return import_module(self.sdk)

    def ask(self, client: Any, body: dict[str, Any], settings: Mapping[str, Any] = EMPTY) -> Any:
        """Call the function of *client* with a JSON body; return the SDK's object or its stream.

        Without a function, the body is posted to the path. *settings* are further arguments of the
        function, such as `extra_query`.
        """
        if not self.function:
            return client.post(self.url(str(client.base_url)), cast_to=object, body=body)
        create = attrgetter(self.function)(client)
        return create(**arguments(create, body, settings))

    def url(self, base: str) -> str:
        """Return the URL of this operation at a service with the base URL *base*.

        It is *base*, changed as `other_base` says, followed by `path`.
        """
        return base.rstrip("/").replace(*self.other_base) + self.path


class OpenAISession:
    """A session with a service through clients of `openai` or `anthropic` that do not retry."""

    def __init__(
        self,
        base_url: str,
        operations: Mapping[CallKind, tuple[Endpoint, SdkOperation]],
        key: str,
        address: str,
        _: Sleep,
    ) -> None:
        """Prepare a session.

        Args:
            base_url: The base URL of the service.
            operations: The endpoint and the SDK's function for each kind of call.
            key: The API key.
            address: Another base URL; "" for *base_url*.
            _: Waits for a number of seconds; not used, since there are no tasks.
        """
        self._keys = {Credentials.OWN: key, Credentials.WRONG: WRONG_KEY}
        self._base_url = address or base_url
        self._operations = operations
        self._clients: dict[tuple[Credentials, ClientKind], Any] = {}
        self._open = ExitStack()
        self._loop: EventLoop | None = None

    def __enter__(self) -> Self:
        for _, operation in self._operations.values():
            with extra(operation.sdk):
                import_module(operation.sdk)  # here, before threads need it
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def send(self, call: Call) -> Outcome:
        """Make a call and return its outcome; an exception of the SDK is returned as a Failure."""
        endpoint, operation = self._operations[call.kind]
        client, views = self._client(call, operation), list[View]()
        body = operation.body(call)
        settings = settings_in(body)
        if call.mode is Mode.STREAM:
            body["stream"] = True
        try:
            if self._loop is not None and call.client is ClientKind.ASYNC:
                answer = self._loop.run(_answered_async(operation, client, body, settings, views))
            else:
                answer = _answered(operation, client, body, settings, views)
            if call.mode is Mode.STREAM:
                if not views:
                    return EMPTY_STREAM
                return outcome_of(endpoint, views, body, streamed=True)
            if endpoint.speaks:
                return audio_reply(answer.content)
        except getattr(operation.module, operation.classes[1]) as error:
            return _failure(error, operation, endpoint, views)
        view = View(_copied(answer, exclude_unset=True), access(answer, operation.shown))
        return outcome_of(endpoint, [view])

    def _client(self, call: Call, operation: SdkOperation) -> Any:
        """Return the SDK client for the credentials of *call*, creating it on first use."""
        key = (call.credentials, call.client)
        if key in self._clients:
            return self._clients[key]
        module, is_async = operation.module, call.client is ClientKind.ASYNC
        prefixes = ("Async", "DefaultAsync") if is_async else ("", "Default")
        http_class = getattr(module, f"{prefixes[1]}HttpxClient")
        client = getattr(module, prefixes[0] + operation.classes[0])(
            api_key=self._keys[call.credentials],
            base_url=self._base_url,
            max_retries=0,
            http_client=http_class(verify=tls_context()),
        )
        if is_async:
            self._loop = loop = self._loop or self._open.enter_context(EventLoop())
            self._open.callback(lambda: loop.run(client.close()))
        else:
            self._open.enter_context(client)
        self._clients[key] = client
        return client


def _answered(
    operation: SdkOperation,
    client: Any,
    body: dict[str, Any],
    settings: Mapping[str, Any],
    views: list[View],
) -> Any:
    """Return the SDK's object; of a stream, copy each object to *views*."""
    answer = operation.ask(client, body, settings)
    if body.get("stream"):
        with answer as stream:
            views.extend(View(_copied(event, exclude_unset=True)) for event in stream)
    return answer


async def _answered_async(
    operation: SdkOperation,
    client: Any,
    body: dict[str, Any],
    settings: Mapping[str, Any],
    views: list[View],
) -> Any:
    """Do as `_answered`, with an asynchronous client."""
    answer = await operation.ask(client, body, settings)
    if body.get("stream"):
        async with answer as stream:
            async for event in stream:
                views.append(View(_copied(event, exclude_unset=True)))  # noqa: PERF401 - on failure
    return answer


def _copied(thing: Any, **options: Any) -> Any:
    """Return an SDK's object as JSON.

    `openai` declares the times of a response as floats; whole numbers are integers in JSON, too.
    """
    value: Any = dump(thing, **options)
    for holder in map(as_object, (value, as_object(value).get("response"))):
        for name in ("created_at", "completed_at"):
            time = holder.get(name)
            if isinstance(time, float) and time.is_integer():
                holder[name] = int(time)
    return value


def audio_reply(data: bytes) -> Reply:
    """Return a reply whose only content is the sound file *data*."""
    return Reply(files=(GeneratedFile("", data, Medium.AUDIO),))


def chat_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a chat, without `stream`."""
    messages = [message(line) for line in call.messages]
    return {"model": call.model, "messages": messages, **call.parameters}


def embeddings_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call for embeddings."""
    texts = [part.value for part in call.inputs] or call.prompt
    return {"model": call.model, "input": texts, **call.parameters}


def float_embeddings_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call for embeddings, with a number for each dimension.

    The SDK would ask for base64, which no reader can review.
    """
    return {"encoding_format": "float", **embeddings_body(call)}


def ranking_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call for a ranking."""
    documents = [part.value for part in call.inputs]
    return {"model": call.model, "query": call.prompt, "documents": documents, **call.parameters}


def prompt_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call with a prompt."""
    return {"model": call.model, "prompt": call.prompt, **call.parameters}


def speech_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call for speech."""
    return {"model": call.model, "input": call.prompt, **call.parameters}


def transcription_body(call: Call) -> dict[str, Any]:
    """Return the fields of the form of a call for a transcription, with the audio file."""
    path = call.inputs[0].path or Path(call.inputs[0].value)
    return {"model": call.model, "file": (path.name, path.read_bytes()), **call.parameters}


BODIES: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    body.__name__: body
    for body in (
        *(chat_body, embeddings_body, float_embeddings_body, ranking_body, prompt_body),
        *(speech_body, transcription_body),
    )
}
"""The functions that return the body of a call, by their names."""


def read_operations(
    file: Path, bodies: Mapping[str, Callable[[Call], dict[str, Any]]] = BODIES
) -> dict[str, tuple[str, SdkOperation]]:
    """Return the operations in a TOML file, each as (kind of call, operation), by endpoint.

    A key is the part of the endpoint's name after the dot: `chat` for `compatible.chat`. The kind
    is the value of a `CallKind`, such as `embedding`; "" if scenarios do not call the endpoint.

    Args:
        file: The file, such as `functions.toml` beside this module.
        bodies: The functions that return the body of a call, by the names used in the file.
    """
    return {
        name: (
            row.get("kind", ""),
            SdkOperation(
                row["path"],
                row.get("function", ""),
                bodies[row["body"]],
                tuple(row.get("shown", ())),
            ),
        )
        for name, row in tomllib.loads(file.read_text(encoding="utf-8")).items()
    }


OPERATIONS: Mapping[str, tuple[CallKind, SdkOperation]] = {
    name: (CallKind(kind), operation)
    for name, (kind, operation) in read_operations(
        Path(__file__).with_name("functions.toml")
    ).items()
}
"""The kind of call and the SDK's function for each endpoint, by the end of its name."""


def _failure(
    error: Any, operation: SdkOperation, endpoint: Endpoint, views: Sequence[View]
) -> Failure:
    """Return the SDK's exception as a failure, with *views*, the objects received before it."""
    if isinstance(error, operation.module.APIStatusError) and error.status_code >= 400:
        response = error.response
        refusal = _refusal(error, endpoint)
        whole = read_json(response.content).value  # which the exception has as its response
        (view,) = refusal.views
        members = {**whole, **view.value} if isinstance(whole, dict) else view.value
        return replace(
            refusal,
            views=(View(members),),
            message=refusal.message or response.text[:200],
            request_id=refusal.request_id or response.headers.get("x-request-id"),
            retry_after=retry_after(response.headers.get("retry-after")),
        )
    if isinstance(error, operation.module.APIError) and isinstance(error.body, dict):
        body = error.body if "error" in error.body else {"error": error.body}
        return replace(read_refusal(endpoint, 200, body), views=tuple(views))
    return replace(failure_of(error), views=tuple(views))


# ------------------------------------------------------------------------------------- parsing


def _parse(operations: Mapping[str, SdkOperation], request: RecordedRequest) -> Outcome:
    """Send a recorded request with a new client that never retries; return what the SDK parses."""
    operation = operations[request.endpoint.name]
    module = operation.module
    http = module.DefaultHttpxClient(transport=bound_transport(_transport(module), request.address))
    with (
        getattr(module, operation.classes[0])(
            api_key=INVALID_KEY,
            base_url=request.base(operation.path),
            max_retries=0,
            timeout=request.timeout,
            http_client=http,
        ) as client,
    ):
        try:
            answer: Any = operation.ask(client, request.body)
            if not request.body.get("stream"):
                return outcome_as_shown(request.endpoint, [View(_copied(answer))])
            with answer:
                views = [View(_copied(event)) for event in answer]
        except module.APIError as error:
            if isinstance(error, module.APIStatusError) and error.status_code >= 400:
                return _refusal(error, request.endpoint)
            if not isinstance(error.body, dict):
                raise
            body = error.body if "error" in error.body else {"error": error.body}
            return read_refusal(request.endpoint, 200, body)
    return outcome_as_shown(request.endpoint, views, request.body, streamed=True)


def _transport(module: Any) -> Any:
    """Return the HTTPTransport class of the SDK's HTTP library, which is httpx or httpx2."""
    mro = module.DefaultHttpxClient.__mro__
    client = next(base for base in mro if base.__name__ == "Client")
    return import_module(client.__module__.partition(".")[0]).HTTPTransport


def _refusal(error: Any, endpoint: Endpoint) -> Failure:
    """Return the refusal that the SDK raised as *error*.

    OpenAI's exception has the member `error` of the body, that of Anthropic the whole body; all
    other members are read from its response.
    """
    given = error.body
    shown: dict[str, Any] = (
        given if isinstance(given, dict) and "error" in given else {"error": given}
    )
    rest = as_object(read_json(error.response.content).value)
    failure = read_refusal(endpoint, error.status_code, {**rest, **shown})
    return replace(failure, views=(View(shown),))


def parsers(endpoints: Iterable[Endpoint], operations: Sequence[SdkOperation]) -> Iterator[Parser]:
    """Yield a parser for each SDK of *operations*, with the *endpoints* that the SDK can request.

    An operation can request the endpoints whose paths end with the operation's path. Endpoints that
    take or return audio are not included.
    """
    answers = [
        e for e in endpoints if e.role is Role.ANSWER and e.method == "POST" and not e.speaks
    ]
    by_sdk: dict[str, dict[str, SdkOperation]] = {}
    for operation in operations:
        if operation.body is transcription_body:
            continue
        path = operation.path
        ends = (path, f"{path}s?")
        asked = (e.name for e in answers if e.path.pattern.endswith(ends) or e.path.fullmatch(path))
        by_sdk.setdefault(operation.sdk, {}).update(dict.fromkeys(asked, operation))
    errors = {operation.sdk: f"{operation.sdk}:{operation.classes[1]}" for operation in operations}
    for sdk, by_name in by_sdk.items():
        parse = partial(_parse, by_name)
        yield Parser(sdk, sdk, frozenset(by_name), parse, errors[sdk], sdk)
