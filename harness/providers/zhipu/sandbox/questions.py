"""A question: a conversation, and whether the model is to think about it."""

from __future__ import annotations

import re

from harness.sandbox.listening import (
    Range,
    check_content,
    check_ranges,
    check_tool_messages,
    read_messages,
    read_model,
)
from harness.sandbox.refusal import Reason, Refused
from harness.types import Call, CallKind, LooseJson, Mode

_MODEL = re.compile(
    r"(?:glm-(?:[345](?:\.\d)?|z1|zero)v?(?:-(?:turbo|plus|airx?|flashx?|long|x|alltools|preview"
    r"|thinking|\d{4,8}))*|charglm-[34]|codegeex-4|emohaa)"
)
_THINKER = re.compile(r"glm-(?:4\.[5-9]|5|z1)")

# [DOC] bigmodel.cn/dev/api/normal-model/glm-4
_RANGES = {
    "temperature": Range(0, 1),
    "top_p": Range(0, 1),
    "max_tokens": Range(1, 131072, whole=True),
}


def hear(body: dict[str, LooseJson]) -> Call:
    """A request's body as a call."""
    model = read_model(body.get("model"), _MODEL)
    messages = read_messages(body.get("messages"))
    # [REC] a tool message without tool_call_id was accepted (glm-4.6, tool_round_trip_2)
    check_tool_messages(messages, id_needed=False)
    check_ranges(body, _RANGES)
    if not isinstance(body.get("tools"), (list, type(None))):
        raise Refused(Reason.BAD_PARAMETER, "tools")
    check_content([message.content for message in messages])
    mode = Mode.STREAM if body.get("stream") is True else Mode.SYNC
    return Call(CallKind.CHAT, mode, model, messages, parameters=body)


def thinks(call: Call) -> bool:
    """[REC] from 4.5 on models think, and show it, unless told not to; [DOC] `thinking.type`."""
    told = call.parameters.get("thinking")
    off = isinstance(told, dict) and told.get("type") == "disabled"
    return _THINKER.match(call.model) is not None and not off
