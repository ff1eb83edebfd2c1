"""What the sessions of all SDKs share: copying SDK objects, reading them, polling, parsing.

An SDK's objects are copied to plain JSON at once, as `View`, and read by the same code that reads
what travelled (`harness.analysis.reply`). What rules compare with the wire is the objects' own
content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from harness.analysis.endpoint import Endpoint, Part
from harness.analysis.exchange import AnalyzedExchange
from harness.analysis.reply import first, is_refusal, read_answer, seen
from harness.config.environment import without_proxies
from harness.providers.retries import is_temporary
from harness.types import AccessFailure, Failure, Json, Outcome, Poll, Reply, View
from harness.wire import resolve

KEY = "00000000000000000000000000000000.0000000000000000"
"""A key that each SDK accepts by its form and that no account has."""

EMPTY_STREAM = Failure(0, "EmptyStream", "the stream ended without an event")


# --------------------------------------------------------------------------------------- views

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")


def access(thing: Any, paths: Iterable[str]) -> Mapping[str, Json | AccessFailure]:
    """Return the value at each documented access path, walked on the SDK's object itself."""
    return {path: _walk(thing, path) for path in paths}


def _walk(thing: Any, path: str) -> Any:
    try:
        for name, index in _STEP.findall(path):
            thing = getattr(thing, name) if name else thing[int(index)]
    except (AttributeError, LookupError, TypeError) as error:
        return AccessFailure(f"{type(error).__name__}: {error}")
    return thing


def dump(thing: Any, **options: Any) -> Any:
    """Return an SDK's object as it dumps itself; what is not a model, unchanged."""
    return thing.model_dump(warnings=False, **options) if hasattr(thing, "model_dump") else thing


# ------------------------------------------------------------------------------------- reading


def outcome_of(
    endpoint: Endpoint, views: Sequence[View], request: Json = None, *, streamed: bool = False
) -> Outcome:
    """Read an SDK's objects.

    Args:
        endpoint: The endpoint that answered.
        views: The SDK's objects, in order.
        request: The JSON body of the request.
        streamed: Whether each object is an event of a stream.
    """
    parts = [Part(view.value, n if streamed else None) for n, view in enumerate(views, start=1)]
    return replace(read_answer(endpoint, parts, request) or Reply(), views=tuple(views))


def outcome_as_shown(
    endpoint: Endpoint, views: Sequence[View], request: Json = None, *, streamed: bool = False
) -> Outcome:
    """Read an SDK's objects as a program does that relies on the SDK to report refusals."""
    if any(is_refusal(Part(view.value), endpoint.fields) for view in views):
        return Reply(views=tuple(views))
    return outcome_of(endpoint, views, request, streamed=streamed)


def failure_of(error: Exception) -> Failure:
    """Return an error that an SDK raised without an answer, and its cause, as a failure."""
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
    """Ask for a task's state until it has ended, or has a result, and return its outcome.

    A refusal with 429 or 5xx counts as one poll, after which the task goes on; any other refusal
    is the outcome. So is a failure with the code `PollLimit` where the task has not ended in time.

    Args:
        endpoint: The endpoint that reports the state.
        submitted: The answer to the submission.
        fetch: Asks once.
        policy: The seconds between two polls, and their number.
        sleep: Waits for so many seconds.
    """
    views = [submitted]
    for _ in range(policy.limit):
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
    message = f"the task is still {state} after {policy.limit} polls, {policy.interval} s apart"
    return Failure(status=0, code="PollLimit", message=message, views=tuple(views))


def _has_ended(endpoint: Endpoint, view: View) -> bool:
    state = str(first(view.value, endpoint.fields.state))
    return endpoint.states.ended(state) or any(seen(view.value, endpoint.fields.results))


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
    """A recorded request, to be made once more through an SDK.

    Attributes:
        address: A server that answers any request with the recorded answer, such as
            `http://127.0.0.1:1234`.
        path: The path and query of the recorded URL.
        endpoint: The endpoint it went to.
        body: The JSON body, None if it had none.
        timeout: In seconds.
        streamed: Whether a stream was asked for; some endpoints are told so in a header.
    """

    address: str
    path: str
    endpoint: Endpoint
    body: Any
    timeout: float
    streamed: bool = False

    def base(self, operation: str) -> str:
        """Return the address that an SDK puts before the path of this operation."""
        return self.address + self.path.partition("?")[0].rpartition(operation)[0]

    @property
    def task_id(self) -> str:
        """The last segment of the path."""
        return self.path.partition("?")[0].rpartition("/")[2]


def recorded_request(reading: AnalyzedExchange, address: str, timeout: float) -> RecordedRequest:
    """Return a recorded exchange's request, to be made at *address*.

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
    """Import and return `module:Name`."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


@dataclass(frozen=True, slots=True)
class Parser:
    """An SDK as a reader of recorded answers.

    Attributes:
        name: What users call it.
        distribution: Its name on PyPI.
        endpoints: The names of the endpoints it can ask.
        ask: Makes a recorded request and returns what the SDK's objects say, each object in
            `views`. A refusal that the SDK reports is a `Failure`; anything else that the SDK
            raises is raised.
        error: The root of the SDK's own error classes, as `module:Class`.
    """

    name: str
    distribution: str
    endpoints: frozenset[str]
    ask: Callable[[RecordedRequest], Outcome]
    error: str

    def documents(self, error: BaseException) -> bool:
        """Return whether an error is one of the SDK's own, and not a crash."""
        return isinstance(error, imported(self.error))

    def parse(self, request: RecordedRequest) -> Outcome:
        """Make a recorded request and return what the SDK reads, without using any proxy."""
        with without_proxies():
            return self.ask(request)

    @property
    def installed(self) -> bool:
        """Whether the SDK is installed."""
        return self.version is not None

    @property
    def version(self) -> str | None:
        """The SDK's version; None if it is not installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None
