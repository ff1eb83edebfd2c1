"""Zhipu (GLM, CogView) through its official SDK, `zhipuai`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import httpx

from harness.providers.openai.messages import message, tool_calls
from harness.providers.provider import (
    Provider,
    Sleep,
    Task,
    access,
    ask_until_ended,
    dig,
    failed,
    seconds,
    text,
    texts,
    usage,
)
from harness.providers.tls import trusted
from harness.types import (
    Call,
    CallKind,
    Credentials,
    Failure,
    Image,
    LooseJson,
    Mode,
    Outcome,
    Reply,
    View,
)

if TYPE_CHECKING:
    from zhipuai import ZhipuAI

WRONG_KEY = "00000000000000000000000000000000.0000000000000000"
"""A key of the right form (32 hex digits, a dot, 16 letters) that nobody owns."""

# The access paths the documentation shows (bigmodel.cn/dev/api/normal-model/glm-4 and .../cogview).
ANSWER_PATHS = ("choices[0].message.content",)
EVENT_PATHS = ("choices[0].delta.content",)
TASK_PATHS = ("id", "task_status")
IMAGE_PATHS = ("data[0].url",)

SUCCESS, FAIL = "SUCCESS", "FAIL"
TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
TASK = Task(("task_status",), frozenset({SUCCESS, FAIL}), result=("choices",))


class Line:
    """A session with Zhipu; its SDK clients never retry by themselves."""

    def __init__(self, clients: Mapping[Credentials, Callable[[], ZhipuAI]], sleep: Sleep) -> None:
        self._clients = clients
        self._sleep = sleep
        self._ways = {
            (CallKind.CHAT, Mode.SYNC): self._chat,
            (CallKind.CHAT, Mode.STREAM): self._stream,
            (CallKind.CHAT, Mode.ASYNC): self._task,
            (CallKind.IMAGE, Mode.SYNC): self._image,
        }

    def send(self, call: Call) -> Outcome:
        """Ask; what the SDK raises because of the answer comes back as a failure."""
        from zhipuai.core._errors import APIStatusError, ZhipuAIError

        try:
            return self._ways[call.kind, call.mode](self._clients[call.credentials](), call)
        except APIStatusError as error:
            return _refusal(error)
        except ZhipuAIError as error:
            return failed(error)

    def _chat(self, client: ZhipuAI, call: Call) -> Outcome:
        create = client.chat.completions.create
        view = _view(create(**_asked(create, call)), ANSWER_PATHS)
        return _error_body(view) or _reply((view,))

    def _stream(self, client: ZhipuAI, call: Call) -> Outcome:
        from zhipuai.core._errors import APIResponseError

        create = client.chat.completions.create
        stream: Any = create(**_asked(create, call), stream=True)
        views: list[View] = []
        # Closed here: the SDK leaves a stream open that it did not read to its end.
        with closing(stream.response):
            if "json" in stream.response.headers.get("content-type", ""):
                return _no_stream(stream.response)
            try:
                views.extend(_view(chunk, EVENT_PATHS) for chunk in stream)
            except APIResponseError as error:
                return _error_event(error, tuple(views))
        return _joined(tuple(views))

    def _task(self, client: ZhipuAI, call: Call) -> Outcome:
        tasks = client.chat.asyncCompletions
        submitted = _view(tasks.create(**_asked(tasks.create, call)), TASK_PATHS)
        task = dig(submitted.value, "id")
        if not isinstance(task, str):
            return _error_body(submitted) or _reply((submitted,))

        def fetch() -> View | Failure:
            return self._state(client, task)

        seen = ask_until_ended(submitted, fetch, TASK, call.poll, self._sleep)
        return seen if isinstance(seen, Failure) else _task_outcome(task, seen)

    def _state(self, client: ZhipuAI, task: str) -> View | Failure:
        from zhipuai.core._errors import APIStatusError

        try:
            result = client.chat.asyncCompletions.retrieve_completion_result(id=task)
        except APIStatusError as error:
            return _refusal(error)
        paths = TASK_PATHS[1:]
        done = getattr(result, "task_status", None) == SUCCESS
        view = _view(result, (*paths, *ANSWER_PATHS) if done else paths)
        return _error_body(view) or view

    def _image(self, client: ZhipuAI, call: Call) -> Outcome:
        generate = client.images.generations
        extra = _parameters(generate, call.parameters)
        view = _view(generate(prompt=call.prompt, model=call.model, **extra), IMAGE_PATHS)
        links = [dig(item, "url") for item in dig(view.value, "data") or []]
        images = tuple(Image(link) for link in links if isinstance(link, str))
        return _error_body(view) or Reply(images=images, views=(view,))


def _asked(create: Any, call: Call) -> dict[str, Any]:
    messages = [message(line) for line in call.messages]
    return {"model": call.model, "messages": messages, **_parameters(create, call.parameters)}


def _parameters(function: Any, parameters: Mapping[str, LooseJson]) -> dict[str, Any]:
    """Parameters by name; those the SDK's function does not have travel in `extra_body`."""
    known = inspect.signature(function).parameters
    sent: dict[str, Any] = {n: v for n, v in parameters.items() if n in known}
    extra = {n: v for n, v in parameters.items() if n not in known}
    return {**sent, "extra_body": extra} if extra else sent


def _view(thing: Any, paths: tuple[str, ...]) -> View:
    """An SDK object as JSON; only what came over the wire, none of the SDK's defaults."""
    value = thing.model_dump(exclude_unset=True, warnings=False)
    return View(value, access(thing, paths))


