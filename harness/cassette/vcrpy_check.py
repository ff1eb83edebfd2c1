"""The use of vcrpy: a check that it reads our cassettes, and a persister that loads artefacts.

The only other modules that import vcrpy are those for `harness_compat` in the pytest plugin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cassette.artefacts import CassetteFiles
from harness.errors import RecordingFailed
from harness.types import Cassette


@dataclass(frozen=True, slots=True)
class Persister:
    """A persister for `VCR.register_persister` that loads artefacts.

    Cassettes that it saves have no artefacts: vcrpy writes all bodies into the text.

    Attributes:
        read: A function that returns a cassette with its artefacts. Its exceptions are not caught.
    """

    read: Callable[[Path], Cassette]

    def load_cassette(self, cassette_path: str | os.PathLike[str], serializer: Any) -> Any:
        """Return (requests, responses) of the cassette, with the bodies of its artefacts.

        *serializer* is the serializer of vcrpy for the format of the file, JSON or YAML.
        """
        from vcr.persisters.filesystem import FilesystemPersister

        loaded = FilesystemPersister.load_cassette(cassette_path, serializer)
        if any(_artefact_name(response) for response in loaded[1]):
            exchanges = self.read(Path(cassette_path)).exchanges
            _insert_bodies(loaded[1], [exchange.response.body for exchange in exchanges])
        return loaded

    def save_cassette(
        self, cassette_path: str | os.PathLike[str], cassette_dict: Any, serializer: Any
    ) -> None:
        """Save *cassette_dict*, the requests and responses, with vcrpy's own persister.

        *serializer* is the serializer of vcrpy for the format of the file.
        """
        from vcr.persisters.filesystem import FilesystemPersister

        FilesystemPersister.save_cassette(cassette_path, cassette_dict, serializer)


def _artefact_name(response: Any) -> str | None:
    body = response["body"]
    return body.get("artefact") if isinstance(body, dict) else None


def _insert_bodies(responses: list[Any], bodies: Sequence[bytes | None]) -> None:
    """Replace each artefact in vcrpy's *responses* by the body at the same index in *bodies*."""
    for response, body in zip(responses, bodies, strict=True):
        if _artefact_name(response):
            response["body"] = {"string": body}


def check_vcrpy_reads(files: CassetteFiles, cassette: Cassette) -> None:
    """Check that vcrpy reads every exchange of *cassette* from *files*, byte for byte.

    Raises:
        RecordingFailed: vcrpy reads an exchange that differs from the recorded one.
    """
    from vcr.serialize import deserialize
    from vcr.serializers import yamlserializer

    requests, responses, *_ = deserialize(files.text, yamlserializer)
    bodies = [files.artefacts.get(_artefact_name(response) or "") for response in responses]
    _insert_bodies(responses, bodies)
    actual = [
        (r.method, r.uri, r.body or b"", a["status"]["code"], a["body"]["string"])
        for r, a in zip(requests, responses, strict=True)
    ]
    expected = [
        (e.request.method, e.request.uri, e.request.body, e.response.status, e.response.body)
        for e in cassette.exchanges
    ]
    if actual != expected:
        raise RecordingFailed("vcrpy would not read this recording back as it was; not written")
