"""DashScope's language: text generation, pictures as tasks, and the tasks themselves."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

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
    member,
    read_messages,
    read_object,
    read_size,
)
from harness.sandbox.pictures import Wish
from harness.sandbox.refusal import Reason, Refused
from harness.sandbox.tasks import Stage, Task
from harness.sandbox.words import tokens
from harness.types import Call, Json, Kind, Message, Mode, Reply, ToolCall

KEY = "sk-sandbox0000000000000000000000000"
"""The key this sandbox accepts; the real service knows nothing of it."""

_MODEL_NOT_EXIST = (400, "InvalidParameter", "Model not exist.")  # [REC] rerank
_BAD_KEY = (401, "InvalidApiKey", "Invalid API-key provided.")  # [REC]
_BAD_ROLE = "Role must be user or assistant and Content length must be greater than 0"  # [REC]
_BAD_BODY = "Required body invalid, please check the request body format."  # [DOC] error-code
_NO_INPUT = 'Either "prompt" or "messages" must exist and cannot both be none'  # [DOC] error-code
_STRAY = (  # [FIELD] alibaba/spring-ai-alibaba #3139
    '<400> InternalError.Algo.InvalidParameter: messages with role "tool" must be a response to a '
    'preceeding message with "tool_calls".'
)

REFUSALS: dict[Reason, tuple[int, str, str]] = {
    Reason.NO_KEY: (401, "InvalidApiKey", "No API-key provided."),  # [DOC] error-code
    Reason.MALFORMED_KEY: _BAD_KEY,
    Reason.WRONG_KEY: _BAD_KEY,
    # [DOC] help.aliyun.com/en/model-studio/error-code; no recorded body known
    Reason.THROTTLED: (
        429,
        "Throttling.RateQuota",
        "Requests rate limit exceeded, please try again later.",
    ),
    Reason.NOT_JSON: (400, "InvalidParameter", _BAD_BODY),
    Reason.UNKNOWN_MODEL: _MODEL_NOT_EXIST,
    Reason.BAD_MESSAGES: (400, "InvalidParameter", _BAD_ROLE),
    Reason.NO_MESSAGES: (400, "InvalidParameter", _NO_INPUT),
    Reason.STRAY_TOOL_MESSAGE: (400, "InvalidParameter", _STRAY),
    Reason.BAD_PARAMETER: (400, "InvalidParameter", "{detail}"),
    # [FIELD] HTTP 400
    Reason.FORBIDDEN: (
        400,
        "DataInspectionFailed",
        "Input data may contain inappropriate content.",
    ),
    # [DOC] text-to-image-api-reference
    Reason.NOT_ASYNC: (
        403,
        "AccessDenied",
        "current user api does not support synchronous calls.",
    ),
    # [FIELD] alibaba/spring-ai-alibaba #2400
    Reason.NO_SUCH_PATH: (400, "InvalidParameter", "url error, please check url！"),
    Reason.WRONG_METHOD: (405, "InvalidParameter", "Request method is not supported."),
}

_MODEL = re.compile(
    r"(?:qwen(?:\d(?:\.\d{1,2})?)?|qwq|qvq|deepseek)-?(?:-?(?:turbo|plus|max|flash|long|coder|next|math"
    r"|instruct|thinking|chat|latest|longcontext|preview|32k|a?\d+(?:\.\d+)?b|v1|v3(?:\.\d)?|r1"
    r"|\d{4}|\d{2}))+"
)
_IMAGE_MODEL = re.compile(
    r"wanx-v1|wanx?2\.\d-t2i-(?:turbo|plus|flash|preview)|flux-(?:schnell|dev|merged)"
    r"|stable-diffusion-(?:xl|v1\.5|3\.5-large(?:-turbo)?)|qwen-image(?:-plus)?"
)

# [DOC] help.aliyun.com/en/model-studio/error-code has these texts
_RANGES = {
    "temperature": Range(0, 2, "Temperature should be in [0.0, 2.0)", high_open=True),
    "top_p": Range(0, 1, "Range of top_p should be (0.0, 1.0]", low_open=True),
    "max_tokens": Range(1, 65536, "Range of max_tokens should be [1, 65536]", whole=True),
    "n": Range(1, 4, "Range of n should be [1, 4]", whole=True),
}

_FORMATS = ("text", "message")


def build(house: House, key: str) -> Starlette:
    """The endpoints below the base address that the SDK is given."""
    voice = _Voice(house, key)
    table: list[tuple[str, str, Endpoint]] = [
        ("POST", "/services/aigc/text-generation/generation", voice.generate),
        ("POST", "/services/aigc/text2image/image-synthesis", voice.submit),
        ("GET", "/tasks/{id}", voice.poll),
    ]
    routes = [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]
    handlers = {Refused: _refuse, HTTPException: _no_such_path, Exception: _broken}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Voice:
    """The endpoints of one sandbox."""

    def __init__(self, house: House, key: str) -> None:
        self._house = house
        self._key = key

    async def _enter(self, request: Request) -> datetime:
        arrived = now()
        request.state.arrived = arrived
        if not hmac.compare_digest(bearer(request).encode(), self._key.encode()):
            raise Refused(Reason.WRONG_KEY)
        await self._house.welcome()
        return arrived

    async def generate(self, request: Request) -> Response:
        """Answer at once, or as a stream."""
        arrived = await self._enter(request)
        body = await read_object(request)
        call = hear(body)
        self._house.check_rate(_last_question(call))
        form = Form.of(call, member(body, "parameters"), str(uuid.uuid4()))
        reply = mind.answer(call)
        if _is_stream(request):
            events = stream_events(reply, form)
            return streamed(self._house.stream(events), _stream_headers(form.request_id, arrived))
        return said(generation(reply, form), 200, _answer_headers(form.request_id, arrived))

    async def submit(self, request: Request) -> Response:
        """Take on the drawing of pictures. [REC] `x-dashscope-finished` is not sent here."""
        arrived = await self._enter(request)
        if request.headers.get("x-dashscope-async", "").lower() != "enable":
            raise Refused(Reason.NOT_ASYNC)
        order = hear_order(await read_object(request))
        self._house.check_rate(order.wish.prompt)
        id, request_id = str(uuid.uuid4()), str(uuid.uuid4())
        if self._house.fails(order.wish.prompt):
            order = replace(order, failure=_TIMEOUT)
        urls = [] if order.failure else [self._hang(request, order.wish, n) for n in range(order.n)]
        self._house.tasks.submit(id, {"urls": urls, "n": order.n}, order.failure)
        output = {"task_id": id, "task_status": "PENDING"}
        headers = _headers(request_id, arrived, [("x-dashscope-call-gateway", "true")])
        return said({"request_id": request_id, "output": output}, 200, headers)

    def _hang(self, request: Request, wish: Wish, number: int) -> str:
        """[REC] the shape of links to drawn pictures; [REC] they are signed and expire in a day."""
        made, part = now(), uuid.uuid4().hex
        name = f"dashscope/1d/{part[:2]}/{made:%Y%m%d}/{part[2:10]}/{uuid.uuid4()}-1.png"
        url = self._house.hang(request, name, replace(wish, seed=f"{wish.seed}/{number}"))
        expires = int(made.timestamp()) + 86400
        return f"{url}?Expires={expires}&OSSAccessKeyId=sandbox{part[10:24]}&Signature={part}%3D"

    async def poll(self, request: Request) -> Response:
        """Tell how a task is doing. [REC] every answer has a fresh request_id of its own."""
        arrived = await self._enter(request)
        id, request_id = request.path_params["id"], str(uuid.uuid4())
        task = self._house.tasks.poll(id)
        if task is None or "urls" not in task.result:
            # [REC] also an id that never was is answered with HTTP 200
            body: Json = {
                "request_id": request_id,
                "output": {"task_id": id, "task_status": "UNKNOWN"},
            }
        else:
            body = {"request_id": request_id, "output": task_output(task)}
            if task.stage is Stage.DONE:
                body["usage"] = {"image_count": len(task.result["urls"])}
        return said(body, 200, _poll_headers(request_id, arrived))


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is to be put.

    `message` is `result_format`; [REC] `text` is the default, also for messages. `indexed`: a
    choice has an `index` where the request declared tools, and none otherwise [REC 2025-12].
    """

    request_id: str
    message: bool
    incremental: bool
    indexed: bool

    @classmethod
    def of(cls, call: Call, parameters: dict[str, Json], request_id: str) -> Form:
        """What the parameters ask for. [DOC] tools need the message format; so they get it."""
        wanted = parameters.get("result_format")
        if wanted is not None and wanted not in _FORMATS:
            raise Refused(Reason.BAD_PARAMETER, "result_format must be text or message.")
        tools = bool(parameters.get("tools"))
        incremental = parameters.get("incremental_output") is True
        return cls(request_id, wanted == "message" or tools, incremental, tools)


