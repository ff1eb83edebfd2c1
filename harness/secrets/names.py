"""The table of secret names: values that are secrets because of the name beside them.

A name stands beside its value in a header, a member of JSON, a parameter of a link or a form, a
field of a multipart body or an assignment. How a value must look depends on how plainly the place
says that it is one: the value of a parameter that signs a link may be short, that of an assignment
in a text must look random.
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from harness.secrets.runs import offsets
from harness.secrets.shapes import (
    MIN_LENGTH,
    PLACEHOLDER,
    Hit,
    is_example_password,
    is_made_up,
    is_mixed,
    is_placeholder,
)
from harness.wire.patterns import lazy_pattern

# ------------------------------------------------------------------------------- the tables

_STRONG = lazy_pattern(
    r"(?:access|refresh|client|consumer|api|app|secret|session|security|private|auth|bearer|oauth"
    r"|account|signing|subscription|service|encryption|master|shared|webhook|bot|user|aws|sts|csrf|xsrf)"
    r"(?:access)?(?:token|secret|key)(?:id|secret|value)?$"
    r"|idtoken$|accesskeyid$|secretid$|passw(?:or)?d$|passphrase$|(?<![a-z])pwd$|credentials?$"
)
"""Names of secrets, in lower case and without separators."""

_WEAK = lazy_pattern(
    r"(?:token|secret|bearer|jwt|(?<![a-z])auth|clientassertion|codeverifier"
    r"|(?:admin|db|http|mysql|proxy|redis|root|smtp|user)pass)$"
)
"""Names that secrets have among other things: a value must look random."""

_HARMLESS = lazy_pattern(
    r"(?:page|next|prev|previous|cursor|continuation|sync|start|stop|end|eos|bos|sep|pad|unk|mask|cls"
    r"|publickey|first|last|special|postman|design|syntax|foreach|resume|upload)token$"
)
"""Names that end like those of secrets and are none: places in a list, parts of vocabularies."""

_SIGNING = lazy_pattern(
    r"ossaccesskeyid|signature|securitytoken|x(?:amz|oss)(?:credential|signature|securitytoken)"
    r"|q(?:ak|signature)|xossaccesskeyid|awsaccesskeyid|googleaccessid|xgoog(?:credential|signature)"
)
"""Parameters that sign a link, or a form that is uploaded."""

_HEADER = lazy_pattern(r"(?:x-)?(?:proxy-)?authorization", re.IGNORECASE)
_COOKIE = lazy_pattern(r"(?:set-)?cookie2?", re.IGNORECASE)
_SCHEME = lazy_pattern(r"\s*(Bearer|Basic|Token|ApiKey)\s+(?=\S)", re.ASCII | re.IGNORECASE)
_SEPARATORS = lazy_pattern(r"[-_.\s]")
_WORDS = lazy_pattern(r"[\w-]+")


def _squeezed(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def is_secret_name(name: str) -> bool:
    """Return whether *name*, of a header, a parameter or a member of JSON, may name a secret."""
    return (_is_short_secret_name if len(name) <= _MAX_NAME else _is_secret_name)(name)


def _is_secret_name(name: str) -> bool:
    squeezed = _squeezed(name)
    return bool(
        _HEADER.fullmatch(name)
        or _COOKIE.fullmatch(name)
        or _SIGNING.fullmatch(squeezed)
        or _STRONG.search(squeezed)
        or (_WEAK.search(squeezed) and not _HARMLESS.search(squeezed))
    )


_is_short_secret_name = lru_cache(maxsize=1024)(_is_secret_name)


# ---------------------------------------------------------------------------------- values

_KEY_LETTERS = lazy_pattern(r"[A-Za-z0-9_+/=.~-]{16,}")
_UUID = lazy_pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MIN_ENTROPY = 3.0
"""Bits per character; a random text of sixteen hexadecimal digits has more."""
_MIN_CHANGES = 4


def _is_random(text: str) -> bool:
    """Return whether a text looks random: letters and digits mixed, few repeated; no UUID."""
    if not _KEY_LETTERS.fullmatch(text) or _UUID.fullmatch(text) or is_made_up(text):
        return False
    counts = Counter(text).values()
    bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    changes = len(re.findall(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])", text))
    is_changing = changes >= _MIN_CHANGES or (len(text) >= 20 and is_mixed(text, 4))
    return bits >= _MIN_ENTROPY and is_changing


_NOT_A_VALUE = lazy_pattern(
    r"https?://.*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"  # an address, the name of a variable
    r"|[a-z]+(?:[_.-][a-z]+)+[_-]?[0-9]{0,2}|[A-Za-z_]\w*(?:\.\w+)+(?:\(.*)?"  # code
    r"|[A-Za-z_.]+\(.*"
)
_LETTERS = lazy_pattern(r"[A-Za-z]{20,}")
_SYMBOL = lazy_pattern(r"[!@#$%^&*?~|]")


def _is_secret_value(text: str, name: str) -> bool:
    """Return whether the value of a strong name is a secret; a password may be short."""
    if len(text) < MIN_LENGTH or re.search(r"\s", text) or is_example_password(text):
        return False
    if _NOT_A_VALUE.fullmatch(text) or len(set(text)) < 5:
        return False
    if re.search("[A-Za-z]", text) and re.search("[0-9]", text):
        return not is_made_up(text) or "pass" in name
    if "pass" in name and _SYMBOL.search(text):
        return True
    is_letters = _LETTERS.fullmatch(text) and is_mixed(text, 0)
    return not is_made_up(text) and (bool(is_letters) or is_mixed(text, 2))


def _is_policy(text: str) -> bool:
    """Return whether a text is the base64 of an upload policy."""
    if not text.startswith("ey"):
        return False
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return False
    return b'"conditions"' in plain or b'"expiration"' in plain


# ---------------------------------------------------------------------------------- headers


def mask_credentials(value: str) -> str:
    """Return the value of an `Authorization` header with a placeholder after its scheme.

    Returns only the placeholder if the scheme is not known.
    """
    scheme = _SCHEME.match(value)
    return f"{scheme[1]} {PLACEHOLDER}" if scheme else PLACEHOLDER


_COOKIE_VALUE = lazy_pattern(r"^(\s*[^=;]*=)[^;]+")


def mask_named(name: str, value: str) -> str:
    """Return *value*, of the header *name*, with a placeholder for what the name marks as secret.

    A cookie keeps its name and attributes, so that a client stores it and sends it back.
    """
    if name.lower().startswith("set-cookie"):
        return _COOKIE_VALUE.sub(rf"\g<1>{PLACEHOLDER}", value, count=1)
    if _HEADER.fullmatch(name):
        return mask_credentials(value)
    return PLACEHOLDER if any(named(value, name)) else value


def named(text: str, name: str) -> Iterator[Hit]:
    """Yield the secrets in *text*, the value of the header, member or parameter *name*.

    Yield nothing if that is not the name of a secret, such as `Authorization` or `api_key`.
    Placeholders are ignored.
    """
    name = (_WORDS.findall(name) or [""])[-1]
    if _HEADER.fullmatch(name):
        yield from _credentials(text)
    elif _COOKIE.fullmatch(name):
        yield from _cookies(text, only_first=name.lower().startswith("set"))
    elif is_secret_name(name) and name != "signature":  # that of a thinking block is none
        value = text.strip()
        squeezed = _squeezed(name)
        if _is_random(value) or (_STRONG.search(squeezed) and _is_secret_value(value, squeezed)):
            yield Hit(0, len(text), "a secret by its name", value)


def _credentials(text: str) -> Iterator[Hit]:
    scheme = _SCHEME.match(text)
    start = scheme.end() if scheme else 0
    value = text[start:].strip(" \t\r\n'\"")
    if len(value) >= MIN_LENGTH and not is_made_up(value):
        yield Hit(start, len(text), "credentials", value)


_PAIR = lazy_pattern(r"\s*+([^=;\s]{1,200}+)=([^;]*+)")


def _cookies(text: str, *, only_first: bool) -> Iterator[Hit]:
    for pair in _PAIR.finditer(text):
        value = pair[2].strip()
        if len(value) >= MIN_LENGTH and not is_placeholder(value):
            yield Hit(pair.start(2), pair.end(2), "a cookie", value, pair[1])
        if only_first:
            return


# ------------------------------------------------------------------------------------ texts

# Names are looked for by their ends, and read backwards from there.
_END = (
    r"(?:token|secret|passw(?:or)?d|passphrase|pwd|key(?:[_.-]?(?:id|secret|value))?|secret[_.-]?id"
    r"|credentials?|signature|accessid|policy|sig|authorization|cookie|bearer|jwt|auth|_pass"
    r"|client_?assertion|code_?verifier)"
    r"(?P<closed>\\*[\"'`])?[ \t]{0,9}(?P<sign>=>|[:=>])[ \t]{0,9}(?P<opened>\\*[\"'`])?"
)
_ENDS_IN_LOWER = lazy_pattern(_END)
_ENDS = lazy_pattern(_END, re.IGNORECASE | re.ASCII)
"""The same, which is slow in long texts."""
_NAME = lazy_pattern(r"[\w.-]*")
_MAX_NAME = 80
_MAX_BARE = 8192
_MAX_REREAD = 200
"""Longest value, in characters, in which other names are looked for."""
_QUOTED = {quote: lazy_pattern(rf"(?:[^{quote}\\\n]++|\\[^\n])*+") for quote in ('"', "'", "`")}
_BARE = lazy_pattern(r"[^\s\"'`,;&<>(){}\[\]\\|#?\x7f-\xff]*+")
_HEADER_LINE = lazy_pattern(r"[^\r\n\"'\\]*+")
_ESCAPED_QUOTE = lazy_pattern(r"[^\"'`\\]*+")
_CREDENTIALS = ("accesskeyid", "access_key_id", "accessid", "credential", '"policy')
_NEARBY = 600
_MIN_SIG = 16
_FIELD = lazy_pattern(
    r"content-disposition:(?>[^\r\n]{0,400}?\bname=)\"?+(?P<name>[^\"\r\n;]{1,80}+)[^\r\n]{0,400}+"
    r"\r?\n(?:[^\r\n]{1,1000}+\r?\n){0,9}+\r?\n(?P<value>[^\r\n]*+)",
    re.IGNORECASE | re.ASCII,
)


def beside_names(text: str) -> Iterator[Hit]:
    """Yield the values in *text* that are secrets because of their name, as in `api_key=...`."""
    covered = 0
    fields: list[int] = []
    for match in _ends(text, fields):
        if match.start() >= covered:
            value = _Value.after(text, match)
            if value.end - value.start > _MAX_REREAD:
                covered = value.end
            yield from _beside(text, match, value)
    covered = 0
    for at in sorted(fields):
        field = _FIELD.match(text, at) if at >= covered else None
        if field:
            covered, name = field.end(), field["name"].lower()
            start, end = field.span("value")
            yield from _in_field(name, text[start:end], start)


def _lower(text: str) -> str:
    """Return *text* with small letters of ASCII; `str.lower` needs 13 bytes a character."""
    return text.encode("latin-1", "replace").lower().decode("latin-1")


_SIGNS = lazy_pattern(
    rb":[ \t\\\"'`]*+(?:nekot|terces|d(?:ro)?wssap|esarhpssap|dwp|yek"
    rb"|di(?:[-_.]?(?:yek|terces)|ssecca)|eulav[-_.]?yek|s?laitnederc|erutangis|ycilop"
    rb"|gis|noitazirohtua|eikooc|reraeb|twj|htua|ssap_"
    rb"|noitressa_?tneilc|reifirev_?edoc)"
)
"""The sign after each name in `_END`, and the end of the name, both read backwards.

