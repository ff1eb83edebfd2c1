"""DashScope's SDK as a parser of recorded answers: `dashscope`, and `dashscope.Client`.

The objects of the second, a new generation of the SDK, use other names than the response JSON. The
functions `as_...` rename the members of their dumps back, so that only the values are compared.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from harness.analysis.endpoint import Pointers
from harness.analysis.reply import read_refusal
from harness.providers import sdk
from harness.providers.dashscope import compatible, endpoints
from harness.providers.dashscope.functions import (
    FUNCTIONS,
    SERVICES,
    ask,
    dumped,
    inputs_of,
    sdk_parameters,
    session_argument,
)
from harness.providers.http import bound_client, bound_session
from harness.providers.sdk import INVALID_KEY, Parser, RecordedRequest, dump, outcome_as_shown
from harness.types import Failure, Json, Outcome, View
from harness.wire import objects_in, resolve

if TYPE_CHECKING:
    import requests

Dump = dict[str, Any]
"""The dump of an SDK's object, or a part of it."""

Conversion = Callable[[Dump], Dump]
"""A function that converts the dump of an SDK's object to the format of the response JSON."""

SDK_MEMBERS = ("status_code", "code", "message", "is_error", "headers")
"""Members of the SDK's objects that the response JSON does not have."""


def as_message(value: Dump) -> Dump:
    """Convert a chat dumped by `dashscope.Client` to a text generation response.

    `choices` becomes `output.choices`, and `delta`, which the SDK has in streams, `message`.
    """
    choices = [
        {"message" if name == "delta" else name: member for name, member in choice.items()}
        for choice in value["choices"]
    ]
    output = {"choices": choices, "search_info": value.get("search_info")}
    return {**_envelope(value), "output": output}


def as_pieces(value: Dump) -> Dump:
    """Convert a chat dumped by `dashscope.Client` to a multimodal response.

    In the response, the content of a message is a list with one text, or an empty list.
    """
    answer = as_message(value)
    for choice in answer["output"]["choices"]:
        choice["message"] = {
            **choice["message"],
            "content": [{"text": text}] if (text := choice["message"].get("content")) else [],
        }
    return answer


def as_text(value: Dump) -> Dump:
    """Convert a chat dumped by `dashscope.Client` to a response with `output.text`.

    That is the response to a request with `result_format: text`.
    """
    choice = value["choices"][0] if value["choices"] else {}
    content = (choice.get("message") or choice.get("delta") or {}).get("content")
    output = {"text": content, "finish_reason": choice.get("finish_reason")}
    return {**_envelope(value), "output": output}


def _envelope(value: Dump) -> Dump:
    return {n: v for n, v in value.items() if n not in ("choices", "search_info", *SDK_MEMBERS)}


def as_openai(value: Dump) -> Dump:
    """Convert a chat dumped by `dashscope.Client` to a response in OpenAI's format.

    The id and the token counts get OpenAI's names: `id`, `prompt_tokens`, `completion_tokens`.
    """
    answer = {name: v for name, v in value.items() if name not in SDK_MEMBERS}
    answer["id"] = answer.pop("request_id")
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    counts = answer.get("usage") or {}
    answer["usage"] = {names.get(name, name): v for name, v in counts.items()} or None
    return answer


def as_output(value: Dump) -> Dump:
    """Convert embeddings or a ranking dumped by `dashscope.Client` to a response.

    The SDK has the results at the top, the response has them in `output`.
    """
    output = {name: v for name, v in value.items() if name not in SDK_MEMBERS}
    envelope = {name: output.pop(name) for name in ("request_id", "usage")}
    for vector in output.get("embeddings", ()):
        vector["text_index"] = vector.pop("index")
    return {**envelope, "output": output}


def as_task(value: Dump) -> Dump:
    """Convert a task dumped by `dashscope.Client` to a response.

    The result has `request_id`, `output` and `usage`; the SDK's other members only repeat values.
    """
    return {name: value[name] for name in ("request_id", "output", "usage")}


@dataclass(frozen=True, slots=True)
class ClientFunction:
    """A function of `dashscope.Client` that requests an endpoint.

    Attributes:
        path: The path of the endpoint after the base URL, or the beginning of that path.
        function: The name of the client's function, such as `embeddings.create`.
        inputs: For each argument of the function, the JSON pointers to its value in a request body.
        form: Converts the dump of the SDK's object to the format of the response JSON.
        protocol: The client's argument `protocol`: `native` or `openai`.
    """

    path: str
    function: str
    inputs: Mapping[str, Pointers]
    form: Conversion
    protocol: str = "native"


_CHAT = "chat.completions.create"
_MESSAGES: Mapping[str, Pointers] = {"messages": ("/input/messages",)}
_PROMPT: Mapping[str, Pointers] = {"prompt": ("/input/prompt",)}
_TEXTS = FUNCTIONS[endpoints.EMBEDDINGS.name].inputs
_DOCUMENTS = FUNCTIONS[endpoints.RERANK.name].inputs

OPERATIONS: Mapping[str, ClientFunction] = {
    endpoints.GENERATION.name: ClientFunction(
        SERVICES, _CHAT, {"messages": ("/input/messages", "/input/prompt")}, as_message
    ),
    endpoints.MULTIMODAL.name: ClientFunction(
        SERVICES, "multimodal.chat.create", _MESSAGES, as_pieces
    ),
    endpoints.EMBEDDINGS.name: ClientFunction(SERVICES, "embeddings.create", _TEXTS, as_output),
    endpoints.RERANK.name: ClientFunction(SERVICES, "rerank.create", _DOCUMENTS, as_output),
    endpoints.TEXT2IMAGE.name: ClientFunction(SERVICES, "images.jobs.create", _PROMPT, as_task),
    endpoints.VIDEO.name: ClientFunction(SERVICES, "videos.jobs.create", _PROMPT, as_task),
    compatible.CHAT.name: ClientFunction(
        "/chat/completions", _CHAT, {"messages": ("/messages",)}, as_openai, protocol="openai"
    ),
    endpoints.TASKS.name: ClientFunction("/tasks/", "images.jobs.fetch", {}, as_task),
}
"""The way in which the SDK requests each endpoint, by endpoint name."""


