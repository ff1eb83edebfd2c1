"""OpenAI's format in the sandbox, by OpenAI's SDK: chats, streams, tools, embeddings, models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import harness
from harness.providers.openai.sandbox import KEY, server
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

pytestmark = pytest.mark.slow

HELLO: Any = [{"role": "user", "content": "你好"}]
QUESTION: Any = [{"role": "user", "content": "北京天气怎么样？"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}
SERVED = {"/compatible-mode/v1": "qwen-flash", "/v1": "any-model"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a sandbox that also serves declared services."""
    servers = {**PROVIDER_SERVERS, "declared": server("/v1"), "other": server("/v1")}
    with serve(Options(port=0, chunk_gap=0), servers) as base:
        yield base


@pytest.fixture(params=SERVED)
def base(address: str, request: pytest.FixtureRequest) -> str:
    """Each base URL at which OpenAI's format is served."""
    return f"{address}{request.param}"


def model_at(base: str) -> str:
    """The name of a model that is served at a base URL."""
    return next(model for path, model in SERVED.items() if base.endswith(path))


@pytest.fixture
def client(base: str) -> Iterator[openai.OpenAI]:
    """The SDK's client."""
    with openai.OpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
        yield client


def chat(base: str, **settings: Any) -> list[Any]:
    """Ask with the synchronous client; return the answer, or the chunks of a stream, as JSON."""
    with openai.OpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
        answer: Any = client.chat.completions.create(model=model_at(base), **settings)
        parts = list(answer) if settings.get("stream") else [answer]
    return [part.model_dump(exclude_unset=True) for part in parts]


def chat_async(base: str, **settings: Any) -> list[Any]:
    """Ask likewise with the asynchronous client."""

    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
            answer: Any = await client.chat.completions.create(model=model_at(base), **settings)
            return [part async for part in answer] if settings.get("stream") else [answer]

    return [part.model_dump(exclude_unset=True) for part in asyncio.run(ask())]


@pytest.mark.parametrize("ask", [chat, chat_async])
def test_a_chat(base: str, ask: Any) -> None:
    """An answer has all that OpenAI's has, `object` too, which frameworks need."""
    (answer,) = ask(base, messages=HELLO)
    assert answer["object"] == "chat.completion"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["model"] == model_at(base)
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("ask", [chat, chat_async])
def test_a_stream_is_the_same_answer(base: str, ask: Any) -> None:
    """Its pieces join to the text; the token counts come last, in a chunk without choices."""
    (whole,) = ask(base, messages=HELLO)
    usage = {"include_usage": True}
    chunks = ask(base, messages=HELLO, stream=True, stream_options=usage)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    reasons = [c.get("finish_reason") for chunk in chunks for c in chunk["choices"]]
    assert reasons == [None] * (len(deltas) - 1) + ["stop"]
    text = "".join(delta.get("content") or "" for delta in deltas)
    assert text == whole["choices"][0]["message"]["content"]
    assert len(deltas) > 4
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], whole["usage"])
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    without = ask(base, messages=HELLO, stream=True)
    assert [chunk["usage"] for chunk in without] == [None] * (len(chunks) - 1)


@pytest.mark.parametrize("ask", [chat, chat_async])
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_answered(base: str, ask: Any, stream: bool) -> None:
    """In one piece or in several; its result leads to a text."""
    parts = ask(base, messages=QUESTION, tools=[WEATHER], stream=stream)
    choices = [choice for part in parts for choice in part["choices"]]
    assert choices[-1]["finish_reason"] == "tool_calls"
    says = [choice.get("message") or choice["delta"] for choice in choices]
    pieces = [call for said in says for call in said.get("tool_calls", ())]
    assert "".join(p["function"].get("name") or "" for p in pieces) == "get_current_weather"
    assert "".join(p["function"]["arguments"] for p in pieces) == '{"location": "北京"}'
    assert {piece["index"] for piece in pieces} == {0}
    id = "".join(piece["id"] for piece in pieces)
    call = {"id": id, "type": "function", "function": {"name": "get_current_weather"}}
    call["function"] |= {"arguments": '{"location": "北京"}'}  # type: ignore[operator]
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": id, "content": '{"temperature": 25}'}
    (answer,) = ask(base, messages=[*QUESTION, said, result], tools=[WEATHER])
    assert "25" in answer["choices"][0]["message"]["content"]


