"""Zhipu's language: chat/completions, its tasks, and images/generations."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Iterator

import jwt
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.sandbox import mind
from harness.sandbox.house import (
    Endpoint,
    Headers,
    House,
    Speaker,
    bearer,
    compact,
    now,
    said,
    streamed,
)
from harness.sandbox.listening import (
    Range,
    check_content,
    check_ranges,
    check_tool_messages,
    read_messages,
    read_object,
    read_size,
    read_text,
)
from harness.sandbox.pictures import Wish
from harness.sandbox.refusal import Reason, Refused
from harness.sandbox.tasks import Stage
from harness.sandbox.words import tokens
from harness.types import Call, Json, Kind, Mode, Reply, ToolCall

KEY = "sandbox0000000000000000000000000.SandboxSecret000"
"""The key this sandbox accepts; the real service knows nothing of it."""

_BAD_CALL = ("1210", "API 调用参数有误，请检查文档。")  # [FIELD]

REFUSALS: dict[Reason, tuple[int, str, str]] = {
    # [DOC] docs.z.ai/api-reference/api-code
    Reason.NO_KEY: (401, "1001", "Header中未收到Authorization参数，无法进行身份验证。"),
    # [FIELD] captured live, 2026-07-30
    Reason.MALFORMED_KEY: (
        401,
        "1002",
        "Authorization Token非法，请确认Authorization Token正确传递。",
    ),
    # [FIELD] zhipuai/zhipuai-sdk-python issue #25
    Reason.WRONG_KEY: (401, "401", "令牌已过期或验证不正确"),
    # [FIELD] MetaGLM/zhipuai-sdk-python-v4 issue #8
    Reason.EXPIRED_KEY: (401, "1003", "Authorization Token已过期，请重新生成/获取。"),
    # [FIELD] the Chinese wording of 1302; [REC] for status and code
    Reason.THROTTLED: (
        429,
        "1302",
        "您当前使用该API的并发数过高，请降低并发，或联系客服增加限额。",
    ),
    Reason.NOT_JSON: (400, *_BAD_CALL),
    Reason.UNKNOWN_MODEL: (400, "1211", "模型不存在，请检查模型代码。"),  # [DOC]
    Reason.BAD_MESSAGES: (400, "1214", "messages 参数非法。请检查文档。"),  # [FIELD] dify #16337
    Reason.NO_MESSAGES: (400, "1214", "messages 参数非法。请检查文档。"),
    Reason.STRAY_TOOL_MESSAGE: (400, "1214", "messages 参数非法。请检查文档。"),
    # [FIELD] chatchat-space/Langchain-Chatchat #2815 has the same text with "prompt"
    Reason.BAD_PARAMETER: (400, "1214", "{detail} 参数非法。请检查文档。"),
    # [FIELD] the text clients match for, which is cut there
    Reason.FORBIDDEN: (400, "1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"),
    Reason.NO_SUCH_TASK: (400, "1214", "id 参数非法。请检查文档。"),  # no evidence
}

_MODEL = re.compile(
    r"(?:glm-(?:[345](?:\.\d)?|z1|zero)v?(?:-(?:turbo|plus|airx?|flashx?|long|x|alltools|preview"
    r"|thinking|\d{4,8}))*|charglm-[34]|codegeex-4|emohaa)"
)
_THINKER = re.compile(r"glm-(?:4\.[5-9]|5|z1)")
_IMAGE_MODEL = re.compile(r"cogview-(?:3|3-plus|3-flash|4|4-\d{6})|glm-image")

# [DOC] bigmodel.cn/dev/api/normal-model/glm-4
_RANGES = {
    "temperature": Range(0, 1),
    "top_p": Range(0, 1),
    "max_tokens": Range(1, 131072, whole=True),
}


def build(house: House, key: str) -> Starlette:
    """The endpoints below the base address that the SDK is given."""
    voice = _Voice(house, key)
    table: list[tuple[str, str, Endpoint]] = [
        ("POST", "/chat/completions", voice.chat),
        ("POST", "/async/chat/completions", voice.submit),
        ("GET", "/async-result/{id}", voice.poll),
        ("POST", "/images/generations", voice.draw),
    ]
    routes = [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]
    handlers = {Refused: _refuse, HTTPException: _no_such_path, Exception: _broken}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Voice:
    """The endpoints of one sandbox."""

    def __init__(self, house: House, key: str) -> None:
        self._house = house
        self._key = key

    async def _enter(self, request: Request) -> None:
        check_key(bearer(request), self._key)
        await self._house.welcome()

    async def _hear(self, request: Request) -> tuple[dict[str, Json], Call]:
        await self._enter(request)
        body = await read_object(request)
        call = hear(body)
        self._house.check_rate(_last_question(call))
        return body, call

    async def chat(self, request: Request) -> Response:
        """Answer at once, or as a stream."""
        body, call = await self._hear(request)
        id = new_id()
        reply = mind.answer(call, thinks=thinks(call))
        if body.get("stream") is True:
            events = stream_events(reply, call.model, id)
            return streamed(self._house.stream(events), _stream_headers(id))
        asked_id = body.get("request_id")
        request_id = asked_id if isinstance(asked_id, str) and asked_id else id
        return said(completion(reply, call.model, id, request_id), 200, _headers(id))

    async def submit(self, request: Request) -> Response:
        """Take on a task. [DOC] its id is a prefix and a number that may be negative."""
        _, call = await self._hear(request)
        number = uuid.uuid4().int % 10**19
        id, request_id = f"101002{-number}", str(-number - 1)
        failure = ("", "") if self._house.fails(_last_question(call)) else None
        result = _finished(mind.answer(call, thinks=thinks(call)), call.model, id, request_id)
        self._house.tasks.submit(id, result, failure)
        return said(_status(id, request_id, call.model, "PROCESSING"), 200, _headers(new_id()))

    async def poll(self, request: Request) -> Response:
        """Tell how a task is doing. [DOC] `model` is null while it is being worked on."""
        await self._enter(request)
        task = self._house.tasks.poll(request.path_params["id"])
        if task is None or "choices" not in task.result:
            raise Refused(Reason.NO_SUCH_TASK)
        result, headers = task.result, _headers(new_id())
        if task.stage is Stage.DONE:
            return said(result, 200, headers)
        failed = task.stage is Stage.FAILED
        model = result["model"] if failed else None
        state = "FAIL" if failed else "PROCESSING"
        return said(_status(result["id"], result["request_id"], model, state), 200, headers)

    async def draw(self, request: Request) -> Response:
        """Draw a picture. [DOC] the answer has no id, no model and no usage."""
        await self._enter(request)
        body = await read_object(request)
        wish = hear_wish(body)
        self._house.check_rate(wish.prompt)
        # [FIELD] the shape of links to drawn pictures
        name = f"zhipuai/api/cogview/{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:14]}_0.png"
        url = self._house.hang(request, name, wish)
        return said({"created": _created(), "data": [{"url": url}]}, 200, _headers(new_id()))


def check_key(token: str, key: str) -> None:
    """Let in who sends the key itself, or a token signed with its secret that is still fresh."""
    if hmac.compare_digest(token.encode(), key.encode()):
        return
    if token.count(".") == 2:
        _check_token(token, *key.split(".", 1))
        return
    well_formed = re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token)
    raise Refused(Reason.WRONG_KEY if well_formed else Reason.MALFORMED_KEY)


def _check_token(token: str, owner: str, secret: str) -> None:
    """[SDK] `_jwt_token.py`: HS256, `sign_type` SIGN, `exp` and `timestamp` in milliseconds."""
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    try:
        sign_type = jwt.get_unverified_header(token).get("sign_type")
        claims = jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except jwt.DecodeError as error:
        signed_wrong = isinstance(error, jwt.InvalidSignatureError)
        raise Refused(Reason.WRONG_KEY if signed_wrong else Reason.MALFORMED_KEY) from error
    except jwt.PyJWTError as error:
        raise Refused(Reason.MALFORMED_KEY) from error
    expires = claims.get("exp")
    if sign_type != "SIGN" or not isinstance(expires, (int, float)):
        raise Refused(Reason.MALFORMED_KEY)
    if claims.get("api_key") != owner:
        raise Refused(Reason.WRONG_KEY)
    if expires < now().timestamp() * 1000:
        raise Refused(Reason.EXPIRED_KEY)


def hear(body: dict[str, Json]) -> Call:
    """A request's body as a call."""
    model = body.get("model")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise Refused(Reason.UNKNOWN_MODEL)
    messages = read_messages(body.get("messages"))
    # [REC] a tool message without tool_call_id was accepted (glm-4.6, tool_round_trip_2)
    check_tool_messages(messages, id_needed=False)
    check_ranges(body, _RANGES)
    if not isinstance(body.get("tools"), (list, type(None))):
        raise Refused(Reason.BAD_PARAMETER, "tools")
    check_content([message.content for message in messages])
    mode = Mode.STREAM if body.get("stream") is True else Mode.SYNC
    return Call(Kind.CHAT, mode, model, messages, parameters=body)


