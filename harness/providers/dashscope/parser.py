"""DashScope's SDK, `dashscope`, as a parser of recorded answers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.analysis.reply import read_refusal
from harness.providers import sdk
from harness.providers.dashscope import endpoints
from harness.providers.dashscope.functions import (
    FRAMES,
    FUNCTIONS,
    SERVICES,
    ask,
    dumped,
    session_argument,
)
from harness.providers.http import bound_session
from harness.types import Json, Outcome, View
from harness.wire import resolve

if TYPE_CHECKING:
    import requests


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


PARSER = sdk.Parser(
    "dashscope",
    "dashscope",
    frozenset({*FUNCTIONS, endpoints.TASKS.name}),
    _parse,
    "dashscope.common.error:DashScopeException",
    "dashscope",
)
