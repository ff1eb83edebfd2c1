"""OpenAI's format in the sandbox: chats, the list of models, and the kinds of `answers`.

`SERVER` serves all declared services. A provider with facts of its own calls `server`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from harness.providers.openai import sandbox_answers as answers
from harness.sandbox import model
from harness.sandbox.media import ImageRequest
from harness.sandbox.provider_server import (
    Headers,
    ProviderServer,
    bytes_response,
    json_response,
    stream_response,
)
from harness.sandbox.requests import (
    Range,
    Reason,
    Refusals,
    Refused,
    check_chat,
    check_ranges,
    describe,
    last_question,
    read_member,
    read_messages,
    read_object,
    read_prompt,
    read_refusals,
    read_size,
)
from harness.sandbox.state import SandboxState, now
from harness.sandbox.texts import CacheCounts, cache_counts, tokens
from harness.types import Call, CallKind, Json, Mode, Reply
from harness.wire import compact_bytes

KEY = "sk-sandbox0000000000000000000000000"
"""The API key that the sandbox accepts; no real service accepts it."""

INVALID = "invalid_request_error"

REFUSALS = read_refusals(Path(__file__).with_name("refusals.toml"))

# [DOC] platform.openai.com/docs/api-reference/chat/create
RANGES = {
    "temperature": Range(0, 2),
    "top_p": Range(0, 1),
    "max_tokens": Range(1, 131072, whole=True),
    "max_completion_tokens": Range(1, 131072, whole=True),
    "n": Range(1, 8, whole=True),
}


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The properties of one service in OpenAI's format that the sandbox simulates.

    Attributes:
        serves: Returns whether the service has a model for a kind of call, from the sandbox's
            state, the model's name and the kind, such as `chat`.
        listed: The names of the models that `GET /models` returns.
        ranges: The allowed range of each numeric parameter.
        refusals: The HTTP status, error code and message for each reason to refuse a request.
        dimension: The length of embeddings if a request sets none.
        thinks: Returns whether the reply to a chat has reasoning, from the state and the call.
        always_finish_reason: Whether each event of a stream has a `finish_reason`, which is null
            before the last one, as OpenAI documents it.
        headers: Returns the headers of a response, from a new id, the request and the Content-Type.
    """

    serves: Callable[[SandboxState, str, str], bool] = lambda state, model, kind: True
    listed: tuple[str, ...] = ("sandbox-chat", "sandbox-embedding")
    ranges: Mapping[str, Range] = field(default_factory=lambda: RANGES)
    refusals: Refusals = field(default_factory=lambda: REFUSALS)
    dimension: int = 1024
    thinks: Callable[[SandboxState, Call], bool] = lambda state, call: False
    always_finish_reason: bool = True
    headers: Callable[[str, Request, str], Headers] = lambda id, request, content_type: [
        ("content-type", content_type),
        ("x-request-id", id),
    ]


def server(prefix: str, facts: ServiceFacts = ServiceFacts()) -> ProviderServer:
    """Return the sandbox's server of a service in OpenAI's format.

    *prefix* is the path of the service's base URL, such as `/v1`.
    """
    return ProviderServer(
        prefix=prefix,
        key=KEY,
        routes=(
            ("POST", "/chat/completions", partial(_chat, facts)),
            ("POST", "/embeddings", partial(_embeddings, facts)),
            ("POST", "/rerank", partial(_rerank, facts)),
            ("POST", "/reranks", partial(_rerank, facts)),
            ("POST", "/images/generations", partial(_image, facts)),
            ("POST", "/audio/speech", partial(_speech, facts)),
            ("POST", "/audio/transcriptions", partial(_transcription, facts)),
            ("GET", "/models", partial(_models, facts)),
            ("GET", "/models/{name:path}", partial(_model, facts)),
        ),
        refuse=partial(_refuse, facts),
    )


def _refuse(facts: ServiceFacts, request: Request, refused: Refused) -> Response:
    """Return the error response: one JSON object, even for a stream."""
    status, code, message = describe(refused, facts.refusals)
    id = str(uuid.uuid4())
    error: Json = {"message": message, "type": INVALID, "param": None, "code": code or None}
    headers = facts.headers(id, request, "application/json")
    if status == 429:
        headers.append(("retry-after", "1"))
    return json_response({"error": error, "request_id": id}, headers, status)


def _json(facts: ServiceFacts, request: Request, value: Json, id: str = "") -> Response:
    return json_response(value, facts.headers(id or str(uuid.uuid4()), request, "application/json"))


# ---------------------------------------------------------------------------------------- chat


