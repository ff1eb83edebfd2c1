"""What looks like a secret: by its form, by a link it signs, by the name beside it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from harness.secrets.redactor import SCHEME, SHORTEST, SIGNED, keys, made_up, stands_in


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret in a text, and what names it there, such as a parameter."""

    start: int
    end: int
    kind: str
    secret: str
    name: str = ""


def shaped(text: str) -> Iterator[Hit]:
    """Strings that have the form of a key, whatever stands beside them."""
    for key in keys(text):
        yield Hit(key.start, key.end, key.kind, text[key.start : key.end])


_LINK = re.compile(r"(?:[?&;]|%26|%3F|\\u0026|\\u003F)$", re.IGNORECASE)


_MAY_SIGN = re.compile(r"=|%3D|u003D", re.IGNORECASE)


def signed(text: str) -> Iterator[Hit]:
    """Parameters that sign a link; the same words in prose or in a program are none."""
    for found in SIGNED.finditer(text) if _MAY_SIGN.search(text) else ():
        name = found["name"] or found["inner"]
        value = found[0][len(name) :]
        in_link = _LINK.search(text[max(0, found.start() - 6) : found.start()])
        if in_link and len(value) >= SHORTEST and not made_up(unquote(value)):
            told = re.sub(r"=|%3D|\\u003D", "", name, flags=re.IGNORECASE)
            yield Hit(found.start() + len(name), found.end(), "a signed link", value, told)


_HEADER = re.compile(r"(?:proxy-)?authorization", re.IGNORECASE)
_COOKIE = re.compile(r"(?:set-)?cookie2?", re.IGNORECASE)
_TELLING = re.compile(
    r"(?:api|access|secret|private|auth)_?key(?:_?(?:id|secret))?$|secret$|token$|passw(?:or)?d$"
    r"|credentials?$",
)
_WORDS = re.compile(r"[\w-]+")
_SIGNING = re.compile(r"ossaccesskeyid|signature|security-token|x-(?:amz|oss)-\w+(?:-token)?")


def named(text: str, name: str) -> Iterator[Hit]:
    """What its name says is a secret, unless it stands for one."""
    name = (_WORDS.findall(name) or [""])[-1]
    if _HEADER.fullmatch(name):
        yield from _credentials(text)
    elif _COOKIE.fullmatch(name):
        yield from _cookies(text, only_first=name.lower().startswith("set"))
    elif _TELLING.search(re.sub(r"[-.\s]", "_", name).lower()) or _SIGNING.fullmatch(name.lower()):
        value = text.strip()
        if _is_random(value) and not made_up(value):
            yield Hit(0, len(text), "a secret by its name", value)


def _credentials(text: str) -> Iterator[Hit]:
    scheme = SCHEME.match(text)
    start = scheme.end() - 1 if scheme else 0
    value = text[start:].strip(" \t\r\n'\"")
    if len(value) >= SHORTEST and not made_up(value):
        yield Hit(start, len(text), "credentials", value)


_PAIR = re.compile(r"\s*([^=;\s]+)=([^;]*)")


def _cookies(text: str, *, only_first: bool) -> Iterator[Hit]:
    for pair in _PAIR.finditer(text):
        value = pair[2].strip()
        if len(value) >= SHORTEST and not stands_in(value):
            yield Hit(pair.start(2), pair.end(2), "a cookie", value, pair[1])
        if only_first:
            return


_KEY_LETTERS = re.compile(r"[A-Za-z0-9_+/=.~-]{16,}")
_LEAST = 3.0
"""Bits per letter: a random text of sixteen hexadecimal digits has more."""
_CHANGES = 4


def _is_random(text: str) -> bool:
    """Whether nobody would have thought of it: letters and digits mixed, and hardly any twice."""
    if not _KEY_LETTERS.fullmatch(text):
        return False
    counts = Counter(text).values()
    bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    changes = len(re.findall(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])", text))
    return bits >= _LEAST and changes >= _CHANGES


_ASSIGNED = re.compile(
    r"(?<![\w.-])[\"']?(?P<name>[A-Za-z][\w.-]{2,80})[\"']?\s*(?::|=>|=)\s*(?P<value>\S.*)"
)


def assigned(line: str) -> Iterator[tuple[str, str]]:
    """(name, value) of the headers and assignments in a line."""
    for found in _ASSIGNED.finditer(line):
        name, value = found["name"], found["value"]
        if _HEADER.fullmatch(name) or _COOKIE.fullmatch(name):
            yield name, re.split(r"[\"'\r]", value.lstrip("\"'"), maxsplit=1)[0]
            return
        yield name, re.split(r"[\"'\s,;&]", value.lstrip("\"'"), maxsplit=1)[0]
        inner = line.find("=", found.start("value"))
        if inner > 0:
            yield from assigned(line[found.start("value") :])
