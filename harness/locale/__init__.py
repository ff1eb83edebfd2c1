"""Translations of messages: gettext catalogues, English where a sentence is missing."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

CHINESE = "zh_CN"
"""The language of `harness rules --lang zh` and of the report page's language switch."""

DOMAIN = "harness"
FOLDER = Path(__file__).parent


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [language], fallback=True)


def mark(message: str) -> str:
    """Return *message* unchanged: the call marks it for the catalogues."""
    return message


def translate(message: str, language: str = CHINESE) -> str:
    """Return *message* in *language*, or unchanged where the catalogue does not have it."""
    return _catalogue(language).gettext(message) if message else ""


def translate_count(singular: str, plural: str, number: int, language: str = CHINESE) -> str:
    """Return the form for *number* in *language*; each form has a `{}` for the number."""
    return _catalogue(language).ngettext(singular, plural, number)
