"""Secrets that a stream sends in several events: which event's text is changed, and how."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from harness.secrets import texts as search_texts
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


@pytest.mark.parametrize(
    "event",
    [
        lambda kind, text: ("", {"type": f"{kind}-delta", "id": "0", "delta": text}),
        lambda kind, text: ("", {"type": "TEXT", "messageId": kind, "delta": text}),
        lambda kind, text: ("", {"content": {"parts": [{"text": text, "thought": kind == "a"}]}}),
        lambda kind, text: (f"event: {kind}\n", {"answer": text}),
    ],
    ids=["type", "id", "thought", "name of the event"],
)
def test_pieces_are_joined_by_what_tells_them_apart(
    event: Callable[[str, str], tuple[str, object]],
) -> None:
    """A key in pieces that alternate with those of another text is masked."""
    sent = [("a", "4Qw2xZk"), ("b", "words "), ("a", "p9LmT4vRb8"), ("b", "more"), ("a", "NcY")]
    lines = (event(*piece) for piece in sent)
    body = "".join(f"{name}data: {json.dumps(value)}\n\n" for name, value in lines)
    clean = Redactor((KEY,)).body(body.encode())
    assert b"REDACTED" in clean
    assert b"p9LmT4vRb8" not in clean


def test_events_of_one_shape_are_joined_as_any_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The places of texts are found once for events of one shape, and change with their indexes."""
    events: list[object] = [
        {
            "id": "a",
            "choices": [{"index": number % 3, "delta": {"role": None, "content": f"{number}"}}],
        }
        for number in range(9)
    ]
    events += [
        {"id": 1.5, "text": "x"},
        {"id": True, "text": "y"},
        {"id": {}, "text": "z"},
        ["u"],
        "v",
    ]
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    quick = [(joined.place, joined.text) for joined in search_texts.streams(body)]

    def no_shape(*_: object) -> None:
        raise search_texts._NoShapeError

    monkeypatch.setattr(search_texts, "_shape", no_shape)
    assert [(joined.place, joined.text) for joined in search_texts.streams(body)] == quick
    assert {"036", "147", "258", "xyz"} <= {text for _, text in quick}
