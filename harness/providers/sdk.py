"""Code that all SDK sessions share: copying and reading objects, polling, parsing, an event loop.

An SDK's objects are copied to JSON at once (`View`). `harness.analysis.reply` reads these copies
and the recorded bodies with the same code, so that rules can compare the two.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType, MethodType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from harness.analysis.endpoint import Endpoint, Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, is_refusal, read_answer, seen
from harness.config.environment import without_proxies
from harness.config.extras import missing
from harness.providers.retries import is_temporary
from harness.types import AccessFailure, Failure, Json, Outcome, Poll, Reply, View
from harness.wire import resolve

INVALID_KEY = "00000000000000000000000000000000.0000000000000000"
"""An invalid API key that every SDK accepts, because its format is right."""

EMPTY_STREAM = Failure(0, "EmptyStream", "the stream ended without an event")
"""The outcome of a stream without events."""


# --------------------------------------------------------------------------------------- views

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")


def access(thing: Any, paths: Iterable[str]) -> Mapping[str, Json | AccessFailure]:
    """Return the value of an SDK's object at each access path.

    Args:
        thing: The SDK's object.
        paths: Access paths from the documentation, such as `choices[0].message.content`.

    Returns:
        By path: the value, or an AccessFailure if the access raises an exception.
    """
    return {path: _walk(thing, path) for path in paths}


def _walk(thing: Any, path: str) -> Any:
    try:
        for name, index in _STEP.findall(path):
            thing = getattr(thing, name) if name else thing[int(index)]
    except (AttributeError, LookupError, TypeError) as error:
        return AccessFailure(f"{type(error).__name__}: {error}")
    return thing


def dump(thing: Any, **options: Any) -> Any:
    """Return a pydantic model as JSON with the API's names; any other object unchanged.

    *options* are arguments of the model's `model_dump`.
    """
    if not hasattr(thing, "model_dump"):
        return thing
    return thing.model_dump(warnings=False, by_alias=True, **options)


# ------------------------------------------------------------------------------------- reading


def outcome_of(
    endpoint: Endpoint, views: Sequence[View], request: Json = None, *, streamed: bool = False
) -> Outcome:
    """Return the reply or failure that an SDK's objects contain.

    Args:
        endpoint: The endpoint that answered.
        views: The SDK's objects, in order.
        request: The JSON body of the request.
        streamed: Whether each object is an event of a stream.
    """
    return _outcome(endpoint, _parts(views, streamed=streamed), views, request)


def _parts(views: Sequence[View], *, streamed: bool) -> list[Part]:
    return [Part(view.value, n if streamed else None) for n, view in enumerate(views, start=1)]


def _outcome(
    endpoint: Endpoint, parts: Sequence[Part], views: Sequence[View], request: Json
) -> Outcome:
    """Return the reply or failure in *parts*, which are those of *views*."""
    return replace(read_answer(endpoint, parts, request) or Reply(), views=tuple(views))


def outcome_as_shown(
    endpoint: Endpoint, views: Sequence[View], request: Json = None, *, streamed: bool = False
) -> Outcome:
    """Return the outcome as seen by a program that relies on the SDK to report refusals.

    If an object contains a refusal that the SDK did not report, the result is an empty Reply; else
    it is the reply or failure that the objects contain.

    Args:
        endpoint: The endpoint that answered.
        views: The SDK's objects, in order.
        request: The JSON body of the request.
        streamed: Whether each object is an event of a stream.
    """
    parts = _parts(views, streamed=streamed)  # which keep what was found in them
    if any(is_refusal(part, endpoint.fields) for part in parts):
        return Reply(views=tuple(views))
    return _outcome(endpoint, parts, views, request)


def failure_of(error: Exception) -> Failure:
    """Return an SDK's exception that carries no response as a failure.

    The status is 0, the code the type of the exception, and the message its text and its cause.
    """
    text, cause = str(error), str(error.__cause__ or "")
    message = f"{text} ({cause})" if cause and cause not in text else text
    return Failure(status=0, code=type(error).__name__, message=message)


def poll_task(
    endpoint: Endpoint,
    submitted: View,
    fetch: Callable[[], View | Failure],
    policy: Poll,
    sleep: Callable[[float], None],
) -> Outcome:
    """Poll a task until it has ended or has a result, and return its outcome.

    After a temporary failure (HTTP 429 or 5xx), polling continues. Any other failure of a poll is
    returned.

    Args:
        endpoint: The endpoint of the polls.
        submitted: The SDK's object for the submission.
        fetch: Makes one poll; returns the SDK's object, or the failure.
        policy: The seconds between two polls, the maximum number of polls and the maximum time.
        sleep: Waits for a number of seconds.

    Returns:
        The reply or failure of the task; a failure with the code `PollLimit` if the task is still
        running after the maximum number of polls, or after those that fit into the maximum time.
    """
    views = [submitted]
    count = min(policy.limit, policy.polls_in_time)
    for _ in range(count):
        sleep(policy.interval)
        polled = fetch()
        if isinstance(polled, View):
            if is_refusal(Part(polled.value), endpoint.fields):
                return outcome_of(endpoint, [polled])
            views.append(polled)
            if _has_ended(endpoint, polled):
                return _task_outcome(endpoint, views)
        elif not is_temporary(polled):
            return polled
    state = first(views[-1].value, endpoint.fields.state)
    message = f"the task is still {state} after {count} polls, {policy.interval} s apart"
    return Failure(status=0, code="PollLimit", message=message, views=tuple(views))


def _has_ended(endpoint: Endpoint, view: View) -> bool:
    state = str(first(view.value, endpoint.fields.state))
    # The SDK shows an empty link for a video that there is not yet.
    results = (value for _, value in seen(view.value, endpoint.fields.results))
    return endpoint.states.ended(state) or any(value != "" for value in results)


def _task_outcome(endpoint: Endpoint, views: Sequence[View]) -> Outcome:
    outcome = replace(outcome_of(endpoint, views[-1:]), views=tuple(views))
    if isinstance(outcome, Failure):
        return outcome
    states = (first(view.value, endpoint.fields.state) for view in views)
    return replace(
        outcome,
        task_id=str(first(views[0].value, endpoint.fields.task_id)),
        states=tuple(state for state in states if isinstance(state, str)),
    )


# ------------------------------------------------------------------------------------- parsing


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A recorded request that will be sent again through an SDK.

    Attributes:
        address: The address, such as `http://127.0.0.1:1234`, of a server that responds to any
            request with the recorded response.
        path: The path and query of the recorded URL.
        endpoint: The endpoint that the recorded request went to.
        body: The JSON body; None if there was none.
        timeout: The timeout of the new request, in seconds.
        streamed: Whether the request asks for a stream, in its body or by a header.
    """

    address: str
    path: str
    endpoint: Endpoint
    body: Any
    timeout: float
    streamed: bool = False

    def base(self, operation: str) -> str:
        """Return the base URL with which an SDK sends the request to `path` at `address`.

        Args:
            operation: The path that the SDK appends to the base URL, such as `/embeddings`.
        """
        return self.address + self.path.partition("?")[0].rpartition(operation)[0]

    @property
    def task_id(self) -> str:
        """The id of the polled task: the last segment of the path."""
        return self.path.partition("?")[0].rpartition("/")[2]