def thinks(call: Call) -> bool:
    """[REC] from 4.5 on models think, and show it, unless told not to; [DOC] `thinking.type`."""
    told = call.parameters.get("thinking")
    off = isinstance(told, dict) and told.get("type") == "disabled"
    return _THINKER.match(call.model) is not None and not off


def _last_question(call: Call) -> str:
    return next(m.content for m in reversed(call.messages) if m.role == "user")


def hear_wish(body: dict[str, Json]) -> Wish:
    """A request's body as a wish for a picture."""
    model = body.get("model")
    if not isinstance(model, str) or not _IMAGE_MODEL.fullmatch(model):
        raise Refused(Reason.UNKNOWN_MODEL)
    prompt = read_text(body.get("prompt"))
    # [DOC] cogview page: 512 to 2048 pixels, in steps of 16, not more than 2^21 of them together
    width, height = read_size(body.get("size") or "1024x1024", "x") or (0, 0)
    fits = all(512 <= side <= 2048 and side % 16 == 0 for side in (width, height))
    if not fits or width * height > 2**21:
        raise Refused(Reason.BAD_PARAMETER, "size")
    check_content([prompt])
    return Wish(prompt, width, height, model)


def new_id() -> str:
    """[REC] a Beijing time to the second, and 16 hex digits; the same in body and x-log-id."""
    return f"{now():%Y%m%d%H%M%S}{uuid.uuid4().hex[:16]}"


