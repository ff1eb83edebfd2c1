"""Strategies for the contents of requests of each kind, and for the requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Schema
from harness.providers.operation import ApiForm, Operation, Values
from harness.strategies.schema import (
    fitting,
    hexadecimal,
    links,
    sentences,
    sounds,
    texts,
    with_value,
)
from harness.types import EMPTY, Json, Request, ToolCall


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a request declares as a tool; `parameters` is its JSON Schema."""

    name: str
    parameters: Schema

    @property
    def json(self) -> Json:
        """The declaration of the function in the `tools` of a request."""
        function: Json = {"name": self.name, "parameters": dict(self.parameters)}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class RequestContent:
    """The content of a request, without the model.

    Attributes:
        messages: The messages of a chat.
        functions: The functions that the model may call.
        texts: The texts to embed or to rank.
        count: The requested number of results; None for the service's default.
        dimension: The requested length of embeddings; None for the service's default.
        values: All other values, by field (the name of an attribute of `Fields`) or by JSON
            pointer.
    """

    messages: tuple[Json, ...] = ()
    functions: tuple[Function, ...] = ()
    texts: tuple[str, ...] = ()
    count: int | None = None
    dimension: int | None = None
    values: Values = field(default_factory=lambda: EMPTY)

    def all_values(self) -> Values:
        """Return `values` and all other attributes that are not empty as one dict.

        Its keys are names of fields (attributes of `Fields`), such as `tools`, or JSON pointers.
        """
        values: dict[str, Json] = {
            "messages": [*self.messages],
            "tools": [function.json for function in self.functions],
            "texts": [*self.texts],
            "count": self.count,
            "dimension": self.dimension,
        }
        return {**{name: value for name, value in values.items() if value}, **self.values}


