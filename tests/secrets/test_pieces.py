"""Secrets that a stream sends in several events: which event's text is changed, and how."""

from __future__ import annotations

import json

import pytest

from harness.secrets.redactor import Redactor

KEY = "4Qw2xZkp9LmT4vRb8NcY"


def streamed(texts: list[str]) -> bytes:
    """Return a stream of chat events with these texts."""
    events = ({"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts)
    return b"".join(
        b"data: %b\n\n" % json.dumps(event, ensure_ascii=False).encode() for event in events
    )


@pytest.mark.parametrize(
    ("texts", "clean"),
    [
        (
            ["Well, ", "it is 4Qw2xZk", "p9LmT4vRb8", "NcY, I ", "我想。", " Is it?"],
            ["Well, ", "it is REDACTED", "", ", I ", "我想。", " Is it?"],
        ),
        (
            ["So: ", "4Qw2xZkp9L", "mT4vRb8NcY", " is it", ", and ", "4Qw2xZkp9LmT", "4vRb8NcY!"],
            ["So: ", "REDACTED", "", " is it", ", and ", "REDACTED", "!"],
        ),
        (
            ["a 4Qw2xZkp9LmT4vRb8NcY b 4Qw2xZkp9L", "mT4vRb8NcY c"],
            ["a REDACTED b REDACTED", " c"],
        ),
    ],
    ids=["inside", "at the ends", "two"],
)
def test_the_first_event_of_a_secret_has_the_placeholder(
    texts: list[str], clean: list[str]
) -> None:
    """The events of its rest lose it, and all other texts stay."""
    assert Redactor((KEY,)).body(streamed(texts)) == streamed(clean)
