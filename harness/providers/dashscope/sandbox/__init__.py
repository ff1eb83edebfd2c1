"""DashScope's server in the sandbox: generation, tasks, vectors, rankings and speech."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from harness.analysis.endpoint import Endpoint
from harness.providers.dashscope.endpoints import GENERATION, MULTIMODAL
from harness.providers.dashscope.sandbox import generation, uploads
from harness.providers.dashscope.sandbox import vectors_and_speech as other
from harness.providers.dashscope.sandbox.generation import (
    AnswerFormat,
    read_chat,
    stream_events,
    whole_answer,
)
from harness.sandbox import model
from harness.sandbox.media import ImageRequest, draw_image, make_video, synthesize_speech
from harness.sandbox.provider_server import (
    Handler,
    Headers,
    ProviderServer,
    arrival_time,
    json_response,
    stream_response,
)
from harness.sandbox.requests import (
    Reason,
    Refused,
    check_content,
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
from harness.sandbox.state import SandboxState, Task, TaskFailure, TaskState, now
from harness.types import Json, Medium

RANGES = {**generation.RANGES, **other.RANGES}
"""The allowed range of each numeric parameter of all kinds of call."""

KEY = "sk-sandbox0000000000000000000000000"
"""The API key that the sandbox accepts; it is not valid for the real service."""


# ------------------------------------------------------------------------------------- headers

_VARY = "Origin,Access-Control-Request-Method,Access-Control-Request-Headers"
_GATEWAY = ("x-dashscope-call-gateway", "true")


def _headers(
    request_id: str,
    request: Request,
    more: Headers,
    content_type: str = "application/json",
    vary: str = f"{_VARY}, Accept-Encoding",
) -> Headers:
    """Return the headers of a response, as in [REC] of 2025-11 to 2026-03.

    Args:
        request_id: The id of the request.
        request: The request; the time since its arrival is in the headers.
        more: Further headers.
        content_type: The value of Content-Type.
        vary: The value of Vary.
    """
    arrived, started = arrival_time(request), now()
    cost = str(int((started - arrived).total_seconds() * 1000))
    cookie = f"acw_tc={request_id}{uuid.uuid5(uuid.NAMESPACE_OID, request_id).hex}"
    return [
        ("vary", vary),
        ("content-type", content_type),
        ("x-request-id", request_id),
        ("x-dashscope-timeout", "298"),
        *more,
        ("req-cost-time", cost),
        ("req-arrive-time", str(int(arrived.timestamp() * 1000))),
        ("resp-start-time", str(int(started.timestamp() * 1000))),
        ("x-envoy-upstream-service-time", cost),
        ("set-cookie", f"{cookie};path=/;HttpOnly;Max-Age=1800"),
        ("server", "istio-envoy"),
    ]


def compatible_headers(request_id: str, request: Request, content_type: str) -> Headers:
    """Return the headers of a response to *request* in OpenAI's format, as recorded [REC].

    *request_id* is the id of the answer, and *content_type* the value of Content-Type.
    """
    streamed = content_type.startswith("text/event-stream")
    vary = "Origin" if streamed else f"{_VARY}, Accept-Encoding"
    headers = _headers(request_id, request, [_GATEWAY], content_type, vary)
    return _without(headers, "x-dashscope-timeout")


def _without(headers: Headers, *prefixes: str) -> Headers:
    return [(name, value) for name, value in headers if not name.startswith(prefixes)]


# ------------------------------------------------------------------------------------ refusals

REFUSALS = read_refusals(Path(__file__).with_name("refusals.toml"))


def _refuse(request: Request, refused: Refused) -> Response:
    """Return the error response: one flat JSON object, even for a stream [REC 2025-12]."""
    status, code, message = describe(refused, REFUSALS)
    request_id = str(uuid.uuid4())
    headers = _headers(request_id, request, [])
    if status == 401:
        # [REC] a bad key is turned away before the gateway: fewer headers
        headers = _without(headers, "set-cookie", "x-dashscope-timeout", "vary")
        headers.append(("vary", "Accept-Encoding"))
    if status == 429:
        headers.append(("retry-after", "1"))
    body: Json = {"code": code, "message": message, "request_id": request_id}
    return json_response(body, headers, status)


# ---------------------------------------------------------------------------------- generation


async def _generate_text(state: SandboxState, request: Request) -> Response:
    return await _chat(state, request, await read_object(request), GENERATION)


async def _generate_multimodal(state: SandboxState, request: Request) -> Response:
    """Return the answer to the texts of a chat, or an image of them; images in it are ignored."""
    body = await read_object(request)
    name = body.get("model")
    if isinstance(name, str) and state.models.supports("dashscope", name, "image"):
        return await _draw(state, request, body)
    if other.speech_text(body):
        return _speak(state, request, body)
    return await _chat(state, request, body, MULTIMODAL)


async def _synthesize(state: SandboxState, request: Request) -> Response:
    return _speak(state, request, await read_object(request), "speech")


def _speak(
    state: SandboxState, request: Request, body: dict[str, Json], endpoint: str = "multimodal"
) -> Response:
    state.find_model("dashscope", body.get("model"), "speech", endpoint)
    text, request_id = other.speech_text(body), str(uuid.uuid4())
    check_content([text])
    state.check_rate_limit(text)
    voice = read_member(body, "input").get("voice")
    if not isinstance(voice, str) or not voice:
        raise Refused(Reason.BAD_PARAMETER, "Required parameter(s) missing or invalid: voice")
    url = _file_url(state, request, "wav", partial(synthesize_speech, text))
    answer = other.speech_answer(body, request_id, url)
    return json_response(answer, _headers(request_id, request, [_GATEWAY]))


async def _answer_whole(
    answer: Callable[[SandboxState, dict[str, Json]], dict[str, Json]],
    state: SandboxState,
    request: Request,
) -> Response:
    """Return the response with the JSON that *answer* returns for a request's body."""
    body = answer(state, await read_object(request))
    return json_response(body, _headers(str(body["request_id"]), request, [_GATEWAY]))


