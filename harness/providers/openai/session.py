"""OpenAI's SDK `openai`: a session, a parser, and helpers for SDKs of services in its format."""

from __future__ import annotations

import copy
import inspect
import mimetypes
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.analysis.endpoint import Endpoint
from harness.analysis.reply import read_refusal
from harness.config.extras import extra
from harness.providers.http import bound_transport, tls_context
from harness.providers.openai.endpoints import FIELDS
from harness.providers.retries import retry_after
from harness.providers.sdk import (
    EMPTY_STREAM,
    KEY,
    Parser,
    RecordedRequest,
    access,
    dump,
    failure_of,
    outcome_as_shown,
    outcome_of,
)
from harness.types import (
    Call,
    CallKind,
    ContentPart,
    Credentials,
    Failure,
    Medium,
    Message,
    Mode,
    Outcome,
    View,
)
from harness.wire import read_json

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI, OpenAIError

    from harness.providers.provider import Sleep

OPERATION = "/chat/completions"
"""The path that the SDK appends to the base URL."""

SETTINGS = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})
"""Arguments of SDK functions that configure the request and are not members of its body."""


def message(line: Message) -> dict[str, Any]:
    """Return a message in OpenAI's format, as a new dict: an SDK may change its arguments."""
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
    """Return the file of *part* as base64, or its URL."""
    return part.value if part.path is None else b64encode(part.path.read_bytes()).decode()


def data_url(part: ContentPart) -> str:
    """Return the file of *part* as a `data:` URL, or its URL."""
    kind = mimetypes.guess_type(part.value)[0] or "application/octet-stream"
    return part.value if part.path is None else f"data:{kind};base64,{base64_of(part)}"


