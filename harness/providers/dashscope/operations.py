"""The calls of DashScope's API, in its own format and in OpenAI's, as data for strategies.

Letters with a number, such as B3, are sections of docs/WIRE_FACTS.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from harness.providers.dashscope import compatible
from harness.providers.dashscope.endpoints import (
    EMBEDDINGS,
    GENERATION,
    MULTIMODAL,
    RERANK,
    SPEECH,
    TASKS,
    TEXT2IMAGE,
    TRANSCRIPTION,
    VIDEO,
)
from harness.providers.operation import ApiForm, Head, Headers, Operation, frame_data_events

_HOST = "https://dashscope.aliyuncs.com"
_SERVICES = f"{_HOST}/api/v1/services"
_MODELS = ("qwen-flash", "qwen-plus")


def _uuid(number: int) -> str:
    return str(UUID(int=number, version=4))


def frame_event(number: int, data: bytes) -> bytes:
    """Return an event with id, name, status comment and data, without spaces after colons (B3)."""
    return b"id:%d\nevent:result\n:HTTP_STATUS/200\ndata:%s\n\n" % (number, data)


def frame_events(events: Iterable[bytes]) -> bytes:
    """Return the body of a stream with these data, whose events are counted from 1."""
    return b"".join(frame_event(number, data) for number, data in enumerate(events, start=1))


def _headers(head: Head, milliseconds: int) -> Headers:
    """Return the headers with the request's id and with consistent times in milliseconds [REC]."""
    arrived = head.created * 1000
    return (
        ("x-request-id", head.id),
        ("req-arrive-time", str(arrived)),
        ("resp-start-time", str(arrived + milliseconds)),
        ("req-cost-time", str(milliseconds)),
    )


_MESSAGES = {"/parameters/result_format": "message"}
_INCREMENTS = "/parameters/incremental_output"
_AS_TEXT = ("/output/choices",)
_AS_MESSAGE = ("/output/text", "/output/finish_reason")

_CHAT = Operation(
    "chat",
    "sync",
    GENERATION,
    f"{_SERVICES}/aigc/text-generation/generation",
    (_MESSAGES,),
    without=_AS_MESSAGE,
)
_PROMPT = replace(_CHAT, kind="prompt", variants=({},), without=_AS_TEXT)
_STREAM = (("X-DashScope-SSE", "enable"),)
_IMAGE_TASK = Operation(
    "image",
    "async",
    TEXT2IMAGE,
    f"{_SERVICES}/aigc/text2image/image-synthesis",
    headers=(("X-DashScope-Async", "enable"),),
    poll=TASKS,
    poll_url=f"{_HOST}/api/v1/tasks/{{}}",
    results="/output/results/[]",
)

DASHSCOPE = ApiForm(
    models=_MODELS,
    ids=(lambda created, number: _uuid(number),),
    task_id=_uuid,
    frame=frame_events,
    headers=_headers,
    id_per_poll=True,
    operations=(
        _CHAT,
        replace(
            _CHAT,
            mode="stream",
            variants=(
                {**_MESSAGES, _INCREMENTS: True},
                {**_MESSAGES, _INCREMENTS: False},
                _MESSAGES,
            ),
            headers=_STREAM,
        ),
        _PROMPT,
        replace(
            _PROMPT,
            mode="stream",
            variants=({_INCREMENTS: True}, {_INCREMENTS: False}, {}),
            headers=_STREAM,
        ),
        Operation(
            "image",
            "sync",
            MULTIMODAL,
            f"{_SERVICES}/aigc/multimodal-generation/generation",
            multimodal=True,
            without=_AS_MESSAGE,
            results="/output/choices/0/message/content/[]",
            link="image",
        ),
        _IMAGE_TASK,
        replace(
            _IMAGE_TASK,
            kind="video",
            endpoint=VIDEO,
            url=f"{_SERVICES}/aigc/video-generation/video-synthesis",
            results="/output/video_url",
        ),
        Operation(
            "embedding", "sync", EMBEDDINGS, f"{_SERVICES}/embeddings/text-embedding/text-embedding"
        ),
        Operation("rerank", "sync", RERANK, f"{_SERVICES}/rerank/text-rerank/text-rerank"),
        Operation(
            "speech",
            "sync",
            SPEECH,
            f"{_SERVICES}/audio/tts/SpeechSynthesizer",
            results="/output/audio/url",
        ),
        replace(
            _IMAGE_TASK,
            kind="transcription",
            endpoint=TRANSCRIPTION,
            url=f"{_SERVICES}/audio/asr/transcription",
            link="transcription_url",
        ),
    ),
)

_COMPATIBLE = f"{_HOST}/compatible-mode/v1"
_COMPATIBLE_CHAT = f"{_COMPATIBLE}/chat/completions"
_WITH_USAGE = {"/stream": True, "/stream_options/include_usage": True}

COMPATIBLE = ApiForm(
    models=_MODELS,
    ids=(lambda created, number: f"chatcmpl-{_uuid(number)}",),
    task_id=_uuid,
    frame=frame_data_events,
    usage_apart=True,
    operations=(
        Operation("chat", "sync", compatible.CHAT, _COMPATIBLE_CHAT, ({}, {"/stream": False})),
        Operation(
            "chat", "stream", compatible.CHAT, _COMPATIBLE_CHAT, ({"/stream": True}, _WITH_USAGE)
        ),
        Operation("embedding", "sync", compatible.EMBEDDINGS, f"{_COMPATIBLE}/embeddings"),
        Operation("rerank", "sync", compatible.RERANK, f"{_HOST}/compatible-api/v1/reranks"),
    ),
)

API_FORMS = {"dashscope": DASHSCOPE, "compatible": COMPATIBLE}