async def _chat(
    state: SandboxState, request: Request, body: dict[str, Json], endpoint: Endpoint
) -> Response:
    # [DOC] either header asks for a stream
    sse = request.headers.get("x-dashscope-sse", "").lower() == "enable"
    sse = sse or request.headers.get("accept", "").lower().startswith("text/event-stream")
    chat = read_chat(state, body, endpoint, streamed=sse)
    state.check_rate_limit(last_question(chat.call.messages))
    request_id = str(uuid.uuid4())
    form = AnswerFormat.of(chat, request_id)
    replies = model.choices(chat.call, thinking=chat.thinks)
    replies = replies if form.message else replies[:1]  # the form of a text has no choices
    if state.models.supports("dashscope", chat.call.model, "transcription"):
        audio = [p.value for p in chat.call.messages[-1].parts if p.medium is Medium.AUDIO]
        if not audio:
            raise Refused(Reason.BAD_MESSAGES)
        replies = (model.reply_with(other.transcribed(state, audio)),)
    if sse:
        more = [_GATEWAY, ("x-dashscope-finished", "false")]
        kind = "text/event-stream;charset=UTF-8"
        headers = _headers(request_id, request, more, kind, _VARY)
        return stream_response(state.stream(stream_events(replies, form)), headers)
    headers = _headers(request_id, request, [_GATEWAY, ("x-dashscope-finished", "true")])
    return json_response(whole_answer(replies, form), headers)


# -------------------------------------------------------------------------------------- images

_SIZES: dict[str, Json] = {"1K": "1024*1024", "2K": "2048*2048", "4K": "4096*4096"}
_WANX_SIZES = ("1024*1024", "720*1280", "1280*720")
_BAD_SIZE = TaskFailure(
    "InvalidParameter", f"The size is not match the allowed size {list(_WANX_SIZES)}"
)
_TIMEOUT = TaskFailure(  # [DOC] with the page's own spelling
    "InternalError.Timeout",
    "An internal timeout error has occured during execution, please try again later or contact "
    "service support.",
)


