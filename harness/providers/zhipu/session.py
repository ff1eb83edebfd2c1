"""Zhipu (GLM, CogView) through its official SDKs.

Calls are made through `zhipuai` or, where it is not installed, its successor `zai-sdk`: both need
PyJWT, in different versions. Recorded answers are parsed by both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from harness.analysis.endpoint import Endpoint
from harness.analysis.reply import read_refusal
from harness.config.extras import extra
from harness.providers import sdk
from harness.providers.http import bound_client, tls_context
from harness.providers.openai.session import (
    BODIES,
    SdkOperation,
    arguments,
    audio_reply,
    data_url,
    prompt_body,
    read_operations,
    settings_in,
)
from harness.providers.provider import Sleep
from harness.providers.retries import retry_after
from harness.providers.zhipu.endpoints import (
    ASYNC_RESULT,
    CHAT,
    NAMED,
    SPEECH,
    TRANSCRIPTIONS,
    VIDEOS,
    keeps_reasoning,
)
from harness.types import (
    EMPTY,
    SETTINGS,
    Call,
    Credentials,
    Failure,
    Mode,
    Outcome,
    Reasoning,
    View,
)
from harness.wire import read_json

if TYPE_CHECKING:
    import httpx
WRONG_KEY = "00000000000000000000000000000000.0000000000000000"
"""An invalid API key in the right format: 32 hex digits, a dot, 16 letters or digits."""

# The access paths in the examples of the documentation (bigmodel.cn/dev/api/normal-model/glm-4 and
# .../cogview).
EVENT_PATHS = ("choices[0].delta.content",)
TASK_PATHS = ("id", "task_status")


def ask(
    client: Any, endpoint: Endpoint, body: dict[str, Any], settings: Mapping[str, Any] = EMPTY
) -> Any:
    """Call the function of an SDK that requests *endpoint*.

    Args:
        client: The client of the SDK.
        endpoint: The endpoint.
        body: The JSON body to send.
        settings: Further arguments of the function, such as `extra_body`. With `extra_body`, no
            member is sent that the SDK would add by default.

    Returns:
        The SDK's object, or its stream of objects if the body asks for one.
    """
    operation = OPERATIONS[endpoint.name]
    if not operation.function:
        return client.post(operation.path, cast_type=object, body=body)
    function = attrgetter(operation.function)(client)
    sent = arguments(function, body, settings)
    if endpoint is SPEECH:  # zhipuai requires what only a stream has
        sent.setdefault("encode_format", None)
    defaults: dict[str, Any] = {}
    if "extra_body" in settings:
        known = sdk.parameters_of(function).values()
        names = (one.name for one in known if one.default is None and one.name not in SETTINGS)
        is_zai = type(client).__module__.startswith("zai.")
        not_given = _vendor(SDKS[is_zai]).not_given
        defaults = dict.fromkeys(names, not_given)
    return function(**{**defaults, **sent})


def _send(client: Any, endpoint: Endpoint, body: dict[str, Any]) -> Any:
    """Call the function of an SDK that requests *endpoint*; *body* has the settings, too."""
    settings = settings_in(body)
    return ask(client, endpoint, body, settings)


def refusal_of(error: Exception, endpoint: Endpoint) -> Failure | None:
    """Return the error response of *endpoint* in an SDK's exception; None if it has none.

    The exception has the HTTP response or, if an event of a stream was an error, the event. For an
    event, the status of the result is 200.
    """
    response = getattr(error, "response", None)
    if response is not None:
        body = read_json(response.content).value
        return read_refusal(endpoint, response.status_code, body)
    data = getattr(error, "json_data", None)
    return read_refusal(endpoint, 200, {"error": data}) if isinstance(data, dict) else None


DISTRIBUTION = "zhipuai" if find_spec("zhipuai") or not find_spec("zai") else "zai-sdk"
"""The SDK that makes calls here."""


class _Vendor(NamedTuple):
    """An SDK of the provider: its client, the settings of its HTTP client, and its exceptions."""

    client: Any
    timeout: Any
    limits: Any
    error: type[Exception]
    response_error: type[Exception]
    status_error: type[Exception]
    not_given: Any


SDKS = ("zhipuai", "zai-sdk")
"""The SDKs that can make calls."""


@cache
def _vendor(sdk: str = DISTRIBUTION) -> _Vendor:
    """Import and return an SDK. Raises MissingExtra if it is not installed."""
    if sdk == "zai-sdk":
        with extra("zai"):
            import zai
            from zai.core import NOT_GIVEN, ZAI_DEFAULT_LIMITS, ZAI_DEFAULT_TIMEOUT, _errors

        settings = (zai.ZhipuAiClient, ZAI_DEFAULT_TIMEOUT, ZAI_DEFAULT_LIMITS, _errors.ZaiError)
        return _Vendor(*settings, _errors.APIResponseError, _errors.APIStatusError, NOT_GIVEN)
    with extra("zhipu"):
        from zhipuai import ZhipuAI, core
        from zhipuai.core import _errors as errors

    defaults = (core.ZHIPUAI_DEFAULT_TIMEOUT, core.ZHIPUAI_DEFAULT_LIMITS)
    kinds = (errors.ZhipuAIError, errors.APIResponseError, errors.APIStatusError)
    return _Vendor(ZhipuAI, *defaults, *kinds, core.NOT_GIVEN)


class ZhipuSession:
    """A session with Zhipu, through SDK clients that do not retry."""

    def __init__(self, key: str, address: str, sleep: Sleep) -> None:
        self._keys = {Credentials.OWN: key, Credentials.WRONG: WRONG_KEY}
        self._address = {"base_url": address} if address else {}
        self._sleep = sleep
        self._clients: dict[tuple[str, Credentials], Any] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        _vendor()  # here, before threads need it
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def _client(self, call: Call) -> Any:
        """Return the SDK client for the credentials of *call*, creating it on first use."""
        import httpx

        key = (call.sdk or DISTRIBUTION, call.credentials)
        vendor = _vendor(key[0])
        if key not in self._clients:
            # Made as the SDK makes its own, except for the TLS context.
            http = httpx.Client(timeout=vendor.timeout, limits=vendor.limits, verify=tls_context())
            settings: dict[str, Any] = {"max_retries": 0, "http_client": http, **self._address}
            client = vendor.client(api_key=self._keys[call.credentials], **settings)
            self._clients[key] = self._open.enter_context(client)
        return self._clients[key]

    def send(self, call: Call) -> Outcome:
        """Make a call and return its outcome; an exception of the SDK is returned as a Failure."""
        client, vendor = self._client(call), _vendor(call.sdk or DISTRIBUTION)
        try:
            if call.mode is Mode.ASYNC:
                return self._task(client, call)
            if call.mode is Mode.STREAM:
                return self._stream(client, call)
            endpoint, operation = _BY_KIND[call.task_kind]
            answer = _send(client, endpoint, operation.body(call))
            if endpoint.speaks:
                return audio_reply(answer.content)
            return sdk.outcome_of(endpoint, [_view(answer, operation.shown)])
        except vendor.error as error:
            return _failure(error)

    def _stream(self, client: Any, call: Call) -> Outcome:
        endpoint, operation = _BY_KIND[call.task_kind]
        paths = EVENT_PATHS if endpoint is CHAT else ()
        stream = _send(client, endpoint, {**operation.body(call), "stream": True})
        views: list[View] = []
        # Closed here: the SDK leaves a stream open that it did not read to its end.
        with closing(stream.response):
            if "json" in stream.response.headers.get("content-type", ""):
                return _refused_stream(stream.response)
            try:
                views.extend(_view(chunk, paths) for chunk in stream)
            except _vendor(call.sdk or DISTRIBUTION).response_error as error:
                return _failure(error, views)
        return sdk.outcome_of(endpoint, views, streamed=True) if views else sdk.EMPTY_STREAM

    def _task(self, client: Any, call: Call) -> Outcome:
        endpoint, operation = _BY_KIND[call.task_kind]
        submitted = _view(_send(client, endpoint, operation.body(call)), TASK_PATHS)
        outcome = sdk.outcome_of(endpoint, [submitted])
        if isinstance(outcome, Failure) or outcome.task_id is None:
            return outcome
        fetch = partial(_state, client, call, outcome.task_id)
        return sdk.poll_task(ASYNC_RESULT, submitted, fetch, call.poll, self._sleep)


def _state(client: Any, call: Call, task: str) -> View | Failure:
    endpoint, operation = _BY_KIND[call.task_kind]
    retrieve = client.videos.retrieve_videos_result if endpoint is VIDEOS else None
    try:
        result = retrieve(id=task) if retrieve else ask(client, ASYNC_RESULT, {"id": task})
    except _vendor(call.sdk or DISTRIBUTION).status_error as error:
        return _failure(error)
    succeeded = getattr(result, "task_status", None) in ASYNC_RESULT.states.succeeded
    return _view(result, (*TASK_PATHS[1:], *(operation.shown if succeeded else ())))


def video_body(call: Call) -> dict[str, Any]:
    """Return the JSON body of a call for a video; its image files are `data:` URLs in the body."""
    urls = [data_url(part) for part in call.media]
    picture = {"image_url": urls[0] if len(urls) == 1 else urls} if urls else {}
    return {**prompt_body(call), **picture}


_ROWS = read_operations(
    Path(__file__).with_name("functions.toml"), {**BODIES, "video_body": video_body}
)
OPERATIONS: Mapping[str, SdkOperation] = {f"zhipuai.{n}": row[1] for n, row in _ROWS.items()}
"""The SDKs' functions by the names of endpoints."""

