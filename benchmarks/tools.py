"""The tools that are measured side by side: this tape, vcrpy, cassetter, and the floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clients import KEY, Ask, Client
from harness.cassette.reader import loads
from harness.cassette.store import read
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.secrets.redactor import Redactor


@dataclass(frozen=True)
class Tool:
    """How a tool opens a cassette, loads one, and loads it again.

    `max_exchanges` is the largest cassette that the tool is measured with.
    """

    name: str
    open: Callable[[Client, Path], AbstractContextManager[Ask]]
    load: Callable[[Path], object] | None
    load_again: Callable[[Path], object] | None = None
    max_exchanges: int = 1_000_000


@contextmanager
def _ours(client: Client, path: Path) -> Iterator[Ask]:
    with use_tape(Player(loads(path.read_bytes()), Redactor((KEY,)))):
        yield client.over_http()


@contextmanager
def _vcrpy(client: Client, path: Path) -> Iterator[Ask]:
    import vcr

    fields = ["method", "scheme", "host", "port", "path", "query", "body"]
    with vcr.VCR(record_mode="none", match_on=fields).use_cassette(str(path)):
        yield client.over_http()


@contextmanager
def _cassetter(client: Client, path: Path) -> Iterator[Ask]:
    import cassetter

    with cassetter.use_cassette(path, record_mode="none", match_on=["method", "uri", "body"]):
        yield client.over_http()


@contextmanager
def _floor(client: Client, _: Path) -> Iterator[Ask]:
    yield client.over_memory(lambda method, uri, body: client.answer)


def _load_by_vcrpy(path: Path) -> object:
    from vcr.serialize import deserialize
    from vcr.serializers import yamlserializer

    return deserialize(path.read_text(encoding="utf-8"), yamlserializer)


def _load_by_cassetter(path: Path) -> object:
    from cassetter._core import Cassette

    return Cassette.load(str(path))


TOOLS = (
    Tool("floor", _floor, None),
    Tool("this tape", _ours, lambda path: loads(path.read_bytes()), read),
    Tool("vcrpy", _vcrpy, _load_by_vcrpy, max_exchanges=1_000),
    Tool("cassetter", _cassetter, _load_by_cassetter, max_exchanges=1_000),
)
