"""Texts that are no cassettes, or odd ones: one sentence that says what is the matter."""

from __future__ import annotations

import pytest

from harness.cassette.reader import loads
from harness.cassette.writer import dumps
from harness.errors import BadCassette

WHOLE = """\
metadata: {harness: {format: 1, recorded_from: live, exchanges: [METADATA]}}
interactions:
- request: {method: GET, uri: 'http://h/', body: null, headers: {}}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: ''}}
version: 1
"""


def whole(old: str, new: str) -> bytes:
    """A cassette with one text in place of another."""
    return WHOLE.replace(old, new).replace("METADATA", "{}").encode()


REFUSED = {
    "gzip": (b"\x1f\x8b\x08abc", "not a cassette: compressed with gzip: unpack it"),
    "zip": (b"PK\x03\x04abc", "not a cassette: a zip archive: unpack it"),
    "a pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "not a vcrpy cassette: a pointer of Git LFS: run `git lfs pull`",
    ),
    "HTML": (b"<html></html>", "not a vcrpy cassette: a page of HTML or XML"),
    "latin-1": ("a: é".encode("latin-1"), "not YAML: not UTF-8 (at byte 3)"),
    "empty": (b"", "the file is empty; a cassette has the keys interactions and version"),
    "comments": (b"# none\n", "the file is empty"),
    "NUL": (b"\0", "not YAML: unacceptable character"),
    "deep": (b"a: " + b"[" * 5000 + b"]" * 5000, "not a cassette: nested deeper than 100"),
    "its own alias": (b"a: &a [*a]\n", "not a cassette: the anchor a stands inside itself"),
    "no anchor": (b"a: *a\n", "f.yaml:1: not YAML: found undefined alias"),
    "two documents": (whole("", "") + b"---\na: 1\n", "but found another document"),
    "code of Python": (whole("GET", "!!python/name:os.system"), "could not determine"),
    "a merge conflict": (b"a: 1\r\n<<<<<<< HEAD\r\n", "f.yaml:2: a merge conflict"),
    "NaN": (whole("200", ".nan"), "status.code: expected a number, actual float"),
    "a date": (whole("GET", "2026-99-99"), "this cannot be read as timestamp"),
    "a port": (whole("http://h/", "http://h:999999/"), "is not an address"),
    "metadata of a list": (
        b"metadata: {harness: []}\ninteractions: []\nversion: 1\n",
        "f.yaml:1: metadata.harness: expected a mapping, actual list",
    ),
    "a surrogate": (whole("GET", r'"\ud800"'), "invalid Unicode character escape code"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_cassette_is_called_what_it_is(name: str) -> None:
    """In a sentence, with its line where there is one."""
    text, expected = REFUSED[name]
    with pytest.raises(BadCassette) as raised:
        loads(text, "f.yaml")
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "metadata",
    [
        *("1", "[1]", "{turn: -5, key: {}, coded: 5, broken_off: [], chunks: {a: 1}}"),
        "{started_at: 5, first_byte: x, total: []}",
        "{started_at: '9999-12-31T23:59:59.999999+00:00', first_byte: 1, total: 1}",
        "{started_at: '0001-01-01T00:00:00+00:00', first_byte: 1, total: 1}",
        "{started_at: '2026-01-01T00:00:00+00:00', first_byte: .nan, total: -.inf}",
        "{coded: {coding: gzip, body: !!binary aGVsbG8=, length: -4}}",
    ],
)
def test_odd_metadata_can_be_read_and_written(metadata: str) -> None:
    """What has no meaning is left out."""
    read = loads(WHOLE.replace("METADATA", metadata))
    assert loads(dumps(read)) == read
    assert read.exchanges[0].timing is None
