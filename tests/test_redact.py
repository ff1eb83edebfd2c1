"""No secret reaches the disk, and nothing else is touched."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.dialects import HEADERS
from harness.errors import SecretLeft
from harness.redact import REQUEST_HEADERS, RESPONSE_HEADERS, Redactor
from harness.types import Exchange, Request, Response

ID, SECRET = "1234567890abcdef1234567890abcdef", "Ab3dEf6hIj9lMnOp"
ZHIPU = f"{ID}.{SECRET}"
DASHSCOPE = "sk-0123456789abcdef0123456789abcdef"
ODD = 'pa/ss+w"ord=ü&1'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJhcGlfa2V5IjoiMTIzIn0.c2lnbmF0dXJl"

REDACTOR = Redactor((ZHIPU, ID, SECRET, DASHSCOPE, ODD))
EXCHANGE = Exchange(
    Request("POST", "https://host/v1/chat", (("Accept", "*/*"),), b'{"a":1}'),
    Response(200, "OK", (("Content-Type", "application/json"),), b'{"b":2}'),
    chunks=(3, 4),
)


def asking(body: str = "", uri: str = "https://host/v1", **headers: str) -> Exchange:
    """The plain exchange with another request."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return replace(EXCHANGE, request=Request("POST", uri, pairs, body.encode()))


def answering(body: bytes, *headers: tuple[str, str]) -> Exchange:
    """The plain exchange with another response."""
    return replace(EXCHANGE, response=Response(200, "OK", headers, body))


def test_what_holds_no_secret_stays_as_it_is() -> None:
    """The same exchange, chunks included."""
    assert REDACTOR.exchange(EXCHANGE) == EXCHANGE


# --------------------------------------------------------------------------------- headers


def test_only_listed_request_headers_are_kept() -> None:
    """Whatever the case of their names; credentials keep only their scheme."""
    headers = {
        "Content-Type": "application/json",
        "X-DashScope-SSE": "enable",
        "User-Agent": "me/1.0 (my-machine)",
        "Cookie": "acw_tc=1",
        "X-Api-Key": "hush",
    }
    exchange = asking(**headers)
    assert REDACTOR.exchange(exchange).request.headers == (("Content-Type", "application/json"),)
    told = replace(REDACTOR, headers=frozenset({"x-dashscope-sse"}))
    assert told.exchange(exchange).request.headers == (
        ("Content-Type", "application/json"),
        ("X-DashScope-SSE", "enable"),
    )


def test_only_listed_response_headers_are_kept() -> None:
    """No cookie, but where a redirect leads, its signature masked."""
    exchange = answering(
        b"",
        ("Set-Cookie", "a=b"),
        ("X-Request-Id", "1"),
        ("Location", "https://a/?Signature=s3cr3t"),
    )
    assert REDACTOR.exchange(exchange).response.headers == (
        ("X-Request-Id", "1"),
        ("Location", "https://a/?Signature=REDACTED"),
    )


def test_listed_headers_are_in_lower_case() -> None:
    """As names are compared in lower case."""
    for listed in (REQUEST_HEADERS, RESPONSE_HEADERS, HEADERS):
        assert listed == {name.lower() for name in listed}
        assert not listed & {"cookie", "set-cookie", "authorization", "user-agent"}


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("Bearer sk-unknown", "Bearer REDACTED"),
        ("bearer  x", "bearer REDACTED"),
        ("Basic dXNlcjpwYXNz", "Basic REDACTED"),
        ("unknownkey", "REDACTED"),
        ("unknownkey rest", "REDACTED"),
        ("", "REDACTED"),
        ("Bearer REDACTED", "Bearer REDACTED"),
    ],
)
def test_credentials_are_masked_whoever_they_are(value: str, left: str) -> None:
    """Also keys that nobody told us of, and schemes nobody knows."""
    (header,) = REDACTOR.exchange(asking(authorization=value)).request.headers
    assert header == ("authorization", left)


# ------------------------------------------------------------------------------------ keys

FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "in an address": lambda key: quote(key, safe=""),
    "in an address, slashes kept": quote,
    "in a form": quote_plus,
    "in an address, lower case": lambda key: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(key, safe="")
    ),
    "in JSON": lambda key: json.dumps(key)[1:-1],
    "in JSON, Chinese as Chinese": lambda key: json.dumps(key, ensure_ascii=False)[1:-1],
    "in JSON, slashes escaped": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64 for addresses": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "in base64, no padding": lambda key: base64.b64encode(key.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("key", [ZHIPU, ID, SECRET, DASHSCOPE, ODD])
