"""Clients to which changed answers are sent: an SDK, or a function of the user's own."""

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
"""What a function raises in a situation that it is not written for.

Only these very classes: whoever derives an error from them is prepared for it.
"""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A recorded request that a function of the user's own is to send again.

    Attributes:
        address: The base address to call, on this machine.
        path: The path and query.
        method: The HTTP method.
        headers: The recorded headers, without secrets.
        body: The decoded JSON; None where there was none.
        timeout: Seconds that the function may wait; it has to keep to this itself.
        endpoint: The name of the endpoint.
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
        """The whole address to send the request to."""
        return self.address + self.path


@dataclass(frozen=True, slots=True)
class Client:
    """A function that sends a request and reads the answer.

    Attributes:
        name: How the user calls it.
        send: Returns what the answer says, or raises.
        is_typed: Whether what was raised is an error that a program can be prepared for.
        endpoints: The endpoints that it can call; None for all.
    """

    name: str
    send: Callable[[ClientRequest], object]
    is_typed: Callable[[BaseException], bool]
    endpoints: frozenset[str] | None = None


def load_client(name: str) -> Client:
    """Return the client with the name of an SDK's parser, or of a function: `module:function`.

    Raises HarnessError for an unknown name, and for what cannot be imported or called.
    """
    if is_function(name):
        return Client(name, _function(name), lambda error: type(error) not in CRASHES)
    return _sdk(name)


def is_function(name: str) -> bool:
    """Return whether a client's name is that of a function of the user's own."""
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
