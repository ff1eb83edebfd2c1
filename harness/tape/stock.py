"""The proof that what is written is a vcrpy cassette. The only file that imports vcrpy."""

from __future__ import annotations

from harness.errors import RecordingFailed
from harness.types import Cassette


def prove_stock_reads(text: str, cassette: Cassette) -> None:
    """Read a cassette's text with vcrpy itself, and find every exchange in it, byte for byte.

    Raises RecordingFailed where stock vcrpy would play anything else than what was recorded.
    """
    from vcr.serialize import deserialize
    from vcr.serializers import yamlserializer

    requests, responses, *_ = deserialize(text, yamlserializer)
    read = [
        (r.method, r.uri, r.body or b"", a["status"]["code"], a["body"]["string"])
        for r, a in zip(requests, responses, strict=True)
    ]
    meant = [
        (e.request.method, e.request.uri, e.request.body, e.response.status, e.response.body)
        for e in cassette.exchanges
    ]
    if read != meant:
        raise RecordingFailed("vcrpy would not read this recording back as it was; not written")
