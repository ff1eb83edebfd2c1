"""How DashScope speaks, in its own form and in OpenAI's, beyond what its dialects say.

The letters are those of the wire facts.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.providers.dashscope import compatible
from harness.providers.dashscope import endpoints as dashscope_endpoints
from harness.strategies.way import Head, Headers, ProviderServer, Way
from harness.strategies.zhipuai import data_only

_HOST = "https://dashscope.aliyuncs.com"
_AIGC = f"{_HOST}/api/v1/services/aigc"
_GENERATION = f"{_AIGC}/text-generation/generation"
_TASK = f"{_HOST}/api/v1/tasks/{{}}"
_ASYNC = (("X-DashScope-Async", "enable"),)
_EVENTS = (("X-DashScope-SSE", "enable"),)
_UUIDS = st.uuids().map(str)


def _numbered(events: Sequence[bytes]) -> bytes:
    """B3: events with number, name and status; no space after the colon, and no marker."""
    head = "id:{}\nevent:result\n:HTTP_STATUS/200\ndata:"
    return b"".join(
        head.format(number).encode() + data + b"\n\n" for number, data in enumerate(events, start=1)
    )


def _headers(head: Head) -> SearchStrategy[Headers]:
    """[REC]: milliseconds that agree with each other; tasks' polls have no `x-request-id`."""
    own = ("x-request-id", head.id)
    arrived = head.created * 1000

    def told(cost: int) -> Headers:
        times = (arrived, arrived + cost, cost)
        names = ("req-arrive-time", "resp-start-time", "req-cost-time")
        return (own, *zip(names, map(str, times), strict=True))

    return st.just(()) | st.integers(1, 99_999).map(told)


_MESSAGES = {"/parameters/result_format": "message"}
_INCREMENTS = "/parameters/incremental_output"
_AS_TEXT = ("/output/choices",)
_AS_MESSAGE = ("/output/text", "/output/finish_reason")

SPEAKER = ProviderServer(
    models=("qwen-flash", "qwen3-max"),
    ids=lambda created: _UUIDS,
    tasks=_UUIDS,
    framed=_numbered,
    headers=_headers,
    renews_ids=True,
    ways=(
        Way(
            "chat",
            "sync",
            dashscope_endpoints.GENERATION,
            _GENERATION,
            (_MESSAGES,),
            without=_AS_MESSAGE,
        ),
        Way(
            "chat",
            "stream",
            dashscope_endpoints.GENERATION,
            _GENERATION,
            ({**_MESSAGES, _INCREMENTS: True}, {**_MESSAGES, _INCREMENTS: False}, _MESSAGES),
            _EVENTS,
            without=_AS_MESSAGE,
        ),
        Way("prompt", "sync", dashscope_endpoints.GENERATION, _GENERATION, without=_AS_TEXT),
        Way(
            "prompt",
            "stream",
            dashscope_endpoints.GENERATION,
            _GENERATION,
            ({_INCREMENTS: True}, {_INCREMENTS: False}, {}),
            _EVENTS,
            without=_AS_TEXT,
        ),
        Way(
            "image",
            "sync",
            dashscope_endpoints.MULTIMODAL,
            f"{_AIGC}/multimodal-generation/generation",
            asks="parts",
            without=_AS_MESSAGE,
            results="/output/choices/0/message/content/[]",
            link="image",
        ),
        Way(
            "image",
            "async",
            dashscope_endpoints.TEXT2IMAGE,
            f"{_AIGC}/text2image/image-synthesis",
            headers=_ASYNC,
            poll=dashscope_endpoints.TASKS,
            poll_address=_TASK,
            results="/output/results/[]",
        ),
        Way(
            "video",
            "async",
            dashscope_endpoints.VIDEO,
            f"{_AIGC}/video-generation/video-synthesis",
            headers=_ASYNC,
            poll=dashscope_endpoints.TASKS,
            poll_address=_TASK,
            results="/output/video_url",
        ),
        Way(
            "embedding",
            "sync",
            dashscope_endpoints.EMBEDDINGS,
            f"{_HOST}/api/v1/services/embeddings/text-embedding/text-embedding",
        ),
        Way(
            "rerank",
            "sync",
            dashscope_endpoints.RERANK,
            f"{_HOST}/api/v1/services/rerank/text-rerank/text-rerank",
        ),
    ),
)

_CHAT = f"{_HOST}/compatible-mode/v1/chat/completions"
_STREAM = {"/stream": True}

COMPATIBLE = ProviderServer(
    models=("qwen-flash", "qwen3-max"),
    ids=lambda created: _UUIDS.map("chatcmpl-{}".format),
    tasks=st.nothing(),
    framed=data_only,
    headers=lambda head: st.just(()),
    counts_apart=True,
    ways=(
        Way("chat", "sync", compatible.CHAT, _CHAT, ({}, {"/stream": False})),
        Way(
            "chat",
            "stream",
            compatible.CHAT,
            _CHAT,
            (_STREAM, {**_STREAM, "/stream_options/include_usage": True}),
        ),
        Way("embedding", "sync", compatible.EMBEDDINGS, f"{_HOST}/compatible-mode/v1/embeddings"),
    ),
)
