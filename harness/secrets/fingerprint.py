"""Fingerprints of a request's credentials: they tell keys apart and do not reveal them.

A fingerprint is the first eight hexadecimal digits (32 bits) of a SHA-256. A cassette may contain
it; a replay uses it to keep the answers to different keys apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache

from harness.secrets.shapes import token_part
from harness.types import Request

HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""Headers, in lower case, that carry credentials."""
NO_CREDENTIALS = "none"
"""The fingerprint of a request without credentials."""
UNKNOWN = ""
"""The fingerprint of credentials that differ in every request, such as a signature."""

_AUTHORIZATION = re.compile(r"\s*(?:(?P<scheme>[A-Za-z][\w-]*)\s+)?(?P<key>\S.*)", re.ASCII)
_CONSTANT_SCHEMES = frozenset({"", "bearer", "basic", "token", "apikey", "api-key"})
_CHANGING_CLAIMS = frozenset({"exp", "iat", "nbf", "auth_time", "timestamp", "jti"})
"""Claims of a JSON Web Token that differ between two tokens made from the same key."""


def fingerprint(request: Request) -> str:
    """Return the fingerprint of a request's credentials: eight hexadecimal digits.

    Return `NO_CREDENTIALS` if the request has none, and `UNKNOWN` if its credentials differ in
    every request, as signatures do.
    """
    # The first header suffices: clients that send several send the same key in all of them.
    values = (value for name, value in request.headers if name.lower() in HEADERS and value)
    value = next(values, None)
    return NO_CREDENTIALS if value is None else _of(value)


@lru_cache(maxsize=256)
def _of(value: str) -> str:
    """Return the fingerprint of the value of a credentials header, without its scheme.

    UNKNOWN if the scheme is not one with constant credentials. Of a JSON Web Token only the claims
    count that do not change.
    """
    match = _AUTHORIZATION.fullmatch(value)
    scheme, key = (match["scheme"] or "", match["key"]) if match else ("", value)
    if scheme.lower() not in _CONSTANT_SCHEMES:
        return UNKNOWN
    claims = token_part(key, 1) if key.count(".") == 2 else {}
    constant = {name: claims[name] for name in sorted(claims) if name not in _CHANGING_CLAIMS}
    text = json.dumps(constant) if claims else key
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
