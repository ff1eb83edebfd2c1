"""Multipart bodies as fields."""

from __future__ import annotations

from harness.wire.http import read_form

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
