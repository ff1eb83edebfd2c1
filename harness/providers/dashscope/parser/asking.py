"""What a recorded request to DashScope asks, as arguments that cannot lead an SDK astray."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

from harness.providers.parser import see
from harness.types import LooseJson

SERVICES = "/services/"
"""Where an SDK's own part of a path begins."""

TOKENS = ("input_tokens", "output_tokens", "total_tokens")


def parameters(body: LooseJson) -> dict[str, Any]:
    """Recorded parameters, but for those the SDK would take for its own settings.

    Cumulative output is the service's default. Asked for by name, the SDK would ask for pieces
    and join them itself.
    """
    from dashscope.api_entities.api_request_factory import _build_api_request

    own = {*inspect.signature(_build_api_request).parameters, "workspace", "plugins", "history"}
    told = see(body, "parameters")
    sent = copy.deepcopy(dict(told)) if isinstance(told, Mapping) else {}
    if sent.get("incremental_output") is False:
        del sent["incremental_output"]
    return {name: value for name, value in sent.items() if name not in own}


def messages(body: LooseJson) -> LooseJson:
    """Recorded messages, without the files: the SDK would read and upload those on this disk."""
    told = see(body, "input", "messages")
    return [_fileless(line) for line in told] if isinstance(told, list) else None


def _fileless(line: LooseJson) -> LooseJson:
    content = see(line, "content")
    if not isinstance(content, list):
        return copy.deepcopy(line)
    pieces = [{"text": piece["text"]} for piece in content if see(piece, "text") is not None]
    return {**copy.deepcopy(line), "content": pieces or [{"text": "-"}]}


def reason(told: str | None) -> str | None:
    """On a stream, the finish reason is the word "null" until the end."""
    return None if told == "null" else told
