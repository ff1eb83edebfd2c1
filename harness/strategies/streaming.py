"""Answers that come as server-sent events: increments, or the whole so far in each event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from hypothesis import strategies as st

from harness.analysis.endpoint import Endpoint, Schema
from harness.analysis.reply import NONE_YET
from harness.strategies.answering import headed
from harness.strategies.asking import dumped
from harness.strategies.saying import counts, sums, titled
from harness.strategies.schema import complete, place, promised, written
from harness.strategies.way import Head, ProviderServer, Said, Way
from harness.strategies.words import deltas
from harness.types import LooseJson, Response


@st.composite
def streamed(
    draw: st.DrawFn, speaker: ProviderServer, way: Way, head: Head, said: Said, asked: LooseJson
) -> Response:
    """One answer in events, as the body of the request asks for them."""
    endpoint = way.endpoint
    told = draw(_steps(said))
    if endpoint.cumulative(asked) is not False:
        told = list(accumulate(told, _so_far))
    told = _ended(told, said, draw(st.booleans()), endpoint.cumulative(asked) is not False)
    if endpoint.repeats_finish and draw(st.booleans()):
        told.append({"content": "", "finish_reason": said["finish_reason"]})
    told = _framed(told, endpoint, way, draw(st.booleans()))
    told = _counted(told, speaker, endpoint, asked, draw(counts(endpoint, _event(endpoint))))
    title = titled(head, endpoint, streamed=True)
    data = [draw(_event_data(way, {**title, **step})) for step in told]
    kind = draw(st.sampled_from(["text/event-stream", "text/event-stream;charset=UTF-8"]))
    headers = draw(headed(speaker, head, (("Content-Type", kind),)))
    return Response(200, "OK", headers, speaker.framed(data))


def _event(endpoint: Endpoint) -> Schema:
    return endpoint.event or endpoint.answer


@st.composite
def _event_data(draw: st.DrawFn, way: Way, said: Said) -> bytes:
    schema = _event(way.endpoint)
    return draw(dumped(draw(complete(schema, written(way.endpoint, schema, said, way.without)))))


@st.composite
def _steps(draw: st.DrawFn, said: Said) -> list[Said]:
    """An answer in pieces: reasoning first, then the text, then the calls."""
    told: list[Said] = []
    for name in ("reasoning", "content"):
        told += [{name: piece} for piece in draw(deltas(said[name]))] if name in said else []
    for call in said.get("tool_calls", ()):
        told += _call_steps(call, draw(deltas(call["function"]["arguments"])))
    return told


def _call_steps(call: LooseJson, arguments: Sequence[str]) -> Iterator[Said]:
    """B6: the first piece has id and name, later ones have an empty id and no name."""
    for number, text in enumerate(arguments):
        function = {"name": call["function"]["name"]} if number == 0 else {}
        piece = {**call, "id": "" if number else call["id"]}
        yield {"tool_calls": [{**piece, "function": {**function, "arguments": text}}]}


def _so_far(before: Said, step: Said) -> Said:
    """All that was said, this step included."""
    told = {**before}
    for name, new in step.items():
        held = before.get(name)
        told[name] = _called(held or [], new[0]) if name == "tool_calls" else (held or "") + new
    return told


def _called(calls: Sequence[LooseJson], piece: LooseJson) -> list[LooseJson]:
    """The calls so far, one of them a piece longer."""
    if piece["id"]:
        return [*calls, piece]
    last, more = calls[-1], piece["function"]["arguments"]
    function = {**last["function"], "arguments": last["function"]["arguments"] + more}
    return [*calls[:-1], {**last, "function": function}]


def _ended(steps: list[Said], said: Said, apart: bool, cumulative: bool) -> list[Said]:
    """The same with the finish reason: in the last step, or in one of its own."""
    last = steps[-1] if cumulative else {"content": ""}
    told = [*steps, last] if apart else steps
    return [*told[:-1], {**told[-1], "finish_reason": said["finish_reason"]}]


def _framed(steps: list[Said], endpoint: Endpoint, way: Way, once: bool) -> list[Said]:
    """The same with what each event has to repeat, or repeats where `once` does not say so."""
    told: list[Said] = []
    for number, step in enumerate(steps):
        base: dict[str, LooseJson] = {"index": 0}
        if number == 0 or not once or _asked_for("role", endpoint, way):
            base["role"] = "assistant"
        if _asked_for("finish_reason", endpoint, way):
            base["finish_reason"] = NONE_YET
        if _asked_for("content", endpoint, way):
            base["content"] = ""
        told.append({**base, **step})
    return told


def _asked_for(field: str, endpoint: Endpoint, way: Way) -> bool:
    schema = _event(endpoint)
    pointer = place(endpoint, schema, field, way.without).replace("[]", "0")
    return bool(pointer) and promised(schema, pointer)


def _counted(
    steps: list[Said], speaker: ProviderServer, endpoint: Endpoint, asked: LooseJson, counted: Said
) -> list[Said]:
    """The same with tokens: along the way where events have to, or else at the end."""
    if promised(_event(endpoint), "/usage"):
        given, made = counted["input_tokens"], counted["output_tokens"]
        shares = [made * number // len(steps) for number in range(1, len(steps) + 1)]
        along = [{**step, **sums(given, n)} for step, n in zip(steps, shares, strict=True)]
        return [*along[:-1], {**along[-1], **counted}]
    if not endpoint.tells_usage(asked):
        return steps
    if speaker.counts_apart:
        return [*steps, counted]
    return [*steps[:-1], {**steps[-1], **counted}]
