"""Calls to Alibaba DashScope (Qwen, Wanx) through its official SDK, `dashscope`."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from harness.analysis.endpoint import Endpoint
from harness.analysis.reply import read_refusal, with_words
from harness.config.extras import extra
from harness.errors import HarnessError
from harness.providers import sdk
from harness.providers.dashscope import endpoints
from harness.providers.dashscope.functions import (
    SPOKEN,
    SdkFunction,
    ask,
    dumped,
    function_of,
    plain,
    sdk_parameters,
    session_argument,
    takes_one_file,
)
from harness.providers.http import download
from harness.providers.openai.session import message
from harness.providers.provider import Sleep
from harness.providers.retries import retry_after
from harness.providers.sdk import EventLoop
from harness.scenario.messages import is_openai
from harness.types import (
    EMPTY,
    Call,
    CallKind,
    ClientKind,
    ContentPart,
    Credentials,
    Failure,
    Json,
    Medium,
    Message,
    Mode,
    Outcome,
    Reasoning,
    Reply,
    View,
)
from harness.wire import resolve

if TYPE_CHECKING:
    import requests


# ------------------------------------------------------------------------------------- JSON bodies


def body_of(call: Call, endpoint: Endpoint) -> dict[str, Any]:
    """Return the JSON body of *call* to *endpoint*, with parameters in the format of the API."""
    parameters = sdk_parameters({"parameters": dict(call.parameters)})
    if isinstance(parameters.get("size"), str):
        parameters["size"] = parameters["size"].replace("x", "*")
    given = _input(call, endpoint)
    for name in ("voice", "language_type") if call.kind is CallKind.SPEECH else ():
        if name in parameters:
            given[name] = parameters.pop(name)
    return {"model": call.model, "input": given, "parameters": parameters}


def _input(call: Call, endpoint: Endpoint) -> dict[str, Any]:
    """Return the member `input` of the body of *call*."""
    if call.kind is CallKind.CHAT:
        in_parts = endpoint is endpoints.MULTIMODAL
        return {"messages": [_message(line, in_parts=in_parts) for line in call.messages]}
    media = [_part(part) for part in call.media]
    if call.kind is CallKind.EMBEDDING:
        if endpoint is endpoints.MIXED_EMBEDDINGS:
            return {"contents": [_part(part) for part in call.parts]}
        return {"texts": [part.value for part in call.parts]}
    if call.kind is CallKind.RERANK:
        documents = [_part(p) if call.media else p.value for p in call.inputs]
        return {
            "query": {"text": call.prompt} if call.media else call.prompt,
            "documents": documents,
        }
    if call.kind is CallKind.SPEECH:
        return {"text": call.prompt}
    if endpoint is endpoints.TRANSCRIPTION:
        urls = [url for part in media for url in part.values()]
        return {"file_url": urls[0]} if takes_one_file(call) else {"file_urls": urls}
    text = [{"text": call.prompt}] if call.prompt else []
    if endpoint in (endpoints.MULTIMODAL, endpoints.IMAGE_GENERATION):
        return {"messages": [{"role": "user", "content": [*text, *media]}]}
    return {"prompt": call.prompt, **_pictures(call)}


_FRAMES = ("first_frame", "last_frame")


def _pictures(call: Call) -> dict[str, Any]:
    """Return the pictures of an image or video task as members of its input.

    [DOC] videos take one picture until wan2.6, and a list `media` from wan2.7 on.
    """
    urls = [str(next(iter(_part(part).values()))) for part in call.media]
    if not urls:
        return {}
    if call.kind is CallKind.IMAGE:
        edits = call.model.endswith("imageedit")
        return {"base_image_url": urls[0]} if edits else {"images": urls}
    if re.match(r"wanx?2\.[1-6]", call.model):
        return {"img_url": urls[0]}
    return {"media": [{"type": kind, "url": u} for kind, u in zip(_FRAMES, urls, strict=False)]}


def _part(part: ContentPart) -> dict[str, Any]:
    """Return a part of a content; a file is named by its URL, until it is uploaded."""
    value = part.path.as_uri() if part.path else part.value
    return {part.medium.value: value, **part.members}


def _message(line: Message, *, in_parts: bool) -> dict[str, Any]:
    """Return a message, whose content is a list of parts at the multimodal endpoint.

    A file is named by its `file://` URL until `DashScopeSession` uploads it.
    """
    if line.sent and not (in_parts and is_openai(line.sent)):
        return message(line)
    text = [{"text": line.content}] if line.content or not line.tool_calls else []
    content = [_part(part) for part in line.parts] or (text if in_parts else line.content)
    return {**message(replace(line, parts=(), sent=EMPTY)), "content": content}


def refuse_file_names(line: Message) -> None:
    """Raise HarnessError if a text of the user's message *line* is the name of an existing file.

    The SDK would upload that file.
    """
    for part in line.parts or (ContentPart(Medium.TEXT, line.content),):
        is_text = part.medium is Medium.TEXT and line.role == "user"
        if is_text and os.path.isfile(os.path.expanduser(part.value)):  # as the SDK does
            raise HarnessError(
                f"the text {part.value!r} is the name of a file in this folder, which dashscope "
                "would upload; change the text, or work in another folder"
            )


# ------------------------------------------------------------------------------------------ session

T = TypeVar("T")

WRONG_KEY = "sk-00000000000000000000000000000000"
"""An invalid API key in the right format: `sk-` and 32 hex digits."""

# The access paths in the examples of the documentation (help.aliyun.com: qwen-api-via-dashscope,
# text-to-image-api-reference).
TEXT_PATHS = ("output.text",)
MESSAGE_PATHS = ("output.choices[0].message.content",)
TASK_PATHS = ("output.task_id", "output.task_status")
IMAGE_PATHS = ("output.results[0].url",)
IMAGE_MESSAGE_PATHS = ("output.choices[0].message.content[0]",)
VIDEO_PATHS = ("output.video_url",)
RANKING_PATHS = ("output.results[0].index", "output.results[0].relevance_score")
SPEECH_PATHS = ("output.audio.url",)

RESOLVE_UPLOADS = {"X-DashScope-OssResourceResolve": "enable"}
"""The header for uploaded files, which the SDK's functions for other endpoints add themselves."""


