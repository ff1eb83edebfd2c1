"""The ways to replay that are measured side by side: this tape, its neighbours, the floor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speakers import KEY, Ask, ProviderServer
from harness.cassette import loads
from harness.cassette.store import read
from harness.intercept import Player, in_place
from harness.secrets.redactor import Redactor


@dataclass(frozen=True)
class Way:
    """A way to replay: how a cassette is opened, and how one is loaded only, also once more.

    `bearable` is how many exchanges a cassette may have before it takes too long to wait for.
    """

    name: str
    open: Callable[[ProviderServer, Path], AbstractContextManager[Ask]]
    load: Callable[[Path], object] | None
    load_again: Callable[[Path], object] | None = None
    bearable: int = 1_000_000


@contextmanager
def _ours(speaker: ProviderServer, path: Path) -> Iterator[Ask]:
    with in_place(Player(loads(path.read_bytes()), Redactor((KEY,)))):
        yield speaker.over_its_own()


@contextmanager
def _vcrpy(speaker: ProviderServer, path: Path) -> Iterator[Ask]:
    import vcr

    fields = ["method", "scheme", "host", "port", "path", "query", "body"]
    with vcr.VCR(record_mode="none", match_on=fields).use_cassette(str(path)):
        yield speaker.over_its_own()


@contextmanager
def _cassetter(speaker: ProviderServer, path: Path) -> Iterator[Ask]:
    import cassetter

    with cassetter.use_cassette(path, record_mode="none", match_on=["method", "uri", "body"]):
        yield speaker.over_its_own()


@contextmanager
def _floor(speaker: ProviderServer, _: Path) -> Iterator[Ask]:
    yield speaker.over_memory(lambda method, uri, body: speaker.answer)


def _load_by_vcrpy(path: Path) -> object:
    from vcr.serialize import deserialize
    from vcr.serializers import yamlserializer

    return deserialize(path.read_text(encoding="utf-8"), yamlserializer)


def _load_by_cassetter(path: Path) -> object:
    from cassetter._core import Cassette

    return Cassette.load(str(path))


WAYS = (
    Way("floor", _floor, None),
    Way("this tape", _ours, lambda path: loads(path.read_bytes()), read),
    Way("vcrpy", _vcrpy, _load_by_vcrpy, bearable=1_000),
    Way("cassetter", _cassetter, _load_by_cassetter, bearable=1_000),
)