def _created() -> int:
    return int(now().timestamp())


def completion(reply: Reply, model: str, id: str, request_id: str) -> Json:
    """[REC] a whole answer, 2025-10: no `object`; `content` is left out beside tool calls."""
    message: dict[str, Json] = {"content": reply.content, "role": "assistant"}
    thought = {} if reply.reasoning is None else {"reasoning_content": reply.reasoning}
    if reply.tool_calls:
        # [REC] the ids of calls in whole answers are negative numbers
        calls = [
            _call(c, n, f"call_-{uuid.uuid4().int % 10**19}")
            for n, c in enumerate(reply.tool_calls)
        ]
        message = {"role": "assistant", "tool_calls": calls}
    message = dict(sorted((message | thought).items()))
    choice = {"finish_reason": reply.finish_reason, "index": 0, "message": message}
    return {
        "choices": [choice],
        "created": _created(),
        "id": id,
        "model": model,
        "request_id": request_id,
        "usage": dict(sorted(_usage(reply).items())),
    }


def _finished(reply: Reply, model: str, id: str, request_id: str) -> Json:
    """[DOC] a task's answer: `tool_calls` is null where there are none."""
    whole = completion(reply, model, id, request_id)
    choice = whole["choices"][0]
    choice["message"].setdefault("tool_calls", None)
    return _status(id, request_id, model, "SUCCESS") | {
        "choices": [choice],
        "usage": whole["usage"],
        "created": whole["created"],
    }


def _status(id: str, request_id: str, model: str | None, state: str) -> dict[str, Json]:
    return {"id": id, "request_id": request_id, "model": model, "task_status": state}


def _call(call: ToolCall, index: int, id: str) -> Json:
    function = {"arguments": call.arguments, "name": call.name}
    return {"function": function, "id": id, "index": index, "type": "function"}


