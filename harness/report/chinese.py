"""The expected and actual values and the places of findings, in Chinese sentences."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness.locale import Templates, mark, messages, translate
from harness.types import Place
from harness.wire import read_json

SENTENCES = messages(Path(__file__).with_name("sentences.txt"))
"""The texts that rules expect or meet. A text that is none of them is shown as it is."""


_PAIR = Templates(["expected {}, actual {}"])
"""The message with both values, each of which may be a sentence of its own."""

_templates = Templates(SENTENCES)


@lru_cache(4096)
def sentence(text: str) -> str:
    """Return a sentence of `SENTENCES` in Chinese, with its values; any other unchanged."""
    if not read_json(text.encode("utf-8", "replace")).problem:  # a recorded value
        return text
    return _PAIR.translate(text, sentence) or _templates.translate(text, sentence) or text


def place(place: Place) -> str:
    """Return a place as Chinese text, as `str(place)` is in English."""
    numbered = (
        (place.turn, mark("turn {}")),
        (place.exchange, mark("exchange {}")),
        (place.event, mark("event {}")),
        ("" if place.request else None, mark("request")),
        (place.offset, mark("byte {}")),
        (place.pointer or None, "{}"),
    )
    return "，".join(translate(text).format(n) for n, text in numbered if n is not None)
