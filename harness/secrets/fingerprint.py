"""A fingerprint of a request's credentials: tells two keys apart, and is too short to find one.

It is eight hexadecimal digits of a SHA-256, 32 bits. A cassette may keep it; a replay uses it to
keep the answers to one key apart from those to another.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache

from harness.secrets.shapes import token_part
from harness.types import Request

HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""The headers that carry credentials, in lower case."""
NONE = "none"
"""The fingerprint of a request without credentials."""
UNKNOWN = ""
"""The fingerprint of credentials that differ every time, such as a signature of the request."""

_AUTHORIZATION = re.compile(r"\s*(?:(?P<scheme>[A-Za-z][\w-]*)\s+)?(?P<key>\S.*)", re.ASCII)
_CONSTANT_SCHEMES = frozenset({"", "bearer", "basic", "token", "apikey", "api-key"})
_CHANGING_CLAIMS = frozenset({"exp", "iat", "nbf", "auth_time", "timestamp", "jti"})
"""Claims that differ between two tokens made from the same key."""


def fingerprint(request: Request) -> str:
    """Return the fingerprint of a request's credentials: eight digits, NONE or UNKNOWN."""
    # The first header suffices: clients that send several send the same key in all of them.
    values = (value for name, value in request.headers if name.lower() in HEADERS and value)
    value = next(values, None)
    return NONE if value is None else _of(value)


@lru_cache(maxsize=256)
def _of(value: str) -> str:
    """Return the fingerprint of a header's value, without its scheme."""
    match = _AUTHORIZATION.fullmatch(value)
    scheme, key = (match["scheme"] or "", match["key"]) if match else ("", value)
    if scheme.lower() not in _CONSTANT_SCHEMES:
        return UNKNOWN
    claims = token_part(key, 1) if key.count(".") == 2 else {}
    constant = {name: claims[name] for name in sorted(claims) if name not in _CHANGING_CLAIMS}
    text = json.dumps(constant) if claims else key
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
