"""A long text costs memory by its length, and not for each step that a pattern takes in it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from harness.cassette.safe_yaml import load
from harness.faults.delivery import RecordedAnswer
from harness.report.html.bodies import mark
from harness.secrets.redactor import Redactor
from harness.secrets.runs import long_runs
from harness.secrets.scanner import json_leaves
from harness.secrets.search import Search
from harness.secrets.shapes import keys
from harness.secrets.texts import readings, streams
from harness.types import Exchange, Place, Request, Response
from harness.wire.spans import span

LENGTH = 200_000
MOST = 30
"""Bytes of memory for each byte of the text; a plain repeat of a group takes 48 to 150."""

LESS = {"escapes": 9, "Chinese in escapes": 2.3, "letters of Chinese": 6, "events": 14}
"""The limits of those that took 11 to 15 bytes."""

EVENT = 'data: {"model": "m", "id": "1", "choices": [{"index": 0, "text": "a"}]}\n\n'
PLAIN = '"' + "x" * LENGTH + '"'
ESCAPED = '"' + r"\"" * (LENGTH // 2) + '"'


def boundaries(text: str) -> object:
    """Return where the events of a stream end."""
    exchange = Exchange(Request("POST", "http://h/"), Response(200, "", (), text.encode()))
    return RecordedAnswer(exchange, None).event_ends  # type: ignore[arg-type]  # no endpoint is needed


FUNCTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "span, plain": (lambda text: span(text.encode(), ""), PLAIN),
    "span, escaped": (lambda text: span(text.encode(), ""), ESCAPED),
    "mark, plain": (lambda text: mark(1, Place(offset=0), text.encode()), PLAIN),
    "mark, escaped": (lambda text: mark(1, Place(offset=0), text.encode()), ESCAPED),
    "json_leaves": (json_leaves, ESCAPED),
    "boundaries": (boundaries, "\n" * LENGTH),
    "a signed link": (Redactor().text, "Signature=" + "a%2F" * (LENGTH // 4)),
    "a link in a link": (Redactor().text, "Signature%3D" + "a%252F" * (LENGTH // 6)),
    "an sk- key": (lambda text: [*keys(text, long_runs(text))], "sk-" + "a-" * (LENGTH // 2)),
    "escapes": (lambda text: [1 for _ in readings(text)], r"ab \"" * (LENGTH // 5)),
    "Chinese in escapes": (lambda text: [1 for _ in readings(text)], r"\u5929" * (LENGTH // 6)),
    "letters of Chinese": (lambda text: Search().find(text), '"' + "\xe5" * LENGTH + '": 1'),
    "events": (lambda text: [*streams(text.encode())], EVENT * (LENGTH // len(EVENT))),
    "YAML": (load, "- {a: b, c: d}\n" * (LENGTH // 15)),
    "a private key": (
        lambda text: [*keys(text, long_runs(text))],
        "-----BEGIN " + "A " * (LENGTH // 2),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_long_text_needs_memory_by_its_length(name: str) -> None:
    """Whatever reads it."""
    function, text = FUNCTIONS[name]
    tracemalloc.start()
    try:
        function(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LESS.get(name, MOST) * len(text)
