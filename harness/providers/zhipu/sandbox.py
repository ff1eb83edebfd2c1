"""Zhipu's server in the sandbox: chats, images, videos, vectors, rankings, sounds and words."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import jwt
from starlette.requests import Request
from starlette.responses import Response

from harness.config.models import Model
from harness.providers.openai import sandbox_answers as answers
from harness.providers.zhipu.endpoints import counts_reasoning
from harness.sandbox import model
from harness.sandbox.media import ImageRequest, make_video
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
    Refused,
    check_chat,
    check_ranges,
    describe,
    last_question,
    read_messages,
    read_object,
    read_prompt,
    read_refusals,
    read_size,
)
from harness.sandbox.state import SandboxState, TaskFailure, TaskState, now
from harness.sandbox.texts import cache_counts, tokens
from harness.types import Call, CallKind, Json, Mode, Reply, ToolCall
from harness.wire import as_object, compact_bytes, resolve

# ------------------------------------------------------------------------------------ API keys

KEY = "sandbox0000000000000000000000000.SandboxSecret000"
"""The API key that the sandbox accepts; it is not valid for the real service."""


def check_key(token: str, key: str) -> None:
    """Raise Refused unless *token* is the API key, or an unexpired JWT signed with its secret.

    The API key, *key*, has the format `id.secret`.
    """
    if hmac.compare_digest(token.encode(), key.encode()):
        return
    if token.count(".") == 2:
        _check_token(token, *key.split(".", 1))
        return
    well_formed = re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token)
    raise Refused(Reason.WRONG_KEY if well_formed else Reason.MALFORMED_KEY)


def _check_token(token: str, key_id: str, secret: str) -> None:
    """Raise Refused unless *token* is an unexpired JWT of *key_id*, signed with *secret*.

    The format is that of the SDK's `_jwt_token.py`: HS256, the header `sign_type` is SIGN, and the
    times `exp` and `timestamp` are in milliseconds.
    """
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    try:
        sign_type = jwt.get_unverified_header(token).get("sign_type")
        claims = jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except jwt.InvalidSignatureError as error:
        raise Refused(Reason.WRONG_KEY) from error
    except jwt.PyJWTError as error:
        raise Refused(Reason.MALFORMED_KEY) from error
    expires = claims.get("exp")
    if sign_type != "SIGN" or not isinstance(expires, (int, float)):
        raise Refused(Reason.MALFORMED_KEY)
    if claims.get("api_key") != key_id:
        raise Refused(Reason.WRONG_KEY)
    if expires < now().timestamp() * 1000:
        raise Refused(Reason.EXPIRED_KEY)


# ------------------------------------------------------------------------------------ requests

# [DOC] bigmodel.cn/dev/api/normal-model/glm-4


class _Sizes(Range):
    """The sizes of images: sides in the range that are multiples of 16, at most 2^21 pixels."""

    __slots__ = ()

    def __contains__(self, value: object) -> bool:
        sides = read_size(value if isinstance(value, str) else "", "x") or (0, 0)
        fit = all(self.low <= side <= self.high and side % 16 == 0 for side in sides)
        return fit and sides[0] * sides[1] <= 2**21


RANGES = {
    "size": _Sizes(512, 2048),  # [DOC cogview]
    "temperature": Range(0, 1),
    "top_p": Range(0, 1),
    "max_tokens": Range(1, 131072, whole=True),
}


@dataclass(frozen=True, slots=True)
class _Chat:
    """A chat that was accepted, and whether the reply has reasoning."""

    call: Call
    thinks: bool

    @property
    def reply(self) -> Reply:
        """The reply of the sandbox's model."""
        return model.generate(self.call, thinking=self.thinks)


async def _read_chat(state: SandboxState, request: Request) -> _Chat:
    body = await read_object(request)
    kind = state.find_model("zhipuai", body.get("model"), "chat", "chat")
    messages = read_messages(body.get("messages"))
    # [REC] a tool message without tool_call_id was accepted (glm-4.6, tool_round_trip_2)
    check_chat(messages, body, RANGES, tool_call_id_required=False, bad_tools="tools")
    state.check_rate_limit(last_question(messages))
    mode = Mode.STREAM if body.get("stream") is True else Mode.SYNC
    call = Call(CallKind.CHAT, mode, str(body["model"]), messages, parameters=body)
    return _Chat(call, _thinks(kind, body.get("thinking")))


