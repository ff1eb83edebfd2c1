"""Call a framework: `python framework_calls.py NAME ADDRESS CASSETTE record|replay`, on a tape.

It runs in the framework's own environment. Each kind of call has a cassette of its own; a line of
JSON tells what came of it.
"""

# mypy: ignore-errors
# The frameworks are in environments of their own.
from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

name, address, cassettes, mode, key_a, key_z = sys.argv[1:]
COMPATIBLE = f"{address}/compatible-mode/v1"
ZHIPU = f"{address}/api/paas/v4"
os.environ.update(
    DASHSCOPE_API_KEY=key_a,
    OPENAI_API_KEY=key_a,
    ZAI_API_KEY=key_z,
    ZHIPUAI_API_KEY=key_z,
    OPENAI_BASE_URL=COMPATIBLE,
    DASHSCOPE_HTTP_BASE_URL=f"{address}/api/v1",
    DASHSCOPE_BASE_URL=f"{address}/api/v1",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    OPENAI_AGENTS_DISABLE_TRACING="1",
    ANONYMIZED_TELEMETRY="false",
)

from harness import use_cassette  # noqa: E402

MODEL, GLM = "qwen-plus", "glm-4.6"
HELLO = "Say hello."
WEATHER = "What is the weather in Hangzhou?"
MESSAGES = [{"role": "user", "content": HELLO}]
ASKED = [{"role": "user", "content": WEATHER}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def get_weather(city: str) -> str:
    """Get the weather of a city.

    Args:
        city: The city.
    """
    return f"sunny in {city}"


def _litellm(model: str, base: str) -> Mapping[str, Callable[[], Any]]:
    import litellm

    own = {"model": model, "api_base": base}

    async def streamed() -> str:
        stream = await litellm.acompletion(**own, messages=MESSAGES, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    return {
        "sync": lambda: litellm.completion(**own, messages=MESSAGES).choices[0].message.content,
        "async": lambda: (
            asyncio.run(litellm.acompletion(**own, messages=MESSAGES)).choices[0].message.content
        ),
        "streamed": lambda: "".join(
            c.choices[0].delta.content or ""
            for c in litellm.completion(**own, messages=MESSAGES, stream=True)
        ),
        "async streamed": lambda: asyncio.run(streamed()),
        "tools": lambda: (
            litellm.completion(**own, messages=ASKED, tools=[TOOL])
            .choices[0]
            .message.tool_calls[0]
            .function.arguments
        ),
    }


def _langchain(model: Any) -> Mapping[str, Callable[[], Any]]:
    async def streamed() -> str:
        return "".join([chunk.content async for chunk in model.astream(HELLO)])

    async def asked() -> Any:
        return (await model.ainvoke(HELLO)).content

    loop = asyncio.new_event_loop()  # ChatOpenAI keeps its connections, and so their loop
    return {
        "sync": lambda: model.invoke(HELLO).content,
        "async": lambda: loop.run_until_complete(asked()),
        "streamed": lambda: "".join(chunk.content for chunk in model.stream(HELLO)),
        "async streamed": lambda: loop.run_until_complete(streamed()),
        "tools": lambda: model.bind_tools([TOOL]).invoke(WEATHER).tool_calls[0]["args"],
    }


def _langchain_openai() -> Mapping[str, Callable[[], Any]]:
    from langchain_openai import ChatOpenAI

    return _langchain(ChatOpenAI(model=MODEL, base_url=COMPATIBLE))


def _tongyi() -> Mapping[str, Callable[[], Any]]:
    from langchain_community.chat_models import ChatTongyi

    return _langchain(ChatTongyi(model=MODEL))


def _zhipuai() -> Mapping[str, Callable[[], Any]]:
    from langchain_community.chat_models import ChatZhipuAI

    return _langchain(ChatZhipuAI(model=GLM, api_base=f"{ZHIPU}/chat/completions"))


def _pydantic_ai() -> Mapping[str, Callable[[], Any]]:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def agent(tools: list[Any]) -> Any:
        provider = OpenAIProvider(base_url=COMPATIBLE, api_key=key_a)
        return Agent(OpenAIChatModel(MODEL, provider=provider), tools=tools)

    async def asked() -> str:
        return str((await agent([]).run(HELLO)).output)

    async def streamed() -> str:
        async with agent([]).run_stream(HELLO) as result:
            return "".join([text async for text in result.stream_text(delta=True)])

    return {
        "sync": lambda: agent([]).run_sync(HELLO).output,
        "async": lambda: asyncio.run(asked()),
        "streamed": lambda: "".join(agent([]).run_stream_sync(HELLO).stream_text(delta=True)),
        "async streamed": lambda: asyncio.run(streamed()),
        "tools": lambda: agent([get_weather]).run_sync(WEATHER).output,
    }


def _agents() -> Mapping[str, Callable[[], Any]]:
    import agents
    from openai import AsyncOpenAI

    agents.set_tracing_disabled(True)

    def agent(tools: list[Any]) -> Any:
        client = AsyncOpenAI(base_url=COMPATIBLE, api_key=key_a)
        model = agents.OpenAIChatCompletionsModel(model=MODEL, openai_client=client)
        return agents.Agent(name="a", instructions="Answer.", model=model, tools=tools)

    async def asked() -> str:
        return str((await agents.Runner.run(agent([]), HELLO)).final_output)

    async def streamed() -> str:
        result = agents.Runner.run_streamed(agent([]), HELLO)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    tool = agents.function_tool(get_weather)
    return {
        "sync": lambda: agents.Runner.run_sync(agent([]), HELLO).final_output,
        "async": lambda: asyncio.run(asked()),
        "async streamed": lambda: asyncio.run(streamed()),
        "tools": lambda: agents.Runner.run_sync(agent([tool]), WEATHER).final_output,
    }


def _instructor() -> Mapping[str, Callable[[], Any]]:
    import instructor
    import openai
    from pydantic import BaseModel

    class Weather(BaseModel):
        """The weather of a city."""

        city: str

    def kept(client: Any, **more: Any) -> Any:
        return client.chat.completions.create(
            model=MODEL, messages=ASKED, response_model=Weather, max_retries=0, **more
        )

    def parts(client: Any) -> Any:
        return client.chat.completions.create_partial(
            model=MODEL, messages=ASKED, response_model=Weather, max_retries=0
        )

    def sync() -> Any:
        return instructor.from_openai(openai.OpenAI(base_url=COMPATIBLE))

    def asynchronous() -> Any:
        return instructor.from_openai(openai.AsyncOpenAI(base_url=COMPATIBLE))

    async def asked() -> str:
        return str((await kept(asynchronous())).model_dump())

    async def streamed() -> str:
        return str([part.model_dump() async for part in parts(asynchronous())][-1])

    return {
        "sync": lambda: kept(sync()).model_dump(),
        "async": lambda: asyncio.run(asked()),
        "streamed": lambda: [part.model_dump() for part in parts(sync())][-1],
        "async streamed": lambda: asyncio.run(streamed()),
    }


def _qwen_agent() -> Mapping[str, Callable[[], Any]]:
    from qwen_agent.llm import get_chat_model

    def model(kind: str) -> Any:
        own = {"model": MODEL, "model_type": kind, "api_key": key_a}
        server = {"model_server": COMPATIBLE} if kind == "oai" else {"model_server": "dashscope"}
        return get_chat_model({**own, **server, "generate_cfg": {"seed": 1}})

    def call(kind: str, **more: Any) -> Any:
        answer = model(kind).chat(messages=MESSAGES, **more)
        return answer if isinstance(answer, list) else [*answer][-1]

    return {
        "sync": lambda: call("qwen_dashscope", stream=False),
        "streamed": lambda: call("qwen_dashscope", stream=True),
        "OpenAI's form, sync": lambda: call("oai", stream=False),
        "OpenAI's form, streamed": lambda: call("oai", stream=True),
        "tools": lambda: model("oai").chat(
            messages=ASKED, functions=[TOOL["function"]], stream=False
        ),
    }


def _agentscope() -> Mapping[str, Callable[[], Any]]:
    from agentscope.credential import DashScopeCredential
    from agentscope.message import Msg, TextBlock
    from agentscope.model import DashScopeChatModel

    def model(stream: bool) -> Any:
        credential = DashScopeCredential(api_key=key_a, base_url=COMPATIBLE)
        return DashScopeChatModel(credential=credential, model=MODEL, stream=stream)

    def said(text: str) -> list[Any]:
        return [Msg(name="user", role="user", content=[TextBlock(text=text)])]

    async def asked(text: str, **more: Any) -> str:
        answer = await model(False)(said(text), **more)
        return str([getattr(b, "text", getattr(b, "input", "")) for b in answer.content])

    async def streamed() -> str:
        parts = [part async for part in await model(True)(said(HELLO))]
        return str([getattr(b, "text", "") for b in parts[-1].content])

    return {
        "async": lambda: asyncio.run(asked(HELLO)),
        "async streamed": lambda: asyncio.run(streamed()),
        "tools": lambda: asyncio.run(asked(WEATHER, tools=[TOOL])),
    }


FRAMEWORKS: Mapping[str, Callable[[], Mapping[str, Callable[[], Any]]]] = {
    "litellm, dashscope": lambda: _litellm(f"dashscope/{MODEL}", COMPATIBLE),
    "litellm, zai": lambda: _litellm(f"zai/{GLM}", ZHIPU),
    "langchain-openai": _langchain_openai,
    "ChatTongyi": _tongyi,
    "ChatZhipuAI": _zhipuai,
    "pydantic-ai": _pydantic_ai,
    "openai-agents": _agents,
    "instructor": _instructor,
    "agentscope": _agentscope,
    "qwen-agent": _qwen_agent,
}


def main() -> None:
    """Record or replay each kind of call; an answer is compared by its text."""
    try:
        calls = FRAMEWORKS[name]()
    except Exception as error:  # what a framework raises is the finding
        print(json.dumps({"call": "import", "error": f"{type(error).__name__}: {error}"[:300]}))
        return
    for kind, call in calls.items():
        path = Path(cassettes) / f"{name}-{kind}.yaml".replace(" ", "_")
        done: dict[str, str] = {"call": kind}
        try:
            with use_cassette(path, record="all" if mode == "record" else "none"):
                done["answer"] = _without_ids(call())
        except BaseException as error:  # a miss is no Exception; what came of it is the finding
            done["error"] = f"{type(error).__name__}: {error}"[:300]
        print(json.dumps(done), flush=True)


def _without_ids(value: Any) -> str:
    return str(value) if isinstance(value, str | dict) else type(value).__name__


if __name__ == "__main__":
    main()
