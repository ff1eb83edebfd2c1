"""The official SDKs with one small question, over HTTP or over memory."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import requests
import urllib3

Ask = Callable[[int], object]
"""Call the SDK with the question of a number."""

QUESTION = "问题 {:06d}：北京今天天气怎么样？请用三句话回答。"
ANSWER = "北京今天晴，气温在十五到二十五度之间，微风。适合出门散步，也适合开窗通风。"
KEY = "0123456789abcdef0123456789abcdef.0123456789abcdef"
ASKED_AT = 1767225600
"""Seconds since 1970: the first of January 2026, in UTC."""


@dataclass(frozen=True)
class Client:
    """An SDK, made over its own HTTP library or over memory, and the body of an answer."""

    name: str
    over_http: Callable[[], Ask]
    over_memory: Callable[[Callable[[str, str, bytes], bytes]], Ask]
    answer: bytes


def _zhipuai(client: httpx.Client) -> Ask:
    from zhipuai import ZhipuAI

    sdk = ZhipuAI(api_key=KEY, http_client=client, max_retries=0)

    def ask(number: int) -> object:
        messages: Any = [{"role": "user", "content": QUESTION.format(number)}]
        return sdk.chat.completions.create(model="glm-4", messages=messages)

    return ask


def _zhipuai_in_memory(answer: Callable[[str, str, bytes], bytes]) -> Ask:
    def handle(request: httpx.Request) -> httpx.Response:
        body = answer(request.method, str(request.url), request.read())
        return httpx.Response(200, headers=JSON, content=body)

    return _zhipuai(httpx.Client(transport=httpx.MockTransport(handle)))


def _dashscope(session: requests.Session) -> Ask:
    from dashscope import Generation

    def ask(number: int) -> object:
        messages: Any = [{"role": "user", "content": QUESTION.format(number)}]
        response: Any = Generation.call(
            "qwen-plus", messages=messages, api_key=KEY, session=session
        )
        if response.status_code != 200:
            raise RuntimeError(response)
        return response

    return ask


class Memory(requests.adapters.HTTPAdapter):
    """An adapter for requests that answers from memory."""

    def __init__(self, answer: Callable[[str, str, bytes], bytes]) -> None:
        super().__init__()
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        sent = request.body or b""
        body = sent.encode() if isinstance(sent, str) else sent
        answer = self._answer(str(request.method), str(request.url), body)
        raw = urllib3.HTTPResponse(
            io.BytesIO(answer), headers=JSON, status=200, preload_content=False
        )
        return self.build_response(request, raw)


def _dashscope_in_memory(answer: Callable[[str, str, bytes], bytes]) -> Ask:
    session = requests.Session()
    session.mount("https://", Memory(answer))
    return _dashscope(session)


JSON = {"content-type": "application/json"}
_CHOICE = {
    "index": 0,
    "finish_reason": "stop",
    "message": {"role": "assistant", "content": ANSWER},
}
_ID = "20260101080000" + "0123456789abcdef"
_ZHIPU_BODY = {
    "id": _ID,
    "request_id": _ID,
    "created": ASKED_AT,
    "model": "glm-4",
    "choices": [_CHOICE],
    "usage": {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60},
}
_DASHSCOPE_BODY = {
    "request_id": "01234567-89ab-cdef-0123-456789abcdef",
    "output": {"choices": [_CHOICE]},
    "usage": {"input_tokens": 20, "output_tokens": 40, "total_tokens": 60},
}
_TLS_CONTEXT = ssl.create_default_context()
"""Made once: it takes about 20 ms and has nothing to do with replaying."""
CLIENTS = (
    Client(
        "zhipuai over httpx",
        lambda: _zhipuai(httpx.Client(verify=_TLS_CONTEXT)),
        _zhipuai_in_memory,
        json.dumps(_ZHIPU_BODY, ensure_ascii=False).encode(),
    ),
    Client(
        "dashscope over requests",
        lambda: _dashscope(requests.Session()),
        _dashscope_in_memory,
        json.dumps(_DASHSCOPE_BODY, ensure_ascii=False).encode(),
    ),
)