def recorded_request(reading: AnalyzedExchange, address: str, timeout: float) -> RecordedRequest:
    """Return the request of a recorded exchange, to be sent to *address*.

    Args:
        reading: The exchange.
        address: The scheme, host and port of the server.
        timeout: The timeout of the new request, in seconds.

    Raises:
        ValueError: The exchange's endpoint is unknown.
    """
    if reading.endpoint is None:
        raise ValueError("the request goes to no known endpoint")
    request = reading.exchange.request
    url = urlsplit(request.uri)
    path = f"{url.path}?{url.query}" if url.query else url.path
    headers = {name.lower(): value for name, value in request.headers}
    body = reading.request_json.value
    streamed = "text/event-stream" in headers.get("accept", "") or bool(resolve(body, "/stream"))
    return RecordedRequest(address, path, reading.endpoint, body, timeout, streamed)


def imported(name: str) -> Any:
    """Import and return the object *name*, given as `module:Name`."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of an SDK's function by name, as `inspect.signature` has them."""
    if isinstance(function, MethodType):
        return _parameters(function.__func__, is_bound=True)
    return _parameters(function, is_bound=False)


@lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any], *, is_bound: bool) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of *function*; if it is bound, without the first one.

    To read them takes as long as a tenth of a call. Methods are bound anew by each access.
    """
    named = list(inspect.signature(function).parameters.items())
    return MappingProxyType(dict(named[1:] if is_bound else named))


distribution_version = lru_cache(version)
"""`importlib.metadata.version` with a cache, because each call reads a distribution's metadata."""


@dataclass(frozen=True, slots=True)
class Parser:
    """An SDK that can parse recorded answers.

    Attributes:
        name: The name in commands and reports.
        distribution: The name on PyPI.
        endpoints: The names of the endpoints that the SDK has functions for.
        ask: Sends a recorded request through the SDK and returns the content of the SDK's objects,
            with a copy of each object in `views`. A refusal that the SDK reports is returned as a
            `Failure`; any other exception of the SDK is raised.
        error: The base class of the SDK's exceptions, as `module:Class`.
        extra: The extra of this project that installs the SDK; empty if there is none.
        major: The first major version of the SDK that can parse answers.
    """

    name: str
    distribution: str
    endpoints: frozenset[str]
    ask: Callable[[RecordedRequest], Outcome]
    error: str
    extra: str = ""
    major: int = 0

    def documents(self, error: BaseException) -> bool:
        """Return whether *error* is one of the SDK's own exceptions; any other is a crash."""
        return isinstance(error, imported(self.error))

    def parse(self, request: RecordedRequest) -> Outcome:
        """Send a recorded request through the SDK, without proxies; return what the SDK parses."""
        with without_proxies():
            return self.ask(request)

    @property
    def installed(self) -> bool:
        """Whether the SDK is installed, in a version that can parse answers."""
        version = self.version
        return version is not None and int(version.partition(".")[0]) >= self.major

    @property
    def missing(self) -> str:
        """A message that the SDK is not installed or too old, and how to install it."""
        if self.version is not None:
            return f"{self.name} needs {self.distribution} {self.major}; here is {self.version}"
        if self.extra:
            return missing(self.distribution, self.extra)
        return f"{self.distribution} is not installed; pip install {self.distribution}"

    @property
    def version(self) -> str | None:
        """The version of the SDK; None if it is not installed."""
        try:
            return distribution_version(self.distribution)
        except PackageNotFoundError:
            return None


T = TypeVar("T")


class EventLoop:
    """An event loop in a thread of its own, since the caller's thread may have a running one."""

    def __init__(self) -> None:
        import asyncio  # only here: its import takes long
        from concurrent.futures import ThreadPoolExecutor

        self._thread = ThreadPoolExecutor(1, "harness-event-loop")
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of *coroutine*, which runs in a copy of the caller's context."""
        context = copy_context()

        def work() -> T:
            return self._runner.run(coroutine, context=context)

        return self._thread.submit(copy_context().run, work).result()