def arguments(function: Callable[..., Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments with which an SDK's function sends *body*.

    They are copies, because an SDK may change its arguments. Members that the function has no
    argument for are in `extra_body`.
    """
    known = inspect.signature(function).parameters.keys() - SETTINGS
    members = copy.deepcopy(body)
    sent: dict[str, Any] = {name: value for name, value in members.items() if name in known}
    extra = {name: value for name, value in members.items() if name not in known}
    return {**sent, "extra_body": extra} if extra else sent


WRONG_KEY = "sk-00000000000000000000000000000000"
"""An invalid API key in the usual format."""

# The access paths in the examples of OpenAI's documentation.
ANSWER_PATHS = ("choices[0].message.content",)
EMBEDDING_PATHS = ("data[0].embedding[0]",)


class OpenAISession:
    """A session with a service in OpenAI's format, through SDK clients that do not retry."""

    def __init__(
        self,
        base_url: str,
        endpoints: tuple[Endpoint, ...],
        key: str,
        address: str,
        _: Sleep,
    ) -> None:
        """Prepare a session.

        Args:
            base_url: The base URL of the service.
            endpoints: The endpoint of its chats, that of its embeddings, and any others.
            key: The API key.
            address: Another base URL; "" for *base_url*.
            _: Waits for a number of seconds; not used, since there are no tasks.
        """
        self._keys = {Credentials.OWN: key, Credentials.WRONG: WRONG_KEY}
        self._base_url = address or base_url
        self._chat, self._embeddings, *_others = endpoints
        self._clients: dict[Credentials, OpenAI] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with extra("openai"):
            import openai  # noqa: F401 - here, before threads need it

        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def send(self, call: Call) -> Outcome:
        """Make a call and return its outcome; an exception of the SDK is returned as a Failure."""
        from openai import OpenAIError

        client, views = self._client(call.credentials), list[View]()
        endpoint = self._embeddings if call.kind is CallKind.EMBEDDING else self._chat
        try:
            if call.mode is Mode.STREAM:
                return self._stream(client, call, views)
            answer = _ask(client, endpoint is self._embeddings, _body(call))
        except OpenAIError as error:
            return _failure(error, endpoint, views)
        paths = EMBEDDING_PATHS if endpoint is self._embeddings else ANSWER_PATHS
        view = View(dump(answer, exclude_unset=True), access(answer, paths))
        return outcome_of(endpoint, [view])

    def _client(self, credentials: Credentials) -> OpenAI:
        """Return the SDK client for these credentials, creating it on first use."""
        from openai import DefaultHttpxClient, OpenAI

        if credentials not in self._clients:
            client = OpenAI(
                api_key=self._keys[credentials],
                base_url=self._base_url,
                max_retries=0,
                http_client=DefaultHttpxClient(verify=tls_context()),
            )
            self._clients[credentials] = self._open.enter_context(client)
        return self._clients[credentials]

    def _stream(self, client: OpenAI, call: Call, views: list[View]) -> Outcome:
        """Return the outcome of a streamed chat; its chunks are added to *views* as they arrive."""
        body = {**_body(call), "stream": True}
        with _ask(client, False, body) as stream:
            views.extend(View(dump(chunk, exclude_unset=True)) for chunk in stream)
        return outcome_of(self._chat, views, body, streamed=True) if views else EMPTY_STREAM


def _body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call, without `stream`."""
    if call.kind is CallKind.EMBEDDING:
        # A number for each dimension: the SDK would ask for base64, which no reader can review.
        return {
            "model": call.model,
            "input": call.prompt,
            "encoding_format": "float",
            **call.parameters,
        }
    messages = [message(line) for line in call.messages]
    return {"model": call.model, "messages": messages, **call.parameters}


def _ask(client: OpenAI, embeddings: bool, body: dict[str, Any]) -> Any:
    create: Callable[..., Any] = (
        client.embeddings.create if embeddings else client.chat.completions.create
    )
    return create(**arguments(create, body))


def _failure(error: OpenAIError, endpoint: Endpoint, views: Sequence[View]) -> Failure:
    """Return the SDK's exception as a failure, with *views*, the objects received before it."""
    from openai import APIError, APIStatusError

    if isinstance(error, APIStatusError):
        response = error.response
        refusal = _refusal(error, endpoint)
        return replace(
            refusal,
            message=refusal.message or response.text[:200],
            request_id=refusal.request_id or response.headers.get("x-request-id"),
            retry_after=retry_after(response.headers.get("retry-after")),
        )
    if isinstance(error, APIError) and isinstance(error.body, dict):
        return replace(read_refusal(endpoint, 200, {"error": error.body}), views=tuple(views))
    return replace(failure_of(error), views=tuple(views))


# ------------------------------------------------------------------------------------- parsing


def _parse(request: RecordedRequest) -> Outcome:
    """Send a recorded request with a new client that never retries; return what the SDK parses."""
    from openai import APIError, APIStatusError, DefaultHttpxClient, OpenAI

    http = DefaultHttpxClient(transport=bound_transport(_transport(), request.address))
    with (
        OpenAI(
            api_key=KEY,
            base_url=request.base(OPERATION),
            max_retries=0,
            timeout=request.timeout,
            http_client=http,
        ) as client,
    ):
        create = client.chat.completions.create
        try:
            answer: Any = create(**arguments(create, request.body))
            if not request.body.get("stream"):
                return outcome_as_shown(request.endpoint, [View(dump(answer))])
            with answer:
                views = [View(dump(chunk)) for chunk in answer]
        except APIStatusError as error:
            return _refusal(error, request.endpoint)
        except APIError as error:
            if error.body is None:
                raise
            shown: dict[str, Any] = {"error": error.body}
            return read_refusal(request.endpoint, 200, shown)
    return outcome_as_shown(request.endpoint, views, request.body, streamed=True)


def _transport() -> Any:
    """Return the HTTPTransport class of the SDK's HTTP library, which is httpx or httpx2."""
    from openai import DefaultHttpxClient

    client = next(base for base in DefaultHttpxClient.__mro__ if base.__name__ == "Client")
    return import_module(client.__module__.partition(".")[0]).HTTPTransport


def _refusal(error: APIStatusError, endpoint: Endpoint) -> Failure:
    """Return the refusal that the SDK raised as *error*.

    The exception has the member `error` of the body; all other members are read from its response.
    """
    shown: dict[str, Any] = {"error": error.body}
    body = read_json(error.response.content).value
    rest = body if isinstance(body, dict) else {}
    failure = read_refusal(endpoint, error.status_code, {**rest, **shown})
    return replace(failure, views=(View(shown),))


def parser(endpoints: Iterable[Endpoint]) -> Parser:
    """Return the SDK as a parser for those of *endpoints* that are chats in OpenAI's format."""
    chats = frozenset(e.name for e in endpoints if e.fields is FIELDS and e.event is not None)
    return Parser("openai", "openai", chats, _parse, "openai:OpenAIError", "openai")
