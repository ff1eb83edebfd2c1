"""Heads of responses, and multipart bodies as fields."""

from __future__ import annotations

from harness.types import Response
from harness.wire.http import head_text, read_form

BODY = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nqwen\r\n'
    b'--b\r\nContent-Disposition: form-data; name="tag"\r\n\r\none\r\n'
    b'--b\r\nContent-Disposition: form-data; name="tag"\r\n\r\ntwo\r\n'
    b"--b--\r\n"
)


def test_fields_have_their_names_and_repeated_ones_a_number() -> None:
    """The first of one name has no number."""
    assert read_form(BODY) == {"model": "qwen", "tag": "one", "tag[2]": "two"}


def test_other_bodies_are_no_form() -> None:
    """JSON, and a form without its end."""
    assert read_form(b'{"a": 1}') is None
    assert read_form(BODY[:-6]) is None


def test_a_head_has_the_length_only_without_chunks() -> None:
    """Both at once are forbidden; all other headers are kept."""
    length, chunked = ("Content-Length", "2"), ("Transfer-Encoding", "chunked")
    sized = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    assert head_text(Response(200, "OK", (length,))) == sized
    in_chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert head_text(Response(200, "OK", (length, chunked))) == in_chunks
