"""Translation of messages by gettext catalogues; missing messages stay in English."""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache, lru_cache
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
    """Set the language of localized messages to *language* while the context is active."""
    token = LANGUAGE.set(language)
    try:
        yield
    finally:
        LANGUAGE.reset(token)


def language_of_environment() -> Language:
    """Return the language that LC_ALL, LC_MESSAGES or LANG name; English for any other."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return Language.ZH if next(filter(None, named), "").startswith("zh") else Language.EN


def localized(message: str) -> str:
    """Return *message* in the language of the user."""
    return translate(message) if LANGUAGE.get() is Language.ZH else message


def localized_count(number: int, singular: str, plural: str) -> str:
    """Return *number* with its noun in the language of the user, such as `2 turns`.

    *singular* and *plural* are the English forms, such as `{} turn` and `{} turns`.
    """
    language = CHINESE if LANGUAGE.get() is Language.ZH else Language.EN
    return translate_count(singular, plural, number, language).format(number)


ERROR = "error"
"""The context of error messages in the catalogues."""

_LONGEST = 2000
"""The largest number of characters of an error message that is translated."""

_BEGINNING = re.compile(
    r"[^:]*:(\d+:)? |[a-z_]+(?:\[\d+\]|\.[\w-]+)* (?=(?:must|may|is|has|cannot) )"
)
"""What may stand before a message: a path with a line, or the place in a scenario."""


def localized_error(message: str) -> str:
    """Return the message of an error in the language of the user; its values are not translated.

    Text before a known message, such as a path and a line, is kept. A message that is not known
    stays in English.
    """
    return chinese_error(message) if LANGUAGE.get() is Language.ZH else message


@lru_cache(1024)
def chinese_error(message: str) -> str:
    """Return the message of an error in Chinese; its values are not translated.

    Text before a known message, such as a path and a line, is kept. A message that is not known
    stays in English.
    """
    if len(message) > _LONGEST:
        return message
    if found := _errors().translate(message, chinese_error):
        return found
    if beginning := _BEGINNING.match(message):
        return f"{beginning[0]}{chinese_error(message[beginning.end() :])}"
    return message


@cache
def _errors() -> Templates:
    # gettext has no function that lists the messages of a catalogue.
    messages: Iterable[object] = getattr(_catalogue(CHINESE), "_catalog", ())
    pairs = (str(message).partition("\x04") for message in messages)
    return Templates((text for context, _, text in pairs if context == ERROR), ERROR)


class Templates:
    """Known English messages with placeholders, by which messages with values are translated.

    A placeholder is `{}`: "no file {}" is the known message of "no file chat.yaml".
    """

    def __init__(self, messages: Iterable[str], context: str = "") -> None:
        self._context = context
        # The longest first: it says most.
        order = sorted(messages, key=lambda text: -len(text.replace("{}", "")))
        self._patterns = tuple(
            (re.compile(re.escape(text).replace(r"\{\}", "(.+?)"), re.DOTALL), text)
            for text in order
        )

    def translate(self, text: str, value: Callable[[str], str] = str) -> str:
        """Return the message *text* in Chinese; "" if no known message fits it.

        *value* is called with the text of each value in *text*, and returns the text to use in its
        place.
        """
        for pattern, message in self._patterns:
            if match := pattern.fullmatch(text):
                catalogue = _catalogue(CHINESE)
                known = (
                    catalogue.pgettext(self._context, message)
                    if self._context
                    else catalogue.gettext(message)
                )
                return known.format(*map(value, match.groups()))
        return ""


DOMAIN = "harness"
FOLDER = Path(__file__).parent


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [language], fallback=True)


def messages(file: Path) -> tuple[str, ...]:
    """Return the messages in a text file, one per line.

    A newline in a message is written as a backslash and an n. Lines that begin with `#` are
    comments.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    every = (line.replace("\\n", "\n") for line in lines if not line.startswith("#"))
    return tuple(filter(None, every))


def mark(message: str) -> str:
    """Return *message* unchanged; the call marks it for extraction into the catalogues."""
    return message


INTERRUPTED = mark("interrupted; what was recorded before is untouched")
"""The message about a command that Ctrl-C ended."""


def translate(message: str, language: str = CHINESE) -> str:
    """Return *message* in *language*; unchanged if the catalogue lacks it."""
    return _catalogue(language).gettext(message) if message else ""


def translate_count(singular: str, plural: str, number: int, language: str = CHINESE) -> str:
    """Return *singular* or *plural*, by *number*, in *language*.

    Both have a placeholder `{}` for the number, which is not replaced.
    """
    return _catalogue(language).ngettext(singular, plural, number)
