"""Clients that receive changed answers: the parser of an SDK, or a function of the user."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.types import Json

CRASHES: tuple[type[BaseException], ...] = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NameError,
    NotImplementedError,
    RecursionError,
    StopIteration,
    TypeError,
    UnboundLocalError,
    UnicodeDecodeError,
    UnicodeEncodeError,
    ZeroDivisionError,
    json.JSONDecodeError,
)
"""Exceptions of a user's function that count as a crash and not as a typed error.

Only these exact classes count: an exception of a derived class is a typed error.
"""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A recorded request that a client sends again.

    Attributes:
        address: The base URL of the local server that answers.
        path: The recorded path and query.
        method: The HTTP method.
        headers: The recorded headers, without secrets.
        body: The decoded JSON body; None if there is none.
        timeout: Seconds that the client may wait for the answer; it has to stop by itself.
        endpoint: The name of the API endpoint.
        streamed: Whether a stream is requested.
    """

    address: str
    path: str
    method: str
    headers: Mapping[str, str]
    body: Json
    timeout: float
    endpoint: str
    streamed: bool = False

    @property
    def url(self) -> str:
        """The URL to send the request to: `address` followed by `path`."""
        return self.address + self.path


@dataclass(frozen=True, slots=True)
class Client:
    """A function that sends a request and reads the answer.

    Attributes:
        name: The name of the SDK's parser, or `module:function`.
        send: Sends the request and returns what the answer says, or raises.
        is_typed: Returns whether an exception is a typed error, which programs can catch, or a
            crash.
        endpoints: The names of the endpoints that it can call; None for all.
    """

    name: str
    send: Callable[[ClientRequest], object]
    is_typed: Callable[[BaseException], bool]
    endpoints: frozenset[str] | None = None


def load_client(name: str) -> Client:
    """Return the client called *name*: the parser of an SDK, or a function `module:function`.

    Raises HarnessError if no SDK has the name, if the SDK is not installed, or if the function
    cannot be imported or called.
    """
    if is_function(name):
        return Client(name, _function(name), lambda error: type(error) not in CRASHES)
    return _sdk(name)


def is_function(name: str) -> bool:
    """Return whether a client's name is that of a user's function: `module:function`."""
    return ":" in name


def _sdk(name: str) -> Client:
    from harness.parse import PARSERS, RecordedRequest
    from harness.providers.endpoints import endpoint

    if name not in PARSERS:
        known = ", ".join(PARSERS)
        raise HarnessError(f"there is no client {name!r}; known are {known}, or module:function")
    parser = PARSERS[name]
    if not parser.installed:
        raise HarnessError(f"{name} is not installed here: pip install {parser.distribution}")

    def send(request: ClientRequest) -> object:
        recorded = RecordedRequest(
            address=request.address,
            path=request.path,
            endpoint=endpoint(request.endpoint),
            body=request.body,
            timeout=request.timeout,
            streamed=request.streamed,
        )
        return parser.parse(recorded)

    return Client(name, send, parser.documents, parser.endpoints)


def _function(name: str) -> Callable[[ClientRequest], object]:
    module, _, path = name.partition(":")
    try:
        function: object = importlib.import_module(module)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".rstrip(": ")
        raise HarnessError(f"{name}: cannot import {module}: {problem}") from error
    for step in path.split("."):
        function = getattr(function, step, None)
    if not callable(function):
        raise HarnessError(f"{name}: {module} has no function {path!r}")
    return function
