"""The nouns of a provider that is made up: how it speaks, and what it can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Endpoint
from harness.types import EMPTY, LooseJson

Said = Mapping[str, LooseJson]
"""What is asked or answered, by the names of `reading.Fields`, or by JSON pointers."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer says of itself: its id, the model, and when it was made (seconds, UTC)."""

    id: str
    model: str
    created: int


@dataclass(frozen=True, slots=True)
class Way:
    """One thing to ask for, and one way of delivery.

    `variants` are what requests say besides, one of them in each. `asks` is the form of the
    question where it is not the kind's own. `without` are pointers of forms that these answers do
    not have. `poll` answers for the task that `endpoint` took, at
    `poll_address` with the task's id. `results` leads to what is made, pictures or a film, and
    `link` names the member that holds the address.
    """

    kind: str
    mode: str
    endpoint: Endpoint
    address: str
    variants: tuple[Said, ...] = (EMPTY,)
    headers: Headers = ()
    asks: str = ""
    without: tuple[str, ...] = ()
    poll: Endpoint | None = None
    poll_address: str = ""
    results: str = ""
    link: str = "url"


@dataclass(frozen=True, slots=True)
class ProviderServer:
    """How a provider speaks, beyond what its dialect says.

    `ids` makes the id of an answer of this time; `framed` makes a stream of its events' data;
    `headers` belong to an answer. `counts_apart` says that a stream counts its tokens in an event
    of its own, `renews_ids` that each poll of a task has its own id.
    """

    models: tuple[str, ...]
    ids: Callable[[int], SearchStrategy[str]]
    tasks: SearchStrategy[str]
    framed: Callable[[Sequence[bytes]], bytes]
    headers: Callable[[Head], SearchStrategy[Headers]]
    ways: tuple[Way, ...]
    counts_apart: bool = False
    renews_ids: bool = False
