"""Recognition of secrets by shape, as parameters that sign a link, and by the name beside them.

The redactor and the scanner share these tables, so that the scanner finds nothing in what the
redactor wrote. Texts are searched with each byte as one character (latin-1), so that no letter of
another alphabet counts as part of a word.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from harness.types import Json

PLACEHOLDER = "REDACTED"
"""The text that is written in place of a secret."""

MIN_LENGTH = 8
"""Smallest length of a secret in characters; shorter texts occur in ordinary words."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret in a text.

    Attributes:
        start: The offset of its first character.
        end: The offset after its last character.
        kind: The kind of secret, for messages.
        secret: The secret.
        name: The name beside it, e.g. of a parameter; empty if there is none.
    """

    start: int
    end: int
    kind: str
    secret: str
    name: str = ""


# ------------------------------------------------------------------------------------ keys

_MAX_KEY_LENGTH = 300
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]*")


def _is_apart(match: re.Match[str]) -> bool:
    """Return whether a match is outside of long base64 data, where any letters may occur."""
    text, start = match.string, match.start()
    before = _BASE64_RUN.match(text[max(0, start - _MAX_KEY_LENGTH) : start][::-1])
    after = _BASE64_RUN.match(text, match.end(), match.end() + _MAX_KEY_LENGTH)
    return len(before[0] if before else "") + len(after[0] if after else "") < _MAX_KEY_LENGTH


def token_part(token: str, number: int) -> dict[str, Json]:
    """Return the JSON object in part *number* of a JSON Web Token; empty if it has none."""
    part = token.split(".")[number]
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _names_an_algorithm(match: re.Match[str]) -> bool:
    """Return whether the first part of a token names its signature algorithm."""
    return "alg" in token_part(match[0], 0)


def _has_digits(match: re.Match[str]) -> bool:
    """Return whether a match has at least two digits; hyphenated words have at most a version."""
    return sum(letter.isdigit() for letter in match[0]) > 1


@dataclass(frozen=True, slots=True)
class KeyShape:
    """The shape of one kind of key.

    Attributes:
        kind: The kind of key, for messages.
        pattern: Matches the key in a text.
        confirms: Returns whether a match is a key, for what the pattern alone cannot check; each
            match is by default.
    """

    kind: str
    pattern: re.Pattern[str]
    confirms: Callable[[re.Match[str]], bool] = bool


_WORD = "[A-Za-z0-9_-]"
TOKEN = re.compile(rf"eyJ{_WORD}{{4,}}\.{_WORD}{{4,}}\.{_WORD}{{4,}}")
"""The pattern of a JSON Web Token."""

KEY_SHAPES: tuple[KeyShape, ...] = (
    KeyShape(
        "an sk- key",
        re.compile(r"(?<![A-Za-z0-9_-])sk-(?:[A-Za-z0-9]{1,15}+[_-])*+[A-Za-z0-9]{16}[\w-]*", re.A),
        _has_digits,
    ),
    KeyShape(
        "an id.secret key",
        re.compile(r"(?<![A-Za-z0-9])[0-9a-f]{32}\.[A-Za-z0-9]{16}(?![A-Za-z0-9])"),
    ),
    KeyShape(
        "an access key id",
        re.compile(
            r"(?<![A-Za-z0-9])(?:LTAI[A-Za-z0-9]{12,26}|(?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])"
        ),
        _is_apart,
    ),
    KeyShape("a token", TOKEN, _names_an_algorithm),
    KeyShape(
        "a private key",
        re.compile(
            r"-----BEGIN (?:(?!PRIVATE KEY(?: BLOCK)?-)[A-Z0-9]++ )*+PRIVATE KEY(?: BLOCK)?-----"
            r"[^-]{0,200}?[A-Za-z0-9+/]{40}"
        ),
    ),
)
"""The kinds of keys that are recognised by their shape; a new kind is one entry."""


def keys(text: str) -> Iterator[Hit]:
    """Yield each text with the shape of a key, except placeholders and made-up examples."""
    for shape in KEY_SHAPES:
        for match in shape.pattern.finditer(text):
            if shape.confirms(match) and not is_made_up(match[0]):
                yield Hit(match.start(), match.end(), shape.kind, match[0])


def without_keys(text: str) -> str:
    """Return a text for display, with a placeholder for each text with the shape of a key."""
    end = len(text)
    for key in sorted(keys(text), key=lambda key: key.start, reverse=True):
        text = text[: key.start] + PLACEHOLDER + text[min(key.end, end) :]
        end = key.start
    return text


_STANDS_IN = re.compile(
    r"redacted|masked|dummy|^deleted$|sandbox|placeholder|x{6}|\*{3}|\.\.\.|^(?:sk-)?(?:test|your|my)[_-]"
    r"|^[<$\[{].*|^$",
    re.IGNORECASE,
)
_MIN_DISTINCT = 8
"""Smallest number of different characters in a real key."""


def is_placeholder(value: str) -> bool:
    """Return whether a value is a placeholder: for a removed secret, or one to be filled in."""
    return bool(_STANDS_IN.search(value))


def is_made_up(value: str) -> bool:
    """Return whether a key is only an example: a placeholder, or few different characters."""
    return is_placeholder(value) or len(set(value.removeprefix("sk-"))) < _MIN_DISTINCT


# ------------------------------------------------------------------------------ signed links

_SIGNING = (
    r"(?:OSSAccessKeyId|Signature|security-token"
    r"|X-(?:Amz|OSS)-(?:Credential|Signature|Security-Token))"
)
_BEFORE = r"(?:(?<![A-Za-z0-9_])|(?<=%26)|(?<=%3F)|(?<=\\u0026)|(?<=\\u003F))"
SIGNED = re.compile(
    # Plain, or with = as Java's and Go's JSON writers escape it; a value ends at any other escape.
    rf"(?P<name>{_BEFORE}{_SIGNING}(?:=|\\u003D))(?:[A-Za-z0-9+/=_.~-]++|%[0-9A-F]{{2}}|\\u003D)++"
    # Inside another URL, where %2B in the value becomes %252B.
    rf"|(?P<inner>{_BEFORE}{_SIGNING}%3D)(?:[A-Za-z0-9_.~-]++|%25[0-9A-F]{{2}}|%2[BF]|%3D)++",
    re.ASCII | re.IGNORECASE,
)
"""The pattern of a parameter that signs a link, with its value."""
_EQUALS = re.compile(r"=|%3D|\\u003D", re.IGNORECASE)
_IN_LINK = re.compile(r"(?:[?&;]|%26|%3F|\\u0026|\\u003F)$", re.IGNORECASE)


def mask_signatures(text: str) -> str:
    """Return *text* with a placeholder for each value that signs a link."""
    return SIGNED.sub(lambda match: f"{match['name'] or match['inner']}{PLACEHOLDER}", text)


def signed(text: str) -> Iterator[Hit]:
    """Yield the values that sign a link; the same parameter names in prose or code are ignored."""
    for match in SIGNED.finditer(text) if _EQUALS.search(text) else ():
        name = match["name"] or match["inner"]
        value = match[0][len(name) :]
        in_link = _IN_LINK.search(text[max(0, match.start() - 6) : match.start()])
        if in_link and len(value) >= MIN_LENGTH and not is_made_up(unquote(value)):
            start = match.start() + len(name)
            yield Hit(start, match.end(), "a signed link", value, _EQUALS.sub("", name))


# ------------------------------------------------------------------------------------ names

_SCHEME = re.compile(r"\s*(Bearer|Basic)\s+(?=\S)", re.ASCII | re.IGNORECASE)
_AUTHORIZATION = re.compile(r"(?:proxy-)?authorization", re.IGNORECASE)
_COOKIE = re.compile(r"(?:set-)?cookie2?", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"(?:(?:api|access|secret|private|auth)_?key(?:_?(?:id|secret))?|secret|token|passw(?:or)?d"
    r"|credentials?)$"
)
_SIGNING_NAME = re.compile(r"ossaccesskeyid|signature|security-token|x-(?:amz|oss)-\w+(?:-token)?")
_WORDS = re.compile(r"[\w-]+")


def mask_credentials(value: str) -> str:
    """Return the value of an `Authorization` header with a placeholder after its scheme.

    Returns only the placeholder if the scheme is not Bearer or Basic.
    """
    scheme = _SCHEME.match(value)
    return f"{scheme[1]} {PLACEHOLDER}" if scheme else PLACEHOLDER


def mask_named(name: str, value: str) -> str:
    """Return the value of the header *name* with a placeholder for what its name marks as secret.

    A cookie keeps its name and attributes, so that a client stores it and sends it back.
    """
    if name.lower().startswith("set-cookie"):
        return _COOKIE_VALUE.sub(rf"\g<1>{PLACEHOLDER}", value, count=1)
    if _AUTHORIZATION.fullmatch(name):
        return mask_credentials(value)
    return PLACEHOLDER if any(named(value, name)) else value


_COOKIE_VALUE = re.compile(r"^(\s*[^=;]*=)[^;]+")


def named(text: str, name: str) -> Iterator[Hit]:
    """Yield the secrets in *text* if *name*, the name beside it, marks it as secret.

    Placeholders are ignored.
    """
    name = (_WORDS.findall(name) or [""])[-1].lower()
    if _AUTHORIZATION.fullmatch(name):
        yield from _credentials(text)
    elif _COOKIE.fullmatch(name):
        yield from _cookies(text, only_first=name.startswith("set"))
    elif _SECRET_NAME.search(re.sub(r"[-.\s]", "_", name)) or _SIGNING_NAME.fullmatch(name):
        value = text.strip()
        if _is_random(value) and not is_made_up(value):
            yield Hit(0, len(text), "a secret by its name", value)


def _credentials(text: str) -> Iterator[Hit]:
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    value = text[start:].strip(" \t\r\n'\"")
    if len(value) >= MIN_LENGTH and not is_made_up(value):
        yield Hit(start, len(text), "credentials", value)


_PAIR = re.compile(r"\s*([^=;\s]+)=([^;]*)")


def _cookies(text: str, *, only_first: bool) -> Iterator[Hit]:
    for pair in _PAIR.finditer(text):
        value = pair[2].strip()
        if len(value) >= MIN_LENGTH and not is_placeholder(value):
            yield Hit(pair.start(2), pair.end(2), "a cookie", value, pair[1])
        if only_first:
            return


_KEY_LETTERS = re.compile(r"[A-Za-z0-9_+/=.~-]{16,}")
_MIN_ENTROPY = 3.0
"""Bits per character; a random text of sixteen hexadecimal digits has more."""
_MIN_CHANGES = 4


def _is_random(text: str) -> bool:
    """Return whether a text looks random: letters and digits mixed, few repeated."""
    if not _KEY_LETTERS.fullmatch(text):
        return False
    counts = Counter(text).values()
    bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    changes = len(re.findall(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])", text))
    return bits >= _MIN_ENTROPY and changes >= _MIN_CHANGES


_ASSIGNMENT = re.compile(
    r"(?<![\w.-])[\"']?(?P<name>[A-Za-z][\w.-]{2,80})[\"']?\s*(?::|=>|=)\s*(?P<value>\S.*)"
)


def assigned(line: str) -> Iterator[tuple[str, str]]:
    """Yield (name, value) for each header and assignment in a line."""
    for match in _ASSIGNMENT.finditer(line):
        name, value = match["name"], match["value"]
        if _AUTHORIZATION.fullmatch(name) or _COOKIE.fullmatch(name):
            yield name, re.split(r"[\"'\r]", value.lstrip("\"'"), maxsplit=1)[0]
            return
        yield name, re.split(r"[\"'\s,;&]", value.lstrip("\"'"), maxsplit=1)[0]
        if line.find("=", match.start("value")) > 0:
            yield from assigned(line[match.start("value") :])