@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_found_in_every_form_and_place(key: str, form: str) -> None:
    """In the address, the headers, the bodies and the reason; what is around it stays."""
    written = FORMS[form](key)
    exchange = Exchange(
        Request("POST", f"https://a/你?k={written}&x", (("accept", f"a {written} b"),), b""),
        Response(400, f"no {written}!", (("server", f"{written},"),), b""),
    )
    body = f"<你好 {written} 再见>".encode()
    exchange = replace(
        exchange,
        request=replace(exchange.request, body=body),
        response=replace(exchange.response, body=body),
    )
    assert REDACTOR.exchange(exchange) == Exchange(
        Request(
            "POST",
            "https://a/你?k=REDACTED&x",
            (("accept", "a REDACTED b"),),
            "<你好 REDACTED 再见>".encode(),
        ),
        Response(400, "no REDACTED!", (("server", "REDACTED,"),), "<你好 REDACTED 再见>".encode()),
    )


@pytest.mark.parametrize("shift", range(6))
def test_a_key_inside_longer_base64_is_found(shift: int) -> None:
    """Wherever it begins there, such as in basic credentials."""
    for key in (ZHIPU, DASHSCOPE, ODD):
        text = base64.b64encode(b"user:"[:shift] + key.encode() + b":more").decode()
        head, found, tail = REDACTOR.text(text).partition("REDACTED")
        assert found
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) <= 2 * shift
        assert len(tail) <= len(":more") * 2


def test_a_half_of_a_key_is_a_key() -> None:
    """Either half of Zhipu's, where they are listed."""
    assert REDACTOR.text(f"{ID} and {SECRET} and {ZHIPU}") == "REDACTED and REDACTED and REDACTED"


def test_short_texts_are_not_taken_for_secrets() -> None:
    """Seven characters stand in ordinary words, in any form; eight do not."""
    redactor = Redactor(("", "you", "1234567", "12345678"))
    text = f"you 1234567 {base64.b64encode(b'1234567').decode()}"
    assert redactor.text(text) == text
    assert redactor.text("123456789") == "REDACTED9"


def test_a_redactor_does_not_show_its_secrets() -> None:
    """Test runners print what they find."""
    assert repr(REDACTOR) == "Redactor(headers=frozenset())"


# ------------------------------------------------------------------------- links and tokens


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "https://oss/a.png?Expires=1&OSSAccessKeyId=LTAI5t&Signature=a%2Bb%3D&x=1",
            "https://oss/a.png?Expires=1&OSSAccessKeyId=REDACTED&Signature=REDACTED&x=1",
        ),
        (
            "/a?x-oss-credential=L%2F2%2Fcn&x-oss-date=1&x-oss-signature=0f&security-token=CAI",
            "/a?x-oss-credential=REDACTED&x-oss-date=1&x-oss-signature=REDACTED"
            "&security-token=REDACTED",
        ),
        (
            "/a?X-Amz-Credential=A/1/us&X-Amz-Expires=9&X-Amz-Signature=0f",
            "/a?X-Amz-Credential=REDACTED&X-Amz-Expires=9&X-Amz-Signature=REDACTED",
        ),
        (
            "u=https%3A%2F%2Foss%3FExpires%3D1%26Signature%3Da%252Bb%253D%26x%3D1&y=2",
            "u=https%3A%2F%2Foss%3FExpires%3D1%26Signature%3DREDACTED%26x%3D1&y=2",
        ),
        ("u=https%3A%2F%2Foss%3fSignature%3dab", "u=https%3A%2F%2Foss%3fSignature%3dREDACTED"),
        (
            r'{"url":"https://oss?Expires\u003d1\u0026Signature\u003dab\u003d\u0026x\u003d1"}',
            r'{"url":"https://oss?Expires\u003d1\u0026Signature\u003dREDACTED\u0026x\u003d1"}',
        ),
        ("![图](https://oss?Signature=ab)，好", "![图](https://oss?Signature=REDACTED)，好"),
        ("见½Signature=ab，好", "见½Signature=REDACTED，好"),
        ('<a href="?a&amp;Signature=ab">', '<a href="?a&amp;Signature=REDACTED">'),
        ("MySignature=ab Signature: cd Signature=", "MySignature=ab Signature: cd Signature="),
        (f"令牌{JWT}，token%3D{JWT}", "令牌REDACTED，token%3DREDACTED"),
        ("eyJhbGciOiJIUzI1NiJ9 alone", "eyJhbGciOiJIUzI1NiJ9 alone"),
    ],
)
def test_signatures_and_tokens_are_masked(text: str, left: str) -> None:
    """In texts and in bodies alike; once is enough."""
    assert REDACTOR.text(text) == left
    assert REDACTOR.body(text.encode()) == left.encode()
    assert REDACTOR.text(left) == left


