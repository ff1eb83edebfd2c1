"""Who is tortured: an SDK through its parser, or a function of the user's own."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.types import LooseJson

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
"""What a function raises when it meets something it did not think of. These very classes: who
derives one of his own from them has thought of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a function of the user's own is given: a recorded request, to be asked again.

    `url` is the whole address to call, on this machine; `address` and `path` are its two halves.
    `headers` are those that were recorded, without secrets; `body` is decoded JSON, None where
    there was none. `streamed` says that a stream was asked for. `timeout` is in seconds, and the
    function is to keep it.
    """

    address: str
    path: str
    method: str
    headers: Mapping[str, str]
    body: LooseJson
    timeout: float
    endpoint: str
    streamed: bool = False

    @property
    def url(self) -> str:
        """Where to send the request."""
        return self.address + self.path


@dataclass(frozen=True, slots=True)
class Client:
    """Someone who asks and reads the answer. `endpoints` are those it can ask, None for all.

    `ask` returns what the answer says, or raises; `typed` says whether what it raised is an error
    that a program can be ready for.
    """

    name: str
    ask: Callable[[Question], Any]
    typed: Callable[[BaseException], bool]
    endpoints: frozenset[str] | None = None


def client(name: str) -> Client:
    """A parser by its name, or a function by `module:function`.

    Raises HarnessError for a name that is no parser's, and for what cannot be imported or called.
    """
    if is_function(name):
        return Client(name, _function(name), lambda error: type(error) not in CRASHES)
    return _through_parser(name)


def is_function(name: str) -> bool:
    """Whether a client's name is that of a function of the user's own."""
    return ":" in name


def _through_parser(name: str) -> Client:
    from harness.parse import PARSERS, RecordedRequest
    from harness.providers.endpoints import endpoint

    if name not in PARSERS:
        known = ", ".join(PARSERS)
        raise HarnessError(f"there is no client {name!r}; known are {known}, or module:function")
    parser = PARSERS[name]
    if not parser.installed:
        raise HarnessError(f"{name} is not installed here: pip install {parser.distribution}")

    def ask(question: Question) -> Any:
        request = RecordedRequest(
            address=question.address,
            path=question.path,
            endpoint=endpoint(question.endpoint),
            body=question.body,
            timeout=question.timeout,
            streamed=question.streamed,
        )
        return parser.parse(request)

    return Client(name, ask, parser.documents, parser.endpoints)


def _function(name: str) -> Callable[[Question], Any]:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise HarnessError(f"{name}: cannot import {module}: {_told(error)}") from error
    for step in path.split("."):
        found = getattr(found, step, None)
    if not callable(found):
        raise HarnessError(f"{name}: {module} has no function {path!r}")
    function: Callable[[Question], Any] = found
    return function


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