@dataclass(frozen=True, slots=True)
class _ImageTask:
    """The data of an image or video task.

    Attributes:
        count: The number of requested images.
        urls: The URLs of the images; empty if the task will fail.
        in_choices: Whether the images are choices with messages, not results.
        prompt: The prompt of a video; empty for images.
        sounds: The URLs of the sounds to write down; empty for images and videos.
        alone: Whether the model takes one sound, not a list.
    """

    count: int
    urls: tuple[str, ...]
    in_choices: bool = False
    prompt: str = ""
    sounds: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The images that a request asks for.

    Attributes:
        image: The image; its width and height are 0 if the size is not valid.
        count: The number of images.
        failure: The failure of a size that is not allowed; None if it is allowed.
    """

    image: ImageRequest
    count: int
    failure: TaskFailure | None


def _read_drawing(state: SandboxState, body: dict[str, Json], kind: str, endpoint: str) -> _Drawing:
    """Return the images that the *body* of a request to *endpoint* asks for.

    Raises:
        Refused: The body is not valid, or the model is unknown, retired or served elsewhere.
    """
    name = str(body.get("model"))
    state.find_model("dashscope", body.get("model"), kind, endpoint)
    parameters, given = read_member(body, "parameters"), read_member(body, "input")
    check_ranges(parameters, {"n": RANGES["n"]})
    if endpoint != "text2image":
        messages = read_messages(given.get("messages"))
        given = {"prompt": last_question(messages)}
    prompt = read_prompt(given, "Required parameter(s) missing or invalid: prompt")
    state.check_rate_limit(prompt)
    size = _SIZES.get(str(parameters.get("size")), parameters.get("size")) or "1024*1024"
    # [REC] wanx-v1 draws four unless the request has a number
    count = parameters.get("n") or (4 if name.startswith("wan") else 1)
    width, height = read_size(size, "*") or (0, 0)
    image = ImageRequest(prompt, width, height, f"{name}/{parameters.get('seed')}")
    return _Drawing(image, count if isinstance(count, int) else 1, _size_failure(name, size))


def _message_of(url: str) -> Json:
    """Return the choice of an image [DOC] Wan2.7 image API."""
    content: Json = [{"image": url, "type": "image"}]
    return {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}


async def _draw(state: SandboxState, request: Request, body: dict[str, Json]) -> Response:
    """Return the response with the URLs of images, without a task [DOC] Wan2.7 image API."""
    if request.headers.get("x-dashscope-async", "").lower() == "enable":
        raise Refused(Reason.NOT_SYNC)
    drawing = _read_drawing(state, body, "image", "multimodal")
    if drawing.failure:
        raise Refused(Reason.BAD_PARAMETER, drawing.failure[1])
    image, request_id = drawing.image, str(uuid.uuid4())
    urls = [_image_url(state, request, image, n) for n in range(drawing.count)]
    usage: Json = {"height": image.height, "image_count": len(urls), "width": image.width}
    choices: Json = [_message_of(url) for url in urls]
    answer: Json = {"output": {"choices": choices}, "usage": usage, "request_id": request_id}
    return json_response(answer, _headers(request_id, request, [_GATEWAY]))


_ReadTask = Callable[
    [SandboxState, Request, dict[str, Json]], tuple[_ImageTask, TaskFailure | None]
]
"""A function that returns the task in a request's body, and the failure with which it will end."""


async def _submit(read: _ReadTask, state: SandboxState, request: Request) -> Response:
    """Start a task and return the response, without `x-dashscope-finished` [REC]."""
    if request.headers.get("x-dashscope-async", "").lower() != "enable":
        raise Refused(Reason.NOT_ASYNC)
    task, failure = read(state, request, await read_object(request))
    id, request_id = str(uuid.uuid4()), str(uuid.uuid4())
    state.tasks.submit(id, replace(task, urls=()) if failure else task, failure)
    output: Json = {"task_id": id, "task_status": "PENDING"}
    answer: Json = {"request_id": request_id, "output": output}
    return json_response(answer, _headers(request_id, request, [_GATEWAY]))


