"""The models of `dashscope.Client`, under the wire's names again.

What is compared is what the SDK keeps and not what it calls it.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.providers.parser import Asked, see
from harness.types import LooseJson

OWN = ("status_code", "code", "message", "is_error", "headers")
"""What the SDK's models tell beside the answer."""


def form(asked: Asked) -> Callable[[LooseJson], LooseJson]:
    """How the wire says what the SDK always gives as a message: as one, or as bare text."""
    told = see(asked.body, "parameters", "result_format")
    return as_message if told == "message" else as_text


def as_message(value: LooseJson) -> LooseJson:
    """An answer with its choices under `output`; an event's `delta` is a `message` there."""
    choices = [_choice(choice) for choice in value["choices"]]
    more = {"search_info": value.get("search_info")}
    return {**_beside(value), "output": {"choices": choices, **more}}


def as_pieces(value: LooseJson) -> LooseJson:
    """A message whose text the wire has as a list of pieces."""
    told = as_message(value)
    for choice in told["output"]["choices"]:
        said = choice["message"]
        choice["message"] = {**said, "content": [{"text": said["content"]}]}
    return told


def as_text(value: LooseJson) -> LooseJson:
    """An answer with its text right under `output`."""
    choice = value["choices"][0] if value["choices"] else {}
    said = choice.get("message") or choice.get("delta") or {}
    output = {"text": said.get("content"), "finish_reason": choice.get("finish_reason")}
    return {**_beside(value), "output": output}


def _beside(value: LooseJson) -> LooseJson:
    kept = ("choices", "search_info", *OWN)
    return {name: v for name, v in value.items() if name not in kept}


def _choice(choice: LooseJson) -> LooseJson:
    told = dict(choice)
    if "delta" in told:
        told["message"] = told.pop("delta")
    return told


def as_openai(value: LooseJson) -> LooseJson:
    """The id of an answer is the SDK's `request_id`, and its tokens have the SDK's names."""
    told = {name: v for name, v in value.items() if name not in OWN}
    told["id"] = told.pop("request_id")
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    counts = told.get("usage") or {}
    told["usage"] = {names.get(name, name): v for name, v in counts.items()} or None
    return told