def _usage(reply: Reply) -> dict[str, Json]:
    usage = reply.usage
    return {
        "prompt_tokens": usage.input_tokens if usage else 0,
        "completion_tokens": usage.output_tokens if usage else 0,
        "total_tokens": usage.total_tokens if usage else 0,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def stream_events(reply: Reply, model: str, id: str) -> Iterator[bytes]:
    """[REC] a stream, 2025-10: one piece per event, usage and finish_reason on the last, [DONE].

    Thinking comes first; its first event has an empty content too. A tool call comes whole, in
    an event whose delta has no role.
    """
    head = {"id": id, "created": _created(), "model": model}

    def event(choice: dict[str, Json], **more: Json) -> bytes:
        return b"data: " + compact(head | {"choices": [{"index": 0} | choice]} | more) + b"\n\n"

    for number, piece in enumerate(tokens(reply.reasoning or "")):
        first: dict[str, Json] = {} if number else {"content": ""}
        yield event({"delta": {"role": "assistant", **first, "reasoning_content": piece}})
    for piece in reply.pieces:
        yield event({"delta": {"role": "assistant", "content": piece}})
    if reply.tool_calls:
        calls = [_streamed_call(call, number) for number, call in enumerate(reply.tool_calls)]
        yield event({"delta": {"tool_calls": calls}})
    last = {"finish_reason": reply.finish_reason, "delta": {"role": "assistant", "content": ""}}
    yield event(last, usage=_usage(reply))
    yield b"data: [DONE]\n\n"


def _streamed_call(call: ToolCall, index: int) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "index": index, "type": "function", "function": function}


def _headers(id: str) -> Headers:
    """[REC] the headers of a whole answer, 2025-10 (server ZenZGA/2.4)."""
    vary = ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"]
    return [
        ("content-type", "application/json; charset=UTF-8"),
        ("connection", "keep-alive"),
        *_always(id),
        *(("vary", name) for name in ["Accept-Encoding", *vary, *vary]),
    ]


def _stream_headers(id: str) -> Headers:
    """[REC] the headers of a stream, 2025-10."""
    return [
        ("content-type", "text/event-stream;charset=UTF-8"),
        *_always(id),
        ("vary", "Access-Control-Request-Headers"),
    ]


def _always(id: str) -> Headers:
    cookie = f"acw_tc={uuid.uuid5(uuid.NAMESPACE_OID, id).hex}00000000;path=/;HttpOnly;Max-Age=1800"
    return [
        ("server", "ZenZGA/2.4"),
        ("set-cookie", cookie),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-log-id", id),
    ]


async def _refuse(request: Request, error: Exception) -> Response:
    """[FIELD] a refusal: its code is a string, always; also a stream is refused in plain JSON."""
    reason = error.reason if isinstance(error, Refused) else Reason.NOT_JSON
    detail = error.detail if isinstance(error, Refused) else ""
    status, code, message = REFUSALS.get(reason, (400, *_BAD_CALL))
    body: Json = {"error": {"code": code, "message": message.format(detail=detail)}}
    if reason is Reason.FORBIDDEN:
        # [DOC] role: where it was seen; level: 0 is the most severe
        body["contentFilter"] = [{"level": 1, "role": "user"}]
    headers = _headers(new_id())
    if reason is Reason.THROTTLED:
        headers.append(("retry-after", "1"))
    return said(body, status, headers)


async def _no_such_path(request: Request, error: Exception) -> Response:
    """A path or method the service does not know; users report this shape, no recording has it."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = {404: "Not Found", 405: "Method Not Allowed"}.get(status, "Bad Request")
    stamp = now().isoformat(timespec="milliseconds")
    body = {"timestamp": stamp, "status": status, "error": told, "path": request.url.path}
    return said(body, status, _headers(new_id()))


async def _broken(request: Request, error: Exception) -> Response:
    """[DOC] 500; Starlette raises the error again after this, so that it is seen."""
    return said({"error": {"code": "500", "message": "内部错误"}}, 500, _headers(new_id()))


SPEAKER = Speaker("/api/paas/v4", KEY, build)
