"""`dashscope.Client`, the second generation of DashScope's SDK, as a parser of recorded answers.

The SDK's objects use other names than the response JSON. The functions `as_...` rename the members
of their dumps back, so that only the values are compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from harness.analysis.endpoint import Pointers
from harness.providers.dashscope import compatible, endpoints
from harness.providers.dashscope.functions import (
    DOCUMENTS,
    MESSAGES,
    PROMPT,
    SERVICES,
    TEXTS,
    inputs_of,
    sdk_parameters,
)
from harness.providers.dashscope.parser import without_files
from harness.providers.http import bound_client
from harness.providers.sdk import INVALID_KEY, Parser, RecordedRequest, dump, outcome_as_shown
from harness.types import Failure, Outcome, View
from harness.wire import resolve

Dump = dict[str, Any]
"""The dump of an SDK's object, or a part of it."""

Conversion = Callable[[Dump], Dump]
"""A function that converts the dump of an SDK's object to the format of the response JSON."""

SDK_MEMBERS = ("status_code", "code", "message", "is_error", "headers")
"""Members of the SDK's objects that the response JSON does not have."""


def as_message(value: Dump) -> Dump:
    """Return the dump of a chat as a text generation response, with messages in `output`."""
    choices = [
        {"message" if name == "delta" else name: member for name, member in choice.items()}
        for choice in value["choices"]
    ]
    output = {"choices": choices, "search_info": value.get("search_info")}
    return {**_envelope(value), "output": output}


def as_pieces(value: Dump) -> Dump:
    """Return the dump of a chat as a multimodal response: each content is a list of one text."""
    answer = as_message(value)
    for choice in answer["output"]["choices"]:
        choice["message"] = {
            **choice["message"],
            "content": [{"text": text}] if (text := choice["message"].get("content")) else [],
        }
    return answer


def as_text(value: Dump) -> Dump:
    """Return the dump of a chat as a response with `result_format` text: `output.text`."""
    choice = value["choices"][0] if value["choices"] else {}
    content = (choice.get("message") or choice.get("delta") or {}).get("content")
    output = {"text": content, "finish_reason": choice.get("finish_reason")}
    return {**_envelope(value), "output": output}


def _envelope(value: Dump) -> Dump:
    return {n: v for n, v in value.items() if n not in ("choices", "search_info", *SDK_MEMBERS)}


def as_openai(value: Dump) -> Dump:
    """Return the dump of a chat as a response in OpenAI's format: rename id and token counts."""
    answer = {name: v for name, v in value.items() if name not in SDK_MEMBERS}
    answer["id"] = answer.pop("request_id")
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    counts = answer.get("usage") or {}
    answer["usage"] = {names.get(name, name): v for name, v in counts.items()} or None
    return answer


def as_output(value: Dump) -> Dump:
    """Return the dump of an embeddings or rerank call as a response, with results in `output`."""
    output = {name: v for name, v in value.items() if name not in SDK_MEMBERS}
    envelope = {name: output.pop(name) for name in ("request_id", "usage")}
    for vector in output.get("embeddings", ()):
        vector["text_index"] = vector.pop("index")
    return {**envelope, "output": output}


def as_task(value: Dump) -> Dump:
    """Return the members of a task's dump that the response has; the others only repeat them."""
    return {name: value[name] for name in ("request_id", "output", "usage")}


@dataclass(frozen=True, slots=True)
class ClientFunction:
    """The way in which the SDK requests an endpoint.

    Attributes:
        path: The URL path after the base URL, or its beginning.
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
OPERATIONS: Mapping[str, ClientFunction] = {
    endpoints.GENERATION.name: ClientFunction(
        SERVICES, _CHAT, {"messages": ("/input/messages", "/input/prompt")}, as_message
    ),
    endpoints.MULTIMODAL.name: ClientFunction(
        SERVICES, "multimodal.chat.create", MESSAGES, as_pieces
    ),
    endpoints.EMBEDDINGS.name: ClientFunction(SERVICES, "embeddings.create", TEXTS, as_output),
    endpoints.RERANK.name: ClientFunction(SERVICES, "rerank.create", DOCUMENTS, as_output),
    endpoints.TEXT2IMAGE.name: ClientFunction(SERVICES, "images.jobs.create", PROMPT, as_task),
    endpoints.VIDEO.name: ClientFunction(SERVICES, "videos.jobs.create", PROMPT, as_task),
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


PARSER = Parser(
    "dashscope.Client",
    "dashscope",
    frozenset(OPERATIONS),
    _parse,
    "dashscope.v2.errors:DashScopeError",
    "dashscope",
    major=2,
)
