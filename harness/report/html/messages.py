"""The page's words: HTML elements with English text and its Chinese translation in an attribute.

The page's script switches between the two.
"""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup, escape

from harness.locale import chinese_error, translate, translate_count
from harness.report.format import chinese_place, chinese_sentence
from harness.report.rule_texts import LABELS
from harness.types import Place
from harness.wire.text import plain


@lru_cache(4096)
def text(message: str, element: str = "span", /, **attributes: str) -> Markup:
    """Return an HTML element with *message*, and its translation for the page's script.

    *element* is the name of the element, *attributes* are its HTML attributes.
    """
    given = (Markup(' {}="{}"').format(name, value) for name, value in attributes.items())
    return Markup('<{0}{1} data-zh="{2}">{3}</{0}>').format(
        Markup(element),  # noqa: S704 - named in a template
        Markup("").join(given),
        plain(translate(message)),
        plain(message),
    )


@lru_cache(4096)
def word(value: str, element: str = "span", /, **attributes: str) -> Markup:
    """Return a value of the report as an HTML element with its text in both languages.

    *element* is the name of the element, *attributes* are its HTML attributes. A value without a
    translation is returned as bare text if *element* is `span`.
    """
    message = LABELS.get(value, value)
    if element == "span" and translate(message) == message:
        return escape(plain(message))
    return text(message, element, **attributes)


@lru_cache(4096)
def plural(singular: str, plural: str, number: int, element: str = "span") -> Markup:
    """Return *number* in an HTML element, followed by its noun in both languages.

    *singular* and *plural* are the message for one and for several, such as `{} turn`; *element* is
    the name of the element.
    """
    english = (singular if number == 1 else plural).removeprefix("{} ")
    translated = translate_count(singular, plural, number).removeprefix("{} ")
    numeral = Markup("<{0}>{1}</{0}>").format(Markup(element), number)  # noqa: S704 - of a template
    return numeral + Markup(' <span data-zh="{}">{}</span>').format(translated, english)


@lru_cache(4096)
def label(message: str, about: str = "") -> Markup:
    """Return an `aria-label` attribute with *message*, and an attribute with its translation.

    *about* follows the message after a colon, if it is not empty.
    """
    english = LABELS.get(message, message)
    both = plain(english), plain(translate(english))
    names = (f"{name}: {plain(about)}" if about else name for name in both)
    return Markup('aria-label="{}" data-zh-label="{}"').format(*names)


def place(place: Place) -> Markup:
    """Return the place of a finding as an element with its text in both languages."""
    return _both(chinese_place(place), str(place))


def detail(text: str) -> Markup:
    """Return a finding's expected or actual value as an element with text in both languages."""
    return _both(chinese_sentence(text), text)


def problem(text: str) -> Markup:
    """Return the text of a problem as an element with its text in both languages."""
    return _both(chinese_error(text), text)


@lru_cache(4096)
def _both(translated: str, english: str) -> Markup:
    return Markup('<span data-zh="{}">{}</span>').format(plain(translated), plain(english))
