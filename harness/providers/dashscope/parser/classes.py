"""DashScope's official SDK, `dashscope`, as it was before its `Client`: one class per service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import requests

from harness.config.environment import without_proxies
from harness.providers.dashscope import endpoints as dialect
from harness.providers.dashscope.parser.asking import SERVICES, TOKENS, messages, parameters, reason
from harness.providers.openai.messages import tool_calls
from harness.providers.parser import (
    KEY,
    Asked,
    Parser,
    items,
    pictures,
    see,
    text,
    texts,
    tokens,
    whole,
)
from harness.providers.transport import over_requests
from harness.types import Failure, Outcome, Reply, View

ENVELOPE = ("status_code", "headers")
"""What the SDK's responses tell of HTTP; not on the wire."""


def parse(asked: Asked) -> Outcome:
    """Ask, with a session of its own."""
    with without_proxies(), over_requests(asked) as session:
        return WAYS[asked.endpoint.name](asked, session)


def _common(asked: Asked, session: requests.Session) -> dict[str, Any]:
    return {
        "model": see(asked.body, "model"),
        "api_key": KEY,
        "base_address": asked.base(SERVICES),
        "request_timeout": asked.timeout,
        "session": session,
    }


def _generate(asked: Asked, session: requests.Session) -> Outcome:
    from dashscope import Generation

    said = {"prompt": see(asked.body, "input", "prompt"), "messages": messages(asked.body)}
    return _answered(Generation.call, asked, {**said, **_common(asked, session)})


def _converse(asked: Asked, session: requests.Session) -> Outcome:
    from dashscope import MultiModalConversation

    said = {"messages": messages(asked.body)}
    return _answered(MultiModalConversation.call, asked, {**said, **_common(asked, session)})


def _answered(call: Callable[..., Any], asked: Asked, arguments: dict[str, Any]) -> Outcome:
    told = parameters(asked.body)
    if not asked.streamed:
        return _outcome(call(**told, **arguments))
    responses = list(call(**told, **arguments, stream=True))
    refused = next((r for r in responses if r.status_code != 200), None)
    return _outcome(refused) if refused is not None else _streamed(responses, asked)


def _embed(asked: Asked, session: requests.Session) -> Outcome:
    from dashscope import TextEmbedding

    said = {"input": see(asked.body, "input", "texts")}
    told = parameters(asked.body)
    return _outcome(TextEmbedding.call(**told, **said, **_common(asked, session)))


def _rank(asked: Asked, session: requests.Session) -> Outcome:
    from dashscope import TextReRank

    said = {name: see(asked.body, "input", name) for name in ("query", "documents")}
    told = parameters(asked.body)
    return _outcome(TextReRank.call(**told, **said, **_common(asked, session)))


def _paint(asked: Asked, session: requests.Session) -> Outcome:
    from dashscope import ImageSynthesis

    return _task(ImageSynthesis.async_call(**_prompted(asked, session)))


def _film(asked: Asked, session: requests.Session) -> Outcome:
    from dashscope import VideoSynthesis

    return _task(VideoSynthesis.async_call(**_prompted(asked, session)))


def _prompted(asked: Asked, session: requests.Session) -> dict[str, Any]:
    """Of the input the prompt alone: the SDK would read and upload files on this disk."""
    prompt = see(asked.body, "input", "prompt")
    return {**parameters(asked.body), "prompt": prompt, **_common(asked, session)}


def _fetch(asked: Asked, session: requests.Session) -> Outcome:
    """`fetch`, whose own connection waits for 300 seconds and follows redirects to anywhere."""
    from dashscope.api_entities.dashscope_response import (
        ImageSynthesisResponse,
        VideoSynthesisResponse,
    )
    from dashscope.common.utils import _handle_http_response

    told = _handle_http_response(session.get(asked.address + asked.path, timeout=asked.timeout))
    # [REC] A task that paints counts its pictures, from the first poll on; one that films does not.
    paints = see(told, "output", "task_metrics") is not None
    made = ImageSynthesisResponse if paints else VideoSynthesisResponse
    return _task(made.from_api_response(told))


