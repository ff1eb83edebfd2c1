"""The form in which an answer is wanted: text or message, whole texts or pieces."""

from __future__ import annotations

from dataclasses import dataclass

from harness.providers.dashscope.endpoints import MULTIMODAL, chat_endpoint
from harness.sandbox.refusal import Reason, Refused
from harness.types import Call, LooseJson

_FORMATS = ("text", "message")


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is to be put.

    `message` is `result_format`; [REC] `text` is the default, also for messages. `indexed`: a
    choice has an `index` where the request declared tools, and none otherwise [REC 2025-12].
    `multimodal`: [REC 2026-01] always messages, whose content is a list, and never an `index`.
    """

    request_id: str
    message: bool
    incremental: bool
    indexed: bool
    multimodal: bool

    @classmethod
    def of(cls, call: Call, request_id: str) -> Form:
        """What a call asks for. [DOC] tools need the message format; so they get it."""
        parameters = call.parameters
        wanted = parameters.get("result_format")
        if wanted is not None and wanted not in _FORMATS:
            raise Refused(Reason.BAD_PARAMETER, "result_format must be text or message.")
        tools = bool(parameters.get("tools"))
        incremental = parameters.get("incremental_output") is True
        multimodal = chat_endpoint(call.model) is MULTIMODAL
        message = wanted == "message" or tools or multimodal
        return cls(request_id, message, incremental, tools and not multimodal, multimodal)

    def content(self, text: str | None) -> LooseJson:
        """Return a message's content: *text*, or a list that is empty where there is none."""
        if not self.multimodal:
            return text
        return [{"text": text}] if text else []
