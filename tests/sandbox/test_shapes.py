"""The sandbox's formats equal those of real recordings: paths, types, key orders, headers.

Recorded answers and the sandbox's are grouped by kind. Within a kind, what the sandbox sends
must have been recorded at least once, and what every recording has must be sent by the sandbox.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.analysis.shape import shape
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.wire import read_events, read_json, walk

from .client import WEATHER, Dash, Zhipu, user

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"

KNOWN: Mapping[str, str] = {
    "header x-sandbox is extra": "the mark that tells the sandbox from the real service",
    "zhipu chat stream stop: header transfer-encoding is extra": (
        "the recorder took it off; a body without a length has to say how it is framed"
    ),
    "zhipu chat stream tool_calls: header transfer-encoding is extra": (
        "the recorder took it off; a body without a length has to say how it is framed"
    ),
    "header content-length is missing": (
        "the recorder wrote it when it unpacked gzip; the wire was chunked, and so is the sandbox"
    ),
    "dashscope multimodal: header set-cookie is extra": (
        "text answers of the same months have it; of multimodal ones only two were recorded"
    ),
    "dashscope multimodal: header x-dashscope-inner-csi is missing": (
        "a mark of the gateway that text answers do not always have"
    ),
    "compatible refusal 401: header set-cookie is extra": (
        "only requests without a key were recorded, which are turned away before the gateway"
    ),
    "compatible refusal 401: header x-dashscope-call-gateway is extra": (
        "only requests without a key were recorded, which are turned away before the gateway"
    ),
}
"""Every known difference (`kind: difference`, or only the difference for any kind), and why.

One that no longer occurs has to be removed.
"""

COMPARED = ("content-type", "server", "x-dashscope-finished", "x-dashscope-call-gateway", "vary")
"""Headers whose values are compared too."""


@dataclass(frozen=True)
class Answer:
    """An answer, recorded or the sandbox's; `parts` are its JSON values by their role."""

    headers: Mapping[str, str]
    parts: Mapping[str, Sequence[Any]]


Kinds = dict[str, list[Answer]]


