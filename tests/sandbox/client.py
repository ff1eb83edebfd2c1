"""Plain HTTP clients of the sandbox, one per provider, without SDKs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.servers import PROVIDER_SERVERS
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.sandbox import Options, serve
from harness.types import Json
from harness.wire import Event, read_events

WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "查询一个城市的天气",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 2},
            },
            "required": ["city", "unit", "days"],
        },
    },
}


@contextmanager
def sandbox(options: Options) -> Iterator[httpx.Client]:
    """Yield an HTTP client of a new sandbox with these options."""
    with (
        serve(options, PROVIDER_SERVERS) as base,
        httpx.Client(base_url=base, trust_env=False) as http,
    ):
        yield http


def user(text: str) -> object:
    """Return a message from the user."""
    return {"role": "user", "content": text}


def assistant(text: str) -> object:
    """Return a message from the model."""
    return {"role": "assistant", "content": text}


def conversation(*texts: str) -> list[object]:
    """Return messages from user and model in turn."""
    return [assistant(text) if n % 2 else user(text) for n, text in enumerate(texts)]


def events(response: httpx.Response) -> list[Any]:
    """Return the JSON of every event of a stream except [DONE]."""
    return [event.json.value for event in raw_events(response) if event.data != "[DONE]"]


def raw_events(response: httpx.Response) -> tuple[Event, ...]:
    """Return the events of a stream, which must be well-formed."""
    stream = read_events(response.content)
    assert stream.problems == ()
    return stream.events


@dataclass(frozen=True)
class Zhipu:
    """Makes requests as Zhipu's clients do."""

    http: httpx.Client
    key: str = ZHIPUAI_KEY
    prefix: str = "/api/paas/v4"

    def post(self, path: str, body: object) -> httpx.Response:
        """Send a POST request with the key."""
        return self.http.post(self.prefix + path, json=body, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {self.key}"}

    def chat(self, messages: object, **more: object) -> httpx.Response:
        """Request a chat completion."""
        body = {"model": "glm-4", "messages": messages} | more
        return self.post("/chat/completions", body)

    def says(self, *texts: str, **more: object) -> str:
        """Return the reply to the last of the texts."""
        answer = self.chat(conversation(*texts), **more).json()
        return str(answer["choices"][0]["message"]["content"])

    def get(self, path: str) -> httpx.Response:
        """Send a GET request with the key."""
        return self.http.get(self.prefix + path, headers=self.headers)


@dataclass(frozen=True)
class Dash:
    """Makes requests as DashScope's clients do."""

    http: httpx.Client
    key: str = DASHSCOPE_KEY
    prefix: str = "/api/v1"

    def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a POST request with the key."""
        more = dict(headers or {})
        return self.http.post(self.prefix + path, json=body, headers=self.headers | more)

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {self.key}"}

    def generate(
        self, question: object, *, sse: bool = False, **parameters: object
    ) -> httpx.Response:
        """Request text for a prompt or for messages."""
        named = "prompt" if isinstance(question, str) else "messages"
        body = {"model": "qwen-flash", "input": {named: question}, "parameters": parameters}
        headers = {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"} if sse else {}
        return self.post("/services/aigc/text-generation/generation", body, headers)

    def generate_multimodal(self, messages: object, **parameters: object) -> httpx.Response:
        """Request a chat from a model of the multimodal endpoint."""
        input = {"messages": messages}
        body = {"model": "qwen3.7-plus", "input": input, "parameters": parameters}
        return self.post("/services/aigc/multimodal-generation/generation", body)

    def submit_images(
        self, prompt: object, model: str = "wanx-v1", **parameters: object
    ) -> httpx.Response:
        """Submit an image task."""
        body = {"model": model, "input": {"prompt": prompt}, "parameters": parameters}
        path = "/services/aigc/text2image/image-synthesis"
        return self.post(path, body, {"X-DashScope-Async": "enable"})

    def poll(self, id: str) -> httpx.Response:
        """Poll a task."""
        return self.http.get(f"{self.prefix}/tasks/{id}", headers=self.headers)