def _is_stream(request: Request) -> bool:
    """[DOC] either header does."""
    asked = request.headers.get("x-dashscope-sse", "").lower() == "enable"
    return asked or request.headers.get("accept", "").lower().startswith("text/event-stream")


def hear(body: dict[str, Json]) -> Call:
    """A request's body as a call; the prompt form is a conversation of one message."""
    model = body.get("model")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise Refused(Reason.UNKNOWN_MODEL)
    asked, parameters = member(body, "input"), member(body, "parameters")
    messages = _messages(asked)
    check_tool_messages(messages, id_needed=True)
    check_ranges(parameters, _RANGES)
    if not isinstance(parameters.get("tools"), (list, type(None))):
        raise Refused(Reason.BAD_PARAMETER, "tools must be an array.")
    check_content([message.content for message in messages])
    return Call(Kind.CHAT, Mode.SYNC, model, messages, parameters=parameters)


def _messages(asked: dict[str, Json]) -> tuple[Message, ...]:
    if asked.get("messages") is not None:
        # [REC] an empty list is answered like an empty message
        return read_messages(asked["messages"] or [{"role": "user", "content": ""}])
    prompt = asked.get("prompt")
    if prompt is None:
        raise Refused(Reason.NO_MESSAGES)
    return read_messages([{"role": "user", "content": prompt}])