# ----------------------------------------------------------------------------------- bytes


def test_a_picture_is_not_touched() -> None:
    """Nor is any other body that holds no secret."""
    file = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(file, "PNG")
    exchange = answering(file.getvalue(), ("content-length", str(len(file.getvalue()))))
    assert REDACTOR.exchange(exchange) == replace(exchange)


def test_a_body_that_is_no_text_is_searched_too() -> None:
    """Bytes around a key stay, whatever they are."""
    body = bytes(range(256)) + DASHSCOPE.encode() + b"\xff\x00"
    assert REDACTOR.body(body) == bytes(range(256)) + b"REDACTED\xff\x00"


def test_a_changed_body_has_its_new_length_and_no_chunks() -> None:
    """So that no client waits for bytes that are not there any more."""
    body = f'{{"key":"{DASHSCOPE}"}}'.encode()
    clean = REDACTOR.exchange(answering(body, ("Content-Length", str(len(body)))))
    assert clean.response.body == b'{"key":"REDACTED"}'
    assert clean.response.headers == (("Content-Length", "18"),)
    assert clean.chunks == ()


def test_a_body_nobody_can_look_into_is_refused() -> None:
    """What cannot be made safe is not written."""
    with pytest.raises(SecretLeft) as caught:
        REDACTOR.exchange(answering(b"?", ("Content-Encoding", "br")))
    assert str(caught.value) == (
        "what POST answered came in the content coding br, which could not be undone to look for "
        "secrets; nothing was written"
    )
    REDACTOR.exchange(answering(b"?", ("Content-Encoding", "identity")))
    REDACTOR.exchange(answering(b"", ("Content-Encoding", "br")))


@pytest.mark.parametrize(
    "exchange",
    [
        asking("a REDACTED b"),
        asking(uri="https://a/REDACTED"),
        asking(accept="REDACTED"),
        answering(b"REDACTED"),
        answering(b"", ("server", "REDACTED")),
        replace(EXCHANGE, response=Response(200, "REDACTED")),
    ],
)
def test_a_secret_that_is_left_is_an_error(exchange: Exchange) -> None:
    """A key that is itself the placeholder cannot be taken out; the message does not say it."""
    with pytest.raises(SecretLeft) as caught:
        Redactor(("REDACTED",)).exchange(exchange)
    assert str(caught.value) == (
        "a key would still be readable in what POST answered; nothing was written"
    )


PIECES = st.lists(
    st.sampled_from(
        [
            *(form(key) for form in FORMS.values() for key in (ZHIPU, DASHSCOPE, ODD)),
            *("Signature=", "OSSAccessKeyId%3D", r"\u0026Signature\u003d", "&", "?", "%26", "%3D"),
            *("REDACTED", JWT, "eyJhbGci", ".", "=", "你好", "\u00aa", "x", "/", ODD[:7], "%25"),
        ]
    )
    | st.text(max_size=5)
).map("".join)


@given(PIECES)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """What is clean stays as it is; texts and bodies are read alike."""
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once
    assert not any(key in once for key in (ZHIPU, ID, SECRET, DASHSCOPE, ODD))


@given(PIECES.map(str.encode) | st.binary())
def test_bodies_are_redacted_as_texts_are(body: bytes) -> None:
    """Bytes that are text are treated as that text; and twice is once."""
    once = REDACTOR.body(body)
    assert REDACTOR.body(once) == once
    try:
        assert once == REDACTOR.text(body.decode()).encode()
    except UnicodeDecodeError:
        assert DASHSCOPE.encode() not in once


@given(st.binary(), st.binary())
def test_no_other_byte_changes(before: bytes, after: bytes) -> None:
    """Around a key, everything is as it was."""
    redactor = Redactor((DASHSCOPE,))
    assert redactor.body(before + DASHSCOPE.encode() + after) == before + b"REDACTED" + after
