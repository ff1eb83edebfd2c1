"""`dashscope.Client`, the second generation of DashScope's SDK, as a reader of recorded answers.

Its models are dumped and given the wire's names again: what is compared is what the SDK keeps and
not what it calls it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from harness.providers.dashscope import compatible
from harness.providers.dashscope.endpoints import (
    EMBEDDINGS,
    GENERATION,
    MULTIMODAL,
    RERANK,
    TASKS,
    TEXT2IMAGE,
    VIDEO,
)
from harness.providers.dashscope.session import SERVICES, sdk_parameters, without_files
from harness.providers.http import bound_client
from harness.providers.sdk import KEY, Parser, RecordedRequest, dump, outcome_as_shown
from harness.types import Failure, LooseJson, Outcome, View
from harness.wire import resolve

Form = Callable[[LooseJson], LooseJson]
"""From the dump of an SDK's model to the JSON of the wire."""

OWN = ("status_code", "code", "message", "is_error", "headers")
"""What the SDK's models say besides the answer."""


def as_message(value: LooseJson) -> LooseJson:
    """Put the choices under `output`, where an event's `delta` is a `message`."""
    choices = [
        {"message" if name == "delta" else name: member for name, member in choice.items()}
        for choice in value["choices"]
    ]
    output = {"choices": choices, "search_info": value.get("search_info")}
    return {**_envelope(value), "output": output}


def as_pieces(value: LooseJson) -> LooseJson:
    """Put the choices under `output`, their text in a list of pieces."""
    answer = as_message(value)
    for choice in answer["output"]["choices"]:
        choice["message"] = {
            **choice["message"],
            "content": [{"text": choice["message"]["content"]}],
        }
    return answer


def as_text(value: LooseJson) -> LooseJson:
    """Put the text of the first choice right under `output`."""
    choice = value["choices"][0] if value["choices"] else {}
    content = (choice.get("message") or choice.get("delta") or {}).get("content")
    output = {"text": content, "finish_reason": choice.get("finish_reason")}
    return {**_envelope(value), "output": output}


def _envelope(value: LooseJson) -> dict[str, Any]:
    return {n: v for n, v in value.items() if n not in ("choices", "search_info", *OWN)}


def as_openai(value: LooseJson) -> LooseJson:
    """Rename the id of an answer, which is the SDK's `request_id`, and its token counts."""
    answer = {name: v for name, v in value.items() if name not in OWN}
    answer["id"] = answer.pop("request_id")
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    counts = answer.get("usage") or {}
    answer["usage"] = {names.get(name, name): v for name, v in counts.items()} or None
    return answer


def as_output(value: LooseJson) -> LooseJson:
    """Put an answer's own members under `output`."""
    output = {name: v for name, v in value.items() if name not in OWN}
    envelope = {name: output.pop(name) for name in ("request_id", "usage")}
    for vector in output.get("embeddings", ()):
        vector["text_index"] = vector.pop("index")
    return {**envelope, "output": output}


def as_task(value: LooseJson) -> LooseJson:
    """Keep what is the wire's of a job; the rest repeats it."""
    return {name: value[name] for name in ("request_id", "output", "usage")}


@dataclass(frozen=True, slots=True)
class Operation:
    """How the SDK asks an endpoint: its path, its function, and the arguments beside the model.

    `form` gives the dump of an answer the wire's names.
    """

    path: str
    function: Callable[[Any], Callable[..., Any]]
    arguments: Callable[[RecordedRequest], dict[str, Any]]
    form: Callable[[RecordedRequest], Form]
    protocol: str = "native"


def _input(request: RecordedRequest, name: str) -> LooseJson:
    return resolve(request.body, f"/input/{name}") or None


def _chat(request: RecordedRequest) -> dict[str, Any]:
    parameters = sdk_parameters(request.body)
    if request.streamed:
        # Cumulative output, the service's default, has to be asked for by name here.
        parameters.setdefault("incremental_output", False)
    messages = _input(request, "messages") or _input(request, "prompt")
    return {"messages": messages, "parameters": parameters}


def _compatible(request: RecordedRequest) -> dict[str, Any]:
    own = ("model", "messages", "stream", "stream_options")
    parameters = {name: value for name, value in request.body.items() if name not in own}
    return {"messages": request.body.get("messages"), "parameters": parameters}