def _last_question(call: Call) -> str:
    return next(m.content for m in reversed(call.messages) if m.role == "user")


@dataclass(frozen=True, slots=True)
class Order:
    """Pictures asked for: what, how many, and why they will not be drawn."""

    wish: Wish
    n: int
    failure: tuple[str, str] | None = None


_TIMEOUT = (  # [DOC] with the page's own spelling
    "InternalError.Timeout",
    "An internal timeout error has occured during execution, please try again later or contact "
    "service support.",
)
_WANX_SIZES = ("1024*1024", "720*1280", "1280*720")
_BAD_SIZE = ("InvalidParameter", f"The size is not match the allowed size {list(_WANX_SIZES)}")


def hear_order(body: dict[str, Json]) -> Order:
    """A request's body as an order. [DOC] a wrong size makes a task that fails."""
    model = body.get("model")
    if not isinstance(model, str) or not _IMAGE_MODEL.fullmatch(model):
        raise Refused(Reason.UNKNOWN_MODEL)
    asked, parameters = member(body, "input"), member(body, "parameters")
    prompt = asked.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refused(Reason.BAD_PARAMETER, "Required parameter(s) missing or invalid: prompt")
    check_ranges(parameters, {"n": _RANGES["n"]})
    check_content([prompt])
    size = parameters.get("size") or "1024*1024"
    width, height = read_size(size, "*") or (0, 0)
    wish = Wish(prompt, width, height, f"{model}/{parameters.get('seed')}")
    # [REC] wanx-v1 draws four when nobody says how many
    n = parameters.get("n") or (4 if model.startswith("wan") else 1)
    return Order(wish, n, None if _allowed(model, size, width, height) else _BAD_SIZE)


def _allowed(model: str, size: Json, width: int, height: int) -> bool:
    """[DOC] wanx-v1 has a list of sizes; later models take 512 to 1440 pixels on each side."""
    if model == "wanx-v1":
        return size in _WANX_SIZES
    return all(512 <= side <= 1440 for side in (width, height))


def task_output(task: Task) -> Json:
    """[REC] a task's state: Beijing times without a zone, and how many pictures there are."""
    state = {Stage.DONE: "SUCCEEDED"}.get(task.stage, task.stage.upper())
    output: dict[str, Json] = {"task_id": task.id, "task_status": state}
    times = {
        "submit_time": task.submitted,
        "scheduled_time": task.scheduled,
        "end_time": task.ended,
    }
    output |= {name: _local(time) for name, time in times.items() if time}
    if task.stage is Stage.DONE:
        output["results"] = [{"url": url} for url in task.result["urls"]]
    if task.stage is Stage.FAILED and task.failure:
        # [DOC] code and message inside output; the HTTP status stays 200
        output["code"], output["message"] = task.failure
    n = task.result["n"]
    succeeded, failed = n * (task.stage is Stage.DONE), n * (task.stage is Stage.FAILED)
    output["task_metrics"] = {"TOTAL": n, "SUCCEEDED": succeeded, "FAILED": failed}
    return output


