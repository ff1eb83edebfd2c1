"""Calls to Alibaba DashScope (Qwen, Wanx) through its official SDK, `dashscope`."""

from __future__ import annotations

import copy
import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Self

from harness.analysis.endpoint import Endpoint, Pointers
from harness.analysis.reply import first, read_refusal
from harness.config.extras import extra
from harness.errors import HarnessError
from harness.providers import sdk
from harness.providers.dashscope import endpoints
from harness.providers.event_loop import EventLoop
from harness.providers.http import bound_session
from harness.providers.openai.session import message
from harness.providers.provider import Sleep
from harness.providers.retries import retry_after
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
    View,
)
from harness.wire import resolve

if TYPE_CHECKING:
    import requests

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

SERVICES = "/services/"
"""The beginning of the path that an SDK appends to the base URL."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The way in which the SDK requests an endpoint.

    Attributes:
        function: The SDK's function as `module:name`, such as `dashscope:Generation.call`.
        inputs: For each argument of the function, the JSON pointers to its value in a request body.
            Other inputs are not passed on, because the SDK uploads local files that some inputs
            name.
    """

    function: str
    inputs: Mapping[str, Pointers]


MESSAGES: Mapping[str, Pointers] = {"messages": ("/input/messages",)}
PROMPT: Mapping[str, Pointers] = {"prompt": ("/input/prompt",)}
TEXTS: Mapping[str, Pointers] = {"input": ("/input/texts",)}
CONTENTS: Mapping[str, Pointers] = {"input": ("/input/contents",)}
SPEECH: Mapping[str, Pointers] = {
    name: (f"/input/{name}",) for name in ("text", "voice", "language_type")
}
PICTURES: Mapping[str, Pointers] = {
    name: (f"/input/{name}",) for name in ("images", "base_image_url", "function")
}
FRAMES: Mapping[str, Pointers] = {
    name: (f"/input/{name}",) for name in ("img_url", "first_frame_url", "last_frame_url", "media")
}
DOCUMENTS: Mapping[str, Pointers] = {
    "query": ("/input/query",),
    "documents": ("/input/documents",),
}

_IMAGES = "dashscope.aigc.image_generation:ImageGeneration"

OPERATIONS: Mapping[str, Operation] = {
    endpoints.GENERATION.name: Operation("dashscope:Generation.call", {**PROMPT, **MESSAGES}),
    endpoints.MULTIMODAL.name: Operation(
        "dashscope:MultiModalConversation.call", {**MESSAGES, **SPEECH}
    ),
    endpoints.EMBEDDINGS.name: Operation("dashscope:TextEmbedding.call", TEXTS),
    endpoints.MIXED_EMBEDDINGS.name: Operation("dashscope:MultiModalEmbedding.call", CONTENTS),
    endpoints.RERANK.name: Operation("dashscope:TextReRank.call", DOCUMENTS),
    endpoints.TEXT2IMAGE.name: Operation(
        "dashscope:ImageSynthesis.async_call", {**PROMPT, **PICTURES}
    ),
    endpoints.IMAGE_GENERATION.name: Operation(f"{_IMAGES}.async_call", MESSAGES),
    endpoints.VIDEO.name: Operation("dashscope:VideoSynthesis.async_call", {**PROMPT, **FRAMES}),
}
"""The way in which the SDK requests each endpoint except `TASKS`, by endpoint name."""

IMAGES = Operation(f"{_IMAGES}.call", MESSAGES)
"""The way in which the SDK requests images at the multimodal endpoint, without a task."""


def ask(operation: Operation, body: Json, prefix: str = "", **settings: Any) -> Any:
    """Call a function of the SDK.

    Args:
        operation: The function.
        body: The JSON body to send.
        prefix: What precedes the name of the function's class: `Aio` for an asynchronous one.
        settings: Further arguments of the function, such as `api_key` and `stream`.

    Returns:
        The SDK's response object; an iterator of them if `stream=True`.
    """
    function = resolve_name(operation.function.replace(":", f":{prefix}"))
    required = {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
    }
    inputs = {
        name: value
        for name, value in inputs_of(body, operation.inputs).items()
        if value is not None or name in required
    }
    return function(**inputs, **sdk_parameters(body), **settings)


