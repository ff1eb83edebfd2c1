"""The page's words: HTML elements with English text and its Chinese translation in an attribute.

The page's script switches between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from markupsafe import Markup, escape

from harness.locale import chinese_error, mark, translate, translate_count
from harness.report.format import chinese_place, chinese_sentence
from harness.types import Place
from harness.wire.text import plain

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "event": mark("stream event"),
        "submit": mark("task submitted"),
        "poll": mark("task running"),
        "result": mark("task ended"),
        "rule": mark("rule broken"),
        "failure": mark("refused on one side"),
        "info": mark("note"),
        "shape": mark("structure"),
        "task": mark("asynchronous task"),
    }
)
"""The words that the page shows for values of the report whose own name is not shown."""


@lru_cache(4096)
def text(message: str, element: str = "span", /, **attributes: str) -> Markup:
    """Return an HTML element with *message*, and its translation for the page's script."""
    given = (Markup(' {}="{}"').format(name, value) for name, value in attributes.items())
    return Markup('<{0}{1} data-zh="{2}">{3}</{0}>').format(
        Markup(element),  # noqa: S704 - named in a template
        Markup("").join(given),
        plain(translate(message)),
        plain(message),
    )


@lru_cache(4096)
def word(value: str, element: str = "span", /, **attributes: str) -> Markup:
    """Return a value of the report in an element, as `text` does.

    Without a translation it is returned as bare text, unless another *element* is given.
    """
    message = LABELS.get(value, value)
    if element == "span" and translate(message) == message:
        return escape(plain(message))
    return text(message, element, **attributes)


@lru_cache(4096)
def plural(singular: str, plural: str, number: int, element: str = "span") -> Markup:
    """Return *number* in an *element*, followed by its noun in both languages.

    The noun is what follows `{} ` in *singular* or *plural*.
    """
    english = (singular if number == 1 else plural).removeprefix("{} ")
    translated = translate_count(singular, plural, number).removeprefix("{} ")
    numeral = Markup("<{0}>{1}</{0}>").format(Markup(element), number)  # noqa: S704 - of a template
    return numeral + Markup(' <span data-zh="{}">{}</span>').format(translated, english)


@lru_cache(4096)
def label(message: str, about: str = "") -> Markup:
    """Return an `aria-label` attribute, `message: about`, and one with its translation."""
    english = LABELS.get(message, message)
    both = plain(english), plain(translate(english))
    names = (f"{name}: {plain(about)}" if about else name for name in both)
    return Markup('aria-label="{}" data-zh-label="{}"').format(*names)


def place(place: Place) -> Markup:
    """Return the place of a finding as an element with its text in both languages."""
    return _both(chinese_place(place), str(place))


def detail(text: str) -> Markup:
    """Return what a finding expects or meets as an element with its text in both languages."""
    return _both(chinese_sentence(text), text)


def problem(text: str) -> Markup:
    """Return the text of a problem as an element with its text in both languages."""
    return _both(chinese_error(text), text)


@lru_cache(4096)
def _both(translated: str, english: str) -> Markup:
    return Markup('<span data-zh="{}">{}</span>').format(plain(translated), plain(english))
