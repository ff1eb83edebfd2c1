"""How Zhipu speaks, beyond what its dialect says. The letters are those of the wire facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.providers.zhipu import endpoints as zhipu_endpoints
from harness.strategies.way import Head, Headers, ProviderServer, Way
from harness.strategies.words import hexadecimal

_BASE = "https://open.bigmodel.cn/api/paas/v4"
_BEIJING = timezone(timedelta(hours=8))


def _ids(created: int) -> SearchStrategy[str]:
    """[REC]: the time in Beijing, then hexadecimal digits; [DOC] A1: a number."""
    time = datetime.fromtimestamp(created, _BEIJING).strftime("%Y%m%d%H%M%S")
    return hexadecimal(16).map(time.__add__) | st.integers(8 * 10**18, 9 * 10**18).map(str)


def data_only(events: Sequence[bytes]) -> bytes:
    """A2: events of nothing but data, and the closing marker."""
    return b"".join(b"data: " + data + b"\n\n" for data in (*events, b"[DONE]"))


def _headers(head: Head) -> SearchStrategy[Headers]:
    return st.sampled_from([(), (("x-log-id", head.id),)])


_CHAT = f"{_BASE}/chat/completions"
_RESULT = f"{_BASE}/async-result/{{}}"

SPEAKER = ProviderServer(
    models=("glm-4", "glm-4.7"),
    ids=_ids,
    # A4: the id of a request, which can be negative, after a prefix.
    tasks=st.integers(-(10**18), 10**18).map("1019{:+}".format).map(lambda i: i.replace("+", "")),
    framed=data_only,
    headers=_headers,
    ways=(
        Way("chat", "sync", zhipu_endpoints.CHAT, _CHAT, ({}, {"/stream": False})),
        Way("chat", "stream", zhipu_endpoints.CHAT, _CHAT, ({"/stream": True},)),
        Way(
            "chat",
            "async",
            zhipu_endpoints.ASYNC_CHAT,
            f"{_BASE}/async/chat/completions",
            poll=zhipu_endpoints.ASYNC_RESULT,
            poll_address=_RESULT,
        ),
        Way(
            "image",
            "sync",
            zhipu_endpoints.IMAGE,
            f"{_BASE}/images/generations",
            results="/data/[]",
        ),
        Way("embedding", "sync", zhipu_endpoints.EMBEDDINGS, f"{_BASE}/embeddings"),
        Way(
            "video",
            "async",
            zhipu_endpoints.VIDEOS,
            f"{_BASE}/videos/generations",
            poll=zhipu_endpoints.ASYNC_RESULT,
            poll_address=_RESULT,
            results="/video_result/[]",
        ),
    ),
)
