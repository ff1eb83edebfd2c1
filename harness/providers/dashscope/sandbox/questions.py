"""A question: a conversation, or a prompt that stands for one, with its parameters."""

from __future__ import annotations

import re

from harness.analysis.endpoint import Endpoint
from harness.providers.dashscope.endpoints import chat_endpoint
from harness.sandbox.listening import (
    Range,
    check_content,
    check_ranges,
    check_tool_messages,
    member,
    read_messages,
    read_model,
)
from harness.sandbox.refusal import Reason, Refused
from harness.types import Call, CallKind, LooseJson, Message, Mode

_MODEL = re.compile(
    r"(?:qwen(?:\d(?:\.\d{1,2})?)?|qwq|qvq|deepseek)-?(?:-?(?:turbo|plus|max|flash|long|coder|next|math|vl|omni|ocr"
    r"|instruct|thinking|chat|latest|longcontext|preview|32k|a?\d+(?:\.\d+)?b|v1|v3(?:\.\d)?|r1"
    r"|\d{4}|\d{2}))+"
)

RETIRED = frozenset({"qwen-turbo", "qwen-vl-max", "qwen-vl-plus", "qwq-plus", "qvq-max"})
"""Models that were switched off on 2026-10-10: [DOC] notice 731 on alibabacloud.com/zh/notice."""

# [DOC] help.aliyun.com/en/model-studio/error-code has these texts
RANGES = {
    "temperature": Range(0, 2, "Temperature should be in [0.0, 2.0)", high_open=True),
    "top_p": Range(0, 1, "Range of top_p should be (0.0, 1.0]", low_open=True),
    "max_tokens": Range(1, 65536, "Range of max_tokens should be [1, 65536]", whole=True),
    "n": Range(1, 4, "Range of n should be [1, 4]", whole=True),
}
"""The parameters that are numbers; `n` also counts pictures."""


def hear(body: dict[str, LooseJson], endpoint: Endpoint) -> Call:
    """Return the body of a request to *endpoint* as a call; a prompt becomes one message.

    A retired model is refused like an unknown one; what the service says to it is not documented.
    """
    model = read_model(body.get("model"), _MODEL)
    if model in RETIRED:
        raise Refused(Reason.UNKNOWN_MODEL)
    if chat_endpoint(model) is not endpoint:
        raise Refused(Reason.WRONG_ENDPOINT)
    asked, parameters = member(body, "input"), member(body, "parameters")
    messages = _messages(asked)
    check_tool_messages(messages, id_needed=True)
    check_ranges(parameters, RANGES)
    if not isinstance(parameters.get("tools"), (list, type(None))):
        raise Refused(Reason.BAD_PARAMETER, "tools must be an array.")
    check_content([message.content for message in messages])
    return Call(CallKind.CHAT, Mode.SYNC, model, messages, parameters=parameters)


def _messages(asked: dict[str, LooseJson]) -> tuple[Message, ...]:
    if asked.get("messages") is not None:
        # [REC] an empty list is answered like an empty message
        return read_messages(asked["messages"] or [{"role": "user", "content": ""}])
    prompt = asked.get("prompt")
    if prompt is None:
        raise Refused(Reason.NO_MESSAGES)
    return read_messages([{"role": "user", "content": prompt}])
