"""A key: sent as it is, or as a token that was signed with its secret."""

from __future__ import annotations

import hmac
import re

import jwt

from harness.sandbox.house import now
from harness.sandbox.refusal import Reason, Refused

KEY = "sandbox0000000000000000000000000.SandboxSecret000"
"""The key this sandbox accepts; the real service knows nothing of it."""


def check_key(token: str, key: str) -> None:
    """Let in who sends the key itself, or a token signed with its secret that is still fresh."""
    if hmac.compare_digest(token.encode(), key.encode()):
        return
    if token.count(".") == 2:
        _check_token(token, *key.split(".", 1))
        return
    well_formed = re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", token)
    raise Refused(Reason.WRONG_KEY if well_formed else Reason.MALFORMED_KEY)


def _check_token(token: str, owner: str, secret: str) -> None:
    """[SDK] `_jwt_token.py`: HS256, `sign_type` SIGN, `exp` and `timestamp` in milliseconds."""
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    try:
        sign_type = jwt.get_unverified_header(token).get("sign_type")
        claims = jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except jwt.DecodeError as error:
        signed_wrong = isinstance(error, jwt.InvalidSignatureError)
        raise Refused(Reason.WRONG_KEY if signed_wrong else Reason.MALFORMED_KEY) from error
    except jwt.PyJWTError as error:
        raise Refused(Reason.MALFORMED_KEY) from error
    expires = claims.get("exp")
    if sign_type != "SIGN" or not isinstance(expires, (int, float)):
        raise Refused(Reason.MALFORMED_KEY)
    if claims.get("api_key") != owner:
        raise Refused(Reason.WRONG_KEY)
    if expires < now().timestamp() * 1000:
        raise Refused(Reason.EXPIRED_KEY)
