"""Values, numbers, times and findings as text, also in Chinese."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from harness.comparison.matrix import TurnFigures
from harness.config.prices import Cost
from harness.locale import (
    LANGUAGE,
    Language,
    Templates,
    localized,
    localized_error,
    mark,
    messages,
    translate,
)
from harness.types import Finding, Json, Place
from harness.wire import MISSING, Missing, read_json
from harness.wire.text import cut, line, plain

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """Return *text* with U+FFFD for each lone surrogate, which UTF-8 cannot encode."""
    return _SURROGATE.sub("\ufffd", text)


def value(value: Json | Missing, length: int = 120) -> str:
    """Return a recorded JSON value as text on one line, cut off after *length* characters.

    The text for `MISSING` is a dash.
    """
    if value is MISSING:
        return "–"
    if isinstance(value, str):
        shown = line(value[: length * 4] if len(value) <= length else value[:length])
        return cut(shown, length) if len(value) <= length else f"{shown}… ({len(value)} characters)"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else cut(str(value), length)


def seconds(time: float | None) -> str:
    """Return a time in seconds as text: `12 ms`, `1.25 s`; a dash for None."""
    if time is None:
        return "–"
    return f"{time * 1000:.0f} ms" if time < 1 else f"{time:.2f} s"


def number(number: int | None) -> str:
    """Return a number as text; a dash for None."""
    return "–" if number is None else str(number)


def money(cost: Cost | None) -> str:
    """Return an amount of money with six decimals and its currency; a dash for None."""
    return f"{cost.amount:.6f} {cost.currency}" if cost else "–"


def script(figures: TurnFigures) -> str:
    """Return the most frequent script of an answer and its share of the letters: `Chinese 97 %`.

    Scripts are `Chinese`, `Latin` and `other`. Return a dash if the answer has no letters.
    """
    if figures.han is None or figures.latin is None:
        return "–"
    shares = {
        "Chinese": figures.han,
        "Latin": figures.latin,
        "other": 1 - figures.han - figures.latin,
    }
    name = max(shares, key=lambda script: shares[script])
    return f"{name} {shares[name] * 100:.0f} %"


def headline(finding: Finding) -> str:
    """Return a finding's rule, place and message on one line."""
    place = line(_place(finding))
    where = f" ({place})" if place else ""
    return f"{finding.rule or 'finding'}{where}: {cut(line(_message(finding)), 2000)}"


def describe(finding: Finding) -> str:
    """Return a finding as several lines: what is wrong, where, and how to read more.

    The expected and the actual value are left out if the message contains them; the scenario is
    left out if it equals the path of the recording.
    """
    rows = [
        (localized("scenario"), "" if finding.scenario == finding.source else finding.scenario),
        (localized("target"), finding.target),
        (localized("place"), _place(finding)),
        (localized("expected"), _unsaid(finding, "expected", finding.expected)),
        (localized("actual"), _unsaid(finding, "actual", finding.actual)),
        (localized("recording"), finding.source),
    ]
    word = localized(finding.severity.value)
    paragraph = [f"{word}: {finding.rule or 'finding'}", plain(_message(finding))]
    paragraph += [f"  {name}: {line(text)}" for name, text in rows if text]
    if finding.rule:
        more = localized("read more")
        paragraph.append(f"  {more}: harness rules --explain {finding.rule}")
    return "\n".join(paragraph)


def _unsaid(finding: Finding, name: str, text: str) -> str:
    """Return what was expected or met; empty if the message of the finding says it."""
    return "" if f"{name} {text}" in finding.message else cut(line(_sentence(text)), 500)


def _place(finding: Finding) -> str:
    is_english = LANGUAGE.get() is Language.EN
    return str(finding.place) if is_english else chinese_place(finding.place)


def _sentence(text: str) -> str:
    return text if LANGUAGE.get() is Language.EN else chinese_sentence(text)


def _message(finding: Finding) -> str:
    said = f"expected {finding.expected}, actual {finding.actual}"
    if not finding.message.startswith(said):
        return localized_message(finding.message)
    both = (_sentence(finding.expected), _sentence(finding.actual))
    rest = localized_error(finding.message.removeprefix(said))
    return localized("expected {}, actual {}").format(*both) + rest


_SAID = re.compile(r"expected (.+), actual (.+?)(; so it was .+|)", re.DOTALL)


def localized_message(message: str) -> str:
    """Return the message of a finding in the language of the user.

    Parts without a translation stay English.
    """
    said = _SAID.fullmatch(message)
    if said is None or LANGUAGE.get() is Language.EN:
        return localized_error(message)
    both = (_sentence(said[1]), _sentence(said[2]))
    return localized("expected {}, actual {}").format(*both) + localized_error(said[3])


# ------------------------------------------------------------------------------------------ Chinese


SENTENCES = messages(Path(__file__).with_name("sentences.txt"))
"""The texts that rules expect or meet. A text that is none of them is shown as it is."""


_PAIR = Templates(["expected {}, actual {}"])
"""The message with both values, each of which may be a sentence of its own."""

_templates = Templates(SENTENCES)


@lru_cache(4096)
def chinese_sentence(text: str) -> str:
    """Return the Chinese translation of an expected or actual value, such as `a finish reason`.

    Without a translation, the text is returned unchanged.
    """
    if not read_json(text.encode("utf-8", "replace")).problem:  # a recorded value
        return text
    return (
        _PAIR.translate(text, chinese_sentence)
        or _templates.translate(text, chinese_sentence)
        or text
    )


def chinese_place(place: Place) -> str:
    """Return *place* as Chinese text: the turn, exchange, event, byte and JSON pointer it has."""
    numbered = (
        (place.turn, mark("turn {}")),
        (place.exchange, mark("exchange {}")),
        (place.event, mark("event {}")),
        ("" if place.request else None, mark("request")),
        (place.offset, mark("byte {}")),
        (place.pointer or None, "{}"),
    )
    return "，".join(translate(text).format(n) for n, text in numbered if n is not None)
