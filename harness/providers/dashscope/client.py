"""`dashscope.Client`, the second generation of DashScope's SDK, as a reader of recorded answers.

Its models are dumped and given the wire's names again: what is compared is what the SDK keeps and
not what it calls it.
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
from harness.providers.dashscope.session import (
    DOCUMENTS,
    MESSAGES,
    PROMPT,
    SERVICES,
    TEXTS,
    inputs_of,
    sdk_parameters,
    without_files,
)
from harness.providers.http import bound_client
from harness.providers.sdk import KEY, Parser, RecordedRequest, dump, outcome_as_shown
from harness.types import Failure, Outcome, View
from harness.wire import resolve

Dump = dict[str, Any]

Form = Callable[[Dump], Dump]
"""From the dump of an SDK's model to the JSON of the wire."""

OWN = ("status_code", "code", "message", "is_error", "headers")
"""What the SDK's models say besides the answer."""


def as_message(value: Dump) -> Dump:
    """Put the choices under `output`, where an event's `delta` is a `message`."""
    choices = [
        {"message" if name == "delta" else name: member for name, member in choice.items()}
        for choice in value["choices"]
    ]
    output = {"choices": choices, "search_info": value.get("search_info")}
    return {**_envelope(value), "output": output}


def as_pieces(value: Dump) -> Dump:
    """Put the choices under `output`, their text in a list of pieces."""
    answer = as_message(value)
    for choice in answer["output"]["choices"]:
        choice["message"] = {
            **choice["message"],
            "content": [{"text": choice["message"]["content"]}],
        }
    return answer


def as_text(value: Dump) -> Dump:
    """Put the text of the first choice right under `output`."""
    choice = value["choices"][0] if value["choices"] else {}
    content = (choice.get("message") or choice.get("delta") or {}).get("content")
    output = {"text": content, "finish_reason": choice.get("finish_reason")}
    return {**_envelope(value), "output": output}


def _envelope(value: Dump) -> Dump:
    return {n: v for n, v in value.items() if n not in ("choices", "search_info", *OWN)}


def as_openai(value: Dump) -> Dump:
    """Rename the id of an answer, which is the SDK's `request_id`, and its token counts."""
    answer = {name: v for name, v in value.items() if name not in OWN}
    answer["id"] = answer.pop("request_id")
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    counts = answer.get("usage") or {}
    answer["usage"] = {names.get(name, name): v for name, v in counts.items()} or None
    return answer


def as_output(value: Dump) -> Dump:
    """Put an answer's own members under `output`."""
    output = {name: v for name, v in value.items() if name not in OWN}
    envelope = {name: output.pop(name) for name in ("request_id", "usage")}
    for vector in output.get("embeddings", ()):
        vector["text_index"] = vector.pop("index")
    return {**envelope, "output": output}


def as_task(value: Dump) -> Dump:
    """Keep what is the wire's of a job; the rest repeats it."""
    return {name: value[name] for name in ("request_id", "output", "usage")}


@dataclass(frozen=True, slots=True)
class Operation:
    """How the SDK asks an endpoint.

    Attributes:
        path: The path behind the base address.
        function: The client's function.
        inputs: Where its arguments stand in a body.
        form: Gives the dump of an answer the wire's names.
        protocol: The SDK's name of the API form.
    """

    path: str
    function: str
    inputs: Mapping[str, Pointers]
    form: Form
    protocol: str = "native"


_CHAT = "chat.completions.create"
OPERATIONS: Mapping[str, Operation] = {
    endpoints.GENERATION.name: Operation(
        SERVICES, _CHAT, {"messages": ("/input/messages", "/input/prompt")}, as_message
    ),
    endpoints.MULTIMODAL.name: Operation(SERVICES, "multimodal.chat.create", MESSAGES, as_pieces),
    endpoints.EMBEDDINGS.name: Operation(SERVICES, "embeddings.create", TEXTS, as_output),
    endpoints.RERANK.name: Operation(SERVICES, "rerank.create", DOCUMENTS, as_output),
    endpoints.TEXT2IMAGE.name: Operation(SERVICES, "images.jobs.create", PROMPT, as_task),
    endpoints.VIDEO.name: Operation(SERVICES, "videos.jobs.create", PROMPT, as_task),
    compatible.CHAT.name: Operation(
        "/chat/completions", _CHAT, {"messages": ("/messages",)}, as_openai, protocol="openai"
    ),
    endpoints.TASKS.name: Operation("/tasks/", "images.jobs.fetch", {}, as_task),
}
"""How each endpoint is asked."""


def _parse(request: RecordedRequest) -> Outcome:
    """Make a recorded request with a client of its own, which does not retry."""
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
        form = as_text  # what was asked for; the SDK always makes a message of it
    views = [View(form(dump(answer))) for answer in answers]
    return outcome_as_shown(request.endpoint, views, request.body, streamed=request.streamed)


def _ask(operation: Operation, request: RecordedRequest, client: Any) -> list[Any]:
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


def _parameters(operation: Operation, request: RecordedRequest, body: Dump) -> dict[str, Any]:
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


PARSER = Parser(
    "dashscope.Client",
    "dashscope",
    frozenset(OPERATIONS),
    _parse,
    "dashscope.v2.errors:DashScopeError",
)
