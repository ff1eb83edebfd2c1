"""The JSON bodies of calls in the format of DashScope's API."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

from harness.analysis.endpoint import Endpoint
from harness.errors import HarnessError
from harness.providers.dashscope import endpoints
from harness.providers.dashscope.functions import sdk_parameters, takes_one_file
from harness.providers.openai.session import message
from harness.scenario.messages import is_openai
from harness.types import EMPTY, Call, CallKind, ContentPart, Medium, Message


def body_of(call: Call) -> dict[str, Any]:
    """Return the JSON body of *call*, with parameters in the format of the API."""
    parameters = sdk_parameters({"parameters": dict(call.parameters)})
    if isinstance(parameters.get("size"), str):
        parameters["size"] = parameters["size"].replace("x", "*")
    given = _input(call, endpoints.endpoint_of(call))
    for name in ("voice", "language_type") if call.kind is CallKind.SPEECH else ():
        if name in parameters:
            given[name] = parameters.pop(name)
    return {"model": call.model, "input": given, "parameters": parameters}


def _input(call: Call, endpoint: Endpoint) -> dict[str, Any]:
    """Return the member `input` of the body of *call*."""
    if call.kind is CallKind.CHAT:
        in_parts = endpoint is endpoints.MULTIMODAL
        return {"messages": [_message(line, in_parts=in_parts) for line in call.messages]}
    media = [_part(part) for part in call.media]
    if call.kind is CallKind.EMBEDDING:
        if endpoint is endpoints.MIXED_EMBEDDINGS:
            return {"contents": [_part(part) for part in call.parts]}
        return {"texts": [part.value for part in call.parts]}
    if call.kind is CallKind.RERANK:
        documents = [_part(p) if call.media else p.value for p in call.inputs]
        return {
            "query": {"text": call.prompt} if call.media else call.prompt,
            "documents": documents,
        }
    if call.kind is CallKind.SPEECH:
        return {"text": call.prompt}
    if endpoint is endpoints.TRANSCRIPTION:
        urls = [url for part in media for url in part.values()]
        return {"file_url": urls[0]} if takes_one_file(call) else {"file_urls": urls}
    text = [{"text": call.prompt}] if call.prompt else []
    if endpoint in (endpoints.MULTIMODAL, endpoints.IMAGE_GENERATION):
        return {"messages": [{"role": "user", "content": [*text, *media]}]}
    return {"prompt": call.prompt, **_pictures(call)}


_FRAMES = ("first_frame", "last_frame")


def _pictures(call: Call) -> dict[str, Any]:
    """Return the pictures of an image or video task as members of its input.

    [DOC] videos take one picture until wan2.6, and a list `media` from wan2.7 on.
    """
    urls = [str(next(iter(_part(part).values()))) for part in call.media]
    if not urls:
        return {}
    if call.kind is CallKind.IMAGE:
        edits = call.model.endswith("imageedit")
        return {"base_image_url": urls[0]} if edits else {"images": urls}
    if re.match(r"wanx?2\.[1-6]", call.model):
        return {"img_url": urls[0]}
    return {"media": [{"type": kind, "url": u} for kind, u in zip(_FRAMES, urls, strict=False)]}


def _part(part: ContentPart) -> dict[str, Any]:
    """Return a part of a content; a file is named by its URL, until it is uploaded."""
    value = part.path.as_uri() if part.path else part.value
    return {part.medium.value: value, **part.members}


def _message(line: Message, *, in_parts: bool) -> dict[str, Any]:
    """Return a message, whose content is a list of parts at the multimodal endpoint.

    A file is named by its `file://` URL until `DashScopeSession` uploads it.
    """
    if line.sent and not (in_parts and is_openai(line.sent)):
        return message(line)
    text = [{"text": line.content}] if line.content or not line.tool_calls else []
    content = [_part(part) for part in line.parts] or (text if in_parts else line.content)
    return {**message(replace(line, parts=(), sent=EMPTY)), "content": content}


def refuse_file_names(line: Message) -> None:
    """Raise HarnessError for a text that is the name of a file here: the SDK would upload it."""
    for part in line.parts or (ContentPart(Medium.TEXT, line.content),):
        is_text = part.medium is Medium.TEXT and line.role == "user"
        if is_text and os.path.isfile(os.path.expanduser(part.value)):  # as the SDK does
            raise HarnessError(
                f"the text {part.value!r} is the name of a file in this folder, which dashscope "
                "would upload; change the text, or work in another folder"
            )
