"""The sandbox is held to real recordings: same paths, types, key orders and headers.

Recorded answers and the sandbox's are sorted into kinds. Within a kind, what the sandbox sends
must have been recorded at least once, and what every recording has must be sent by the sandbox.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest
import yaml

from harness.analysis.shape import shape
from harness.types import LooseJson
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
}
"""Every known difference (`kind: difference`, or only the difference for any kind), and why.

One that no longer occurs has to go.
"""

TELLING = ("content-type", "server", "x-dashscope-finished", "x-dashscope-call-gateway", "vary")
"""Headers whose values are compared too."""


@dataclass(frozen=True)
class Answer:
    """An answer, recorded or the sandbox's. `parts` are its JSON values, by their place."""

    headers: Mapping[str, str]
    parts: Mapping[str, Sequence[LooseJson]]


Kinds = dict[str, list[Answer]]


def read(headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """An answer; in a stream the last event is held apart."""
    joined: dict[str, list[str]] = defaultdict(list)
    for name, value in headers:
        joined[name.lower()].append(value)
    plain = {name: ", ".join(values) for name, values in joined.items()}
    if not plain.get("content-type", "").startswith("text/event-stream"):
        return Answer(plain, {"body": [read_json(body).value]})
    told = [event.json.value for event in read_events(body).events if event.data != "[DONE]"]
    return Answer(plain, {"event": told[:-1], "last event": told[-1:]})


def kind_of(uri: str, asked: LooseJson, status: int, answer: Answer) -> str:
    """What an answer may be compared with; "" for what the sandbox does not speak."""
    stream = " stream" if "last event" in answer.parts else ""
    last: LooseJson = next(iter(answer.parts.get("last event", answer.parts.get("body", []))), None)
    if status >= 400:
        return f"{'zhipu' if '/paas/' in uri else 'dashscope'} refusal {status}"
    if uri.endswith("/chat/completions") and "/async/" not in uri:
        reason = last["choices"][0]["finish_reason"]
        return f"zhipu chat{stream} {'stop' if reason == 'length' else reason}"
    if uri.endswith("/text-generation/generation"):
        told = asked["parameters"]
        pieces = " pieces" if stream and told.get("incremental_output") else ""
        tools = " with tools" if told.get("tools") else ""
        called = " called" if "tool_calls" in json.dumps(last) else ""
        return f"dashscope {told.get('result_format') or 'text'}{tools}{called}{stream}{pieces}"
    if uri.endswith("/multimodal-generation/generation"):
        return "dashscope multimodal"
    if uri.endswith("/image-synthesis"):
        return "dashscope order"
    return f"dashscope poll {last['output']['task_status']}" if "/api/v1/tasks/" in uri else ""


@cache
def recorded() -> Kinds:
    """All recordings of what the sandbox speaks. Video tasks share an address, but no shape."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no real recordings at {RECORDINGS}")
    kinds: Kinds = defaultdict(list)
    for path in sorted(RECORDINGS.glob("[dz]*/*.yaml")):
        if path.parent.name == "dashscope-compatible":
            continue
        cassette = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        interactions = cassette["interactions"]
        if any("video" in one["request"]["uri"] for one in interactions):
            continue
        for one in interactions:
            kind, answer = from_cassette(one)
            kinds[kind].append(answer)
    return kinds


def from_cassette(one: LooseJson) -> tuple[str, Answer]:
    """One interaction of a cassette: its kind and its answer."""
    request, response = one["request"], one["response"]
    headers = [
        (name, value)
        for name, values in response["headers"].items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    body = response["body"].get("string") or ""
    answer = read(headers, body if isinstance(body, bytes) else body.encode())
    asked = request["body"]
    asked = asked if isinstance(asked, dict) else read_json((asked or "null").encode()).value
    return kind_of(request["uri"], asked, response["status"]["code"], answer), answer


def sent(http: httpx.Client) -> Iterator[tuple[str, Answer]]:
    """What the sandbox says, in every kind."""
    for response in [*zhipu_says(Zhipu(http)), *dashscope_says(Dash(http))]:
        asked = read_json(response.request.content or b"null").value
        answer = read(response.headers.multi_items(), response.content)
        uri = str(response.request.url)
        yield kind_of(uri, asked, response.status_code, answer), answer


def zhipu_says(zhipu: Zhipu) -> Iterator[httpx.Response]:
    """Zhipu's chats, of models that were recorded. Tasks, pictures, refusals never were."""
    for stream in (False, True):
        yield zhipu.chat([user("你好")], stream=stream, model="glm-4.5")
        yield zhipu.chat([user("讲一个童话")], stream=stream, max_tokens=60, model="glm-4.6")
        asked = [user("北京和上海天气？")]
        yield zhipu.chat(asked, stream=stream, tools=[WEATHER], model="glm-4.6")


def dashscope_says(dash: Dash) -> Iterator[httpx.Response]:
    """DashScope's answers, orders, polls and refusals."""
    for format_ in ("text", "message"):
        yield dash.generate("你好", result_format=format_)
        for pieces in (False, True):
            settings: dict[str, LooseJson] = {
                "result_format": format_,
                "incremental_output": pieces,
            }
            yield dash.generate("讲一个童话", sse=True, **settings)
    with_tools: dict[str, LooseJson] = {"result_format": "message", "tools": [WEATHER]}
    for asked in ("你好", "北京天气？"):
        yield dash.generate(asked, **with_tools)
        yield dash.generate(asked, sse=True, **with_tools, incremental_output=True)
    yield dash.see([{"role": "user", "content": [{"text": "你好"}]}])
    order = dash.order("小猫", n=2)
    yield order
    for _ in range(3):
        yield dash.poll(order.json()["output"]["task_id"])
    yield dash.generate("你好", max_tokens=0)
    yield Dash(dash.http, key="sk-nobody").generate("你好", sse=True)


def differences(answer: Answer, real: Sequence[Answer]) -> Iterator[str]:
    """Where an answer parts from the recorded ones."""
    yield from header_differences(answer.headers, [one.headers for one in real])
    for place in answer.parts:
        mine = answer.parts[place]
        theirs = [one.parts.get(place, ()) for one in real]
        shapes = [joined_shape(values) for values in theirs if values]
        for path, types in joined_shape(mine).items():
            if not types <= frozenset().union(*(s.get(path, frozenset()) for s in shapes)):
                yield f"{place} {path} is extra: {', '.join(sorted(types))}"
        always = set.intersection(*(set(s) for s in shapes)) if shapes else set()
        yield from (f"{place} {path} is missing" for path in always - set(joined_shape(mine)))
        orders = {order for values in theirs for order in key_orders(values)}
        for path, keys in set(key_orders(mine)) - orders:
            yield f"{place} {path} has its keys in another order: {', '.join(keys)}"


def header_differences(mine: Mapping[str, str], theirs: list[Mapping[str, str]]) -> Iterator[str]:
    """Where headers part: by their names, and the telling ones by their values."""
    always = set.intersection(*(set(headers) for headers in theirs))
    yield from (f"header {name} is missing" for name in always - set(mine))
    yield from (f"header {name} is extra" for name in set(mine) - set().union(*theirs))
    for name in TELLING:
        values = {headers[name] for headers in theirs if name in headers}
        if name in mine and values and mine[name] not in values:
            yield f"header {name} is not one that was recorded: {mine[name]}"


def joined_shape(values: Iterable[LooseJson]) -> dict[str, frozenset[str]]:
    """The shapes of some values in one."""
    joined: dict[str, frozenset[str]] = {}
    for value in values:
        for path, types in shape(value).items():
            joined[path] = joined.get(path, frozenset()) | types
    return joined


def key_orders(values: Iterable[LooseJson]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The keys of every object, in their order."""
    for value in values:
        for pointer, node in walk(value):
            if isinstance(node, dict):
                path = "/".join("[]" if part.isdigit() else part for part in pointer.split("/"))
                yield path, tuple(node)


@pytest.fixture(scope="module")
def found(http: httpx.Client) -> dict[str, set[str]]:
    """Every difference there is, by kind."""
    real = recorded()
    found: dict[str, set[str]] = defaultdict(set)
    for kind, answer in sent(http):
        found[kind] |= set(differences(answer, real[kind])) if kind in real else set()
    return found


def test_the_sandbox_speaks_in_every_recorded_kind(found: dict[str, set[str]]) -> None:
    """No kind of recording goes without a comparison, but for what the sandbox has not."""
    not_spoken = {""}
    assert set(recorded()) - set(found) == not_spoken


def test_what_the_sandbox_says_was_recorded_like_that(found: dict[str, set[str]]) -> None:
    """But for the known differences."""
    unknown = [
        f"{kind}: {difference}"
        for kind, differences_ in sorted(found.items())
        for difference in sorted(differences_)
        if difference not in KNOWN and f"{kind}: {difference}" not in KNOWN
    ]
    assert unknown == []


def test_known_differences_still_occur(found: dict[str, set[str]]) -> None:
    """An entry that is out of date has to go."""
    occurring = {f"{kind}: {d}" for kind, ds in found.items() for d in ds}
    occurring |= {d for ds in found.values() for d in ds}
    assert set(KNOWN) <= occurring
