"""DashScope's text and multimodal generation in the sandbox: read requests, build responses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from harness.analysis.endpoint import Endpoint
from harness.providers.dashscope.endpoints import MULTIMODAL, chat_endpoint
from harness.providers.dashscope.operations import frame_event
from harness.sandbox.requests import (
    Range,
    Reason,
    Refused,
    check_chat,
    read_member,
    read_messages,
    read_model,
)
from harness.sandbox.text import tokens
from harness.types import Call, CallKind, Json, Message, Mode, Reply
from harness.wire import compact_bytes

_MODEL = re.compile(
    r"(?:qwen(?:\d(?:\.\d{1,2})?)?|qwq|qvq|deepseek)-?(?:-?(?:turbo|plus|max|flash|long|coder|next"
    r"|math|vl|omni|ocr|instruct|thinking|chat|latest|longcontext|preview|32k|a?\d+(?:\.\d+)?b|v1"
    r"|v3(?:\.\d)?|r1|\d{4}|\d{2}))+"
)

RETIRED = frozenset({"qwen-turbo", "qwen-vl-max", "qwen-vl-plus", "qwq-plus", "qvq-max"})
"""Models shut down on 2026-10-10, by [DOC] notice 731 on alibabacloud.com/zh/notice."""

# [DOC] help.aliyun.com/en/model-studio/error-code has these messages
RANGES = {
    "temperature": Range(0, 2, "Temperature should be in [0.0, 2.0)", high_open=True),
    "top_p": Range(0, 1, "Range of top_p should be (0.0, 1.0]", low_open=True),
    "max_tokens": Range(1, 65536, "Range of max_tokens should be [1, 65536]", whole=True),
    "n": Range(1, 4, "Range of n should be [1, 4]", whole=True),
}
"""The allowed range of each numeric parameter; `n` is the number of answers or images."""


def read_chat(body: dict[str, Json], endpoint: Endpoint) -> Call:
    """Return the call that the *body* of a request to *endpoint* makes.

    A prompt is returned as a chat with one message.

    Raises:
        Refused: The body is not valid, or the model is unknown, retired, or served by another
            endpoint. The service's response for a retired model is not documented.
    """
    model_name = read_model(body, _MODEL)
    if model_name in RETIRED:
        raise Refused(Reason.UNKNOWN_MODEL)
    if chat_endpoint(model_name) is not endpoint:
        raise Refused(Reason.WRONG_ENDPOINT)
    messages = _messages(read_member(body, "input"))
    parameters = read_member(body, "parameters")
    bad_tools = "tools must be an array."
    check_chat(messages, parameters, RANGES, tool_call_id_required=True, bad_tools=bad_tools)
    return Call(CallKind.CHAT, Mode.SYNC, model_name, messages, parameters=parameters)


def _messages(input: dict[str, Json]) -> tuple[Message, ...]:
    if input.get("messages") is not None:
        # [REC] an empty list is answered like an empty message
        return read_messages(input["messages"] or [{"role": "user", "content": ""}])
    if input.get("prompt") is None:
        raise Refused(Reason.NO_MESSAGES)
    return read_messages([{"role": "user", "content": input["prompt"]}])


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The format of an answer.

    Attributes:
        request_id: The `request_id` of the answer.
        message: Whether `output` has `choices` with messages; else it has `text`, the default of
            `result_format` [REC].
        incremental: Whether an event of a stream has only the new text, not all text so far.
        indexed: Whether a choice has an `index`: only if the request declares tools [REC 2025-12].
        multimodal: Whether it is a multimodal answer, which always has messages, whose content is a
            list, and no `index` [REC 2026-01].
    """

    request_id: str
    message: bool
    incremental: bool
    indexed: bool
    multimodal: bool

    @classmethod
    def of(cls, call: Call, request_id: str) -> AnswerFormat:
        """Return the format that *call* requests; with tools it always has messages [DOC].

        Raises:
            Refused: `result_format` is not valid.
        """
        parameters = call.parameters
        result_format = parameters.get("result_format")
        if result_format not in (None, "text", "message"):
            raise Refused(Reason.BAD_PARAMETER, "result_format must be text or message.")
        tools = bool(parameters.get("tools"))
        multimodal = chat_endpoint(call.model) is MULTIMODAL
        return cls(
            request_id,
            message=result_format == "message" or tools or multimodal,
            incremental=parameters.get("incremental_output") is True,
            indexed=tools and not multimodal,
            multimodal=multimodal,
        )

    def output(self, text: str | None, calls: list[Json], reason: Json, *, streamed: bool) -> Json:
        """Return the member `output` of an answer or event.

        Args:
            text: The text.
            calls: The tool calls, as JSON.
            reason: The finish reason.
            streamed: Whether it is an event of a stream, which orders the keys differently [REC].
        """
        if not self.message:
            return {"finish_reason": reason, "text": text}
        content: Json = ([{"text": text}] if text else []) if self.multimodal else text
        message: dict[str, Json] = {"content": content}
        if self.multimodal:
            message["reasoning_content"] = ""
        called: dict[str, Json] = {"tool_calls": calls} if calls else {}
        role: dict[str, Json] = {"role": "assistant"}
        message |= called | role if streamed else role | called
        index: dict[str, Json] = {"index": 0} if self.indexed else {}
        if streamed or self.multimodal:
            choice = {"message": message} | index | {"finish_reason": reason}
        else:
            choice = {"finish_reason": reason} | index | {"message": message}
        return {"choices": [choice]}

    def usage(self, input_tokens: int, output_tokens: int, *, streamed: bool) -> Json:
        """Return the member `usage`; a multimodal answer has more details [REC]."""
        total = input_tokens + output_tokens
        cached: Json = {"cached_tokens": 0}
        if self.multimodal:
            return {
                "total_tokens": total,
                "input_tokens_details": {"text_tokens": input_tokens},
                "output_tokens": output_tokens,
                "input_tokens": input_tokens,
                "output_tokens_details": {"text_tokens": output_tokens},
                "prompt_tokens_details": cached,
            }
        usage: dict[str, Json] = {
            "total_tokens": total,
            "output_tokens": output_tokens,
            "input_tokens": input_tokens,
            "prompt_tokens_details": cached,
        }
        return usage if streamed else dict(sorted(usage.items()))