def _images(
    endpoint: str, state: SandboxState, request: Request, body: dict[str, Json]
) -> tuple[_ImageTask, TaskFailure | None]:
    """Return an image task. One with an invalid size is accepted, and fails later [DOC]."""
    drawing = _read_drawing(state, body, "image async", endpoint)
    image, count = drawing.image, drawing.count
    failure = _TIMEOUT if state.should_fail(image.prompt) else drawing.failure
    urls = [] if failure else [_image_url(state, request, image, n) for n in range(count)]
    return _ImageTask(count, tuple(urls), in_choices=endpoint == "image-generation"), failure


def _video(
    state: SandboxState, request: Request, body: dict[str, Json]
) -> tuple[_ImageTask, TaskFailure | None]:
    """Return a video task [DOC] Wan video API."""
    state.find_model("dashscope", body.get("model"), "video async", "video")
    given = read_member(body, "input")
    prompt = read_prompt(given, "Required parameter(s) missing or invalid: prompt")
    state.check_rate_limit(prompt)
    seed = f"{body.get('model')}/{read_member(body, 'parameters').get('seed')}"
    url = _file_url(state, request, "mp4", partial(make_video, prompt, seed))
    return _ImageTask(1, (url,), prompt=prompt), _TIMEOUT if state.should_fail(prompt) else None


def _transcription(
    state: SandboxState, request: Request, body: dict[str, Json]
) -> tuple[_ImageTask, TaskFailure | None]:
    """Return a task that transcribes sounds [DOC] Paraformer, Qwen-ASR."""
    state.find_model("dashscope", body.get("model"), "transcription async", "transcription")
    alone = str(body.get("model")).startswith("qwen")
    sounds = other.audio_urls(body, "file_url" if alone else "file_urls")
    state.check_rate_limit(sounds[-1])
    failure = _TIMEOUT if any(map(state.should_fail, sounds)) else None
    urls = (_file_url(state, request, "json", partial(other.transcript, state, s)) for s in sounds)
    return _ImageTask(len(sounds), tuple(urls), sounds=sounds, alone=alone), failure


def _size_failure(model_name: str, size: Json) -> TaskFailure | None:
    """Return the failure of a task with this size; None if the size is allowed.

    wanx-v1 has a list of sizes; later models take 512 to 1440 pixels on each side [DOC], those of
    2026 up to 4096 [DOC] Wan2.7 image API.
    """
    if model_name == "wanx-v1":
        return None if size in _WANX_SIZES else _BAD_SIZE
    sides = read_size(size, "*") or (0, 0)
    most = 4096 if re.match("wan2\\.[67]|qwen-image|z-image", model_name) else 1440
    return None if all(512 <= side <= most for side in sides) else _BAD_SIZE


def _image_url(state: SandboxState, request: Request, image: ImageRequest, number: int) -> str:
    """Store image *number* of a task and return its URL."""
    own = replace(image, seed=f"{image.seed}/{number}")
    return _file_url(state, request, "png", partial(draw_image, own))


def _file_url(
    state: SandboxState, request: Request, extension: str, make: Callable[[], bytes]
) -> str:
    """Store a file and return its URL, which looks signed for a day [REC]."""
    made, part = now(), uuid.uuid4().hex
    name = f"dashscope/1d/{part[:2]}/{made:%Y%m%d}/{part[2:10]}/{uuid.uuid4()}-1.{extension}"
    url = state.add_file(request, name, make)
    expires = int(made.timestamp()) + 86400
    return f"{url}?Expires={expires}&OSSAccessKeyId=sandbox{part[10:24]}&Signature={part}%3D"


async def _poll_images(state: SandboxState, request: Request) -> Response:
    """Return the state of a task as a response, with a new `request_id` in its body only [REC]."""
    id, request_id = request.path_params["id"], str(uuid.uuid4())
    task = state.tasks.poll(id)
    body: dict[str, Json] = {"request_id": request_id}
    if task is None or not isinstance(task.result, _ImageTask):
        # [REC] also an unknown id is answered with HTTP 200
        body["output"] = {"task_id": id, "task_status": "UNKNOWN"}
    else:
        body["output"] = _task_output(task, task.result)
        if task.state is TaskState.SUCCEEDED:
            body["usage"] = _task_usage(task.result)
    kind = "application/json;charset=UTF-8"
    headers = _headers(request_id, request, [], kind, "Accept-Encoding")
    return json_response(body, _without(headers, "x-request", "x-dash"))