def inputs_of(body: Json, pointers: Mapping[str, Pointers]) -> dict[str, Json]:
    """Return arguments of an SDK's function: the model, and the inputs in *body*.

    *pointers* has the JSON pointers of each input by the name of its argument. An input that *body*
    does not have is None.
    """
    places = {"model": ("/model",), **pointers}
    return {argument: first(body, pointers) for argument, pointers in places.items()}


def sdk_parameters(body: Json) -> dict[str, Any]:
    """Return the `parameters` of *body* as arguments of an SDK's function (a deep copy).

    `incremental_output: false` is left out. It is the service's default; but if it is set, the SDK
    requests increments and joins them, and the service's own cumulative stream is not recorded.
    """
    parameters = resolve(body, "/parameters")
    sent = copy.deepcopy(dict(parameters)) if isinstance(parameters, Mapping) else {}
    if sent.get("incremental_output") is False:
        del sent["incremental_output"]
    return sent


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


def _in_session(session: requests.Session) -> dict[str, requests.Session]:
    """Return the argument that makes the SDK's functions use *session*.

    It is empty for an SDK before 1.25.10, which opens a session for each request and never retries.
    """
    from dashscope.api_entities.http_request import HttpRequest

    has_argument = "session" in inspect.signature(HttpRequest.__init__).parameters
    return {"session": session} if has_argument else {}


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
            _refuse_file_names(line)
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
        endpoint, body = endpoints.endpoint_of(call), _body(self._with_uploads(call))
        paths = _paths(call, endpoint)
        operation = OPERATIONS[endpoint.name]
        if call.kind is CallKind.IMAGE and find_spec("dashscope.aigc.image_generation"):
            operation = IMAGES  # an older SDK asks as for a conversation
        settings: dict[str, Any] = {**self._settings(call), **_in_session(self._session)}
        streamed = call.mode is Mode.STREAM
        responses: Iterable[Any]
        if call.client is ClientKind.ASYNC:
            self._loop = self._loop or self._open.enter_context(EventLoop())
            responses = self._loop.run(_ask_async(operation, body, self._settings(call), streamed))
        elif streamed:
            responses = ask(operation, body, **settings, stream=True)
        else:
            response = ask(operation, body, **settings)
            return _refusal(endpoint, response) or sdk.outcome_of(
                endpoint, [_view(response, paths)]
            )
        views: list[View] = []
        for response in responses:
            refusal = _refusal(endpoint, response, views)
            if refusal is not None:
                return refusal
            views.append(_view(response, paths))
        if not views:
            return sdk.EMPTY_STREAM
        return sdk.outcome_of(endpoint, views, body, streamed=streamed)

    def _task(self, call: Call) -> Outcome:
        endpoint = endpoints.endpoint_of(call)
        settings: dict[str, Any] = {**self._settings(call), **_in_session(self._session)}
        response = ask(OPERATIONS[endpoint.name], _body(self._with_uploads(call)), **settings)
        refusal = _refusal(endpoint, response)
        if refusal is not None:
            return refusal
        submitted = _view(response, TASK_PATHS)
        task = resolve(submitted.value, "/output/task_id") or None
        fetch = partial(self._state, call, endpoint, task)
        return sdk.poll_task(endpoints.TASKS, submitted, fetch, call.poll, self._sleep)

    def _state(self, call: Call, endpoint: Endpoint, task: Any) -> View | Failure:
        from dashscope import ImageSynthesis
        from dashscope.api_entities import dashscope_response

        # The fetch of both classes of images is this, but takes no address.
        fetched = super(ImageSynthesis, ImageSynthesis).fetch(task, **self._settings(call))
        name, results = _TASKS[endpoint.name]
        response = getattr(dashscope_response, name).from_api_response(fetched)
        succeeded = resolve(response, "/output/task_status") in endpoints.TASKS.states.succeeded
        paths = (*TASK_PATHS, *results) if succeeded else TASK_PATHS
        return _refusal(endpoints.TASKS, response) or _view(response, paths)


async def _ask_async(
    operation: Operation, body: Json, settings: dict[str, Any], streamed: bool
) -> list[Any]:
    """Return the responses of the SDK's asynchronous class, whose connections are then closed."""
    import dashscope

    try:
        answer = await ask(operation, body, "Aio", **settings, stream=streamed)
        return [response async for response in answer] if streamed else [answer]
    finally:
        close = getattr(dashscope, "close_shared_aio_session", None)
        if close is not None:
            await close()


