"""Content codings are undone by header, by first bytes, and in base64."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from harness.types import Response
from harness.wire import codings
from harness.wire.codings import (
    drop_stale_content_encoding,
    inflate,
    undo_coding,
    with_plain_body,
)

TEXT = b"hello hello hello hello"


@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_coding_is_undone_by_its_name(coding: str, compress: Callable[[bytes], bytes]) -> None:
    """Unknown codings and bodies in another coding cannot be undone."""
    assert undo_coding(compress(TEXT), coding) == TEXT
    assert undo_coding(TEXT, coding) is None
    assert undo_coding(TEXT, "identity") is None


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_compressed_bytes_are_known_by_their_beginning(
    compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is inflated as far as it goes, and never past the limit."""
    whole = inflate(compress(TEXT))
    assert whole == codings.Inflated(TEXT, complete=True)
    cut = inflate(compress(TEXT)[:-4])
    assert cut is not None
    assert not cut.complete
    monkeypatch.setattr(codings, "MAX_INFLATED", 5)
    assert inflate(compress(TEXT)) == codings.Inflated(TEXT[:5], complete=False)


@pytest.mark.parametrize("raw", [b"", b"x", b"plain", b"\x1f\x8b broken", b"x\x9c broken"])
def test_other_bytes_are_not_inflated(raw: bytes) -> None:
    """Neither plain text nor bytes that only begin as gzip or zlib do."""
    assert inflate(raw) is None


def test_a_stale_content_encoding_is_dropped() -> None:
    """A header that the body belies goes with the length; a true one stays."""
    headers = (("Content-Encoding", "gzip"), ("Content-Length", "9"), ("X-A", "b"))
    stale = Response(200, "OK", headers, TEXT)
    assert drop_stale_content_encoding(stale).headers == (("X-A", "b"),)
    true = Response(200, "OK", headers, gzip.compress(TEXT))
    assert drop_stale_content_encoding(true) is true
    assert with_plain_body(true, TEXT) == Response(200, "OK", (("X-A", "b"),), TEXT)
