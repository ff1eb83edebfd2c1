"""The `openai` SDK, pointed at the chat endpoints that took its form over."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.config.environment import without_proxies
from harness.providers.dashscope import compatible
from harness.providers.openai.parsed import arguments, failure, reply, streamed
from harness.providers.parser import KEY, Asked, Parser, see
from harness.providers.tls import trusted
from harness.providers.transport import refuse_elsewhere
from harness.providers.zhipu import endpoints as zhipu_endpoints
from harness.types import Failure, Outcome, View

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

OPERATION = "/chat/completions"


def parse(asked: Asked) -> Outcome:
    """Ask, with a client of its own that asks once."""
    from openai import APIError, APIStatusError, DefaultHttpxClient, OpenAI

    base, http = asked.base(OPERATION), DefaultHttpxClient(transport=_transport(asked.address))
    with (
        without_proxies(),
        OpenAI(
            api_key=KEY, base_url=base, max_retries=0, timeout=asked.timeout, http_client=http
        ) as client,
    ):
        try:
            return _chat(client, asked)
        except APIStatusError as error:
            return _refusal(error)
        except APIError as error:
            if error.body is None:
                raise
            return failure(200, error.body)


def _transport(address: str) -> Any:
    """Of the library that the SDK stands on: httpx until its version 2, httpx2 since."""
    from openai import DefaultHttpxClient

    client = next(made for made in DefaultHttpxClient.__mro__ if made.__name__ == "Client")
    transport: Any = import_module(client.__module__.partition(".")[0]).HTTPTransport

    class Here(transport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            refuse_elsewhere(str(request.url), address)
            return super().handle_request(request)

    return Here(verify=trusted())


def _chat(client: OpenAI, asked: Asked) -> Outcome:
    create = client.chat.completions.create
    answer: Any = create(**arguments(create, asked.body))
    if not see(asked.body, "stream"):
        return reply(answer)
    with answer:
        return streamed(list(answer))


def _refusal(error: APIStatusError) -> Failure:
    """The SDK keeps a body's `error` and, of the rest, the response as it came."""
    told = failure(error.status_code, error.body)
    try:
        body = error.response.json()
    except ValueError:
        return told
    request_id = body.get("request_id") if isinstance(body, dict) else None
    return replace(told, request_id=request_id, views=(View({"error": error.body}),))


def typed() -> tuple[type[BaseException], ...]:
    """The root of its errors."""
    from openai import OpenAIError

    return (OpenAIError,)


PARSER = Parser(
    "openai", "openai", frozenset({zhipu_endpoints.CHAT.name, compatible.CHAT.name}), parse, typed
)
