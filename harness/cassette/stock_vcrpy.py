"""What stock vcrpy makes of our cassettes. The only file that imports vcrpy."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cassette import Written
from harness.errors import RecordingFailed
from harness.types import Cassette


@dataclass(frozen=True, slots=True)
class Persister:
    """A vcrpy persister that has artefacts in their places: for `VCR.register_persister`.

    `read` is how the harness reads a cassette; what it raises, vcrpy's user gets to see. What
    vcrpy then writes by itself has all bytes in its text, as ever.
    """

    read: Callable[[Path], Cassette]

    def load_cassette(self, cassette_path: str | os.PathLike[str], serializer: Any) -> Any:
        """What vcrpy loads: requests, answers, and its metadata if there is any."""
        from vcr.persisters.filesystem import FilesystemPersister

        loaded = FilesystemPersister.load_cassette(cassette_path, serializer)
        if any(_artefact(answer) for answer in loaded[1]):
            exchanges = self.read(Path(cassette_path)).exchanges
            _put_back(loaded[1], [exchange.response.body for exchange in exchanges])
        return loaded

    def save_cassette(
        self, cassette_path: str | os.PathLike[str], cassette_dict: Any, serializer: Any
    ) -> None:
        """As vcrpy does it."""
        from vcr.persisters.filesystem import FilesystemPersister

        FilesystemPersister.save_cassette(cassette_path, cassette_dict, serializer)


def _artefact(answer: Any) -> str | None:
    """The name of the file that is an answer's body, if one is."""
    body = answer["body"]
    return body.get("artefact") if isinstance(body, dict) else None


def _put_back(answers: list[Any], bodies: Sequence[bytes | None]) -> None:
    """Each body that is an artefact in its place; it is one no longer."""
    for answer, body in zip(answers, bodies, strict=True):
        if _artefact(answer):
            answer["body"] = {"string": body}


def prove_stock_reads(written: Written, cassette: Cassette) -> None:
    """Read what is to be written with vcrpy itself, and find every exchange, byte for byte.

    Raises RecordingFailed where stock vcrpy, its artefacts put back, would play anything else than
    what was recorded.
    """
    from vcr.serialize import deserialize
    from vcr.serializers import yamlserializer

    requests, answers, *_ = deserialize(written.text, yamlserializer)
    _put_back(answers, [written.artefacts.get(_artefact(answer) or "") for answer in answers])
    read = [
        (r.method, r.uri, r.body or b"", a["status"]["code"], a["body"]["string"])
        for r, a in zip(requests, answers, strict=True)
    ]
    meant = [
        (e.request.method, e.request.uri, e.request.body, e.response.status, e.response.body)
        for e in cassette.exchanges
    ]
    if read != meant:
        raise RecordingFailed("vcrpy would not read this recording back as it was; not written")