def _reply(views: tuple[View, ...]) -> Reply:
    value = views[-1].value
    choice = dig(value, "choices", 0)
    said = dig(choice, "message")
    return Reply(
        id=text(value, "id"),
        model=text(value, "model"),
        content=text(said, "content"),
        reasoning=text(said, "reasoning_content"),
        tool_calls=tool_calls(dig(said, "tool_calls") or ()),
        finish_reason=text(choice, "finish_reason"),
        usage=usage(dig(value, "usage"), *TOKENS),
        views=views,
    )


EMPTY = Failure(0, "EmptyStream", "the stream ended without an event")


def _no_stream(response: Any) -> Failure:
    """An answer that is no stream although one was asked for; the SDK shows nothing of it."""
    try:
        value = json.loads(response.read())
    except ValueError:
        return EMPTY
    return replace(_error_body(View(value)) or EMPTY, views=())


def _joined(views: tuple[View, ...]) -> Outcome:
    """A stream's events as one reply; a streamed tool call comes whole, in one event."""
    if not views:
        return EMPTY
    pieces = texts(views, "choices", 0, "delta", "content")
    reasoning = texts(views, "choices", 0, "delta", "reasoning_content")
    reasons = texts(views, "choices", 0, "finish_reason")
    usages = [dig(view.value, "usage") for view in views if dig(view.value, "usage")]
    calls = [dig(view.value, "choices", 0, "delta", "tool_calls") or [] for view in views]
    return Reply(
        id=next(iter(texts(views, "id")), None),
        model=next(iter(texts(views, "model")), None),
        content="".join(pieces) if pieces else None,
        reasoning="".join(reasoning) if reasoning else None,
        tool_calls=tool_calls(call for part in calls for call in part),
        finish_reason=reasons[-1] if reasons else None,
        usage=usage(usages[-1], *TOKENS) if usages else None,
        pieces=tuple(pieces),
        views=views,
    )


def _task_outcome(task: str, views: tuple[View, ...]) -> Outcome:
    states = tuple(texts(views, "task_status"))
    if states and states[-1] == FAIL:
        error = dig(views[-1].value, "error")
        code = text(error, "code") or FAIL
        return Failure(200, code, text(error, "message") or "the task failed", task, views=views)
    return replace(_reply(views), task_id=task, states=states)


def _error_body(view: View) -> Failure | None:
    """An error that came with HTTP status 200, such as 1305 (overloaded)."""
    error = dig(view.value, "error")
    if not isinstance(error, dict):
        return None
    return Failure(200, str(error.get("code", "")), str(error.get("message", "")), views=(view,))


def _refusal(error: Any) -> Failure:
    """An HTTP error status, with the code and message of the body, whatever the body is."""
    response = error.response
    try:
        told = json.loads(response.content).get("error")
    except (ValueError, AttributeError):
        told = None
    return Failure(
        status=response.status_code,
        code=str(dig(told, "code") or ""),
        message=str(dig(told, "message") or response.text[:200]),
        request_id=response.headers.get("x-log-id"),
        retry_after=seconds(response.headers.get("retry-after")),
    )


def _error_event(error: Any, views: tuple[View, ...]) -> Failure:
    """An error in mid-stream, after the events of `views`."""
    told = error.json_data
    if not isinstance(told, dict):
        return replace(failed(error), views=views)
    return Failure(200, str(told.get("code", "")), str(told.get("message", "")), views=views)


def secrets(key: str) -> tuple[str, ...]:
    """A key is `id.secret`: the whole and both halves."""
    return (key, *(half for half in key.split(".", 1) if half != key))


@contextmanager
def connect(key: str, address: str, sleep: Sleep) -> Iterator[Line]:
    """A fresh client, closed at the end; its connections never outlive a run."""
    from zhipuai import ZhipuAI
    from zhipuai.core import ZHIPUAI_DEFAULT_LIMITS, ZHIPUAI_DEFAULT_TIMEOUT

    settings: dict[str, Any] = {"max_retries": 0, **({"base_url": address} if address else {})}
    # As the SDK makes its own, but for the TLS context, which takes some 30 ms each time.
    http = partial(
        httpx.Client,
        timeout=ZHIPUAI_DEFAULT_TIMEOUT,
        limits=ZHIPUAI_DEFAULT_LIMITS,
        verify=trusted(),
    )
    with ExitStack() as open_clients:

        def client_with(key: str) -> Callable[[], ZhipuAI]:
            return cache(
                lambda: open_clients.enter_context(
                    ZhipuAI(api_key=key, http_client=http(), **settings)
                )
            )

        keys = {Credentials.OWN: key, Credentials.WRONG: WRONG_KEY}
        yield Line({whose: client_with(text) for whose, text in keys.items()}, sleep)


PROVIDER = Provider(
    name="zhipuai",
    about="Zhipu BigModel: GLM, CogView",
    distribution="zhipuai",
    key_variable="ZHIPUAI_API_KEY",
    address_variable="ZHIPUAI_BASE_URL",
    address="https://open.bigmodel.cn/api/paas/v4",
    can=frozenset(
        {
            (CallKind.CHAT, Mode.SYNC),
            (CallKind.CHAT, Mode.STREAM),
            (CallKind.CHAT, Mode.ASYNC),
            (CallKind.IMAGE, Mode.SYNC),
        }
    ),
    open=connect,
    secrets=secrets,
)
