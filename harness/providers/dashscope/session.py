"""Alibaba DashScope (Qwen, Wanx) through its official SDK, `dashscope`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests

from harness.analysis.endpoint import Part
from harness.analysis.reply import grows, text_of
from harness.providers.dashscope.endpoints import FIELDS, MULTIMODAL, chat_endpoint, cumulative
from harness.providers.openai.messages import message, tool_calls
from harness.providers.provider import (
    Provider,
    Sleep,
    Task,
    access,
    ask_until_ended,
    dig,
    failed,
    seconds,
    text,
    texts,
    usage,
)
from harness.types import (
    Call,
    CallKind,
    Credentials,
    Failure,
    Image,
    LooseJson,
    Message,
    Mode,
    Outcome,
    Reply,
    View,
)

WRONG_KEY = "sk-00000000000000000000000000000000"
"""A key of the right form (`sk-` and 32 hex digits) that nobody owns."""

# The access paths the documentation shows (help.aliyun.com: qwen-api-via-dashscope,
# text-to-image-api-reference).
TEXT_PATHS = ("output.text",)
MESSAGE_PATHS = ("output.choices[0].message.content",)
TASK_PATHS = ("output.task_id", "output.task_status")
IMAGE_PATHS = ("output.results[0].url",)

TOKENS = ("input_tokens", "output_tokens", "total_tokens")
TASK = Task(
    ("output", "task_status"),
    frozenset({"SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"}),
    result=("output", "results"),
)


class NoAnswer(Exception):
    """A connection broke before an answer came."""


class _Once(requests.Session):
    """A session that asks once: the SDK sends again on requests' own ConnectionError."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            return super().request(*args, **kwargs)
        except requests.exceptions.ConnectionError as error:
            raise NoAnswer(str(error)) from error


class Line:
    """A session with DashScope: its own HTTP session instead of the SDK's process-wide one."""

    def __init__(self, key: str, address: str, session: requests.Session, sleep: Sleep) -> None:
        self._key = key
        self._where: dict[str, Any] = {"base_address": address} if address else {}
        self._session = session
        self._sleep = sleep
        self._ways = {
            (CallKind.CHAT, Mode.SYNC): self._generate,
            (CallKind.CHAT, Mode.STREAM): self._stream,
            (CallKind.PROMPT, Mode.SYNC): self._generate,
            (CallKind.PROMPT, Mode.STREAM): self._stream,
            (CallKind.IMAGE, Mode.ASYNC): self._image,
        }

    def send(self, call: Call) -> Outcome:
        """Ask; what the SDK raises because of the answer comes back as a failure."""
        from dashscope.common.error import DashScopeException

        try:
            return self._ways[call.kind, call.mode](call)
        except (DashScopeException, NoAnswer, requests.exceptions.RequestException) as error:
            return failed(error)

    def _common(self, call: Call) -> dict[str, Any]:
        key = self._key if call.credentials is Credentials.OWN else WRONG_KEY
        return {"model": call.model, "api_key": key, **self._where}

    def _asked(self, call: Call) -> dict[str, Any]:
        said: dict[str, Any] = {"prompt": call.prompt}
        if call.kind is CallKind.CHAT:
            form = _message_in_parts if _is_multimodal(call) else message
            said = {"messages": [form(line) for line in call.messages]}
        return {**self._common(call), **said, **_parameters(call), "session": self._session}

    def _generate(self, call: Call) -> Outcome:
        response = _sdk_class(call).call(**self._asked(call))
        return _refusal(response) or _reply((_view(response, _paths(call)),))

    def _stream(self, call: Call) -> Outcome:
        views: list[View] = []
        responses: Any = _sdk_class(call).call(**self._asked(call), stream=True)
        for response in responses:
            refusal = _refusal(response, tuple(views))
            if refusal is not None:
                return refusal
            views.append(_view(response, _paths(call)))
        return _joined(tuple(views), cumulative=_repeats(call, views))

    def _image(self, call: Call) -> Outcome:
        from dashscope import ImageSynthesis

        common = {**self._common(call), "session": self._session}
        response = ImageSynthesis.async_call(prompt=call.prompt, **common, **_parameters(call))
        refusal = _refusal(response)
        if refusal is not None:
            return refusal
        submitted = _view(response, TASK_PATHS)
        task = dig(submitted.value, "output", "task_id")

        def fetch() -> View | Failure:
            return self._state(call, task)

        seen = ask_until_ended(submitted, fetch, TASK, call.poll, self._sleep)
        return seen if isinstance(seen, Failure) else _pictures(seen)

    def _state(self, call: Call, task: LooseJson) -> View | Failure:
        from dashscope import ImageSynthesis
        from dashscope.api_entities.dashscope_response import ImageSynthesisResponse

        # ImageSynthesis.fetch is this, without the way to say where the service is.
        told = super(ImageSynthesis, ImageSynthesis).fetch(
            task, api_key=self._common(call)["api_key"], **self._where
        )
        response = ImageSynthesisResponse.from_api_response(told)
        done = dig(response, "output", "task_status") == "SUCCEEDED"
        paths = (*TASK_PATHS, *IMAGE_PATHS) if done else TASK_PATHS
        return _refusal(response) or _view(response, paths)