def _task_usage(task: _ImageTask) -> Json:
    count = len(task.urls)
    if task.prompt:  # [REC] video_duration; [DOC] video_count, video_ratio
        return {"video_duration": 5, "video_ratio": "standard", "video_count": count}
    if task.sounds:
        return {"seconds" if task.alone else "duration": count}
    return {"image_count": count}


def _task_output(task: Task, images: _ImageTask) -> Json:
    """Return the member `output` of a poll; its times are Beijing times without a zone [REC]."""
    output: dict[str, Json] = {"task_id": task.id, "task_status": task.state.upper()}
    times = {
        "submit_time": task.submitted,
        "scheduled_time": task.scheduled,
        "end_time": task.ended,
    }
    output |= {name: _local_time(time) for name, time in times.items() if time}
    succeeded, failed = (task.state is s for s in (TaskState.SUCCEEDED, TaskState.FAILED))
    if succeeded and images.in_choices:
        # [SDK] dashscope 2.0.2, v2/_jobs.py: choices instead of results
        return output | {"choices": [_message_of(url) for url in images.urls], "finished": True}
    if succeeded and images.prompt:
        output |= {"orig_prompt": images.prompt, "video_url": images.urls[0]}
    elif succeeded and images.alone:
        output["result"] = {"transcription_url": images.urls[0]}
    elif succeeded and images.sounds:
        output["results"] = [
            {"file_url": sound, "transcription_url": url, "subtask_status": "SUCCEEDED"}
            for sound, url in zip(images.sounds, images.urls, strict=True)
        ]
    elif succeeded:
        output["results"] = [{"url": url} for url in images.urls]
    if failed and task.failure:
        # [DOC] code and message inside output; the HTTP status stays 200
        output["code"], output["message"] = task.failure
    if images.prompt or images.alone:
        return output  # [REC] a video task has no metrics
    output["task_metrics"] = {
        "TOTAL": images.count,
        "SUCCEEDED": images.count if succeeded else 0,
        "FAILED": images.count if failed else 0,
    }
    return output


async def _give_policy(state: SandboxState, request: Request) -> Response:
    answer = uploads.upload_policy(request)
    return json_response(answer, _headers(str(answer["request_id"]), request, []))


def _local_time(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(" ", "milliseconds")


_embed_contents = partial(_answer_whole, other.embed_contents)
_POSTS: Mapping[str, Handler] = {
    "aigc/text-generation/generation": _generate_text,
    "aigc/multimodal-generation/generation": _generate_multimodal,
    "aigc/text2image/image-synthesis": partial(_submit, partial(_images, "text2image")),
    "aigc/image2image/image-synthesis": partial(_submit, partial(_images, "text2image")),
    "aigc/image-generation/generation": partial(_submit, partial(_images, "image-generation")),
    "aigc/video-generation/video-synthesis": partial(_submit, _video),
    "aigc/image2video/video-synthesis": partial(_submit, _video),
    "audio/asr/transcription": partial(_submit, _transcription),
    "audio/tts/SpeechSynthesizer": _synthesize,
    "embeddings/text-embedding/text-embedding": partial(_answer_whole, other.embed_texts),
    "embeddings/multimodal-embedding/multimodal-embedding": _embed_contents,
    "rerank/text-rerank/text-rerank": partial(_answer_whole, other.rank_documents),
}

SERVER = ProviderServer(
    prefix="/api/v1",
    key=KEY,
    routes=(
        *(("POST", f"/services/{path}", handler) for path, handler in _POSTS.items()),
        ("GET", "/tasks/{id}", _poll_images),
        ("GET", uploads.PATH, _give_policy),
    ),
    refuse=_refuse,
    open_routes=(("POST", uploads.STORAGE_PATH, uploads.store_upload),),
)