def _local(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}"


def generation(reply: Reply, form: Form) -> Json:
    """[REC] a whole answer: `output`, `usage`, `request_id`."""
    output: Json = {"finish_reason": reply.finish_reason, "text": reply.content}
    if form.message:
        message: dict[str, Json] = {"content": reply.content, "role": "assistant"}
        if reply.tool_calls:
            message["tool_calls"] = [_call(c, n) for n, c in enumerate(reply.tool_calls)]
        index = {"index": 0} if form.indexed else {}
        choice = {"finish_reason": reply.finish_reason} | index | {"message": message}
        output = {"choices": [choice]}
    return {"output": output, "usage": _usage(reply), "request_id": form.request_id}


def _call(call: ToolCall, index: int) -> Json:
    function = {"arguments": call.arguments, "name": call.name}
    return {"function": function, "id": call.id, "index": index, "type": "function"}


def _usage(reply: Reply) -> Json:
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "prompt_tokens_details": {"cached_tokens": 0},
        "total_tokens": usage.total_tokens if usage else 0,
    }


@dataclass(frozen=True, slots=True)
class Step:
    """What one event of a stream adds: text or a piece of a call, and how many tokens so far."""

    written: int
    text: str = ""
    calls: tuple[Json, ...] = ()


def stream_events(reply: Reply, form: Form) -> Iterator[bytes]:
    """[REC] a stream: `finish_reason` is the string "null" until the end, and no [DONE].

    Whole texts so far have the whole text in the last event; pieces have an empty last one, and
    pieces of calls the last piece.
    """
    steps = list(_call_steps(reply, form) if reply.tool_calls else _text_steps(reply, form))
    for number, step in enumerate(steps, start=1):
        reason = reply.finish_reason if number == len(steps) else "null"
        body = {
            "output": _stream_output(step, form, reason),
            "usage": _stream_usage(reply, step.written),
            "request_id": form.request_id,
        }
        yield (
            f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:".encode() + compact(body) + b"\n\n"
        )


def _text_steps(reply: Reply, form: Form) -> Iterator[Step]:
    """[REC] single tokens at first, later four at a time."""
    groups = list(_grouped(reply.pieces))
    texts = ["".join(group) for group in groups]
    counts = accumulate(len(group) for group in groups)
    if form.incremental:
        steps = [Step(count, text) for count, text in zip(counts, texts, strict=True)]
        yield from [*steps, Step(len(reply.pieces))]
    else:
        for count, text in zip(counts, accumulate(texts), strict=True):
            yield Step(count, text)