async def _chat(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    call = read_chat(facts, state, body)
    state.check_rate_limit(last_question(call.messages))
    replies, id = model.choices(call, thinking=facts.thinks(state, call)), str(uuid.uuid4())
    head: dict[str, Json] = {
        "id": f"chatcmpl-{id}",
        "created": int(now().timestamp()),
        "model": call.model,
    }
    if call.mode is Mode.STREAM:
        with_usage = read_member(body, "stream_options").get("include_usage") is True
        usage = _usage(replies, cache_counts(call)) if with_usage else None
        events = state.stream(_stream_events(replies, head, facts, call.parameters, usage))
        return stream_response(
            events, facts.headers(id, request, "text/event-stream;charset=UTF-8")
        )
    own: dict[str, Json] = {
        "object": "chat.completion",
        "choices": [_choice(reply, index, call.parameters) for index, reply in enumerate(replies)],
        "usage": _usage(replies, cache_counts(call)),
    }
    return _json(facts, request, dict(sorted((head | own).items())), id)  # [REC] in this order


def read_chat(facts: ServiceFacts, state: SandboxState, body: dict[str, Json]) -> Call:
    """Check the body of a chat request to a service with *facts*, and return the call.

    Raises:
        Refused: The body is not valid, or the model is not served.
    """
    model_name = _served(facts, state, body, "chat")
    messages = read_messages(_with_known_roles(body.get("messages")))
    check_chat(messages, body, facts.ranges, tool_call_id_required=True, bad_tools="tools")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    mode = Mode.STREAM if body.get("stream") is True else Mode.SYNC
    return Call(CallKind.CHAT, mode, model_name, messages, parameters={**body, "max_tokens": limit})


def _served(facts: ServiceFacts, state: SandboxState, body: dict[str, Json], kind: str) -> str:
    """Return the name of the model in *body*. Raises Refused if it is not served for this kind."""
    name = body.get("model")
    if not isinstance(name, str) or not name.strip() or not facts.serves(state, name, kind):
        raise Refused(Reason.UNKNOWN_MODEL)
    return name


def _with_known_roles(messages: Json) -> Json:
    """Return *messages* with `system` for the role `developer`, which OpenAI introduced later."""
    if not isinstance(messages, list):
        return messages
    return [
        {**m, "role": "system"} if isinstance(m, dict) and m.get("role") == "developer" else m
        for m in messages
    ]


def _choice(reply: Reply, index: int, parameters: Mapping[str, Json]) -> Json:
    message: dict[str, Json] = {"content": reply.content or "", "role": "assistant"}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        # [REC] DashScope's answers have the index of a call, also outside of streams
        message["tool_calls"] = [
            {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(reply.tool_calls)
        ]
    choice: dict[str, Json] = {
        "finish_reason": reply.finish_reason,
        "index": index,
        "message": message,
    }
    tokens_of = model.log_probabilities(reply.pieces, parameters)
    return choice | ({} if tokens_of is None else {"logprobs": {"content": tokens_of}})


def _usage(replies: Sequence[Reply], cache: CacheCounts) -> dict[str, Json]:
    """Return the token counts of all choices together."""
    counted = [reply.usage for reply in replies if reply.usage]
    prompt = counted[0].input_tokens or 0 if counted else 0
    output = sum(usage.output_tokens or 0 for usage in counted)
    thought = sum(len(tokens(reply.reasoning or "")) for reply in replies)
    details: Json = {"reasoning_tokens": thought}
    return {
        "completion_tokens": output,
        **({"completion_tokens_details": details} if thought else {}),
        "prompt_tokens": prompt,
        "prompt_tokens_details": cache.details(),
        "total_tokens": prompt + output,
    }


def _stream_events(
    replies: Sequence[Reply],
    head: dict[str, Json],
    facts: ServiceFacts,
    parameters: Mapping[str, Json],
    counts: dict[str, Json] | None,
) -> Iterator[bytes]:
    """Yield the events of a stream as bytes, as in DashScope's recordings [REC].

    The events of several choices take turns. The token *counts* follow in an event without
    choices, if the request asks for them; then [DONE].
    """

    def event(choices: list[Json], usage: Json = None) -> bytes:
        body = {
            "model": head["model"],
            "id": head["id"],
            "choices": choices,
            "created": head["created"],
            "object": "chat.completion.chunk",
            "usage": usage,
        }
        return b"data: " + compact_bytes(body) + b"\n\n"

    deltas = [_deltas(reply, index, facts, parameters) for index, reply in enumerate(replies)]
    for group in zip_longest(*deltas):
        yield from (event([choice]) for choice in group if choice is not None)
    if counts:
        order = ("total_tokens", "completion_tokens", "prompt_tokens", "prompt_tokens_details")
        rest = {name: value for name, value in counts.items() if name not in order}
        yield event([], {name: counts[name] for name in order} | rest)
    yield b"data: [DONE]\n\n"


def _deltas(
    reply: Reply, number: int, facts: ServiceFacts, parameters: Mapping[str, Json]
) -> Iterator[Json]:
    """Yield the choice of each event of one reply.

    The first event has the role and an empty content, the last one the finish reason.
    """

    def delta(delta: dict[str, Json], finish_reason: Json = None) -> dict[str, Json]:
        choice: dict[str, Json] = {"delta": delta, "index": number}
        if finish_reason or facts.always_finish_reason:
            choice["finish_reason"] = finish_reason
        elif delta.get("role"):
            choice = {"logprobs": None, "index": number, "delta": delta}
        return choice

    # [REC] first id and name of a call, then its arguments in pieces, with an empty id
    first: dict[str, Json] = {"content": "", "role": "assistant"}
    if reply.reasoning:
        yield delta({"content": None, "role": "assistant", "reasoning_content": ""})
        for piece in tokens(reply.reasoning):
            yield delta({"content": None, "reasoning_content": piece})
        first = {"content": ""}
    elif not reply.tool_calls:
        yield delta(first)
    for piece in reply.pieces:
        tokens_of = model.log_probabilities((piece,), parameters)
        own: dict[str, Json] = {} if tokens_of is None else {"logprobs": {"content": tokens_of}}
        yield delta({"content": piece, "role": None}) | own
    for index, call in enumerate(reply.tool_calls):
        calls: list[Json] = [_piece(index, call.id, {"name": call.name, "arguments": ""})]
        yield delta(
            {"content": "", "tool_calls": calls} if index else first | {"tool_calls": calls}
        )
        for piece in tokens(call.arguments):
            yield delta({"tool_calls": [_piece(index, "", {"arguments": piece})], "content": ""})
    yield delta({} if reply.tool_calls else {"content": "", "role": None}, reply.finish_reason)


def _piece(index: int, id: str, function: Json) -> Json:
    return {"function": function, "index": index, "id": id, "type": "function"}


# ------------------------------------------------------------------------- other kinds, models


async def _embeddings(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    _served(facts, state, body, "embedding")
    id = str(uuid.uuid4())
    return _json(facts, request, answers.embedding(state, body, facts.dimension) | {"id": id}, id)


async def _rerank(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    model_name, id = _served(facts, state, body, "rerank"), str(uuid.uuid4())
    own: dict[str, Json] = {"object": "list", "model": model_name, "id": id}
    return _json(facts, request, answers.ranking(state, body) | own, id)


async def _image(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    model_name, id = _served(facts, state, body, "image"), str(uuid.uuid4())
    prompt, count = read_prompt(body), body.get("n") or 1
    check_ranges(body, {"n": facts.ranges["n"]})
    state.check_rate_limit(prompt)
    width, height = read_size(body.get("size") or "1024x1024", "x") or (0, 0)
    if not (256 <= width <= 2048 and 256 <= height <= 2048):
        raise Refused(Reason.BAD_PARAMETER, "size")
    images = [
        ImageRequest(prompt, width, height, f"{model_name}/{number}")
        for number in range(count if isinstance(count, int) else 1)
    ]
    links: list[Json] = [
        {"url": state.add_image(request, f"openai/{id}-{number}.png", image)}
        for number, image in enumerate(images)
    ]
    return _json(facts, request, {"created": int(now().timestamp()), "data": links}, id)


async def _speech(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    _served(facts, state, body, "speech")
    headers = facts.headers(str(uuid.uuid4()), request, "audio/wav")
    return bytes_response(answers.speech(state, body), headers)


async def _transcription(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    asked = await answers.read_transcription(request)
    _served(facts, state, {"model": asked.model}, "transcription")
    if asked.is_streamed:
        headers = facts.headers(str(uuid.uuid4()), request, "text/event-stream")
        return stream_response(state.stream(asked.events({}, {"text": asked.text})), headers)
    return _json(facts, request, {"text": asked.text})


def _listed(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1735689600, "owned_by": "sandbox"}


async def _models(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    return _json(facts, request, {"object": "list", "data": [*map(_listed, facts.listed)]})


async def _model(facts: ServiceFacts, state: SandboxState, request: Request) -> Response:
    name = request.path_params["name"]
    if not any(facts.serves(state, name, kind) for kind in ("chat", "embedding")):
        raise Refused(Reason.UNKNOWN_MODEL)
    return _json(facts, request, _listed(name))


SERVER = server("/v1")
