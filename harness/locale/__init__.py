"""Translation of messages by gettext catalogues; missing messages stay in English."""

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
    """Return *message* unchanged; the call marks it for extraction into the catalogues."""
    return message


def translate(message: str, language: str = CHINESE) -> str:
    """Return *message* in *language*; unchanged if the catalogue lacks it."""
    return _catalogue(language).gettext(message) if message else ""


def translate_count(singular: str, plural: str, number: int, language: str = CHINESE) -> str:
    """Return *singular* or *plural*, by *number*, in *language*.

    Both have a placeholder `{}` for the number, which is not replaced.
    """
    return _catalogue(language).ngettext(singular, plural, number)