def _body(call: Call) -> dict[str, Any]:
    """Return the JSON body of *call*, with parameters in the format of the API."""
    parameters = sdk_parameters({"parameters": dict(call.parameters)})
    if isinstance(parameters.get("size"), str):
        parameters["size"] = parameters["size"].replace("x", "*")
    given = _input(call, endpoints.endpoint_of(call))
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
    """Return a part of a content; a file is named by its URL, until `_uploaded` sends it."""
    value = part.path.as_uri() if part.path else part.value
    return {part.medium.value: value, **part.members}


def _message(line: Message, *, in_parts: bool) -> dict[str, Any]:
    """Return a message, whose content is a list of parts at the multimodal endpoint.

    A file is named by its `file://` URL: `_upload` sends it, and puts another URL in its place.
    """
    if line.sent and not (in_parts and is_openai(line.sent)):
        return message(line)
    text = [{"text": line.content}] if line.content or not line.tool_calls else []
    content = [_part(part) for part in line.parts] or (text if in_parts else line.content)
    return {**message(replace(line, parts=(), sent=EMPTY)), "content": content}


def _refuse_file_names(line: Message) -> None:
    """Raise HarnessError for a text that is the name of a file here: the SDK would upload it."""
    for part in line.parts or (ContentPart(Medium.TEXT, line.content),):
        is_text = part.medium is Medium.TEXT and line.role == "user"
        if is_text and os.path.isfile(os.path.expanduser(part.value)):  # as the SDK does
            raise HarnessError(
                f"the text {part.value!r} is the name of a file in this folder, which dashscope "
                "would upload; change the text, or work in another folder"
            )


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
}
"""The SDK's class for polls of a task and the access paths of its result, by endpoint name."""


def _paths(call: Call, endpoint: Endpoint) -> tuple[str, ...]:
    if call.kind in _SHOWN:
        return _SHOWN[call.kind]
    in_messages = call.parameters.get("result_format") == "message"
    return MESSAGE_PATHS if in_messages or endpoint is endpoints.MULTIMODAL else TEXT_PATHS


def reasoning(call: Call) -> Reasoning:
    """Return the earlier reasoning to send back: all with `preserve_thinking`, else none.

    Its default is true for qwen3.8, false for all others [DOC] C1.
    """
    keeps = call.parameters.get("preserve_thinking", call.model.startswith("qwen3.8-"))
    return Reasoning.KEPT if keeps is True else Reasoning.DROPPED


_NOT_ON_THE_WIRE = ("status_code", "headers")


def _dump(response: Any) -> dict[str, Any]:
    """Return an SDK object as JSON, without the HTTP status and headers that the SDK adds."""
    return {name: _plain(v) for name, v in response.items() if name not in _NOT_ON_THE_WIRE}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(v) for name, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _view(response: Any, paths: tuple[str, ...]) -> View:
    value = _dump(response)
    counts = value.get("usage")
    # The SDK's own defaults in multimodal answers, and those of images: SDK_DEFECTS.md
    is_file = paths in (IMAGE_MESSAGE_PATHS, SPEECH_PATHS)
    is_file = is_file or type(response).__name__ == "ImageGenerationResponse"
    for name in ("characters", *(("input_tokens", "output_tokens") if is_file else ())):
        if isinstance(counts, dict) and counts.get(name) == 0:
            del counts[name]
    if is_file and counts == {}:
        del value["usage"]
    return View(value, {path: _plain(v) for path, v in sdk.access(response, paths).items()})


def _refusal(endpoint: Endpoint, response: Any, views: Sequence[View] = ()) -> Failure | None:
    """Return the refusal in an SDK's response object; None if its status is 200.

    *views* are the objects received before it.
    """
    if response.status_code == 200:
        return None
    headers = {name.lower(): str(value) for name, value in (response.get("headers") or {}).items()}
    return replace(
        read_refusal(endpoint, int(response.status_code), _dump(response)),
        retry_after=retry_after(headers.get("retry-after")),
        views=tuple(views),
    )