def _is_multimodal(call: Call) -> bool:
    """Whether a call goes to the multimodal endpoint, which takes conversations only."""
    return call.kind is CallKind.CHAT and chat_endpoint(call.model) is MULTIMODAL


def _sdk_class(call: Call) -> Any:
    """Return the SDK's class for the endpoint at which the call's model answers."""
    from dashscope import Generation, MultiModalConversation

    return MultiModalConversation if _is_multimodal(call) else Generation


def _message_in_parts(line: Message) -> dict[str, Any]:
    """Return a message whose content is a list of parts, as the multimodal endpoint takes it."""
    empty = not line.content and line.tool_calls
    return {**message(line), "content": [] if empty else [{"text": line.content}]}


def _parameters(call: Call) -> dict[str, Any]:
    """Parameters as the SDK takes them.

    Cumulative output is the service's default. Asked for by name, the SDK would ask the service
    for pieces and join them itself, and nobody would see the service's own cumulative form.
    """
    sent: dict[str, Any] = copy.deepcopy(dict(call.parameters))
    if sent.get("incremental_output") is False:
        del sent["incremental_output"]
    if isinstance(sent.get("size"), str):
        sent["size"] = sent["size"].replace("x", "*")
    return sent


def _repeats(call: Call, views: Sequence[View]) -> bool:
    """Whether each event has the whole so far: as asked for, else as most of them do.

    Models that think give pieces unless they are told not to.
    """
    told = cumulative({"model": call.model, "parameters": _parameters(call)})
    return grows([Part(view.value) for view in views], FIELDS) if told is None else told


def _paths(call: Call) -> tuple[str, ...]:
    as_message = call.parameters.get("result_format") == "message" or _is_multimodal(call)
    return MESSAGE_PATHS if as_message else TEXT_PATHS


_NOT_ON_THE_WIRE = ("status_code", "headers")


def _view(response: Any, paths: tuple[str, ...]) -> View:
    """An SDK object as plain JSON, without what it tells of HTTP."""
    accessed = access(response, paths)
    value = {name: _plain(v) for name, v in response.items() if name not in _NOT_ON_THE_WIRE}
    counts = value.get("usage")
    if isinstance(counts, dict) and counts.get("characters") == 0:
        del counts["characters"]  # the SDK's own default in multimodal answers: SDK_DEFECTS.md
    return View(value, {path: _plain(v) for path, v in accessed.items()})


