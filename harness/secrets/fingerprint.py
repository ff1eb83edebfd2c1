"""A fingerprint of the credentials a request carries: tells two keys apart, too little to find one.

It is eight hexadecimal digits of a SHA-256, 32 bits: a cassette may keep it, and a replay knows by
it that an answer to one key is none to another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from functools import lru_cache

from harness.types import Request

HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""Where requests carry credentials, in lower case."""
NONE = "none"
"""The fingerprint of a request without credentials."""
UNKNOWN = ""
"""That of credentials that are others each time, as a signature of the request is."""

_AUTHORIZATION = re.compile(r"\s*(?:(?P<scheme>[A-Za-z][\w-]*)\s+)?(?P<word>\S.*)", re.ASCII)
_STEADY = frozenset({"", "bearer", "basic", "token", "apikey", "api-key"})
_CHANGING = frozenset({"exp", "iat", "nbf", "auth_time", "timestamp", "jti"})
"""Claims of a token that are others in the next token made from the same key."""


def fingerprint(request: Request) -> str:
    """The fingerprint of a request's credentials: eight digits, NONE or UNKNOWN."""
    for name, value in request.headers:
        # One header tells: whoever sends several sends the same key in them.
        if name.lower() in HEADERS and value:
            return _of(value)
    return NONE


@lru_cache(maxsize=256)
def _of(value: str) -> str:
    """That of one header's value; a scheme is no part of a key."""
    found = _AUTHORIZATION.fullmatch(value)
    scheme, word = (found["scheme"] or "", found["word"]) if found else ("", value)
    if scheme.lower() not in _STEADY:
        return UNKNOWN
    steady = _claims(word) or word
    return hashlib.sha256(steady.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _claims(token: str) -> str:
    """What a JSON Web Token says of whose it is; empty for what is no token."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        told = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    return json.dumps({name: told[name] for name in sorted(told) if name not in _CHANGING})