def _thinks(kind: Model, thinking: Json) -> bool:
    """Return whether a model sends reasoning.

    Models since 4.5 do [REC], unless `thinking.type` is `disabled` [DOC].

    Raises:
        Refused: It is disabled, and the model always reasons.
    """
    disabled = isinstance(thinking, dict) and thinking.get("type") == "disabled"
    if disabled and kind.thinking == "always":
        raise Refused(Reason.ALWAYS_THINKS)
    return kind.thinking == "always" or (kind.thinking == "on" and not disabled)


def _read_image_request(state: SandboxState, body: dict[str, Json]) -> ImageRequest:
    """Return the image that *body* requests.

    Raises:
        Refused: The model, the prompt or the size is not valid.
    """
    state.find_model("zhipuai", body.get("model"), "image", "images")
    prompt = read_prompt(body)
    size = body.get("size") or "1024x1024"
    check_ranges({"size": size}, RANGES)
    width, height = read_size(size, "x") or (0, 0)
    return ImageRequest(prompt, width, height, str(body["model"]))


# ----------------------------------------------------------------------------------- responses


def new_id() -> str:
    """Return a new id of an answer [REC]: the Beijing time to the second, and 16 hex digits."""
    return f"{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:16]}"


def _headers(id: str) -> Headers:
    """Return the headers of a JSON response with this id, as in [REC] of 2025-10."""
    vary = ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"]
    return [
        ("content-type", "application/json; charset=UTF-8"),
        ("connection", "keep-alive"),
        *_common_headers(id),
        *(("vary", name) for name in ["Accept-Encoding", *vary, *vary]),
    ]


def _stream_headers(id: str) -> Headers:
    """Return the headers of a stream with this id, as in [REC] of 2025-10."""
    return [
        ("content-type", "text/event-stream;charset=UTF-8"),
        *_common_headers(id),
        ("vary", "Access-Control-Request-Headers"),
    ]


def _common_headers(id: str) -> Headers:
    cookie = f"acw_tc={uuid.uuid5(uuid.NAMESPACE_OID, id).hex}00000000;path=/;HttpOnly;Max-Age=1800"
    return [
        ("server", "ZenZGA/2.4"),
        ("set-cookie", cookie),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-log-id", id),
    ]


def _usage(reply: Reply, call: Call) -> dict[str, Json]:
    counted = reply.usage
    thought: dict[str, Json] = {}
    if reply.reasoning is not None and counts_reasoning({"model": call.model}):
        thought["completion_tokens_details"] = {"reasoning_tokens": len(tokens(reply.reasoning))}
    return thought | {
        "prompt_tokens": counted.input_tokens if counted else 0,
        "completion_tokens": counted.output_tokens if counted else 0,
        "total_tokens": counted.total_tokens if counted else 0,
        "prompt_tokens_details": {"cached_tokens": cache_counts(call).read},
    }


def _message(reply: Reply) -> dict[str, Json]:
    """Return `message` of a whole answer; with tool calls, it has no `content` [REC 2025-10]."""
    message: dict[str, Json] = {"content": reply.content, "role": "assistant"}
    if reply.tool_calls:
        # [REC] the ids of calls in whole answers are negative numbers
        calls: list[Json] = [
            {
                "function": {"arguments": call.arguments, "name": call.name},
                "id": f"call_-{uuid.uuid4().int % 10**19}",
                "index": index,
                "type": "function",
            }
            for index, call in enumerate(reply.tool_calls)
        ]
        message = {"role": "assistant", "tool_calls": calls}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    return dict(sorted(message.items()))


def _answer(reply: Reply, call: Call, message: dict[str, Json]) -> dict[str, Json]:
    """Return the members of a whole answer that are also in the last poll of a task."""
    choice: Json = {"finish_reason": reply.finish_reason, "index": 0, "message": message}
    return {
        "choices": [choice],
        "usage": dict(sorted(_usage(reply, call).items())),
        "created": int(now().timestamp()),
    }


def _stream_events(reply: Reply, call: Call, id: str) -> Iterator[bytes]:
    """Yield the events of a stream as bytes, in the format of [REC] of 2025-10.

    Each event has one token, first of the reasoning, then of the text. The first event of the
    reasoning also has an empty content. All tool calls are in one event, whose delta has no role.
    The last event has usage and finish_reason; [DONE] follows.
    """
    head: dict[str, Json] = {"id": id, "created": int(now().timestamp()), "model": call.model}

    def event(choice: dict[str, Json], usage: dict[str, Json] | None = None) -> bytes:
        body = head | {"choices": [{"index": 0} | choice]}
        return b"data: " + compact_bytes(body | ({"usage": usage} if usage else {})) + b"\n\n"

    for number, piece in enumerate(tokens(reply.reasoning or "")):
        content: dict[str, Json] = {} if number else {"content": ""}
        yield event({"delta": {"role": "assistant", **content, "reasoning_content": piece}})
    for piece in reply.pieces:
        yield event({"delta": {"role": "assistant", "content": piece}})
    if reply.tool_calls:
        calls = [_streamed_call(call, index) for index, call in enumerate(reply.tool_calls)]
        yield event({"delta": {"tool_calls": calls}})
    end: dict[str, Json] = {"finish_reason": reply.finish_reason}
    yield event(end | {"delta": {"role": "assistant", "content": ""}}, _usage(reply, call))
    yield b"data: [DONE]\n\n"