def whole_answer(reply: Reply, form: AnswerFormat) -> Json:
    """Return the body of a whole answer: `output`, `usage`, `request_id` [REC]."""
    calls: list[Json] = [
        {
            "function": {"arguments": call.arguments, "name": call.name},
            "id": call.id,
            "index": index,
            "type": "function",
        }
        for index, call in enumerate(reply.tool_calls)
    ]
    return {
        "output": form.output(reply.content, calls, reply.finish_reason, streamed=False),
        "usage": form.usage(*_token_counts(reply), streamed=False),
        "request_id": form.request_id,
    }


def _token_counts(reply: Reply) -> tuple[int, int]:
    usage = reply.usage
    return (usage.input_tokens or 0, usage.output_tokens or 0) if usage else (0, 0)


@dataclass(frozen=True, slots=True)
class _Step:
    """The content of one event of a stream.

    Attributes:
        written: The number of output tokens up to this event.
        text: The text to send: only the new text, or all text so far (see `AnswerFormat`).
        calls: The tool calls to send, or pieces of them.
    """

    written: int
    text: str = ""
    calls: tuple[Json, ...] = ()


def stream_events(reply: Reply, form: AnswerFormat) -> Iterator[bytes]:
    """Yield the events of a stream as bytes [REC].

    `finish_reason` is "null" in all events but the last, and there is no [DONE]. The last event of
    a cumulative stream has the whole text. The last event of an incremental stream has an empty
    text, or the last piece of a tool call.
    """
    steps = list(_call_steps(reply, form) if reply.tool_calls else _text_steps(reply, form))
    input_tokens, _ = _token_counts(reply)
    for number, step in enumerate(steps, start=1):
        reason = reply.finish_reason if number == len(steps) else "null"
        body: Json = {
            "output": form.output(step.text, [*step.calls], reason, streamed=True),
            "usage": form.usage(input_tokens, step.written, streamed=True),
            "request_id": form.request_id,
        }
        yield frame_event(number, compact_bytes(body))


def _text_steps(reply: Reply, form: AnswerFormat) -> Iterator[_Step]:
    written, so_far = 0, ""
    for group in _grouped(reply.pieces):
        written, text = written + len(group), "".join(group)
        so_far += text
        yield _Step(written, text if form.incremental else so_far)
    if form.incremental:
        yield _Step(written)


def _grouped(pieces: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the first four tokens one by one, then all others in groups of four [REC]."""
    yield from ((piece,) for piece in pieces[:4])
    yield from (pieces[at : at + 4] for at in range(4, len(pieces), 4))


def _call_steps(reply: Reply, form: AnswerFormat) -> Iterator[_Step]:
    """Yield the events of the tool calls, each call in several pieces.

    The first piece of a call has its id, its name and the beginning of its arguments. Later pieces
    have `id: ""` and no name [REC]. In a cumulative stream, which was never recorded, each event
    repeats all calls so far.
    """
    _, total = _token_counts(reply)
    finished: tuple[Json, ...] = ()
    written = 0
    for index, call in enumerate(reply.tool_calls):
        groups = list(_grouped(tokens(call.arguments)))
        written += len(tokens(call.name))
        for number, so_far in enumerate(accumulate("".join(group) for group in groups)):
            written += len(groups[number])
            whole = _streamed_call(index, call.id, {"name": call.name, "arguments": so_far})
            later = _streamed_call(index, "", {"arguments": "".join(groups[number])})
            piece = later if number else whole
            shown = (piece,) if form.incremental else (*finished, whole)
            yield _Step(min(written, total or written), calls=shown)
        finished += (whole,)


def _streamed_call(index: int, id: str, function: dict[str, Json]) -> Json:
    return {"index": index, "id": id, "type": "function", "function": function}