def _texts(request: RecordedRequest) -> dict[str, Any]:
    return {"input": _input(request, "texts"), "parameters": sdk_parameters(request.body)}


def _ranked(request: RecordedRequest) -> dict[str, Any]:
    inputs = {name: _input(request, name) for name in ("query", "documents")}
    return {**inputs, "parameters": sdk_parameters(request.body)}


def _prompt(request: RecordedRequest) -> dict[str, Any]:
    return {"prompt": _input(request, "prompt"), "parameters": sdk_parameters(request.body)}


def _text_or_message(request: RecordedRequest) -> Form:
    """Return the form that the request asks for; the SDK always makes a message of it."""
    asked_for = resolve(request.body, "/parameters/result_format")
    return as_message if asked_for == "message" else as_text


OPERATIONS: Mapping[str, Operation] = {
    GENERATION.name: Operation(
        SERVICES, lambda client: client.chat.completions.create, _chat, _text_or_message
    ),
    MULTIMODAL.name: Operation(
        SERVICES, lambda client: client.multimodal.chat.create, _chat, lambda request: as_pieces
    ),
    EMBEDDINGS.name: Operation(
        SERVICES, lambda client: client.embeddings.create, _texts, lambda request: as_output
    ),
    RERANK.name: Operation(
        SERVICES, lambda client: client.rerank.create, _ranked, lambda request: as_output
    ),
    TEXT2IMAGE.name: Operation(
        SERVICES, lambda client: client.images.jobs.create, _prompt, lambda request: as_task
    ),
    VIDEO.name: Operation(
        SERVICES, lambda client: client.videos.jobs.create, _prompt, lambda request: as_task
    ),
    compatible.CHAT.name: Operation(
        "/chat/completions",
        lambda client: client.chat.completions.create,
        _compatible,
        lambda request: as_openai,
        protocol="openai",
    ),
    TASKS.name: Operation(
        "/tasks/",
        lambda client: lambda model, task, **more: client.images.jobs.fetch(task, **more),
        lambda request: {"task": request.task_id},
        lambda request: as_task,
    ),
}
"""How each endpoint is asked."""


def _parse(request: RecordedRequest) -> Outcome:
    """Make a recorded request with a client of its own, which does not retry."""
    from dashscope.v2.errors import DashScopeError

    operation = OPERATIONS[request.endpoint.name]
    base = request.base(operation.path)
    with (
        bound_client(request.address, request.timeout, base_url=base) as http,
    ):
        try:
            answers = _ask(operation, request, _client(base, operation.protocol, http))
        except DashScopeError as error:
            if error.status_code is None:
                raise
            return _refusal(error)
    form = operation.form(request)
    views = [View(form(dump(answer))) for answer in answers]
    return outcome_as_shown(request.endpoint, views, request.body, streamed=request.streamed)


def _ask(operation: Operation, request: RecordedRequest, client: Any) -> list[Any]:
    function = operation.function(client)
    arguments = operation.arguments(replace(request, body=without_files(request.body)))
    model = resolve(request.body, "/model") or None
    given = {"model": model, **arguments, "timeout": request.timeout}
    if not request.streamed:
        return [function(**given)]
    with closing(function(**given, stream=True)) as stream:
        return list(stream)


def _client(base: str, protocol: str, http: Any) -> Any:
    from dashscope import Client

    return Client(
        api_key=KEY,
        base_url=base,
        protocol=protocol,
        max_retries=0,
        http_client=http,
        config_path=os.devnull,
    )


def _refusal(error: Any) -> Failure:
    """Return a refusal, of which the SDK's error has every part."""
    texts = (error.code, error.message, error.request_id)
    code, message, request_id = (text if isinstance(text, str) else None for text in texts)
    body = (View(error.body),)
    return Failure(error.status_code, code or "", message or "", request_id, views=body)


def _errors() -> tuple[type[BaseException], ...]:
    from dashscope.v2.errors import DashScopeError

    return (DashScopeError,)


PARSER: Parser = Parser("dashscope.Client", "dashscope", frozenset(OPERATIONS), _parse, _errors)
