"""`dashscope.Client`, the second generation of DashScope's SDK: another reader, over httpx."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from harness.config.environment import without_proxies
from harness.providers.dashscope import compatible
from harness.providers.dashscope import endpoints as dialect
from harness.providers.dashscope.parser.asking import SERVICES, TOKENS, messages, parameters, reason
from harness.providers.dashscope.parser.forms import OWN, as_openai, as_pieces, form
from harness.providers.openai.messages import tool_calls
from harness.providers.openai.parsed import dump
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
from harness.providers.transport import over_httpx
from harness.types import Failure, LooseJson, Outcome, Reply, View


def parse(asked: Asked) -> Outcome:
    """Ask, with a client of its own that asks once."""
    from dashscope.v2.errors import DashScopeError

    operation, protocol, ask = WAYS[asked.endpoint.name]
    base = asked.base(operation)
    with without_proxies(), over_httpx(asked, base_url=base) as http:
        client = _client(base, protocol, http)
        try:
            return ask(client, asked)
        except DashScopeError as error:
            if error.status_code is None:
                raise
            return _refusal(error)


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
    return Failure(
        status=error.status_code,
        code=text(error.code) or "",
        message=text(error.message) or "",
        request_id=text(error.request_id),
        views=(View(error.body),),
    )


def _native(client: Any, asked: Asked) -> Outcome:
    said = messages(asked.body) or see(asked.body, "input", "prompt")
    return _chat(client.chat.completions.create, asked, said, form(asked))


def _multimodal(client: Any, asked: Asked) -> Outcome:
    return _chat(client.multimodal.chat.create, asked, messages(asked.body), as_pieces)


def _chat(
    create: Any, asked: Asked, said: LooseJson, form: Callable[[LooseJson], LooseJson]
) -> Outcome:
    told = {"model": see(asked.body, "model"), "messages": said, "timeout": asked.timeout}
    sent = parameters(asked.body)
    if not asked.streamed:
        return _reply(create(**told, parameters=sent), form)
    # Cumulative output, the service's default, has to be asked for by name here.
    sent.setdefault("incremental_output", False)
    with closing(create(**told, parameters=sent, stream=True)) as stream:
        return _streamed(list(stream), form, cumulative=not sent["incremental_output"])


def _compatible(client: Any, asked: Asked) -> Outcome:
    told = {"model": see(asked.body, "model"), "messages": see(asked.body, "messages")}
    own = ("model", "messages", "stream", "stream_options")
    sent = {name: value for name, value in asked.body.items() if name not in own}
    create = client.chat.completions.create
    if not asked.streamed:
        return _reply(create(**told, parameters=sent, timeout=asked.timeout), as_openai)
    with closing(create(**told, parameters=sent, timeout=asked.timeout, stream=True)) as stream:
        return _streamed(list(stream), as_openai, cumulative=False)


def _reply(answer: Any, form: Callable[[LooseJson], LooseJson]) -> Reply:
    choice = see(answer, "choices", 0)
    said = see(choice, "message") or see(choice, "delta")
    return Reply(
        id=text(answer, "request_id"),
        model=text(answer, "model"),
        content=text(said, "content"),
        reasoning=text(said, "reasoning_content"),
        tool_calls=tool_calls(dump(call).value for call in items(said, "tool_calls")),
        finish_reason=reason(text(choice, "finish_reason")),
        usage=tokens(see(answer, "usage"), *TOKENS),
        views=(View(form(dump(answer).value)),),
    )


def _streamed(
    chunks: Sequence[Any], form: Callable[[LooseJson], LooseJson], *, cumulative: bool
) -> Reply:
    replies = [_reply(chunk, form) for chunk in chunks]
    deltas = [see(chunk, "choices", 0, "delta") for chunk in chunks]
    pieces, thoughts = texts(deltas, "content"), texts(deltas, "reasoning_content")
    calls = [items(delta, "tool_calls") for delta in deltas]
    told = [part for part in calls if part][-1:] if cumulative else calls
    reasons = [reply.finish_reason for reply in replies if reply.finish_reason]
    return replace(
        replies[-1] if replies else Reply(),
        content=whole(pieces, cumulative=cumulative),
        reasoning=whole(thoughts, cumulative=cumulative),
        tool_calls=tool_calls(dump(call).value for part in told for call in part),
        finish_reason=reasons[-1] if reasons else None,
        usage=next((reply.usage for reply in reversed(replies) if reply.usage), None),
        pieces=tuple(pieces),
        cumulative=cumulative,
        views=tuple(view for reply in replies for view in reply.views),
    )


def _embed(client: Any, asked: Asked) -> Outcome:
    said = see(asked.body, "input", "texts")
    told = {"model": see(asked.body, "model"), "parameters": parameters(asked.body)}
    return _plain(client.embeddings.create(input=said, **told, timeout=asked.timeout))


def _rank(client: Any, asked: Asked) -> Outcome:
    said = {name: see(asked.body, "input", name) for name in ("query", "documents")}
    told = {"model": see(asked.body, "model"), "parameters": parameters(asked.body)}
    return _plain(client.rerank.create(**said, **told, timeout=asked.timeout))


def _plain(answer: Any) -> Reply:
    """An answer whose own members the wire has under `output`."""
    value = {name: v for name, v in dump(answer).value.items() if name not in OWN}
    beside = {name: value.pop(name) for name in ("request_id", "usage")}
    for vector in value.get("embeddings", ()):
        vector["text_index"] = vector.pop("index")
    return Reply(
        id=text(answer, "request_id"),
        usage=tokens(see(answer, "usage"), *TOKENS),
        views=(View({**beside, "output": value}),),
    )


def _paint(client: Any, asked: Asked) -> Outcome:
    return _submitted(client.images.jobs.create, asked)


def _film(client: Any, asked: Asked) -> Outcome:
    return _submitted(client.videos.jobs.create, asked)


def _submitted(create: Any, asked: Asked) -> Outcome:
    told = {"model": see(asked.body, "model"), "prompt": see(asked.body, "input", "prompt")}
    return _job(create(**told, parameters=parameters(asked.body), timeout=asked.timeout))


def _fetch(client: Any, asked: Asked) -> Outcome:
    return _job(client.images.jobs.fetch(asked.last, timeout=asked.timeout))


def _job(job: Any) -> Outcome:
    value = dump(job).value
    view = View({name: value[name] for name in ("request_id", "output", "usage")})
    state = text(job, "status") or None
    if state in dialect.STATES.failed:
        told = text(job, "code") or state, text(job, "message") or ""
        return Failure(200, *told, text(job, "request_id"), views=(view,))
    return Reply(
        id=text(job, "request_id"),
        usage=tokens(see(job, "usage"), *TOKENS),
        images=pictures(items(job, "image_urls")),
        task_id=text(job, "task_id") or None,
        states=(state,) if state is not None else (),
        views=(view,),
    )


WAYS: Mapping[str, tuple[str, str, Callable[[Any, Asked], Outcome]]] = {
    dialect.GENERATION.name: (SERVICES, "native", _native),
    dialect.MULTIMODAL.name: (SERVICES, "native", _multimodal),
    dialect.EMBEDDINGS.name: (SERVICES, "native", _embed),
    dialect.RERANK.name: (SERVICES, "native", _rank),
    dialect.TEXT2IMAGE.name: (SERVICES, "native", _paint),
    dialect.VIDEO.name: (SERVICES, "native", _film),
    dialect.TASKS.name: ("/tasks/", "native", _fetch),
    compatible.CHAT.name: ("/chat/completions", "openai", _compatible),
}
"""How each endpoint is asked: its path behind the base address, the SDK's protocol and way."""


def typed() -> tuple[type[BaseException], ...]:
    """The root of its errors."""
    from dashscope.v2.errors import DashScopeError

    return (DashScopeError,)


PARSER = Parser("dashscope.Client", "dashscope", frozenset(WAYS), parse, typed)