def _streamed_call(call: ToolCall, index: int) -> Json:
    function: Json = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "index": index, "type": "function", "function": function}


# ------------------------------------------------------------------------------------ refusals

REFUSALS = read_refusals(Path(__file__).with_name("refusals.toml"))


_NO_ROUTE = {
    Reason.NO_SUCH_PATH: (404, "Not Found"),
    Reason.WRONG_METHOD: (405, "Method Not Allowed"),
}


def _refuse(request: Request, refused: Refused) -> Response:
    """Return the error response: JSON, even for a stream; its `code` is a string [FIELD]."""
    headers = _headers(new_id())
    if refused.reason in _NO_ROUTE:  # in the form that users report; no recording has it
        status, error = _NO_ROUTE[refused.reason]
        stamp, path = now().isoformat(timespec="milliseconds"), request.url.path
        no_route: Json = {"timestamp": stamp, "status": status, "error": error, "path": path}
        return json_response(no_route, headers, status)
    status, code, message = describe(refused, REFUSALS)
    body: dict[str, Json] = {"error": {"code": code, "message": message}}
    if refused.reason is Reason.FORBIDDEN:
        # [DOC] role: where it was seen; level: 0 is the most severe
        body["contentFilter"] = [{"level": 1, "role": "user"}]
    if refused.reason is Reason.THROTTLED:
        headers.append(("retry-after", "1"))
    return json_response(body, headers, status)


# -------------------------------------------------------------------------------------- routes

# [FIELD] A1
_SEARCH_RESULT: Json = {
    "content": "沙盒",
    "link": "https://sandbox.invalid/1",
    "refer": "ref_1",
    "title": "沙盒",
}


async def _chat(state: SandboxState, request: Request) -> Response:
    chat, id = await _read_chat(state, request), new_id()
    call, reply = chat.call, chat.reply
    if call.mode is Mode.STREAM:
        events = state.stream(_stream_events(reply, call, id))
        return stream_response(events, _stream_headers(id))
    request_id = call.parameters.get("request_id")
    if not isinstance(request_id, str) or not request_id:
        request_id = id
    body: dict[str, Json] = {"id": id, "model": call.model, "request_id": request_id}
    # [REC] no `object`; keys in alphabetical order
    body |= _answer(reply, call, _message(reply))
    tools = call.parameters.get("tools")
    if isinstance(tools, list) and any(resolve(t, "/type") == "web_search" for t in tools):
        body["web_search"] = [_SEARCH_RESULT]
    return json_response(dict(sorted(body.items())), _headers(id))


@dataclass(frozen=True, slots=True)
class _Task:
    """The data of an asynchronous chat or video.

    Attributes:
        request_id: The `request_id` in all polls.
        model: The name of the model, reported when the task has ended.
        answer: The members of the answer, reported when the task has succeeded.
    """

    request_id: str
    model: str
    answer: dict[str, Json]


def _task_ids() -> tuple[str, str]:
    """Return a new id of a task, a prefix and a negative number [DOC], and its `request_id`."""
    number = uuid.uuid4().int % 10**19
    return f"101002{-number}", str(-number - 1)


def _task_status(id: str, request_id: str, model_name: str | None, state: str) -> dict[str, Json]:
    return {"id": id, "request_id": request_id, "model": model_name, "task_status": state}


async def _submit_chat(state: SandboxState, request: Request) -> Response:
    """Start a task for a chat and return the response."""
    chat = await _read_chat(state, request)
    call, reply = chat.call, chat.reply
    id, request_id = _task_ids()
    failure = TaskFailure("", "") if state.should_fail(last_question(call.messages)) else None
    message = {**_message(reply)}
    message.setdefault("tool_calls", None)  # [DOC] null where there are none
    answer = _answer(reply, call, message)
    state.tasks.submit(id, _Task(request_id, call.model, answer), failure)
    body = _task_status(id, request_id, call.model, "PROCESSING")
    return json_response(body, _headers(new_id()))


