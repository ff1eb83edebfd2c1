"""Secrets by the name beside them, and by shape: what is one, what is none."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.secrets import names
from harness.secrets.redactor import Redactor
from harness.secrets.scanner import Scanner

LETTERS = "bWitsITvNsUHbDwxQkRzLmPaYtEcVjGf"
MIXED = "k7Qw2xZp9LmT4vRb8NcY"
SHA1 = "eWyGq3xT7wLmN2vR8pYc5dHsK9o="
SIGNATURE = "EqcBCkYIBxgCKkDx8s9QvX3b1cUoP7mK4Zr5tYw2Lh6nJ0aGdE9fSiVxTq3WkRyMzH1uC7bNlPo5AeDgB4s8"
FIELD = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--b--'

SECRETS = [
    (json.dumps({"api_key": LETTERS}), LETTERS),
    (json.dumps({"access_token": MIXED, "token_type": "bearer"}), MIXED),
    (json.dumps({"refresh_token": MIXED}), MIXED),
    (json.dumps({"token": MIXED}), MIXED),
    (json.dumps({"jwt": MIXED, "bearer": "x"}), MIXED),
    (json.dumps({"auths": {"registry": {"auth": MIXED}}}), MIXED),
    (f"client_id=a&client_assertion={MIXED}", MIXED),
    (f"code_verifier: {MIXED}", MIXED),
    (f"DB_PASS={MIXED}", MIXED),
    (f"refresh_token: {MIXED}", MIXED),
    (json.dumps({"Credentials": {"AccessKeySecret": MIXED, "SecurityToken": "x"}}), MIXED),
    (json.dumps({"text": json.dumps({"client_secret": MIXED})}), MIXED),
    (f"<AccessKeySecret>{MIXED}</AccessKeySecret>", MIXED),
    (f"https://user:{MIXED}@host/", MIXED),
    (f"https://host/?a=1&access_token={MIXED}", MIXED),
    (f"https://host/?key=AIza{LETTERS}123", f"AIza{LETTERS}123"),
    (f"grant_type=x&client_secret={MIXED}", MIXED),
    (f"client_secret={LETTERS}&a=1", LETTERS),
    ("--b\r\n" + FIELD.format("Signature", SHA1), SHA1),
    ("--b\r\n" + FIELD.format("x-oss-security-token", MIXED), MIXED),
    ("--b\r\n" + FIELD.format("api_key", LETTERS), LETTERS),
    (json.dumps({"oss_access_key_id": "LTAI" + MIXED, "signature": SHA1}), SHA1),
    (f"https://a.blob/b?sv=1&sig={SHA1[:-1]}%3D", SHA1[:-1]),
    (f"send Bearer {LETTERS} with it", LETTERS),
    ("Basic " + base64.b64encode(f"me:{MIXED}".encode()).decode(), "bWU6"),
    (f"ghp_{MIXED}{MIXED[:16]}", MIXED),
    (f"hf_{LETTERS}ab", LETTERS),
    (f"pat_{LETTERS}{LETTERS}", LETTERS),
    (f"xoxb-123456789012-{MIXED}", MIXED),
    (f"xoxb-{MIXED[:10]}", MIXED[:10]),
    (f"AKID{LETTERS}", LETTERS),
    (f"STS.{MIXED}abcd", MIXED),
]
ORDINARY = [
    "AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "Signature=Base64(HMAC-SHA1(AccessKeySecret, UTF-8(StringToSign)))",
    "Set Authorization to Bearer <token>. Bearer authentication; Basic authentication12345.",
    json.dumps({"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}),
    json.dumps({"type": "signature_delta", "signature": SHA1}),
    json.dumps({"thoughtSignature": SIGNATURE, "encrypted_content": SIGNATURE}),
    "Postman-Token: 5f0c1b7e-9a2d-4c68-b3f1-e0a7d9c4b825",
    json.dumps({"nonce": MIXED, "next_page_token": MIXED, "cursor": MIXED, "kid": MIXED}),
    f"script-src 'nonce-{MIXED}' sha256-{SHA1}",
    json.dumps({"token": " Hello", "logprob": -0.1, "max_tokens": 12345678901}),
    json.dumps({"properties": {"password": {"type": "string"}, "api_key": {"type": "string"}}}),
    'export DASHSCOPE_API_KEY=your-api-key; api_key=os.environ["OPENAI_API_KEY_2"]',
    json.dumps({"prompt_cache_key": MIXED, "idempotency_key": MIXED, "public_key": MIXED}),
    "postgresql://user:password@localhost:5432/db",
    "int sig=5;sig=SIGTERM; ?signature={signature} ?Signature=xxxx&Signature=<signature>",
    "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== is the example of RFC 7617",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS, ids=range(len(SECRETS)))
def test_unknown_secrets_are_found_and_masked(text: str, secret: str) -> None:
    """By one table: what the scanner finds, the redactor masks, and then the scanner finds none."""
    assert Scanner().scan(text.encode()) != []
    clean = Redactor().body(text.encode())
    assert secret.encode() not in clean
    assert Scanner().scan(clean) == []


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_ordinary_texts_are_unchanged(text: str) -> None:
    """Examples of documentation, prose, code, signatures of thinking blocks, nonces, cursors."""
    assert Scanner().scan(text.encode()) == []
    assert Redactor().body(text.encode()) == text.encode()


def test_a_password_in_the_address_of_a_request_is_masked() -> None:
    """Also one that documentation uses."""
    from harness.types import Request

    request = Request("GET", "https://user:password@host/a?b=c:d@e")
    assert Redactor().request(request).uri == "https://user:REDACTED@host/a?b=c:d@e"


def test_a_key_with_few_digits_is_found_by_its_name() -> None:
    """Too regular to be one by its letters alone."""
    key = "bWitsITvNsUHbDwx7"
    assert [leak.kind for leak in Scanner().scan(f'{{"api_key": "{key}"}}'.encode())] != []
    assert Scanner().scan(f'{{"kid": "{key}"}}'.encode()) == []


@pytest.mark.parametrize(
    ("member", "value"),
    [("conditions", "2026"), ("expiration", "2026"), ("conditions", "x" * 9001)],
)
def test_a_policy_of_an_upload_is_masked(member: str, value: str) -> None:
    """Of any length, without the padding of base64, too; any other policy is a setting."""
    policy = base64.b64encode(json.dumps({member: value}).encode()).decode().rstrip("=")
    assert len(policy) % 4 != 0
    body = json.dumps({"policy": policy}).encode()
    assert Redactor().body(body) == b'{"policy": "REDACTED"}'
    other = json.dumps({"policy": base64.b64encode(b'{"retry": 12345}').decode()}).encode()
    assert Redactor().body(other) == other


def test_letters_within_long_base64_data_are_no_key() -> None:
    """Data before the letters, or after them."""
    data = base64.b64encode(random.Random(1).randbytes(600)).decode()  # noqa: S311
    key = "AKIAIQ7FOD3NN7ZBCDEF"
    assert Scanner().scan(f"id {key}.".encode()) != []
    assert Scanner().scan(f"{data}/{key}.".encode()) == []
    assert Scanner().scan(f"id {key}/{data}".encode()) == []


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: {}",
        "cookie: theme=dark; session_token={}",
        *(f'"Authorization": "{" " * blanks}{{}}"' for blanks in range(1, 8)),
    ],
)
def test_a_header_in_a_text_is_masked_at_its_place(header: str) -> None:
    """Wherever it begins: all of its key, and nothing beside it."""
    for before in range(40):
        text = "x" * before + f"\n{header.format(MIXED)}\nand more"
        clean = Redactor().body(text.encode()).decode()
        assert clean == text.replace(MIXED, "REDACTED"), before


_WORDS = st.sampled_from(
    [
        *("token", "secret", "passwd", "Password", "passphrase", "pwd", "KEY", "id", "value"),
        *("credentials", "signature", "accessid", "policy", "authorization", "cookie", "bearer"),
        *("jwt", "_pass", "client", "assertion", "code", "verifier", "a", "\n", "\xe9"),
        *("_", "-", ".", ":", "=", "=>", ">", " ", "\t", "\\", '"', "'", "`"),
    ]
)


@given(st.lists(_WORDS, max_size=30).map("".join), st.sampled_from((1, 2, 7, 30, 2**18)))
def test_names_are_found_as_by_one_pattern(text: str, length: int) -> None:
    """Only what is near signs is read, which finds each match of the pattern in the whole text.

    It is the same wherever the text is cut into slices.
    """
    expected = [match.span() for match in names._ENDS.finditer(text)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "_SLICE", length)
        assert [match.span() for match in names._ends(text, [])] == expected


@pytest.mark.parametrize("length", [1, 19, 20, 21, 50, 2**18])
def test_fields_are_found_wherever_a_text_is_cut(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """A field of a form is found once, in the slice that has the end of its header's name."""
    monkeypatch.setattr(names, "_SLICE", length)
    header = 'Content-DISPOSITION: form-data; name="api_key"\r\n\r\n'
    for before in range(60):
        text = f"{'x' * before}\r\n{header}{MIXED}\r\n--x\r\n{header}{MIXED}\r\n--x--"
        hits = [hit for hit in names.beside_names(text) if hit.name == "api_key"]
        assert [text[hit.start : hit.end] for hit in hits] == [MIXED, MIXED]
