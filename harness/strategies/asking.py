"""Requests: what is asked, of whom, and how it is to be delivered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.strategies.schema import fitting, planted
from harness.strategies.way import ProviderServer, Said, Way
from harness.strategies.words import hexadecimal, sentences, texts
from harness.types import LooseJson, Request

_PARAMETERS: tuple[LooseJson, ...] = (
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    {
        "type": "object",
        "properties": {
            "天数": {"type": "integer", "minimum": 1, "maximum": 14},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["天数", "unit"],
    },
    {"type": "object", "properties": {}},
)


def tools() -> SearchStrategy[list[LooseJson]]:
    """Functions that a request offers, each with the schema of its parameters; often none."""
    function = st.builds(
        lambda name, parameters: {
            "type": "function",
            "function": {"name": name, "parameters": parameters},
        },
        st.sampled_from(["get_weather", "lookup-2", "a"]),
        st.sampled_from(_PARAMETERS),
    )
    return st.lists(function, max_size=2, unique_by=lambda tool: tool["function"]["name"])


@st.composite
def calls(draw: st.DrawFn, offered: Sequence[LooseJson]) -> list[LooseJson]:
    """One or two calls of functions that were offered, with arguments that fit."""
    told = []
    for number in range(draw(st.integers(1, 2))):
        function = draw(st.sampled_from(offered))["function"]
        arguments = draw(fitting(function["parameters"]))
        text = json.dumps(arguments, ensure_ascii=draw(st.booleans()))
        told.append(
            {
                "index": number,
                "id": f"call_{draw(hexadecimal(12))}{number}",
                "type": "function",
                "function": {"name": function["name"], "arguments": text},
            }
        )
    return told


def user() -> SearchStrategy[LooseJson]:
    """What somebody asks."""
    return sentences().map(lambda text: {"role": "user", "content": text})


def after(reply: LooseJson, results: SearchStrategy[str]) -> SearchStrategy[list[LooseJson]]:
    """What follows an assistant's message: the results of its calls, or the next question."""
    called = reply.get("tool_calls") or []
    if not called:
        return user().map(lambda message: [message])
    return st.tuples(*(results for _ in called)).map(
        lambda told: [
            {"role": "tool", "content": text, "tool_call_id": call["id"]}
            for call, text in zip(called, told, strict=True)
        ]
    )


def assistant(said: Said) -> LooseJson:
    """An answer as the next request sends it back."""
    held: LooseJson = {"role": "assistant", "content": said.get("content") or ""}
    return {**held, "tool_calls": said["tool_calls"]} if said.get("tool_calls") else held


@st.composite
def _past(draw: st.DrawFn, offered: Sequence[LooseJson]) -> list[LooseJson]:
    told: list[LooseJson] = [draw(user())]
    for _ in range(draw(st.integers(0, 2))):
        said = {"content": draw(texts())}
        called = draw(st.just([]) | calls(offered)) if offered else []
        reply = assistant({**said, "tool_calls": called})
        told += [reply, *draw(after(reply, texts()))]
    return told


@st.composite
def _chat(draw: st.DrawFn, way: Way) -> Said:
    offered = draw(tools())
    spoken = texts().map(lambda text: {"role": "system", "content": text})
    system = draw(st.lists(spoken, max_size=1))
    told = {"tools": offered} if offered else {}
    return {"messages": system + draw(_past(offered)), **told}


def _prompt(way: Way) -> SearchStrategy[Said]:
    return sentences().map(lambda text: {"prompt": text})


def _pictures(way: Way) -> SearchStrategy[Said]:
    """So many of them, where a request can say how many."""
    count = {"count": st.integers(1, 3)} if way.endpoint.fields.count else {}
    return st.fixed_dictionaries({"prompt": sentences()}, optional=count)


def _parts(way: Way) -> SearchStrategy[Said]:
    message = sentences().map(lambda text: {"role": "user", "content": [{"text": text}]})
    return message.map(lambda told: {"messages": [told]})


def _texts(way: Way) -> SearchStrategy[Said]:
    held = {"texts": st.lists(sentences(), min_size=1, max_size=3)}
    return st.fixed_dictionaries(held, optional={"dimension": st.sampled_from([2, 3, 64])})


def _documents(way: Way) -> SearchStrategy[Said]:
    held = {
        "texts": st.lists(sentences(), min_size=1, max_size=3),
        "/input/query": sentences(),
    }
    return st.fixed_dictionaries(held, optional={"count": st.integers(1, 3)})


QUESTIONS: Mapping[str, Callable[[Way], SearchStrategy[Said]]] = MappingProxyType(
    {
        "chat": _chat,
        "prompt": _prompt,
        "image": _pictures,
        "parts": _parts,
        "video": _prompt,
        "embedding": _texts,
        "rerank": _documents,
    }
)
"""What is asked, by the kind of call."""


def questions(way: Way) -> SearchStrategy[Said]:
    """What can be asked this way."""
    return QUESTIONS[way.asks or way.kind](way)


@st.composite
def asking(draw: st.DrawFn, speaker: ProviderServer, way: Way, said: Said) -> Request:
    """The request that asks this."""
    body: LooseJson = {"model": draw(st.sampled_from(speaker.models))}
    fields = way.endpoint.fields
    for name, value in {**said, **draw(st.sampled_from(way.variants))}.items():
        body = planted(body, name if name.startswith("/") else getattr(fields, name)[0], value)
    headers = (("Content-Type", "application/json"), *way.headers)
    return Request(way.endpoint.method, way.address, headers, draw(dumped(body)))


def dumped(value: LooseJson) -> SearchStrategy[bytes]:
    """JSON in bytes: as short as can be, with spaces, or with nothing but ASCII."""
    forms: tuple[dict[str, LooseJson], ...] = (
        {"ensure_ascii": False, "separators": (",", ":")},
        {"ensure_ascii": False},
        {"ensure_ascii": True},
    )
    return st.sampled_from(forms).map(lambda form: json.dumps(value, **form).encode())
