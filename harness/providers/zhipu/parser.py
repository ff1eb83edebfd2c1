"""Zhipu's two official SDKs, `zhipuai` and its successor `zai-sdk`: one surface, two packages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import httpx

from harness.config.environment import without_proxies
from harness.providers.openai.parsed import arguments, dump, failure, reply, streamed
from harness.providers.parser import KEY, Asked, Parser, items, pictures, see, text
from harness.providers.transport import over_httpx
from harness.providers.zhipu import endpoints as zhipu_endpoints
from harness.types import Outcome, Reply

ENDPOINTS = frozenset(endpoint.name for endpoint in zhipu_endpoints.ENDPOINTS)


def _zhipuai(**settings: Any) -> Any:
    from zhipuai import ZhipuAI

    return ZhipuAI(**settings)


def _zhipuai_errors() -> tuple[type[BaseException], ...]:
    from zhipuai.core._errors import ZhipuAIError

    return (ZhipuAIError,)


def _zai(**settings: Any) -> Any:
    from zai import ZhipuAiClient

    return ZhipuAiClient(**settings)


def _zai_errors() -> tuple[type[BaseException], ...]:
    from zai.core._errors import ZaiError

    return (ZaiError,)


def _parse(
    opened: Callable[..., Any], typed: Callable[[], tuple[type[BaseException], ...]], asked: Asked
) -> Outcome:
    """Ask, with a client of its own that asks once."""
    operation, ask = WAYS[asked.endpoint.name]
    settings = {"api_key": KEY, "base_url": asked.base(operation), "max_retries": 0}
    with (
        without_proxies(),
        over_httpx(asked) as http,
        opened(http_client=http, **settings) as client,
    ):
        try:
            return ask(client, asked)
        except typed() as error:
            return _refusal(error)


def _refusal(error: BaseException) -> Outcome:
    """A refusal, by its status or inside a stream; any other error is raised again."""
    if hasattr(error, "response"):
        return failure(error.response.status_code, _told(error.response))
    if isinstance(getattr(error, "json_data", None), Mapping):
        return failure(200, error.json_data)  # type: ignore[attr-defined]
    raise error


def _told(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content).get("error")
    except (ValueError, AttributeError):
        return None


def _chat(client: Any, asked: Asked) -> Outcome:
    create = client.chat.completions.create
    answer = create(**arguments(create, asked.body))
    if not see(asked.body, "stream"):
        return reply(answer)
    with closing(answer.response):
        return streamed(list(answer))


def _submit(client: Any, asked: Asked) -> Outcome:
    create = client.chat.asyncCompletions.create
    return _task(create(**arguments(create, asked.body)))


def _result(client: Any, asked: Asked) -> Outcome:
    return _task(client.chat.asyncCompletions.retrieve_completion_result(id=asked.last))


def _video(client: Any, asked: Asked) -> Outcome:
    create = client.videos.generations
    return _task(create(**arguments(create, asked.body)))


def _task(answer: Any) -> Outcome:
    state, said = text(answer, "task_status"), reply(answer)
    if state in zhipu_endpoints.STATES.failed:
        told = failure(200, see(answer, "error"))
        request_id = text(answer, "request_id")
        return replace(told, code=told.code or state, request_id=request_id, views=said.views)
    return replace(said, task_id=said.id, states=(state,) if state is not None else ())


def _image(client: Any, asked: Asked) -> Outcome:
    create = client.images.generations
    answer = create(**arguments(create, asked.body))
    links = (see(item, "url") for item in items(answer, "data"))
    return Reply(images=pictures(links), views=(dump(answer),))


WAYS: Mapping[str, tuple[str, Callable[[Any, Asked], Outcome]]] = {
    zhipu_endpoints.CHAT.name: ("/chat/completions", _chat),
    zhipu_endpoints.ASYNC_CHAT.name: ("/async/chat/completions", _submit),
    zhipu_endpoints.VIDEOS.name: ("/videos/generations", _video),
    zhipu_endpoints.ASYNC_RESULT.name: ("/async-result/", _result),
    zhipu_endpoints.IMAGE.name: ("/images/generations", _image),
}
"""How each endpoint is asked: its path behind the base address, and the SDK's function."""


def _through(
    opened: Callable[..., Any], typed: Callable[[], tuple[type[BaseException], ...]]
) -> Callable[[Asked], Outcome]:
    return lambda asked: _parse(opened, typed, asked)


PARSER = Parser(
    "zhipuai", "zhipuai", ENDPOINTS, _through(_zhipuai, _zhipuai_errors), _zhipuai_errors
)
SUCCESSOR = Parser("zai-sdk", "zai-sdk", ENDPOINTS, _through(_zai, _zai_errors), _zai_errors)