class NoAnswer(Exception):
    """Raised if the connection breaks before the response arrives."""


def _single_attempt() -> requests.Session:
    """Return a session of requests that raises NoAnswer instead of ConnectionError.

    The SDK retries after a ConnectionError; NoAnswer prevents that.
    """
    import requests

    class SingleAttempt(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            try:
                return super().request(*args, **kwargs)
            except requests.exceptions.ConnectionError as error:
                raise NoAnswer(str(error)) from error

    return SingleAttempt()


class DashScopeSession:
    """A session with DashScope, with an HTTP session of its own instead of the SDK's global one."""

    def __init__(self, key: str, address: str, sleep: Sleep) -> None:
        self._keys = {Credentials.OWN: key, Credentials.WRONG: WRONG_KEY}
        self._address = {"base_address": address} if address else {}
        self._sleep = sleep
        self._uploads: dict[tuple[str, Path], str] = {}
        self._open = ExitStack()
        self._loop: EventLoop | None = None

    def __enter__(self) -> Self:
        with extra("dashscope"):
            import dashscope  # noqa: F401 - here, before threads need it
            import requests  # noqa: F401 - the SDK needs it too

        self._session = _single_attempt()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()
        self._session.close()

    def send(self, call: Call) -> Outcome:
        """Make a call and return its outcome; an exception of the SDK is returned as a Failure."""
        from dashscope.common.error import DashScopeException
        from requests.exceptions import RequestException

        try:
            return self._task(call) if call.mode is Mode.ASYNC else self._answer(call)
        except (DashScopeException, NoAnswer, RequestException) as error:
            return sdk.failure_of(error)

    def _settings(self, call: Call) -> dict[str, Any]:
        return {"api_key": self._keys[call.credentials], **self._address}

    def _with_uploads(self, call: Call) -> Call:
        """Return *call* with the files of its messages uploaded, each once in a session."""
        for line in call.messages:
            refuse_file_names(line)
        messages = tuple(
            replace(one, parts=tuple(self._uploaded(part, call) for part in one.parts))
            for one in call.messages
        )
        inputs = tuple(self._uploaded(part, call) for part in call.inputs)
        return replace(call, messages=messages, inputs=inputs)

    def _uploaded(self, part: ContentPart, call: Call) -> ContentPart:
        """Return *part* with the URL of its uploaded file.

        The SDK would do so itself, but would ask its default address for the permission.
        """
        from dashscope.utils.oss_utils import OssUtils

        if part.path is None:
            return part
        place = (call.model, part.path)
        if place not in self._uploads:
            settings = {"model": call.model, "file_path": str(part.path)}
            given = OssUtils.upload(**settings, **self._settings(call))
            self._uploads[place] = given if isinstance(given, str) else given[0]
        return replace(part, value=self._uploads[place], path=None)

    def _answer(self, call: Call) -> Outcome:
        endpoint = endpoints.endpoint_of(call)
        body = body_of(self._with_uploads(call), endpoint)
        paths, streamed = _paths(call, endpoint), call.mode is Mode.STREAM
        views: list[View] = []
        for response in self._responses(call, endpoint, body, streamed=streamed):
            refusal = _refusal(endpoint, response, views)
            if refusal is not None:
                return refusal
            views.append(_view(response, paths))
        if not views:
            return sdk.EMPTY_STREAM
        return sdk.outcome_of(endpoint, views, body, streamed=streamed)

    def _responses(
        self, call: Call, endpoint: Endpoint, body: Json, *, streamed: bool = False
    ) -> Iterable[Any]:
        """Send a request; return the SDK's response objects, of which a stream has several."""
        function, settings = function_of(call, endpoint), self._settings(call)
        if call.client is ClientKind.ASYNC:
            return self._run(_ask_async(function, body, settings, streamed))
        if function is SPOKEN:  # it takes no session, and the address by another name
            given = {"api_key": settings["api_key"], "url": settings.get("base_address")}
            return [ask(function, body, **given).response]
        settings |= session_argument(self._session)
        if endpoint is endpoints.TRANSCRIPTION:
            settings["headers"] = RESOLVE_UPLOADS
        if streamed:
            return cast(Iterable[Any], ask(function, body, **settings, stream=True))
        return [ask(function, body, **settings)]

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of *coroutine*, which runs in the event loop of this session."""
        self._loop = self._loop or self._open.enter_context(EventLoop())
        return self._loop.run(coroutine)

    def _task(self, call: Call) -> Outcome:
        endpoint = endpoints.endpoint_of(call)
        body = body_of(self._with_uploads(call), endpoint)
        (response,) = self._responses(call, endpoint, body)
        refusal = _refusal(endpoint, response)
        if refusal is not None:
            return refusal
        submitted = _view(response, TASK_PATHS)
        task = resolve(submitted.value, "/output/task_id") or None
        fetch = partial(self._state, call, endpoint, task)
        outcome = sdk.poll_task(endpoints.TASKS, submitted, fetch, call.poll, self._sleep)
        return _with_transcripts(outcome) if isinstance(outcome, Reply) else outcome

    def _state(self, call: Call, endpoint: Endpoint, task: Any) -> View | Failure:
        from dashscope.api_entities import dashscope_response
        from dashscope.client import base_api

        # The fetch of every class of tasks is this, but takes no address.
        if call.client is ClientKind.ASYNC:
            fetched = self._run(
                _closing(base_api.BaseAsyncAioApi.fetch(task, **self._settings(call)))
            )
        else:
            fetched = base_api.BaseAsyncApi.fetch(task, **self._settings(call))
        name, results = _TASKS[endpoint.name]
        response = getattr(dashscope_response, name).from_api_response(fetched)
        succeeded = resolve(response, "/output/task_status") in endpoints.TASKS.states.succeeded
        paths = (*TASK_PATHS, *results) if succeeded else TASK_PATHS
        return _refusal(endpoints.TASKS, response) or _view(response, paths)


def _with_transcripts(reply: Reply) -> Reply:
    """Return *reply* with the words of its transcripts, which are downloaded."""
    files = tuple(
        replace(file, data=download(file.url)) if file.medium is Medium.TEXT else file
        for file in reply.files
    )
    bodies = (file.data or b"" for file in files if file.medium is Medium.TEXT)
    return with_words(replace(reply, files=files), bodies, endpoints.TASKS.fields)


async def _ask_async(
    function: SdkFunction, body: Json, settings: dict[str, Any], streamed: bool
) -> list[Any]:
    """Return the responses of the SDK's asynchronous class, whose connections are then closed."""

    async def responses() -> list[Any]:
        stream = {"stream": True} if streamed else {}  # a task would take it as a parameter
        answer = await ask(function, body, "Aio", **settings, **stream)
        return [response async for response in answer] if streamed else [answer]

    return await _closing(responses())


async def _closing(answer: Awaitable[T]) -> T:
    """Return what *answer* does, after the connections of the SDK's asynchronous classes close."""
    import dashscope

    try:
        return await answer
    finally:
        close = getattr(dashscope, "close_shared_aio_session", None)
        if close is not None:
            await close()


_SHOWN: Mapping[CallKind, tuple[str, ...]] = {
    CallKind.IMAGE: IMAGE_MESSAGE_PATHS,
    CallKind.EMBEDDING: (),  # the answer is a dict, which has no attributes
    CallKind.RERANK: RANKING_PATHS,
    CallKind.SPEECH: SPEECH_PATHS,
}
"""The documented access paths of an answer without a task, for other kinds than texts."""

_TASKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    endpoints.TEXT2IMAGE.name: ("ImageSynthesisResponse", IMAGE_PATHS),
    endpoints.IMAGE_GENERATION.name: ("ImageGenerationResponse", IMAGE_MESSAGE_PATHS),
    endpoints.VIDEO.name: ("VideoSynthesisResponse", VIDEO_PATHS),
    endpoints.TRANSCRIPTION.name: ("TranscriptionResponse", ()),
}
"""The SDK's class for polls of a task and the access paths of its result, by endpoint name."""


