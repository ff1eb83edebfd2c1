"""Clients that receive changed answers, and comparison of what they return.

A client is the parser of an SDK, or a function of the user.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass

from harness.errors import HarnessError
from harness.faults.delivery import Reaction, content_of
from harness.types import Failure, Json, Reply
from harness.wire.text import ellipsized

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
        timeout: Seconds after which the client has to stop waiting for the answer.
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
        send: A function that sends the request and returns the content of the answer, or raises.
        is_typed: A function that returns whether an exception is a typed error, which programs can
            catch, and not a crash.
        endpoints: The names of the endpoints that the client can call; None for all.
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
    """Return whether *name* means a user's function, as `module:function`, and not an SDK."""
    return ":" in name


def _sdk(name: str) -> Client:
    from harness.parse import PARSERS, RecordedRequest
    from harness.providers.endpoints import endpoint

    if name not in PARSERS:
        known = ", ".join(PARSERS)
        raise HarnessError(f"there is no client {name!r}; known are {known}, or module:function")
    parser = PARSERS[name]
    if not parser.installed:
        raise HarnessError(parser.missing)

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


# --------------------------------------------------------------------- what a client returns


_MAX_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Observation:
    """A client's reaction to one answer.

    Attributes:
        reaction: How the client reacted.
        detail: What the client returned or raised, as text; empty if the reaction is SAME.
    """

    reaction: Reaction
    detail: str = ""


def observe_reference(client: Client, request: ClientRequest) -> tuple[Observation, object]:
    """Request the unchanged answer with a client, and return (observation, returned value).

    Later calls compare the values of changed answers with this value. The observed reaction is SAME
    if the client returned a value, else ERROR or CRASH; the value is None if the client raised.
    """
    value, error = _send(client, request)
    return error or Observation(Reaction.SAME), value


def observation_of(
    client: Client, request: ClientRequest, reference: object, counts_raised: int
) -> Observation:
    """Request a changed answer with a client, and compare its value with the reference.

    Args:
        client: The client.
        request: The request that the client sends.
        reference: The value that the client returned for the unchanged answer.
        counts_raised: The number that the fault added to token counts; 0 for none.
    """
    value, error = _send(client, request)
    if error is not None:
        return error
    expected, actual = _plain(reference, counts_raised), _plain(value, counts_raised)
    if equal(expected, actual):
        return Observation(Reaction.SAME)
    return Observation(Reaction.WRONG, _difference(expected, actual))


def equal(left: object, right: object) -> bool:
    """Return whether two values are equal; False if their comparison raises an exception."""
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - a user's own comparison may raise anything
        return False


def _send(client: Client, request: ClientRequest) -> tuple[object, Observation | None]:
    """Return the client's value, and an observation if it raised or reported a refusal, else None.

    The value has no stream pieces and SDK views; it is None if the client raised.
    """
    try:
        value = client.send(request)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
        reaction = Reaction.ERROR if client.is_typed(error) else Reaction.CRASH
        return None, Observation(reaction, describe_error(error))
    if isinstance(value, Failure):
        detail = _short(f"refused: {value.status} {value.code} {value.message}")
        return content_of(value), Observation(Reaction.ERROR, detail)
    return (content_of(value) if isinstance(value, Reply) else value), None


def describe_error(error: BaseException) -> str:
    """Return an error as `module.Class: message`, on one line of at most 160 characters.

    The name of a built-in class has no module.
    """
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return _short(f"{module}{kind.__qualname__}: {error}".rstrip(": "))


def _plain(value: object, raised: int) -> object:
    """Return a value as plain JSON types, with raised token counts lowered to the recorded ones.

    Integers of at least *raised* are raised counts; totals were raised by twice as much.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value), raised)
    if isinstance(value, Mapping):
        return {name: _plain(child, raised) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child, raised) for child in value]
    if type(value) is int and raised and value >= raised:
        return value - (2 * raised if value >= 2 * raised else raised)
    return value


def _difference(expected: object, actual: object, path: str = "") -> str:
    """Return the first difference between two values, as text."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        name = next(name for name in expected if expected[name] != actual[name])
        return _difference(expected[name], actual[name], f"{path}.{name}")
    where = f"{path.lstrip('.')}: " if path else ""
    return _short(
        f"{where}expected {_excerpt(expected, actual)}, actual {_excerpt(actual, expected)}"
    )


def _excerpt(value: object, other: object) -> str:
    """Return a value as text; of a string, 40 characters around its first difference to *other*."""
    if not isinstance(value, str) or not isinstance(other, str):
        return _short(repr(value), 60)
    pairs = enumerate(zip(value, other, strict=False))
    shortest = min(len(value), len(other))
    begin = max(0, next((n for n, (a, b) in pairs if a != b), shortest) - 10)
    return ("…" if begin else "") + repr(value[begin : begin + 40])


def _short(text: str, most: int = _MAX_LENGTH) -> str:
    return ellipsized(" ".join(text.split()), most)