async def _poll(state: SandboxState, request: Request) -> Response:
    """Return the state of a task as a response; `model` is null until the task has ended [DOC]."""
    task = state.tasks.poll(request.path_params["id"])
    if task is None or not isinstance(task.result, _Task):
        raise Refused(Reason.NO_SUCH_TASK)
    asked = task.result
    ended = {TaskState.SUCCEEDED: "SUCCESS", TaskState.FAILED: "FAIL"}.get(task.state)
    model_name = asked.model if ended else None
    body = _task_status(task.id, asked.request_id, model_name, ended or "PROCESSING")
    answer = asked.answer if task.state is TaskState.SUCCEEDED else {}
    return json_response(body | answer, _headers(new_id()))


async def _submit_video(state: SandboxState, request: Request) -> Response:
    """Start a task for a video and return the response [DOC] A4."""
    body = await read_object(request)
    state.find_model("zhipuai", body.get("model"), "video async", "videos")
    prompt, model_name = read_prompt(body), str(body["model"])
    state.check_rate_limit(prompt)
    id, request_id = _task_ids()
    failure = TaskFailure("", "") if state.should_fail(prompt) else None
    made = f"zhipuai/api/video/{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:14]}"
    links: Json = {
        "url": state.add_file(request, f"{made}_0.mp4", partial(make_video, prompt, model_name)),
        "cover_image_url": state.add_image(
            request, f"{made}_cover_0.png", ImageRequest(prompt, 320, 180, model_name)
        ),
    }
    task = _Task(request_id, model_name, {"video_result": [links]})
    state.tasks.submit(id, task, failure)
    return json_response(_task_status(id, request_id, model_name, "PROCESSING"), _headers(new_id()))


async def _embed(state: SandboxState, request: Request) -> Response:
    body = await read_object(request)
    state.find_model("zhipuai", body.get("model"), "embedding", "embeddings")
    answer = answers.embedding(state, body, 2048)
    answer["usage"] = {"completion_tokens": 0, **as_object(answer["usage"])}
    return json_response(answer, _headers(new_id()))


async def _rank(state: SandboxState, request: Request) -> Response:
    body, id = await read_object(request), new_id()
    state.find_model("zhipuai", body.get("model"), "rerank", "rerank")
    own: dict[str, Json] = {"created": int(now().timestamp()), "id": id, "request_id": id}
    return json_response(own | answers.ranking(state, body), _headers(id))


async def _speak(state: SandboxState, request: Request) -> Response:
    body, id = await read_object(request), new_id()
    state.find_model("zhipuai", body.get("model"), "speech", "speech")
    return bytes_response(
        answers.speech(state, body), [("content-type", "audio/wav"), *_common_headers(id)]
    )


async def _transcribe(state: SandboxState, request: Request) -> Response:
    asked, id = await answers.read_transcription(request), new_id()
    state.find_model("zhipuai", asked.model, "transcription", "transcriptions")
    head: dict[str, Json] = {"created": int(now().timestamp()), "id": id, "model": asked.model}
    if asked.is_streamed:
        events = chain(asked.events(head, {}), [b"data: [DONE]\n\n"])
        return stream_response(state.stream(events), _stream_headers(id))
    return json_response({**head, "request_id": id, "text": asked.text}, _headers(id))


async def _create_image(state: SandboxState, request: Request) -> Response:
    """Store an image and return the response with its URL.

    The response has no id, model or usage [DOC]. The format of the URL is from [FIELD].
    """
    image = _read_image_request(state, await read_object(request))
    state.check_rate_limit(image.prompt)
    name = f"zhipuai/api/cogview/{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:14]}_0.png"
    url = state.add_image(request, name, image)
    body: Json = {"created": int(now().timestamp()), "data": [{"url": url}]}
    return json_response(body, _headers(new_id()))


SERVER = ProviderServer(
    prefix="/api/paas/v4",
    key=KEY,
    check_key=check_key,
    routes=(
        ("POST", "/chat/completions", _chat),
        ("POST", "/async/chat/completions", _submit_chat),
        ("GET", "/async-result/{id}", _poll),
        ("POST", "/images/generations", _create_image),
        ("POST", "/videos/generations", _submit_video),
        ("POST", "/embeddings", _embed),
        ("POST", "/rerank", _rank),
        ("POST", "/audio/speech", _speak),
        ("POST", "/audio/transcriptions", _transcribe),
    ),
    refuse=_refuse,
)