def _paths(call: Call, endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint is endpoints.SPEECH:
        return ()  # the response's output is a dict
    if call.kind in _SHOWN:
        return _SHOWN[call.kind]
    in_messages = call.parameters.get("result_format") == "message"
    return MESSAGE_PATHS if in_messages or endpoint is endpoints.MULTIMODAL else TEXT_PATHS


def reasoning(call: Call) -> Reasoning:
    """Return which earlier reasoning *call* sends back.

    If the parameter `preserve_thinking` is true, it sends all of it (`KEPT`), otherwise none
    (`DROPPED`). The default is true for qwen3.8, and false for all other models: [DOC], section C1
    of docs/WIRE_FACTS.md.
    """
    keeps = call.parameters.get("preserve_thinking", call.model.startswith("qwen3.8-"))
    return Reasoning.KEPT if keeps is True else Reasoning.DROPPED


def _view(response: Any, paths: tuple[str, ...]) -> View:
    value = dumped(response)
    counts = value.get("usage")
    # The SDK's own defaults in multimodal answers, and those of images: SDK_DEFECTS.md
    is_file = paths in (IMAGE_MESSAGE_PATHS, SPEECH_PATHS)
    is_file = is_file or type(response).__name__ == "ImageGenerationResponse"
    for name in ("characters", *(("input_tokens", "output_tokens") if is_file else ())):
        if isinstance(counts, dict) and counts.get(name) == 0:
            del counts[name]
    if is_file and counts == {}:
        del value["usage"]
    return View(value, {path: plain(v) for path, v in sdk.access(response, paths).items()})


def _refusal(endpoint: Endpoint, response: Any, views: Sequence[View] = ()) -> Failure | None:
    """Return the refusal in an SDK's response object; None if its status is 200.

    *views* are the objects received before it.
    """
    if response.status_code == 200:
        return None
    headers = {name.lower(): str(value) for name, value in (response.get("headers") or {}).items()}
    return replace(
        read_refusal(endpoint, int(response.status_code), dumped(response)),
        retry_after=retry_after(headers.get("retry-after")),
        views=tuple(views),
    )