def _parse(request: RecordedRequest) -> Outcome:
    """Send a recorded request with a new client that never retries; return what the SDK parses."""
    from dashscope.v2.errors import DashScopeError

    operation = OPERATIONS[request.endpoint.name]
    base = request.base(operation.path)
    with bound_client(request.address, request.timeout, base_url=base) as http:
        try:
            answers = _ask(operation, request, _client(base, operation.protocol, http))
        except DashScopeError as error:
            if error.status_code is None:
                raise
            return _refusal(error)
    form = operation.form
    if form is as_message and resolve(request.body, "/parameters/result_format") != "message":
        form = as_text  # the requested format; the SDK always converts it to messages
    views = [View(form(dump(answer))) for answer in answers]
    return outcome_as_shown(request.endpoint, views, request.body, streamed=request.streamed)


def _ask(operation: ClientFunction, request: RecordedRequest, client: Any) -> list[Any]:
    function = attrgetter(operation.function)(client)
    if request.endpoint is endpoints.TASKS:
        return [function(request.task_id, timeout=request.timeout)]
    body = without_files(request.body)
    arguments = {**inputs_of(body, operation.inputs), "timeout": request.timeout}
    arguments["parameters"] = _parameters(operation, request, body)
    if not request.streamed:
        return [function(**arguments)]
    with closing(function(**arguments, stream=True)) as stream:
        return list(stream)


def _parameters(operation: ClientFunction, request: RecordedRequest, body: Dump) -> dict[str, Any]:
    if operation.protocol != "native":
        own = ("model", "messages", "stream", "stream_options")
        return {name: value for name, value in body.items() if name not in own}
    parameters = sdk_parameters(body)
    if request.streamed:
        # Cumulative output, the service's default, has to be asked for by name here.
        parameters.setdefault("incremental_output", False)
    return parameters


def _client(base: str, protocol: str, http: Any) -> Any:
    from dashscope import Client

    return Client(
        api_key=INVALID_KEY,
        base_url=base,
        protocol=protocol,
        max_retries=0,
        http_client=http,
        config_path=os.devnull,
    )


def _refusal(error: Any) -> Failure:
    """Return the refusal in the SDK's exception, which has every member of the body."""
    texts = (error.code, error.message, error.request_id)
    code, message, request_id = (text if isinstance(text, str) else None for text in texts)
    body = (View(error.body),)
    return Failure(error.status_code, code or "", message or "", request_id, views=body)


CLIENT_PARSER = Parser(
    "dashscope.Client",
    "dashscope",
    frozenset(OPERATIONS),
    _parse,
    "dashscope.v2.errors:DashScopeError",
    "dashscope",
    major=2,
)


_FILE_INPUTS = ["images", "base_image_url", "img_url", "first_frame_url", "last_frame_url", "media"]


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
        given["contents"] = _texts(given["contents"])
    for message in objects_in(resolve(cleaned, "/input/messages")):
        if isinstance(message.get("content"), list):
            message["content"] = _texts(message["content"])
    parameters = cleaned.get("parameters")
    if isinstance(parameters, dict):
        own = _sdk_settings()
        cleaned["parameters"] = {n: value for n, value in parameters.items() if n not in own}
    return cleaned


def _texts(parts: Json) -> Json:
    """Return the texts among *parts*; a placeholder without any."""
    texts = [part["text"] for part in objects_in(parts) if part.get("text") is not None]
    return [{"text": text} for text in texts or ["-"]]


def _sdk_settings() -> set[str]:
    from dashscope.api_entities.api_request_factory import _build_api_request

    named = sdk.parameters_of(_build_api_request)
    return {*named, "workspace", "plugins", "history"}


def _parse_with_sdk(request: sdk.RecordedRequest) -> Outcome:
    """Send a recorded request with a new HTTP session; return what the SDK parses."""
    endpoint = request.endpoint
    with bound_session(request.address) as session:
        if endpoint is endpoints.TASKS:
            return _shown(request, [_fetch(request, session)])
        settings: dict[str, Any] = {
            "api_key": sdk.INVALID_KEY,
            "base_address": request.base(SERVICES),
            "request_timeout": request.timeout,
            **session_argument(session),
        }
        body, function = without_files(request.body), FUNCTIONS[endpoint.name]
        if not request.streamed:
            return _shown(request, [ask(function, body, **settings)])
        return _shown(request, list(ask(function, body, **settings, stream=True)))


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
        value = dumped(refused)
        return replace(
            read_refusal(endpoint, int(refused.status_code), value), views=(View(value),)
        )
    views = [View(_without_empty_refusal(dumped(response))) for response in responses]
    return sdk.outcome_as_shown(endpoint, views, request.body, streamed=request.streamed)


def _without_empty_refusal(value: dict[str, Any]) -> dict[str, Any]:
    """Return *value* without an empty `code` and `message`, which the SDK adds to a success."""
    return {n: v for n, v in value.items() if not (n in ("code", "message") and v == "")}


SDK_PARSER = sdk.Parser(
    "dashscope",
    "dashscope",
    frozenset({*FUNCTIONS, endpoints.TASKS.name}),
    _parse_with_sdk,
    "dashscope.common.error:DashScopeException",
    "dashscope",
)
