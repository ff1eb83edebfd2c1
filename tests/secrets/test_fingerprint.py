"""Fingerprints of keys: whose key it was, and no way back to it."""

from __future__ import annotations

import hashlib

import jwt
import pytest

from harness.secrets.fingerprint import NO_CREDENTIALS, UNKNOWN, fingerprint
from harness.types import Request

KEY = "sk-0123456789abcdef0123456789abcdef"


def of(*headers: tuple[str, str]) -> str:
    """The fingerprint of a request with these headers."""
    return fingerprint(Request("POST", "https://host/chat", headers))


def token(secret: str = "s" * 32, **claims: object) -> str:
    """A token as an SDK signs it."""
    return jwt.encode(dict(claims), secret, algorithm="HS256", headers={"sign_type": "SIGN"})


def test_a_fingerprint_is_32_bits_of_sha256() -> None:
    """Anybody can make it of a key they have; nobody can make a key of it."""
    assert of(("Authorization", f"Bearer {KEY}")) == hashlib.sha256(KEY.encode()).hexdigest()[:8]


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", f"bearer {KEY}"),
        ("AUTHORIZATION", KEY),
        ("api-key", KEY),
        ("X-Api-Key", KEY),
        ("x-goog-api-key", f" {KEY}"),
    ],
)
def test_a_key_is_the_same_wherever_it_stands(header: tuple[str, str]) -> None:
    """In whatever header, with or without the scheme."""
    assert of(header) == of(("Authorization", f"Bearer {KEY}"))


def test_two_keys_have_two_fingerprints() -> None:
    """Also where only a letter is another."""
    keys = [KEY, KEY[:-1], KEY.upper(), f"{KEY}."]
    assert len({of(("Authorization", f"Bearer {key}")) for key in keys}) == len(keys)


def test_a_token_is_whose_it_is_and_not_when_it_was_made() -> None:
    """An SDK makes a new one every few minutes."""
    now, then = (
        of(
            (
                "Authorization",
                token(api_key="me", exp=at, timestamp=at, iat=at, nbf=at, jti=str(at)),
            )
        )
        for at in (1, 2_000_000_000_000)
    )
    assert now == then
    assert now != of(("Authorization", token(api_key="you", exp=1, timestamp=1)))
    assert now == of(("Authorization", "Bearer " + token("t" * 32, timestamp=3, api_key="me")))


@pytest.mark.parametrize(
    "word", ["a.b.c", "a.e30.c", "..", "a.W10.c", "a.bnVsbA.c", "é.é.é", "a.MQ.c"]
)
def test_what_only_looks_like_a_token(word: str) -> None:
    """Is a key like any other; nothing raises."""
    assert len(of(("Authorization", f"Bearer {word}"))) == 8


@pytest.mark.parametrize("headers", [(), (("accept", "*/*"),), (("authorization", ""),)])
def test_no_credentials(headers: tuple[tuple[str, str], ...]) -> None:
    """Is a fingerprint too: nobody's."""
    assert of(*headers) == NO_CREDENTIALS


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/x, Signature=0123",
        'Digest username="me", response="0123"',
    ],
)
def test_what_signs_the_request_has_none(value: str) -> None:
    """It is another with each request, and says nothing of the next."""
    assert of(("Authorization", value)) == UNKNOWN
