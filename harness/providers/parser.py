"""What a parser is: an SDK that is asked once more what a recording was asked, and reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from harness.analysis.endpoint import Endpoint
from harness.analysis.exchange import AnalyzedExchange
from harness.types import Image, LooseJson, Outcome, Usage

KEY = "00000000000000000000000000000000.0000000000000000"
"""What an SDK is given as a key: of a form that each of them takes, and nobody's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A recorded request, to be asked again through an SDK.

    `address` is where something answers whatever is asked with what was recorded, such as
    `http://127.0.0.1:1234`; `path` is the recorded URL's path and query; `timeout` is in seconds;
    `streamed` says that a stream was asked for, which some endpoints are told in a header.
    """

    address: str
    path: str
    endpoint: Endpoint
    body: LooseJson
    timeout: float
    streamed: bool = False

    def base(self, operation: str) -> str:
        """The address an SDK puts this operation's path behind."""
        path = self.path.partition("?")[0]
        return self.address + path.rpartition(operation)[0]

    @property
    def last(self) -> str:
        """The last segment of the path, such as a task's id."""
        return self.path.partition("?")[0].rpartition("/")[2]


def asked(reading: AnalyzedExchange, address: str, timeout: float) -> Asked:
    """A recorded exchange's request, to be asked at `address`. Its endpoint must be known."""
    if reading.endpoint is None:
        raise ValueError("the request goes to no endpoint that is known")
    request = reading.exchange.request
    url = urlsplit(request.uri)
    path = f"{url.path}?{url.query}" if url.query else url.path
    headers = {name.lower(): value for name, value in request.headers}
    body = reading.request_json.value
    streamed = "text/event-stream" in headers.get("accept", "") or bool(see(body, "stream"))
    return Asked(address, path, reading.endpoint, body, timeout, streamed)


@dataclass(frozen=True, slots=True)
class Parser:
    """An SDK as one more reader of the same bytes.

    `distribution` is its name on PyPI; `endpoints` are the names of those it can be asked. `parse`
    returns what the SDK's own objects say and nothing else, with each object as it dumps itself
    in `views`; a refusal that the SDK reports is a `Failure`, and whatever else the SDK raises is
    raised. `typed` are the SDK's own, documented error classes.
    """

    name: str
    distribution: str
    endpoints: frozenset[str]
    parse: Callable[[Asked], Outcome]
    typed: Callable[[], tuple[type[BaseException], ...]]

    @property
    def installed(self) -> bool:
        """Whether the SDK is there."""
        return self.version is not None

    @property
    def version(self) -> str | None:
        """The SDK's version; None where it is not installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None


def see(thing: Any, *path: str | int) -> Any:
    """What a program finds at a path of attributes, keys and indices; None where it finds none."""
    for step in path:
        try:
            by_key = isinstance(step, int) or isinstance(thing, Mapping)
            thing = thing[step] if by_key else getattr(thing, str(step))
        except (AttributeError, LookupError, TypeError):
            return None
    return thing


def text(thing: Any, *path: str | int) -> str | None:
    """The text at a path, if there is one and it is one."""
    found = see(thing, *path)
    return found if isinstance(found, str) else None


def texts(things: Iterable[Any], *path: str | int) -> list[str]:
    """The text at a path of each thing that has one there."""
    found = (text(thing, *path) for thing in things)
    return [value for value in found if value is not None]


def items(thing: Any, *path: str | int) -> list[Any]:
    """The list at a path; an empty one where there is none."""
    found = see(thing, *path)
    return found if isinstance(found, list) else []


def whole(pieces: list[str], *, cumulative: bool = False) -> str | None:
    """Streamed pieces as one text: all of them, or the last, which repeats those before."""
    if not pieces:
        return None
    return pieces[-1] if cumulative else "".join(pieces)


def tokens(counts: Any, *names: str) -> Usage | None:
    """Tokens by an SDK's names for input, output and total; None where it counts none."""
    found = [see(counts, name) for name in names]
    numbers = [count if type(count) is int else None for count in found]
    return Usage(*numbers) if any(number is not None for number in numbers) else None


def pictures(links: Iterable[Any]) -> tuple[Image, ...]:
    """Links as pictures."""
    return tuple(Image(link) for link in links if isinstance(link, str))