_PARAMETERS: tuple[Schema, ...] = (
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    {
        "type": "object",
        "properties": {
            "天数": {"type": "integer", "minimum": 1, "maximum": 14},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["天数", "unit"],
    },
    {"type": "object", "properties": {}},
)


def _functions() -> SearchStrategy[list[Function]]:
    names, parameters = st.sampled_from(["get_weather", "lookup-2", "a"]), _PARAMETERS
    function = st.builds(Function, names, st.sampled_from(parameters))
    return st.lists(function, max_size=2, unique_by=lambda function: function.name)


@st.composite
def tool_calls(draw: st.DrawFn, functions: tuple[Function, ...]) -> Mapping[int, ToolCall]:
    """Generate one or two calls of *functions*, by index from 0, with arguments that fit.

    The arguments fit the JSON Schema of the called function.
    """
    calls = {}
    for index in range(draw(st.integers(1, 2))):
        function = draw(st.sampled_from(functions))
        arguments = draw(fitting(function.parameters))
        text = json.dumps(arguments, ensure_ascii=draw(st.booleans()))
        calls[index] = ToolCall(f"call_{draw(hexadecimal(12))}{index}", function.name, text)
    return calls


def call_json(index: int, call: ToolCall) -> Json:
    """Return *call*, the tool call at *index* of an answer, as JSON.

    A later piece of a streamed call, whose name is "", has no `name`.
    """
    name: dict[str, Json] = {"name": call.name} if call.name else {}
    function: Json = {**name, "arguments": call.arguments}
    return {"index": index, "id": call.id, "type": "function", "function": function}


def assistant_message(content: str | None, calls: Mapping[int, ToolCall]) -> Json:
    """Return the message by which the next request repeats an answer with *content* and *calls*.

    *calls* are the answer's tool calls by index; empty if it has none.
    """
    called: list[Json] = [call_json(index, call) for index, call in calls.items()]
    message: dict[str, Json] = {"role": "assistant", "content": content or ""}
    return {**message, "tool_calls": called} if called else message


def _user_message(text: str) -> Json:
    return {"role": "user", "content": text}


@st.composite
def next_messages(draw: st.DrawFn, calls: Mapping[int, ToolCall]) -> list[Json]:
    """Generate the messages after an assistant's message.

    They are a tool result for each of *calls* or, without calls, one message from the user.
    """
    if not calls:
        return [_user_message(draw(sentences()))]
    return [
        {"role": "tool", "content": draw(texts()), "tool_call_id": call.id}
        for call in calls.values()
    ]


@st.composite
def _chat(draw: st.DrawFn) -> RequestContent:
    functions = tuple(draw(_functions()))
    system: list[str] = draw(st.lists(texts(), max_size=1))
    messages: list[Json] = [{"role": "system", "content": text} for text in system]
    messages.append(_user_message(draw(sentences())))
    for _ in range(draw(st.integers(0, 2))):
        content = draw(texts())
        calls: Mapping[int, ToolCall] = {}
        if draw(st.booleans()) and functions:
            calls = draw(tool_calls(functions))
        messages += [assistant_message(content, calls), *draw(next_messages(calls))]
    return RequestContent(messages=tuple(messages), functions=functions)


@dataclass(frozen=True, slots=True)
class GeneratedCall:
    """A call for which a request and an answer are generated.

    Attributes:
        api: The API that is called.
        operation: The operation of the API, such as a streamed chat.
        model: The name of the model.
        request: The content of the request.
        form: The name of another format in which a chat is sent, such as `anthropic`; "" for the
            format of the API.
    """

    api: ApiForm
    operation: Operation
    model: str
    request: RequestContent
    form: str = ""


def calls(api: ApiForm, operation: Operation, form: str = "") -> SearchStrategy[GeneratedCall]:
    """Generate calls of *operation*, with any model of *api*; for *form* see `GeneratedCall`."""
    models = st.sampled_from(api.models)
    return st.builds(
        GeneratedCall,
        st.just(api),
        st.just(operation),
        models,
        request_contents(operation),
        st.just(form),
    )


def request_contents(operation: Operation) -> SearchStrategy[RequestContent]:
    """Generate contents of requests for *operation*, such as messages, prompts or texts."""
    prompt = st.fixed_dictionaries({"prompt": sentences()})
    # Any: builds() has no types for keyword arguments.
    several: Any = {"texts": st.lists(sentences(), min_size=1, max_size=3).map(tuple)}
    count = st.none() | st.integers(1, 3)
    match operation.kind:
        case "chat":
            return _chat()
        case "image" if operation.multimodal:
            parts = sentences().map(lambda text: ({"role": "user", "content": [{"text": text}]},))
            return st.builds(RequestContent, messages=parts)
        case "image" if operation.endpoint.fields.count:
            return st.builds(RequestContent, values=prompt, count=count)
        case "embedding":
            dimension = st.none() | st.sampled_from([2, 3, 64])
            return st.builds(RequestContent, **several, dimension=dimension)
        case "transcription":
            files: Any = {"texts": links("wav").map(lambda url: (url,))}
            return (
                st.builds(RequestContent)
                if operation.is_form
                else st.builds(RequestContent, **files)
            )
        case "rerank":
            return st.builds(RequestContent, **several, count=count, values=prompt)
    return st.builds(RequestContent, values=prompt)


@st.composite
def requests(draw: st.DrawFn, call: GeneratedCall) -> Request:
    """Generate HTTP requests that make *call*."""
    operation = call.operation
    variant = draw(st.sampled_from(operation.variants))
    body: Json = {"model": call.model}
    for name, value in {**call.request.all_values(), **variant}.items():
        fields = operation.endpoint.fields
        pointer = name if name.startswith("/") else getattr(fields, name)[0]
        body = with_value(body, pointer, value)
    headers = (("Content-Type", "application/json"), *operation.headers)
    content = draw(json_bytes(body))
    if operation.is_form:
        headers = (("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),)
        content = _form(call.model, draw(sounds()))
    return Request(operation.endpoint.method, operation.url, headers, content)


BOUNDARY = "----strategies"


def _form(model: str, sound: bytes) -> bytes:
    """Return a form with the model and a sound."""
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    file = f'{field}file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    end = f"\r\n--{BOUNDARY}--\r\n"
    return f'{field}model"\r\n\r\n{model}\r\n{file}'.encode() + sound + end.encode()


def json_bytes(value: Json) -> SearchStrategy[bytes]:
    """Generate the bytes of *value* as JSON: with or without spaces, in ASCII or UTF-8."""
    separators = st.sampled_from([(",", ":"), (", ", ": ")])
    return st.builds(
        lambda ascii_only, pair: json.dumps(
            value, ensure_ascii=ascii_only, separators=pair
        ).encode(),
        st.booleans(),
        separators,
    )
