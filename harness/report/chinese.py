"""The expected and actual values and the places of findings, in Chinese sentences."""

from __future__ import annotations

from functools import lru_cache

from harness.locale import Templates, mark, translate
from harness.types import Place

SENTENCES = (
    mark("one of {}"),
    mark("{} + {} = {} tokens in total"),
    mark("none"),
    mark("a finish reason"),
    mark("one finish reason"),
    mark("a finish reason in the last event"),
    mark("JSON"),
    mark("a count of tokens"),
    mark("a count of the tokens"),
    mark("an id"),
    mark("a text, a tool call or another result"),
    mark("a tool call, as the finish reason says"),
    mark("an absolute http or https URL"),
    mark("at least one event"),
    mark("nothing after the last event"),
    mark("nothing more after the finish reason"),
    mark("nothing but the refusal"),
    mark("only the new piece"),
    mark("the whole text so far {}"),
    mark("the role assistant"),
    mark("the charset UTF-8"),
    mark("well-formed server-sent events"),
    mark("at most {}"),
    mark("at most {} results as requested"),
    mark("at least {} as before"),
    mark("an HTTP status of 400 or more"),
    mark("a value at {}"),
    mark("a field {}"),
    mark("only {}"),
    mark("the model {}"),
    mark("the finish reason {}"),
    mark("the content type {}"),
    mark("a call of {}"),
    mark("integer"),
    mark("string"),
    mark("number"),
    mark("boolean"),
    mark("array"),
    mark("object"),
    mark("null"),
    mark("string {}"),
    mark("integer {}"),
    mark("number {}"),
    mark("boolean {}"),
    mark("array {}"),
    mark("object {}"),
    mark("about {}, as in the header Date"),
    mark("at least 1 output token for the text"),
    mark("a picture that can be decoded"),
    mark("an answer in JSON"),
    mark("a request in JSON"),
    mark("id and {} to be the same"),
)
"""The texts that rules expect or meet. A text that is none of them is shown as it is."""


_templates = Templates(SENTENCES)


@lru_cache(4096)
def sentence(text: str) -> str:
    """Return a sentence of `SENTENCES` in Chinese, with its values; any other unchanged."""
    return _templates.translate(text) or text


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