# ------------------------------------------------------------------------------------- parsing


_FILE_INPUTS = ("images", "base_image_url", *FRAMES)


def without_files(body: Json) -> Any:
    """Return a copy of a recorded *body* that is safe to pass to the SDK.

    Files are removed from messages, because the SDK would upload local files of the same names.
    Parameters that the SDK interprets as its own settings are removed.
    """
    if not isinstance(body, dict):
        return body
    cleaned: dict[str, Any] = copy.deepcopy(body)
    given: Any = cleaned.get("input")
    for name in _FILE_INPUTS if isinstance(given, dict) else ():
        given.pop(name, None)
    if isinstance(given, dict) and isinstance(given.get("contents"), list):
        parts = [part for part in given["contents"] if isinstance(part, dict) and "text" in part]
        given["contents"] = [{"text": part["text"]} for part in parts] or [{"text": "-"}]
    messages: Any = resolve(cleaned, "/input/messages")
    for line in messages if isinstance(messages, list) else ():
        if isinstance(line, dict) and isinstance(line.get("content"), list):
            pieces = [piece for piece in line["content"] if isinstance(piece, dict)]
            texts = [{"text": piece["text"]} for piece in pieces if piece.get("text") is not None]
            line["content"] = texts or [{"text": "-"}]
    parameters = cleaned.get("parameters")
    if isinstance(parameters, dict):
        own = _sdk_settings()
        cleaned["parameters"] = {n: value for n, value in parameters.items() if n not in own}
    return cleaned


def _sdk_settings() -> set[str]:
    from dashscope.api_entities.api_request_factory import _build_api_request

    named = inspect.signature(_build_api_request).parameters
    return {*named, "workspace", "plugins", "history"}


def _parse(request: sdk.RecordedRequest) -> Outcome:
    """Send a recorded request with a new HTTP session; return what the SDK parses."""
    endpoint = request.endpoint
    with bound_session(request.address) as session:
        if endpoint is endpoints.TASKS:
            return _shown(request, [_fetch(request, session)])
        settings: dict[str, Any] = {
            "api_key": sdk.KEY,
            "base_address": request.base(SERVICES),
            "request_timeout": request.timeout,
            **_in_session(session),
        }
        body, operation = without_files(request.body), OPERATIONS[endpoint.name]
        if not request.streamed:
            return _shown(request, [ask(operation, body, **settings)])
        return _shown(request, list(ask(operation, body, **settings, stream=True)))


def _fetch(request: sdk.RecordedRequest, session: requests.Session) -> Any:
    """Make one poll of a task and return the SDK's response object.

    The SDK's own `fetch` is not used: its timeout is 300 seconds, and it follows redirects.
    """
    from dashscope.api_entities.dashscope_response import (
        ImageSynthesisResponse,
        VideoSynthesisResponse,
    )
    from dashscope.common.utils import _handle_http_response

    answer = session.get(request.address + request.path, timeout=request.timeout)
    fetched = _handle_http_response(answer)
    # [REC] An image task counts its images, from the first poll on; a video task does not.
    has_metrics = bool(resolve(fetched, "/output/task_metrics"))
    response_class = ImageSynthesisResponse if has_metrics else VideoSynthesisResponse
    return response_class.from_api_response(fetched)


def _shown(request: sdk.RecordedRequest, responses: Sequence[Any]) -> Outcome:
    endpoint = request.endpoint
    refused = next((r for r in responses if r.status_code != 200), None)
    if refused is not None:
        value = _dump(refused)
        return replace(
            read_refusal(endpoint, int(refused.status_code), value), views=(View(value),)
        )
    views = [View(_without_empty_refusal(_dump(response))) for response in responses]
    return sdk.outcome_as_shown(endpoint, views, request.body, streamed=request.streamed)


def _without_empty_refusal(value: dict[str, Any]) -> dict[str, Any]:
    """Return *value* without an empty `code` and `message`, which the SDK adds to a success."""
    return {n: v for n, v in value.items() if not (n in ("code", "message") and v == "")}


PARSER = sdk.Parser(
    "dashscope",
    "dashscope",
    frozenset({*OPERATIONS, endpoints.TASKS.name}),
    _parse,
    "dashscope.common.error:DashScopeException",
    "dashscope",
)
