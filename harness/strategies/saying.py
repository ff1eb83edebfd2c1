"""What an answer says, before anybody writes it down: texts, calls, vectors, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Endpoint, Schema
from harness.rules.tools import CALLING
from harness.strategies.asking import calls
from harness.strategies.schema import described, place
from harness.strategies.way import Head, ProviderServer, Said, Way
from harness.strategies.words import links, texts
from harness.types import LooseJson


@st.composite
def heads(draw: st.DrawFn, speaker: ProviderServer, asked: LooseJson) -> Head:
    """What an answer to this request says of itself."""
    created = draw(st.integers(1_700_000_000, 1_800_000_000))
    return Head(draw(speaker.ids(created)), asked["model"], created)


def titled(head: Head, endpoint: Endpoint, streamed: bool) -> Said:
    """The same by the names of `Fields`."""
    names = [name for name in sorted(endpoint.objects) if name.endswith(".chunk") is streamed]
    said = {"id": head.id, "request_id": head.id, "model": head.model, "created": head.created}
    return {**said, "object": names[0]} if names else said


@st.composite
def counts(draw: st.DrawFn, endpoint: Endpoint, schema: Schema) -> Said:
    """Tokens: they add up, and what is counted in detail is within."""
    given, made = draw(st.integers(1, 9_999)), draw(st.integers(0, 9_999))
    said: dict[str, LooseJson] = {**sums(given, made)}
    for most, parts in ((given, endpoint.fields.input_parts), (made, endpoint.fields.output_parts)):
        for pointer in parts:
            if described(schema, pointer) and draw(st.booleans()):
                said[pointer] = draw(st.integers(0, most))
    return said


def sums(given: int, made: int) -> Said:
    """Tokens of a question and its answer."""
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


_THOUGHT = "Let me think: "
"""Reasoning begins with words that no text begins with: the two must not be taken for one."""


@st.composite
def _talk(draw: st.DrawFn, way: Way, asked: Said) -> Said:
    endpoint = way.poll or way.endpoint
    said: dict[str, LooseJson] = {"index": 0, "role": "assistant"}
    if place(endpoint, _schema(way, endpoint), "reasoning", way.without) and draw(st.booleans()):
        said["reasoning"] = _THOUGHT + draw(texts())
    if asked.get("tools") and draw(st.booleans()):
        called = {"tool_calls": draw(calls(asked["tools"])), "finish_reason": CALLING}
        content = draw(st.none() | texts())
        return {**said, **called, **({} if content is None else {"content": content})}
    reasons = sorted(endpoint.finish_reasons - {CALLING}, key=lambda name: (name != "stop", name))
    return {**said, "content": draw(texts()), "finish_reason": draw(st.sampled_from(reasons))}


def _schema(way: Way, endpoint: Endpoint) -> Schema:
    return endpoint.event if way.mode == "stream" and endpoint.event else endpoint.answer


@st.composite
def _vectors(draw: st.DrawFn, way: Way, asked: Said) -> Said:
    count, length = len(asked["texts"]), asked.get("dimension") or draw(st.integers(1, 4))
    numbers = st.integers(-999, 999).map(lambda number: number / 1000)
    vector = st.lists(numbers, min_size=length, max_size=length)
    return {
        "vectors": draw(st.lists(vector, min_size=count, max_size=count)),
        "positions": list(range(count)),
    }


@st.composite
def _ranking(draw: st.DrawFn, way: Way, asked: Said) -> Said:
    count = len(asked["texts"])
    kept = draw(st.permutations(range(count)))[: asked.get("count", count)]
    scores = [draw(st.integers(0, 1000)) / 1000 for _ in kept]
    return {"positions": list(kept), "scores": sorted(scores, reverse=True)}


@st.composite
def _pictures(draw: st.DrawFn, way: Way, asked: Said) -> Said:
    """As many as were asked for; where results are counted, some of them may have failed."""
    count = asked.get("count", 1)
    metrics = bool(way.poll and way.poll.fields.metrics)
    good = draw(st.integers(1, count)) if metrics else count
    failed = {"code": "InternalError.Timeout", "message": "An error occurred."}
    made = [{way.link: draw(links("png"))} for _ in range(good)] + [failed] * (count - good)
    told = {"TOTAL": count, "SUCCEEDED": good, "FAILED": count - good}
    return {
        "index": 0,
        "role": "assistant",
        "finish_reason": "stop",
        way.results: made,
        **({"metrics": told} if metrics else {}),
    }


def _film(way: Way, asked: Said) -> SearchStrategy[Said]:
    link = links("mp4")
    if not way.results.endswith("[]"):
        return link.map(lambda told: {way.results: told})
    return link.map(lambda told: {way.results: [{way.link: told}]})


ANSWERS: Mapping[str, Callable[[Way, Said], SearchStrategy[Said]]] = MappingProxyType(
    {
        "chat": _talk,
        "prompt": _talk,
        "image": _pictures,
        "video": _film,
        "embedding": _vectors,
        "rerank": _ranking,
    }
)
"""What is answered, by the kind of call."""


def answers(way: Way, asked: Said) -> SearchStrategy[Said]:
    """What can be answered to this question."""
    return ANSWERS[way.kind](way, asked)
