"""Streams whose events repeat the text so far."""

from __future__ import annotations

import pytest
from exchanges import data_events, stream

from harness.providers.rules import check
from harness.types import Json

from .making import foreign

CHAT = "https://open.bigmodel.cn/api/paas/v4/chat/completions"
ASKED: Json = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.mark.parametrize(
    ("texts", "repeats"),
    [
        (["Hello,", "Hello, my", "Hello, my friend"], True),
        (["Hello, my", "Hello, my friend"], False),  # by chance, perhaps
        (["1", "10", "100"], False),
        (["Hello,", " my", " friend and all"], False),
        (["Hello, my", "Hello, my friend", "Hello, my friend"], True),  # the same event twice
        (["Ha", "Haha", "Haha"], False),
        (["It is", " unfortunately", " unfortunately", " so"], False),
    ],
)
def test_three_events_that_grow_repeat_the_text(texts: list[str], repeats: bool) -> None:
    """Each begins with the whole event before; fewer or shorter events may do so by chance."""
    pieces: list[Json] = [
        {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}
        for text in texts
    ]
    transcript = foreign(stream(CHAT, ASKED, data_events(*pieces)))
    found = {finding.rule for finding in check(transcript)}
    assert ("deltas_do_not_repeat" in found) == repeats


def test_equal_events_have_a_finding_each() -> None:
    """They are judged once, and each finding has its own place."""
    wrong: Json = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"role": 1}}]}
    other: Json = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "a"}}]}
    transcript = foreign(stream(CHAT, ASKED, data_events(other, wrong, other, wrong, wrong)))
    found = [f for f in check(transcript) if f.rule == "role_is_known"]
    schema = [f for f in check(transcript) if f.rule == "answer_fits_schema"]
    assert [f.place.event for f in found] == [2, 4, 5]
    of_role = [f.place.event for f in schema if f.place.pointer.endswith("/role")]
    assert of_role == [2, 4, 5]