def read(headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """Return an answer; the last event of a stream is a part of its own."""
    joined: dict[str, list[str]] = defaultdict(list)
    for name, value in headers:
        joined[name.lower()].append(value)
    plain = {name: ", ".join(values) for name, values in joined.items()}
    if not plain.get("content-type", "").startswith("text/event-stream"):
        return Answer(plain, {"body": [read_json(body).value]})
    values = [event.json.value for event in read_events(body).events if event.data != "[DONE]"]
    return Answer(plain, {"event": values[:-1], "last event": values[-1:]})


def kind_of(uri: str, request: Any, status: int, answer: Answer) -> str:
    """Return the kind of an answer; "" for an API that the sandbox does not serve."""
    stream = " stream" if "last event" in answer.parts else ""
    last: Any = next(iter(answer.parts.get("last event", answer.parts.get("body", []))), None)
    if "/compatible-mode/" in uri:
        if status >= 400:
            return f"compatible refusal {status}"
        parts: list[Any] = [*answer.parts.get("event", answer.parts.get("body", []))]
        reasons = (c.get("finish_reason") for part in parts for c in part["choices"])
        return f"compatible{stream} {next(reason for reason in reasons if reason)}"
    if status >= 400:
        return f"{'zhipu' if '/paas/' in uri else 'dashscope'} refusal {status}"
    if uri.endswith("/chat/completions") and "/async/" not in uri:
        reason = last["choices"][0]["finish_reason"]
        return f"zhipu chat{stream} {'stop' if reason == 'length' else reason}"
    if uri.endswith("/text-generation/generation"):
        parameters = request["parameters"]
        pieces = " pieces" if stream and parameters.get("incremental_output") else ""
        tools = " with tools" if parameters.get("tools") else ""
        called = " called" if "tool_calls" in json.dumps(last) else ""
        return (
            f"dashscope {parameters.get('result_format') or 'text'}{tools}{called}{stream}{pieces}"
        )
    if uri.endswith("/multimodal-generation/generation"):
        return "dashscope multimodal"
    if uri.endswith("/image-synthesis"):
        return "dashscope submission"
    return f"dashscope poll {last['output']['task_status']}" if "/api/v1/tasks/" in uri else ""


@cache
def recorded() -> Kinds:
    """Return all recordings of APIs that the sandbox serves.

    Video tasks are left out: they share an address with images, but not their shape.
    """
    if not RECORDINGS.is_dir():
        pytest.skip(f"no real recordings at {RECORDINGS}")
    kinds: Kinds = defaultdict(list)
    for path in sorted(RECORDINGS.glob("[dz]*/*.yaml")):
        cassette = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        interactions = cassette["interactions"]
        if any("video" in interaction["request"]["uri"] for interaction in interactions):
            continue
        for interaction in interactions:
            kind, answer = from_cassette(interaction)
            kinds[kind].append(answer)
    return kinds


def from_cassette(interaction: Any) -> tuple[str, Answer]:
    """Return kind and answer of one interaction of a cassette."""
    request, response = interaction["request"], interaction["response"]
    headers = [
        (name, value)
        for name, values in response["headers"].items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    body = response["body"].get("string") or ""
    answer = read(headers, body if isinstance(body, bytes) else body.encode())
    sent = request["body"]
    request_body = sent if isinstance(sent, dict) else read_json((sent or "null").encode()).value
    return kind_of(request["uri"], request_body, response["status"]["code"], answer), answer


def sent(http: httpx.Client) -> Iterator[tuple[str, Answer]]:
    """Yield kind and answer of the sandbox, in every kind."""
    answers = (zhipu_answers(Zhipu(http)), dashscope_answers(Dash(http)), compatible_answers(http))
    for response in chain.from_iterable(answers):
        request = read_json(response.request.content or b"null").value
        answer = read(response.headers.multi_items(), response.content)
        uri = str(response.request.url)
        yield kind_of(uri, request, response.status_code, answer), answer


def zhipu_answers(zhipu: Zhipu) -> Iterator[httpx.Response]:
    """Yield Zhipu's chats with models that were recorded; tasks, images, refusals never were."""
    for stream in (False, True):
        yield zhipu.chat([user("你好")], stream=stream, model="glm-4.5")
        yield zhipu.chat([user("讲一个童话")], stream=stream, max_tokens=60, model="glm-4.6")
        messages = [user("北京和上海天气？")]
        yield zhipu.chat(messages, stream=stream, tools=[WEATHER], model="glm-4.6")


def dashscope_answers(dash: Dash) -> Iterator[httpx.Response]:
    """Yield DashScope's answers, image tasks, polls and refusals."""
    for result_format in ("text", "message"):
        yield dash.generate("你好", result_format=result_format)
        for pieces in (False, True):
            settings: dict[str, Any] = {
                "result_format": result_format,
                "incremental_output": pieces,
            }
            yield dash.generate("讲一个童话", sse=True, **settings)
    with_tools: dict[str, Any] = {"result_format": "message", "tools": [WEATHER]}
    for question in ("你好", "北京天气？"):
        yield dash.generate(question, **with_tools)
        yield dash.generate(question, sse=True, **with_tools, incremental_output=True)
    said = [{"role": "user", "content": [{"text": "你好"}]}]
    yield dash.generate_multimodal(said, enable_thinking=False)
    submission = dash.submit_images("小猫", n=2)
    yield submission
    for _ in range(3):
        yield dash.poll(submission.json()["output"]["task_id"])
    yield dash.generate("你好", max_tokens=0)
    yield Dash(dash.http, key="sk-nobody").generate("你好", sse=True)


def compatible_answers(http: httpx.Client) -> Iterator[httpx.Response]:
    """Yield chats and a refusal in OpenAI's format."""
    key = {"authorization": f"Bearer {DASHSCOPE_KEY}"}
    asked = {"model": "qwen-flash", "messages": [user("北京天气？")]}
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    for body in (asked, {**asked, **stream}, {**asked, **stream, "tools": [WEATHER]}):
        yield http.post("/compatible-mode/v1/chat/completions", json=body, headers=key)
    yield http.post("/compatible-mode/v1/chat/completions", json=asked)


def differences(answer: Answer, real: Sequence[Answer]) -> Iterator[str]:
    """Yield where an answer differs from the recorded ones."""
    yield from header_differences(answer.headers, [other.headers for other in real])
    for place in answer.parts:
        values = answer.parts[place]
        recorded_values = [other.parts.get(place, ()) for other in real]
        shapes = [joined_shape(parts) for parts in recorded_values if parts]
        for path, types in joined_shape(values).items():
            if not types <= frozenset().union(*(s.get(path, frozenset()) for s in shapes)):
                yield f"{place} {path} is extra: {', '.join(sorted(types))}"
        always = set.intersection(*(set(s) for s in shapes)) if shapes else set()
        yield from (f"{place} {path} is missing" for path in always - set(joined_shape(values)))
        orders = {order for parts in recorded_values for order in key_orders(parts)}
        for path, keys in set(key_orders(values)) - orders:
            yield f"{place} {path} has its keys in another order: {', '.join(keys)}"


def header_differences(
    headers: Mapping[str, str], recorded_headers: list[Mapping[str, str]]
) -> Iterator[str]:
    """Yield where headers differ: in their names, and some in their values."""
    always = set.intersection(*(set(others) for others in recorded_headers))
    yield from (f"header {name} is missing" for name in always - set(headers))
    yield from (f"header {name} is extra" for name in set(headers) - set().union(*recorded_headers))
    for name in COMPARED:
        values = {others[name] for others in recorded_headers if name in others}
        if name in headers and values and headers[name] not in values:
            yield f"header {name} is not one that was recorded: {headers[name]}"


def joined_shape(values: Iterable[Any]) -> dict[str, frozenset[str]]:
    """Return the shapes of several values merged into one."""
    joined: dict[str, frozenset[str]] = {}
    for value in values:
        for path, types in shape(value).items():
            joined[path] = joined.get(path, frozenset()) | types
    return joined


def key_orders(values: Iterable[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the keys of every object, in their order."""
    for value in values:
        for pointer, node in walk(value):
            if isinstance(node, dict):
                path = "/".join("[]" if part.isdigit() else part for part in pointer.split("/"))
                yield path, tuple(node)


@pytest.fixture(scope="module")
def all_differences(http: httpx.Client) -> dict[str, set[str]]:
    """Return every difference by kind."""
    real = recorded()
    all_differences: dict[str, set[str]] = defaultdict(set)
    for kind, answer in sent(http):
        all_differences[kind] |= set(differences(answer, real[kind])) if kind in real else set()
    return all_differences


def test_every_recorded_kind_is_compared(all_differences: dict[str, set[str]]) -> None:
    """Only recordings of APIs that the sandbox does not serve are left out."""
    not_served = {""}
    assert set(recorded()) - set(all_differences) == not_served


def test_the_sandbox_differs_from_no_recording(all_differences: dict[str, set[str]]) -> None:
    """Only the known differences are allowed."""
    unknown = [
        f"{kind}: {difference}"
        for kind, differences_ in sorted(all_differences.items())
        for difference in sorted(differences_)
        if difference not in KNOWN and f"{kind}: {difference}" not in KNOWN
    ]
    assert unknown == []


def test_known_differences_still_occur(all_differences: dict[str, set[str]]) -> None:
    """An entry that no longer occurs has to be removed."""
    occurring = {f"{kind}: {d}" for kind, ds in all_differences.items() for d in ds}
    occurring |= {d for ds in all_differences.values() for d in ds}
    assert set(KNOWN) <= occurring