_BY_KIND: Mapping[str, tuple[Endpoint, SdkOperation]] = {
    kind: (NAMED[name], operation) for name, (kind, operation) in _ROWS.items() if kind
}
"""(endpoint, the SDKs' function) by the kind of a call."""


def reasoning(call: Call) -> Reasoning:
    """Return which earlier reasoning *call* sends back.

    With `clear_thinking: false`, it sends all of it (`KEPT`); otherwise only the reasoning of the
    tool calls whose results it sends (`LOOP`). [DOC] docs.bigmodel.cn thinking-mode.
    """
    keeps = keeps_reasoning({"thinking": call.parameters.get("thinking")})
    return Reasoning.KEPT if keeps else Reasoning.LOOP


def _view(thing: Any, paths: tuple[str, ...]) -> View:
    """Return a copy of an SDK object, without the SDK's default values for absent members."""
    return View(sdk.dump(thing, exclude_unset=True), sdk.access(thing, paths))


def _refused_stream(response: httpx.Response) -> Failure:
    """Return the refusal in a JSON response to a request for a stream.

    The SDK does not show such a response. `EMPTY_STREAM` is returned if it is not a refusal.
    """
    outcome = sdk.outcome_of(CHAT, [View(read_json(response.read()).value)])
    return replace(outcome, views=()) if isinstance(outcome, Failure) else sdk.EMPTY_STREAM