def _plain(value: Any) -> LooseJson:
    if isinstance(value, Mapping):
        return {name: _plain(v) for name, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _refusal(response: Any, views: tuple[View, ...] = ()) -> Failure | None:
    """The SDK gives refusals as responses with another status than 200."""
    if response.status_code == 200:
        return None
    headers = {name.lower(): str(value) for name, value in (response.headers or {}).items()}
    return Failure(
        status=int(response.status_code),
        code=str(response.code or ""),
        message=str(response.message or ""),
        request_id=response.request_id or None,
        retry_after=seconds(headers.get("retry-after")),
        views=views,
    )


def _reply(views: tuple[View, ...]) -> Reply:
    value = views[-1].value
    output, choice = dig(value, "output"), dig(value, "output", "choices", 0)
    said = dig(choice, "message")
    return Reply(
        id=text(value, "request_id"),
        content=text_of(dig(said, "content")) if choice else text(output, "text"),
        reasoning=text(said, "reasoning_content"),
        tool_calls=tool_calls(dig(said, "tool_calls") or ()),
        finish_reason=_reason(choice or output),
        usage=usage(dig(value, "usage"), *TOKENS),
        views=views,
    )


def _joined(views: tuple[View, ...], *, cumulative: bool) -> Outcome:
    """A stream's events as one reply: the last one tells all, or the pieces do together."""
    if not views:
        return Failure(0, "EmptyStream", "the stream ended without an event")
    last = _reply(views)
    said = ("output", "choices", 0, "message")
    as_message = dig(views[-1].value, "output", "choices") is not None
    path = (*said, "content") if as_message else ("output", "text")
    contents = (text_of(dig(view.value, *path)) for view in views)
    pieces = tuple(piece for piece in contents if piece is not None)
    reasoning = texts(views, *said, "reasoning_content")
    calls = [dig(view.value, *said, "tool_calls") or [] for view in views]
    return Reply(
        id=last.id,
        content=_whole(pieces, cumulative),
        reasoning=_whole(tuple(reasoning), cumulative),
        tool_calls=last.tool_calls
        if cumulative
        else tool_calls(call for part in calls for call in part),
        finish_reason=last.finish_reason,
        usage=last.usage,
        pieces=pieces,
        cumulative=cumulative,
        views=views,
    )


def _whole(pieces: tuple[str, ...], cumulative: bool) -> str | None:
    if not pieces:
        return None
    return pieces[-1] if cumulative else "".join(pieces)


def _pictures(views: tuple[View, ...]) -> Outcome:
    output = dig(views[-1].value, "output")
    states = tuple(texts(views, "output", "task_status"))
    if states[-1] != "SUCCEEDED":
        message = text(output, "message") or f"the task ended as {states[-1]}"
        code = text(output, "code") or states[-1]
        return Failure(200, code, message, text(views[-1].value, "request_id"), views=views)
    links = [text(result, "url") for result in dig(output, "results") or []]
    return Reply(
        id=text(views[-1].value, "request_id"),
        images=tuple(Image(link) for link in links if link),
        task_id=text(output, "task_id"),
        states=states,
        views=views,
    )


def _reason(thing: LooseJson) -> str | None:
    """On a stream, the finish reason is the word "null" until the end."""
    reason = text(thing, "finish_reason")
    return None if reason == "null" else reason


@contextmanager
def connect(key: str, address: str, sleep: Sleep) -> Iterator[Line]:
    """A fresh session, closed at the end; its connections never outlive a run."""
    import dashscope  # noqa: F401 - here, before threads need it

    with _Once() as session:
        yield Line(key, address, session, sleep)


PROVIDER = Provider(
    name="dashscope",
    about="Alibaba DashScope: Qwen, Wanx",
    distribution="dashscope",
    key_variable="DASHSCOPE_API_KEY",
    key_modules=("dashscope", "dashscope.common.env"),
    address_variable="DASHSCOPE_HTTP_BASE_URL",
    address="https://dashscope.aliyuncs.com/api/v1",
    can=frozenset(
        {
            (CallKind.CHAT, Mode.SYNC),
            (CallKind.CHAT, Mode.STREAM),
            (CallKind.PROMPT, Mode.SYNC),
            (CallKind.PROMPT, Mode.STREAM),
            (CallKind.IMAGE, Mode.ASYNC),
        }
    ),
    open=connect,
)
