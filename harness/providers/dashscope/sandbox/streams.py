"""A stream: events that tell an answer bit by bit, as the text so far or as its next piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from harness.providers.dashscope.sandbox.answers import multimodal_usage
from harness.providers.dashscope.sandbox.form import Form
from harness.sandbox.words import tokens
from harness.types import LooseJson, Reply
from harness.wire import compact_bytes


@dataclass(frozen=True, slots=True)
class Step:
    """What one event of a stream adds: text or a piece of a call, and how many tokens so far."""

    written: int
    text: str = ""
    calls: tuple[LooseJson, ...] = ()


def stream_events(reply: Reply, form: Form) -> Iterator[bytes]:
    """[REC] a stream: `finish_reason` is the string "null" until the end, and no [DONE].

    Whole texts so far have the whole text in the last event; pieces have an empty last one, and
    pieces of calls the last piece.
    """
    steps = list(_call_steps(reply, form) if reply.tool_calls else _text_steps(reply, form))
    for number, step in enumerate(steps, start=1):
        reason = reply.finish_reason if number == len(steps) else "null"
        counts = _stream_usage(reply, step.written)
        body = {
            "output": _stream_output(step, form, reason),
            "usage": multimodal_usage(counts) if form.multimodal else counts,
            "request_id": form.request_id,
        }
        yield (
            f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:".encode()
            + compact_bytes(body)
            + b"\n\n"
        )


def _text_steps(reply: Reply, form: Form) -> Iterator[Step]:
    """[REC] single tokens at first, later four at a time."""
    groups = list(_grouped(reply.pieces))
    texts = ["".join(group) for group in groups]
    counts = accumulate(len(group) for group in groups)
    if form.incremental:
        steps = [Step(count, text) for count, text in zip(counts, texts, strict=True)]
        yield from [*steps, Step(len(reply.pieces))]
    else:
        for count, text in zip(counts, accumulate(texts), strict=True):
            yield Step(count, text)


def _grouped(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    singles = min(4, len(pieces))
    yield from ((piece,) for piece in pieces[:singles])
    yield from (pieces[at : at + 4] for at in range(singles, len(pieces), 4))


def _call_steps(reply: Reply, form: Form) -> Iterator[Step]:
    """[REC] the first piece of a call has its id, name and first words; later ones `id: ""`.

    How a call looks in whole-so-far events is nowhere recorded; here all of it is repeated.
    """
    total = reply.usage.output_tokens if reply.usage else 0
    finished: tuple[LooseJson, ...] = ()
    written = 0
    for index, call in enumerate(reply.tool_calls):
        groups = list(_grouped(tokens(call.arguments)))
        texts = ["".join(group) for group in groups]
        sizes = [len(group) for group in groups]
        sizes[0] += len(tokens(call.name))
        for at, text in enumerate(accumulate(texts)):
            written += sizes[at]
            whole = _streamed_call(index, call.id, {"name": call.name, "arguments": text})
            later = _streamed_call(index, "", {"arguments": texts[at]})
            piece = whole if at == 0 else later
            shown = (piece,) if form.incremental else (*finished, whole)
            yield Step(min(written, total or written), calls=shown)
        finished += (whole,)


def _streamed_call(index: int, id: str, function: dict[str, str]) -> LooseJson:
    return {"index": index, "id": id, "type": "function", "function": function}


def _stream_output(step: Step, form: Form, reason: str | None) -> LooseJson:
    if not form.message:
        return {"finish_reason": reason, "text": step.text}
    message: dict[str, LooseJson] = {"content": form.content(step.text)}
    if form.multimodal:
        message["reasoning_content"] = ""
    if step.calls:
        message["tool_calls"] = list(step.calls)
    message["role"] = "assistant"
    index = {"index": 0} if form.indexed else {}
    return {"choices": [{"message": message} | index | {"finish_reason": reason}]}


def _stream_usage(reply: Reply, written: int) -> dict[str, LooseJson]:
    read = (reply.usage.input_tokens if reply.usage else 0) or 0
    return {
        "total_tokens": read + written,
        "output_tokens": written,
        "input_tokens": read,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