def _grouped(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    singles = min(4, len(pieces))
    yield from ((piece,) for piece in pieces[:singles])
    yield from (pieces[at : at + 4] for at in range(singles, len(pieces), 4))


def _call_steps(reply: Reply, form: Form) -> Iterator[Step]:
    """[REC] the first piece of a call has its id, name and first words; later ones `id: ""`.

    How a call looks in whole-so-far events is nowhere recorded; here all of it is repeated.
    """
    total = reply.usage.output_tokens if reply.usage else 0
    finished: tuple[Json, ...] = ()
    written = 0
    for index, call in enumerate(reply.tool_calls):
        groups = list(_grouped(tokens(call.arguments)))
        texts = ["".join(group) for group in groups]
        sizes = [len(group) for group in groups]
        sizes[0] += len(tokens(call.name))
        for at, text in enumerate(accumulate(texts)):
            written += sizes[at]
            whole = _streamed_call(index, call.id, {"name": call.name, "arguments": text})
            later = _streamed_call(index, "", {"arguments": texts[at]})
            piece = whole if at == 0 else later
            shown = (piece,) if form.incremental else (*finished, whole)
            yield Step(min(written, total or written), calls=shown)
        finished += (whole,)


def _streamed_call(index: int, id: str, function: dict[str, str]) -> Json:
    return {"index": index, "id": id, "type": "function", "function": function}


def _stream_output(step: Step, form: Form, reason: str | None) -> Json:
    if not form.message:
        return {"finish_reason": reason, "text": step.text}
    message: dict[str, Json] = {"content": step.text}
    if step.calls:
        message["tool_calls"] = list(step.calls)
    message["role"] = "assistant"
    index = {"index": 0} if form.indexed else {}
    return {"choices": [{"message": message} | index | {"finish_reason": reason}]}


def _stream_usage(reply: Reply, written: int) -> Json:
    read = (reply.usage.input_tokens if reply.usage else 0) or 0
    return {
        "total_tokens": read + written,
        "output_tokens": written,
        "input_tokens": read,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


_JSON = "application/json"
_VARY = "Origin,Access-Control-Request-Method,Access-Control-Request-Headers"


def _headers(
    request_id: str, arrived: datetime, more: Headers, kind: str = _JSON, vary: str = ""
) -> Headers:
    """[REC] the headers of nearly every answer, 2025-11 to 2026-03."""
    started = now()
    cost = int((started - arrived).total_seconds() * 1000)
    return [
        ("vary", vary or f"{_VARY}, Accept-Encoding"),
        ("content-type", kind),
        ("x-request-id", request_id),
        ("x-dashscope-timeout", "298"),
        *more,
        *_clock(request_id, arrived, started, cost),
    ]


def _clock(request_id: str, arrived: datetime, started: datetime, cost: int) -> Headers:
    cookie = uuid.uuid5(uuid.NAMESPACE_OID, request_id).hex
    return [
        ("req-cost-time", str(cost)),
        ("req-arrive-time", str(int(arrived.timestamp() * 1000))),
        ("resp-start-time", str(int(started.timestamp() * 1000))),
        ("x-envoy-upstream-service-time", str(cost)),
        ("set-cookie", f"acw_tc={request_id}{cookie};path=/;HttpOnly;Max-Age=1800"),
        ("server", "istio-envoy"),
    ]


def _answer_headers(request_id: str, arrived: datetime) -> Headers:
    more = [("x-dashscope-call-gateway", "true"), ("x-dashscope-finished", "true")]
    return _headers(request_id, arrived, more)


def _stream_headers(request_id: str, arrived: datetime) -> Headers:
    more = [("x-dashscope-call-gateway", "true"), ("x-dashscope-finished", "false")]
    return _headers(request_id, arrived, more, "text/event-stream;charset=UTF-8", _VARY)


def _poll_headers(request_id: str, arrived: datetime) -> Headers:
    """[REC] a poll's answer has no x-request-id and no x-dashscope-... headers."""
    plain = _headers(request_id, arrived, [], "application/json;charset=UTF-8", "Accept-Encoding")
    return [(name, value) for name, value in plain if not name.startswith(("x-request", "x-dash"))]


async def _refuse(request: Request, error: Exception) -> Response:
    """[REC] a refusal is flat; also a stream is refused in plain JSON (2025-12)."""
    reason = error.reason if isinstance(error, Refused) else Reason.NOT_JSON
    detail = error.detail if isinstance(error, Refused) else ""
    status, code, message = REFUSALS.get(reason, REFUSALS[Reason.NOT_JSON])
    return _refusal(request, status, code, message.format(detail=detail))


async def _no_such_path(request: Request, error: Exception) -> Response:
    wrong_method = isinstance(error, HTTPException) and error.status_code == 405
    reason = Reason.WRONG_METHOD if wrong_method else Reason.NO_SUCH_PATH
    return _refusal(request, *REFUSALS[reason])


async def _broken(request: Request, error: Exception) -> Response:
    """[DOC] 500; Starlette raises the error again after this, so that it is seen."""
    return _refusal(request, 500, "InternalError", "An internal error has occured.")


def _refusal(request: Request, status: int, code: str, message: str) -> Response:
    request_id = str(uuid.uuid4())
    body = {"code": code, "message": message, "request_id": request_id}
    arrived = getattr(request.state, "arrived", None) or now()
    headers = _headers(request_id, arrived, [])
    if status == 401:
        # [REC] a bad key is turned away before the gateway: fewer headers
        headers = [
            (n, v) for n, v in headers if n not in ("set-cookie", "x-dashscope-timeout", "vary")
        ]
        headers.append(("vary", "Accept-Encoding"))
    if status == 429:
        headers.append(("retry-after", "1"))
    return said(body, status, headers)


SPEAKER = Speaker("/api/v1", KEY, build)
