"""OpenAI's SDK `openai` as a parser, and helpers for all SDKs of services in OpenAI's format."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.analysis.endpoint import Endpoint
from harness.analysis.reply import read_refusal
from harness.providers.http import bound_transport
from harness.providers.openai.endpoints import FIELDS
from harness.providers.sdk import KEY, Parser, RecordedRequest, dump, outcome_as_shown
from harness.types import Message, Outcome, View
from harness.wire import read_json

if TYPE_CHECKING:
    from openai import APIStatusError

OPERATION = "/chat/completions"
"""The path that the SDK appends to the base URL."""

SETTINGS = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})
"""Arguments of SDK functions that configure the request and are not members of its body."""


def message(line: Message) -> dict[str, Any]:
    """Return a message in OpenAI's format, as a new dict: an SDK may change its arguments."""
    sent: dict[str, Any] = {"role": line.role, "content": line.content}
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


def _refusal(error: APIStatusError, endpoint: Endpoint) -> Outcome:
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