Signs are rarer than letters, so that a text is read more quickly from its end.
"""
_LOWER = bytes.maketrans(b"=>", b"::").lower()
"""Translates letters to small ones, and each sign to a colon."""
_MAX_FIRST_WORD = 8
"""More characters than a name in `_END` has before the part that `_SIGNS` matches: `key_secret`."""
_BEHIND_SIGN = 32
"""More characters than a match of `_ENDS` has from its sign on."""
_MANY_BACKSLASHES = "\\" * 16
_FIELD_HEADER = "content-disposition:"
_FIELD_HEADER_BACKWARDS = _FIELD_HEADER[::-1].encode()
_SLICE = 2**18
"""Characters that are searched at once: copies of them stay in the cache of a processor."""
_BEFORE_SIGN = 64
"""More characters than a match of `_ENDS`, or the header of a field, has before its sign."""


def _ends(text: str, fields: list[int]) -> Iterator[re.Match[str]]:
    """Yield the matches of `_ENDS`; only what is near the sign after a name is read.

    The offsets of what may be the header of a multipart field are appended to *fields*.
    """
    if "\\" in text and _MANY_BACKSLASHES in text:
        lower = _lower(text)
        fields += offsets(lower, _FIELD_HEADER)
        yield from _ENDS_IN_LOWER.finditer(lower)
        return
    end = 0
    for first in range(0, len(text), _SLICE):
        last = min(first + _SLICE, len(text))
        part = text[max(0, first - _BEFORE_SIGN) : last]
        if not (":" in part or "=" in part or ">" in part):
            continue
        backwards = part[::-1].encode("latin-1", "replace").translate(_LOWER)
        headers = offsets(backwards, _FIELD_HEADER_BACKWARDS)
        fields += [last - at - len(_FIELD_HEADER) for at in headers if last - at > first]
        found = _SIGNS.finditer(backwards)
        names = [(last - match.end(), last - 1 - match.start()) for match in found]
        for start, sign in reversed(names):
            if sign < first:
                continue  # it was in the slice before
            match = _ENDS.search(text, max(end, start - _MAX_FIRST_WORD), sign + _BEHIND_SIGN)
            if match and match.start("sign") == sign:
                yield match
                end = match.end()


def _in_field(name: str, value: str, start: int) -> Iterator[Hit]:
    """Yield the value of a multipart field if it is a secret."""
    squeezed = _squeezed(name)
    signs = bool(_SIGNING.fullmatch(squeezed) and value) and not is_placeholder(value)
    policy = squeezed == "policy" and _is_policy(value)
    if signs or policy or any(named(value, name)):
        yield Hit(start, start + len(value), "a secret by its name", value, name)


@dataclass(frozen=True, slots=True)
class _Value:
    """The value after a name, with the name and where they are.

    Attributes:
        name: The name.
        first: The offset of the first character of the name.
        start: The offset of the first character of the value.
        end: The offset after its last character.
        quoted: Whether it is in quotes.
    """

    name: str
    first: int
    start: int
    end: int
    quoted: bool

    @classmethod
    def after(cls, text: str, match: re.Match[str]) -> _Value:
        """Return the value after the name of which *match* is the end."""
        before = _NAME.match(text[max(0, match.start() - _MAX_NAME) : match.start()][::-1])
        first = match.start() - (len(before[0]) if before else 0)
        name = text[first : match.start("sign")].rstrip(" \t\\\"'`").lstrip("-")
        start, quote = match.end(), match["opened"]
        if quote:
            pattern = _ESCAPED_QUOTE if len(quote) > 1 else _QUOTED[quote]
            end = pattern.match(text, start)
        else:
            is_header = _HEADER.fullmatch(name) or _COOKIE.fullmatch(name)
            end = (_HEADER_LINE if is_header else _BARE).match(text, start, start + _MAX_BARE)
        return cls(name, first, start, end.end() if end else start, bool(quote))


def _beside(text: str, match: re.Match[str], value: _Value) -> Iterator[Hit]:
    """Yield the value after a name, of which *match* is the end, if it is a secret."""
    name, secret = value.name, text[value.start : value.end]
    if _HEADER.fullmatch(name) or _COOKIE.fullmatch(name):
        yield from _of_header(name, secret, value.start)
        return
    if not secret or text[value.end : value.end + 1] == "(":
        return
    squeezed = _squeezed(name)
    in_element = match["sign"] == ">" and text[value.first - 1 : value.first] == "<"
    if match["sign"] == ">" and (not in_element or match["closed"]):
        return
    in_link = match["sign"] == "=" and not value.quoted and _starts_parameter(text, value.first)
    if _is_secret(squeezed, secret, in_link, value.quoted or in_element) or (
        value.quoted and _signs_nearby(squeezed, secret, text, value.first, value.end)
    ):
        signs = in_link and _SIGNING.fullmatch(squeezed)
        kind = "a signed link" if signs else "a secret by its name"
        yield Hit(value.start, value.end, kind, secret, name)


def _is_secret(name: str, value: str, in_link: bool, quoted: bool) -> bool:
    """Return whether a value beside a squeezed name is a secret."""
    if in_link and _SIGNING.fullmatch(name):
        return not is_placeholder(value) and re.search("[A-Za-z0-9]", value) is not None
    if in_link and name == "sig":
        return len(value) >= _MIN_SIG and not is_made_up(value)
    if name == "policy":
        return _is_policy(value)
    if _STRONG.search(name):
        return _is_random(value) or ((in_link or quoted) and _is_secret_value(value, name))
    return bool(_WEAK.search(name)) and not _HARMLESS.search(name) and _is_random(value)


def _signs_nearby(name: str, value: str, text: str, start: int, end: int) -> bool:
    """Return whether a member is the signature of an upload: the key's id stands beside it.

    Signatures of thinking blocks are no secrets, and have to be sent back.
    """
    if name != "signature" or len(value) < MIN_LENGTH or is_placeholder(value):
        return False
    around = text[max(0, start - _NEARBY) : end + _NEARBY].lower()
    return any(word in around for word in _CREDENTIALS) and '"thinking"' not in around


def _starts_parameter(text: str, start: int) -> bool:
    return start == 0 or text[start - 1] in "?&" or text[max(0, start - 5) : start] == "&amp;"


_CREDENTIALS_IN_TEXT = lazy_pattern(r"[^\s\"',;\\]*+")


def _of_header(name: str, value: str, start: int) -> Iterator[Hit]:
    """Yield the secrets of a header in a text, which may be prose about such a header."""
    if _COOKIE.fullmatch(name):
        hits = [*_cookies(value, only_first=name.lower().startswith("set"))]
    else:
        scheme = _SCHEME.match(value)
        offset = scheme.end() if scheme else len(value) - len(value.lstrip())
        key = _CREDENTIALS_IN_TEXT.match(value, offset)
        hits = [Hit(offset, key.end(), "credentials", key[0])] if key else []
        hits = [hit for hit in hits if len(hit.secret) >= MIN_LENGTH]
    for hit in hits:
        if re.search("[0-9]", hit.secret) and not is_made_up(hit.secret):
            end = start + hit.end
            yield Hit(start + hit.start, end, hit.kind, hit.secret, f"{name} {hit.name}".strip())
