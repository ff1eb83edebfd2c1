"""A plain HTTP client for each of the sandbox's languages; no SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.servers import PROVIDER_SERVERS
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.sandbox import Options, serve
from harness.types import LooseJson
from harness.wire import Event, read_events

WEATHER: LooseJson = {
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
    """A client of a sandbox of one's own."""
    with (
        serve(options, PROVIDER_SERVERS) as base,
        httpx.Client(base_url=base, trust_env=False) as http,
    ):
        yield http


def user(text: str) -> LooseJson:
    """A message of the user."""
    return {"role": "user", "content": text}


def assistant(text: str) -> LooseJson:
    """A message of the model."""
    return {"role": "assistant", "content": text}


def conversation(*texts: str) -> list[LooseJson]:
    """Messages of user and model in turn."""
    return [assistant(text) if n % 2 else user(text) for n, text in enumerate(texts)]


def events(response: httpx.Response) -> list[LooseJson]:
    """The JSON of every event of a stream, but for [DONE]."""
    return [event.json.value for event in raw_events(response) if event.data != "[DONE]"]


def raw_events(response: httpx.Response) -> tuple[Event, ...]:
    """The events of a stream that is well-formed."""
    stream = read_events(response.content)
    assert stream.problems == ()
    return stream.events


@dataclass(frozen=True)
class Zhipu:
    """Asks as Zhipu's clients do."""

    http: httpx.Client
    key: str = ZHIPUAI_KEY
    prefix: str = "/api/paas/v4"

    def post(self, path: str, body: LooseJson) -> httpx.Response:
        """A POST with the key."""
        return self.http.post(self.prefix + path, json=body, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """The key as a header."""
        return {"Authorization": f"Bearer {self.key}"}

    def chat(self, messages: LooseJson, **more: LooseJson) -> httpx.Response:
        """A chat."""
        body = {"model": "glm-4", "messages": messages} | more
        return self.post("/chat/completions", body)

    def says(self, *texts: str, **more: LooseJson) -> str:
        """What is answered to the last of the texts."""
        answer = self.chat(conversation(*texts), **more).json()
        return str(answer["choices"][0]["message"]["content"])

    def get(self, path: str) -> httpx.Response:
        """A GET with the key."""
        return self.http.get(self.prefix + path, headers=self.headers)


@dataclass(frozen=True)
class Dash:
    """Asks as DashScope's clients do."""

    http: httpx.Client
    key: str = DASHSCOPE_KEY
    prefix: str = "/api/v1"

    def post(
        self, path: str, body: LooseJson, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A POST with the key."""
        more = dict(headers or {})
        return self.http.post(self.prefix + path, json=body, headers=self.headers | more)

    @property
    def headers(self) -> dict[str, str]:
        """The key as a header."""
        return {"Authorization": f"Bearer {self.key}"}

    def generate(
        self, asked: LooseJson, *, sse: bool = False, **parameters: LooseJson
    ) -> httpx.Response:
        """Text for a prompt or for messages."""
        named = "prompt" if isinstance(asked, str) else "messages"
        body = {"model": "qwen-flash", "input": {named: asked}, "parameters": parameters}
        headers = {"X-DashScope-SSE": "enable", "Accept": "text/event-stream"} if sse else {}
        return self.post("/services/aigc/text-generation/generation", body, headers)

    def see(self, messages: LooseJson, **parameters: LooseJson) -> httpx.Response:
        """A chat with a model of the multimodal endpoint."""
        said = {"messages": messages}
        body = {"model": "qwen3.7-plus", "input": said, "parameters": parameters}
        return self.post("/services/aigc/multimodal-generation/generation", body)

    def order(
        self, prompt: LooseJson, model: str = "wanx-v1", **parameters: LooseJson
    ) -> httpx.Response:
        """Pictures."""
        body = {"model": model, "input": {"prompt": prompt}, "parameters": parameters}
        path = "/services/aigc/text2image/image-synthesis"
        return self.post(path, body, {"X-DashScope-Async": "enable"})

    def poll(self, id: str) -> httpx.Response:
        """How a task is doing."""
        return self.http.get(f"{self.prefix}/tasks/{id}", headers=self.headers)