WAYS: Mapping[str, Callable[[Asked, requests.Session], Outcome]] = {
    dialect.GENERATION.name: _generate,
    dialect.MULTIMODAL.name: _converse,
    dialect.EMBEDDINGS.name: _embed,
    dialect.RERANK.name: _rank,
    dialect.TEXT2IMAGE.name: _paint,
    dialect.VIDEO.name: _film,
    dialect.TASKS.name: _fetch,
}
"""How each endpoint is asked."""


def _dump(response: Any) -> View:
    value = {name: v for name, v in response.items() if name not in ENVELOPE}
    if response.status_code == 200:  # the SDK's own "no error"
        value = {n: v for n, v in value.items() if not (n in ("code", "message") and v == "")}
    return View(value)


def _outcome(response: Any) -> Outcome:
    if response.status_code != 200:
        return Failure(
            status=int(response.status_code),
            code=text(response, "code") or "",
            message=text(response, "message") or "",
            request_id=text(response, "request_id") or None,
            views=(_dump(response),),
        )
    return _reply(response)


def _reply(response: Any) -> Reply:
    output, choice = see(response, "output"), see(response, "output", "choices", 0)
    said = see(choice, "message")
    content = see(said, "content")
    return Reply(
        id=text(response, "request_id") or None,
        content=words(content) if choice is not None else text(output, "text"),
        reasoning=text(said, "reasoning_content"),
        tool_calls=tool_calls(items(said, "tool_calls")),
        finish_reason=reason(text(choice if choice is not None else output, "finish_reason")),
        usage=tokens(see(response, "usage"), *TOKENS),
        images=pictures(_images(content)),
        views=(_dump(response),),
    )


def words(content: Any) -> str | None:
    """A message's text: as it is, or spread over its pieces."""
    return "".join(texts(content, "text")) if isinstance(content, list) else text(content)


def _images(content: Any) -> Iterable[Any]:
    return [see(piece, "image") for piece in content] if isinstance(content, list) else ()


def _streamed(responses: Sequence[Any], asked: Asked) -> Reply:
    replies = [_reply(response) for response in responses]
    cumulative = see(asked.body, "parameters", "incremental_output") is not True
    pieces = [reply.content for reply in replies if reply.content is not None]
    thoughts = [reply.reasoning for reply in replies if reply.reasoning is not None]
    calls = [items(r, "output", "choices", 0, "message", "tool_calls") for r in responses]
    told = [part for part in calls if part][-1:] if cumulative else calls
    reasons = [reply.finish_reason for reply in replies if reply.finish_reason]
    last = replies[-1] if replies else Reply()
    return replace(
        last,
        content=whole(pieces, cumulative=cumulative),
        reasoning=whole(thoughts, cumulative=cumulative),
        tool_calls=tool_calls(call for part in told for call in part),
        finish_reason=reasons[-1] if reasons else None,
        images=tuple(image for reply in replies for image in reply.images),
        pieces=tuple(pieces),
        cumulative=cumulative,
        views=tuple(view for reply in replies for view in reply.views),
    )


def _task(response: Any) -> Outcome:
    outcome = _outcome(response)
    output, state = see(response, "output"), text(response, "output", "task_status")
    if isinstance(outcome, Failure):
        return outcome
    if state in dialect.STATES.failed:
        code, message = text(output, "code") or state, text(output, "message") or ""
        return Failure(200, code, message, outcome.id, views=outcome.views)
    links = [see(result, "url") or None for result in items(output, "results")]
    return replace(
        outcome,
        images=pictures(links),
        task_id=text(output, "task_id"),
        states=(state,) if state is not None else (),
    )


def typed() -> tuple[type[BaseException], ...]:
    """The root of its errors."""
    from dashscope.common.error import DashScopeException

    return (DashScopeException,)


PARSER = Parser("dashscope", "dashscope", frozenset(WAYS), parse, typed)
