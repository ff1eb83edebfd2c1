"""Translation of messages by gettext catalogues; missing messages stay in English."""

from __future__ import annotations

import gettext
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache
from pathlib import Path

CHINESE = "zh_CN"
"""The catalogue of `--lang zh` and of the report page's language switch."""


class Language(StrEnum):
    """A language of the command line and of the pytest plugin."""

    EN = "en"
    ZH = "zh"


LANGUAGE: ContextVar[Language] = ContextVar("language", default=Language.EN)
"""The language of what is printed to the user."""


@contextmanager
def in_language(language: Language) -> Iterator[None]:
    """Have everything in the block printed in *language*."""
    token = LANGUAGE.set(language)
    try:
        yield
    finally:
        LANGUAGE.reset(token)


def language_of(environment: Mapping[str, str] = os.environ) -> Language:
    """Return the language that LC_ALL, LC_MESSAGES or LANG name; English for any other."""
    named = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return Language.ZH if next(filter(None, named), "").startswith("zh") else Language.EN


def localized(message: str) -> str:
    """Return *message* in the language of the user."""
    return translate(message) if LANGUAGE.get() is Language.ZH else message


def localized_count(number: int, singular: str, plural: str) -> str:
    """Return *number* with its noun, `{} turn` or `{} turns`, in the language of the user."""
    language = CHINESE if LANGUAGE.get() is Language.ZH else Language.EN
    return translate_count(singular, plural, number, language).format(number)


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