def test_embeddings(client: openai.OpenAI, base: str) -> None:
    """A vector for each text, in base64 as the SDK asks for it, or as numbers: the same."""
    name = "text-embedding-v4"
    made = client.embeddings.create(model=name, input=["小猫", "小猫", "a dog"], dimensions=16)
    one, same, other = (item.embedding for item in made.data)
    assert one == same != other
    assert len(one) == 16
    assert sum(number**2 for number in one) == pytest.approx(1, abs=1e-4)
    as_numbers = client.embeddings.create(
        model=name, input="小猫", dimensions=16, encoding_format="float"
    )
    assert as_numbers.data[0].embedding == pytest.approx(one, abs=1e-6)
    assert made.usage.total_tokens == made.usage.prompt_tokens > 0

    async def ask() -> int:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=base) as client:
            made = await client.embeddings.create(model=name, input="a")
        return len(made.data[0].embedding)

    assert asyncio.run(ask()) == 1024


def test_models(client: openai.OpenAI) -> None:
    """They are listed, and each is found by its name."""
    names = [model.id for model in client.models.list()]
    assert len(names) > 1
    assert [client.models.retrieve(name).id for name in names] == names


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"model": ""}, openai.NotFoundError, "model_not_found"),
        ({"messages": []}, openai.BadRequestError, None),
        ({"messages": [{"role": "robot", "content": "a"}]}, openai.BadRequestError, None),
        ({"temperature": 3}, openai.BadRequestError, None),
        ({"tools": "a"}, openai.BadRequestError, None),
        (
            {"messages": [*HELLO, {"role": "tool", "tool_call_id": "x", "content": "a"}]},
            openai.BadRequestError,
            None,
        ),
        ({"messages": [{"role": "user", "content": "触发限流"}]}, openai.RateLimitError, ...),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_refusals(
    client: openai.OpenAI, base: str, changes: Any, error: Any, code: Any, stream: bool
) -> None:
    """In OpenAI's form, for streams too."""
    asked = {"model": model_at(base), "messages": HELLO, "stream": stream, **changes}
    with pytest.raises(error) as caught:
        client.chat.completions.create(**asked)
    assert code is ... or caught.value.code == code
    assert caught.value.type == "invalid_request_error"
    assert caught.value.body["message"]


def test_other_refusals(client: openai.OpenAI, base: str) -> None:
    """A key that is none, a path that is none, a model that was switched off, no text."""
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="sk-1").models.list()
    assert caught.value.code == "invalid_api_key"
    assert httpx.get(f"{base}/models").json()["error"]["code"] is None
    headers = {"authorization": f"Bearer {KEY}"}
    assert httpx.post(f"{base}/nothing", headers=headers).status_code == 404
    assert httpx.get(f"{base}/embeddings", headers=headers).status_code == 405
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="text-embedding-v4", input=[])
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="text-embedding-v4", input="a", dimensions=0)
    if base.endswith("/compatible-mode/v1"):
        for model in ("qwen-turbo", "gpt-5"):
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model=model, messages=HELLO)


def test_other_members_of_a_request(base: str) -> None:
    """The role `developer` is as `system`; either name of the limit of tokens holds."""
    developer = [{"role": "developer", "content": "be brief"}, *HELLO]
    assert chat(base, messages=developer)[0]["choices"][0]["message"]["content"]
    for name in ("max_tokens", "max_completion_tokens"):
        (answer,) = chat(base, messages=HELLO, **{name: 2})
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens"] == 2


def test_what_is_recorded_breaks_no_rule(address: str, tmp_path: Path) -> None:
    """Of DashScope's compatible endpoint, recognised by its path."""
    base = f"{address}/compatible-mode/v1"
    with harness.use_cassette(tmp_path / "a.yaml", record="all", secrets=[KEY]) as context:
        for stream in (False, True):
            chat(base, messages=HELLO, stream=stream)
            chat(base, messages=QUESTION, tools=[WEATHER], stream=stream)
        with openai.OpenAI(api_key=KEY, base_url=base) as client:
            client.embeddings.create(model="text-embedding-v4", input=["a", "b"], dimensions=8)
    assert len(context.exchanges) == 5
    assert context.findings == ()