def _failure(error: Exception, views: Sequence[View] = ()) -> Failure:
    """Return the SDK's exception as a failure, with *views*, the objects received before it."""
    failure = refusal_of(error, CHAT) or sdk.failure_of(error)
    response = getattr(error, "response", None)
    if response is not None:
        failure = replace(
            failure,
            message=failure.message or response.text[:200],
            request_id=response.headers.get("x-log-id"),
            retry_after=retry_after(response.headers.get("retry-after")),
        )
    return replace(failure, views=tuple(views))


def secrets(key: str) -> tuple[str, ...]:
    """Return the parts of an API key that must be redacted: the key, its id and its secret.

    A key has the format `id.secret`.
    """
    return (key, *(half for half in key.split(".", 1) if half != key))


# ------------------------------------------------------------------------------------- parsing


def _parse(client_class: str, request: sdk.RecordedRequest) -> Outcome:
    """Send a recorded request with a new client, without retries, and return what the SDK parses.

    *client_class* is the SDK's client, as `module:Class`.
    """
    endpoint = request.endpoint
    base = request.base(OPERATIONS[endpoint.name].path)
    body = {"id": request.task_id} if endpoint is ASYNC_RESULT else request.body
    with (
        bound_client(request.address, request.timeout) as http,
        sdk.imported(client_class)(
            api_key=sdk.INVALID_KEY, base_url=base, max_retries=0, http_client=http
        ) as client,
    ):
        try:
            answer = ask(client, endpoint, body)
            if not body.get("stream"):
                return sdk.outcome_as_shown(endpoint, [View(sdk.dump(answer))])
            with closing(answer.response):
                views = [View(sdk.dump(event)) for event in answer]
        except Exception as error:
            failure = refusal_of(error, endpoint)
            if failure is None:
                raise
            return failure
    return sdk.outcome_as_shown(endpoint, views, body, streamed=True)


_SOUNDS = {SPEECH.name, TRANSCRIPTIONS.name}
"""The endpoints whose answer or request is not JSON."""

PARSERS: tuple[sdk.Parser, ...] = tuple(
    sdk.Parser(name, name, frozenset(OPERATIONS) - _SOUNDS, partial(_parse, client), error, extra)
    for name, client, error, extra in (
        ("zhipuai", "zhipuai:ZhipuAI", "zhipuai.core._errors:ZhipuAIError", "zhipu"),
        ("zai-sdk", "zai:ZhipuAiClient", "zai.core._errors:ZaiError", "zai"),
    )
)
