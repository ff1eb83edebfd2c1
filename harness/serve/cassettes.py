"""The cassettes that a replay server answers from, and the state of each of its sessions."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness.cassette.store import Skip, read, read_all, skip_nothing
from harness.errors import HarnessError
from harness.faults.injected import InjectedFault, Injector
from harness.intercept.context import Playback
from harness.intercept.player import Player
from harness.secrets.shapes import without_keys
from harness.types import Cassette, Exchange, Provenance, Request


@dataclass(frozen=True)
class ServedCassettes:
    """The cassettes of a replay server; a name is a path below the given folder, without `.yaml`.

    Attributes:
        by_name: The cassettes by name.
    """

    by_name: Mapping[str, Cassette]

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges of all cassettes, in order."""
        return tuple(e for cassette in self.by_name.values() for e in cassette.exchanges)

    @cached_property
    def home(self) -> Mapping[int, str]:
        """The name of the cassette of each exchange, by the exchange's `id()`."""
        return {
            id(exchange): name
            for name, cassette in self.by_name.items()
            for exchange in cassette.exchanges
        }

    @cached_property
    def _first_parts(self) -> frozenset[str]:
        return frozenset(name.partition("/")[0] for name in self.by_name)

    @cached_property
    def _players(self) -> dict[str, tuple[Player, ...]]:
        return {}

    def players(self, only: str) -> tuple[Player, ...]:
        """Return new `Player` objects, which find the recorded answer to a request.

        *only* is the name of the cassette that they answer from; "" for all cassettes. There is one
        player for all cassettes with the same `volatile` pointers. The keys by which requests are
        matched are computed in the first call and reused in later calls.
        """
        if only not in self._players:
            chosen = [only] if only else [*self.by_name]
            self._players[only] = tuple(self._new_players(chosen))
        return tuple(player.rewound() for player in self._players[only])

    def _new_players(self, chosen: Sequence[str]) -> Iterator[Player]:
        by_volatile: dict[tuple[str, ...], list[tuple[Exchange, str]]] = {}
        for name in chosen:
            cassette = self.by_name[name]
            of = f" of {name}" if len(self.by_name) > 1 else ""
            by_volatile.setdefault(cassette.provenance.volatile, []).extend(
                (exchange, f"exchange {number}{of}")
                for number, exchange in enumerate(cassette.exchanges, start=1)
            )
        for volatile, named in by_volatile.items():
            exchanges, names = zip(*named, strict=True) if named else ((), ())
            cassette = Cassette(exchanges, Provenance(volatile=volatile))
            yield Player(cassette, ignore_keys=True, names=names)

    def split(self, path: str) -> tuple[str, str]:
        """Return the name of the cassette that a path begins with, or "", and the rest of the path.

        >>> ServedCassettes({"chat": Cassette(())}).split("/chat/v1/models")
        ('chat', '/v1/models')
        """
        parts = path.strip("/").split("/")
        if parts[0] not in self._first_parts:
            return "", path
        for end in range(len(parts), 0, -1):
            if (name := "/".join(parts[:end])) in self.by_name:
                return name, path.removeprefix(f"/{name}") or "/"
        return "", path


def load(paths: Sequence[Path], skip: Skip = skip_nothing) -> ServedCassettes:
    """Return the cassettes at *paths*: files, or folders with all cassettes in them.

    *skip* is called with the error of each file in a folder that cannot be read.

    Raises:
        HarnessError: There is no cassette at a path, or two would have the same name.
        BadCassette: One of *paths* is a file that cannot be read.
    """
    cassettes: dict[str, Cassette] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        for file, cassette in read_all([path], read, skip):
            name = file.relative_to(folder).with_suffix("").as_posix()
            if name in cassettes:
                raise HarnessError(f"{file}: another cassette is called {name} too; serve one")
            cassettes[name] = cassette
    if not cassettes:
        raise HarnessError(f"no cassette in {', '.join(map(str, paths))} can be read")
    return ServedCassettes(cassettes)


MOST_MISSES = 1000
"""The misses of a session whose texts are kept; further ones are counted."""


@dataclass
class ReplaySession:
    """One client's replay of cassettes: each recorded exchange answers once.

    Attributes:
        cassettes: All cassettes.
        only: The name of the cassette that answers; "" for all of them.
        answered: The number of requests that were answered.
        missed: The number of requests without a recorded answer.
        misses: A text for each of them, up to `MOST_MISSES`.
        faults: Faults that some requests get instead of their answers.
        injector: The faults, and the answers that they changed or replaced.
    """

    cassettes: ServedCassettes
    only: str = ""
    faults: Sequence[InjectedFault] = ()
    answered: int = field(init=False, default=0)
    missed: int = field(init=False, default=0)
    misses: list[str] = field(init=False, default_factory=list)
    injector: Injector = field(init=False)
    _players: tuple[Player, ...] = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.injector = Injector(self.faults)
        self._players = self.cassettes.players(self.only)

    def find(self, request: Request, pace: float = 0.0) -> Playback | None:
        """Return a replay of the next unused recorded answer to *request*, or of a fault.

        Return None if no cassette has an unused answer to it.

        Args:
            request: The request.
            pace: The factor by which recorded latencies are multiplied; 0 is instant.

        Raises:
            BadFault: The recorded answer cannot be changed as a fault says.
        """
        fault = self.injector.due(request)
        for player in self._players:
            exchange = player.peek(request) if fault else player.take(request)
            if exchange is not None and fault is not None:
                return self.injector.inject(fault, exchange, pace)
            if exchange is not None:
                with self._lock:
                    self.answered += 1
                return Playback(exchange, pace)
        return None

    def add_miss(self, request: Request) -> str:
        """Return why *request* has no recorded answer, and count it as a miss."""
        _, miss = min(player.explain_miss(request) for player in self._players)
        with self._lock:
            self.missed += 1
            if len(self.misses) < MOST_MISSES:
                self.misses.append(miss)
        return miss

    def used(self) -> set[int]:
        """Return the `id()` of each exchange that has answered a request."""
        unused = {id(exchange) for player in self._players for exchange in player.unused()}
        every = (e for player in self._players for e in player.cassette.exchanges)
        return {id(exchange) for exchange in every} - unused

    def unused(self) -> Mapping[str, tuple[Exchange, ...]]:
        """Return the exchanges that did not answer a request, by the name of their cassette.

        Cassettes of which no exchange answered a request are not included, since the client did not
        use them.
        """
        home = self.cassettes.home
        unused = [exchange for player in self._players for exchange in player.unused()]
        names = Counter(home[id(exchange)] for exchange in unused)
        every = self.cassettes.by_name
        used = [name for name in names if names[name] < len(every[name].exchanges)]
        return {name: tuple(e for e in unused if home[id(e)] == name) for name in used}

    def unused_texts(self) -> list[str]:
        """Return a text for each unused exchange: cassette, method and URI."""
        return [
            f"{name}: {exchange.request.method} {without_keys(exchange.request.uri)}"
            for name, exchanges in self.unused().items()
            for exchange in exchanges
        ]
