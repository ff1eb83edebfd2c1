"""No secret reaches the disk, and nothing else is touched."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.cassette.reader import loads
from harness.errors import SecretNotRedacted
from harness.providers.dashscope.sandbox import KEY as DASHSCOPE_KEY
from harness.providers.endpoints import HEADERS
from harness.providers.zhipu.sandbox import KEY as ZHIPUAI_KEY
from harness.secrets.redactor import HOP_BY_HOP, REQUEST_HEADERS, Redactor
from harness.secrets.search import Search
from harness.secrets.texts import streams
from harness.types import CodedBody, Exchange, Request, Response
from harness.wire import codings

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


def test_an_exchange_without_secrets_is_unchanged() -> None:
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
    redactor = replace(REDACTOR, headers=frozenset({"x-dashscope-sse"}))
    assert redactor.exchange(exchange).request.headers == (
        ("Content-Type", "application/json"),
        ("X-DashScope-SSE", "enable"),
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("X-Request-Id", "1", "1"),
        ("x-should-retry", "false", "false"),
        ("x-ratelimit-remaining-tokens", "149984", "149984"),
        ("link", '<https://a/b?page=2>; rel="next"', '<https://a/b?page=2>; rel="next"'),
        ("etag", 'W/"33a64df551425fcc55e4d42a148795d9f25f89d4"', None),
        ("content-disposition", 'attachment; filename="你好.txt"', None),
        ("Location", "https://a/?Signature=s3cr3t", "https://a/?Signature=REDACTED"),
        ("Set-Cookie", "sid=1", "sid=REDACTED"),
        ("set-cookie", "a=b=c; Path=/; HttpOnly", "a=REDACTED; Path=/; HttpOnly"),
        ("set-cookie", "gone=; Max-Age=0", "gone=; Max-Age=0"),
        ("set-cookie", "sid=REDACTED; Secure", "sid=REDACTED; Secure"),
        ("x-auth-token", "9f8e7d6c5b4a39281706f5e4", "REDACTED"),
        ("authorization", "Bearer unknown", "Bearer REDACTED"),
        ("x-note", DASHSCOPE, "REDACTED"),
        ("x-note", "sk-a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6", "REDACTED"),
    ],
)
def test_response_headers_are_kept_with_secret_values_masked(
    name: str, value: str, expected: str | None
) -> None:
    """Names are kept; cookies keep their attributes, links and tags their values."""
    exchange = answering(b"", (name, value))
    once = REDACTOR.exchange(exchange)
    assert once.response.headers == ((name, value if expected is None else expected),)
    assert REDACTOR.exchange(once) == once


def test_response_headers_about_the_connection_are_dropped() -> None:
    """Hop-by-hop headers are dropped, but for Transfer-Encoding, by which chunks are delivered."""
    names = ("Connection", "Keep-Alive", "Upgrade", "Trailer", "Transfer-Encoding")
    exchange = answering(b"", *((name, "chunked") for name in names))
    assert REDACTOR.exchange(exchange).response.headers == (("Transfer-Encoding", "chunked"),)


def test_listed_headers_are_in_lower_case() -> None:
    """As names are compared in lower case."""
    for listed in (REQUEST_HEADERS, HOP_BY_HOP, HEADERS):
        assert listed == {name.lower() for name in listed}
        assert not listed & {"cookie", "set-cookie", "authorization", "user-agent"}


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_all_credentials_are_masked(value: str, expected: str) -> None:
    """Also unknown keys and unknown schemes."""
    (header,) = REDACTOR.exchange(asking(authorization=value)).request.headers
    assert header == ("authorization", expected)


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
    "in HTML, every letter": lambda key: "".join(f"&#x{ord(letter):x};" for letter in key),
    "in a program": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "in hexadecimal with colons": lambda key: key.encode().hex(":"),
    "in base64, no padding": lambda key: base64.b64encode(key.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("coding", [gzip, zlib])
def test_a_key_is_found_in_compressed_data_in_hexadecimal(coding: Any) -> None:
    """What is beside the key in the data stays."""
    digits = coding.compress(f"hello {DASHSCOPE} there".encode()).hex()
    clean = Redactor((DASHSCOPE,)).text(f"<{digits}>")
    assert coding.decompress(bytes.fromhex(clean[1:-1])) == b"hello REDACTED there"


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
    """Wherever it begins there, such as in basic credentials; what is left can be decoded."""
    for key in (ZHIPU, DASHSCOPE, ODD):
        text = base64.b64encode(b"user:"[:shift] + key.encode() + b":more").decode()
        clean = base64.b64decode(REDACTOR.text(text))
        assert clean == b"user:"[:shift] + b"REDACTED:more"


@pytest.mark.parametrize("before", ["/x/", "a_b-"])
def test_a_key_in_base64_that_begins_elsewhere_is_found(before: str) -> None:
    """Letters before it may be taken for base64, too."""
    for shift in range(3):
        for key in (ZHIPU, DASHSCOPE, ODD):
            text = before + base64.b64encode(b"user:"[:shift] + key.encode() + b":more").decode()
            clean = REDACTOR.text(text)
            assert not any(key.encode()[2:-2] in seen for seen in decoded(clean.encode()))


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
    """Test runners print the representation."""
    assert repr(REDACTOR) == "Redactor(headers=frozenset())"


# ------------------------------------------------------------------------- links and tokens


@pytest.mark.parametrize(
    ("text", "expected"),
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
        ("见½Signature=ab，好", "见½Signature=ab，好"),
        ("Signature=Base64(HMAC(key, text))", "Signature=Base64(HMAC(key, text))"),
        ('<a href="?a&amp;Signature=ab">', '<a href="?a&amp;Signature=REDACTED">'),
        ("MySignature=ab Signature: cd Signature=", "MySignature=ab Signature: cd Signature="),
        (f"令牌{JWT}，token%3D{JWT}", "令牌REDACTED，token%3DREDACTED"),
        ("eyJhbGciOiJIUzI1NiJ9 alone", "eyJhbGciOiJIUzI1NiJ9 alone"),
    ],
)
def test_signatures_and_tokens_are_masked(text: str, expected: str) -> None:
    """In texts and in bodies alike; once is enough."""
    assert REDACTOR.text(text) == expected
    assert REDACTOR.body(text.encode()) == expected.encode()
    assert REDACTOR.text(expected) == expected


# ----------------------------------------------------------------------------------- bytes


def test_a_picture_is_not_touched() -> None:
    """Nor is any other body that holds no secret."""
    file = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(file, "PNG")
    exchange = answering(file.getvalue(), ("content-length", str(len(file.getvalue()))))
    assert REDACTOR.exchange(exchange) == replace(exchange)


def test_a_binary_body_is_searched() -> None:
    """Any bytes around a key are unchanged."""
    body = bytes(range(256)) + DASHSCOPE.encode() + b"\xff\x00"
    assert REDACTOR.body(body) == bytes(range(256)) + b"REDACTED\xff\x00"


def test_a_changed_body_has_its_new_length_and_no_chunks() -> None:
    """A client would wait for the missing bytes otherwise."""
    body = f'{{"key":"{DASHSCOPE}"}}'.encode()
    clean = REDACTOR.exchange(answering(body, ("Content-Length", str(len(body)))))
    assert clean.response.body == b'{"key":"REDACTED"}'
    assert clean.response.headers == (("Content-Length", "18"),)
    assert clean.chunks == ()


def test_a_body_that_cannot_be_decoded_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install; a coding that hides nothing is not refused."""
    monkeypatch.setattr(codings, "_decoder", lambda _: None)
    with pytest.raises(SecretNotRedacted) as caught:
        REDACTOR.exchange(answering(b"?", ("Content-Encoding", "br")))
    assert str(caught.value) == (
        "the response to POST has the content coding br, which could not be undone to look for "
        "secrets; nothing was written; install brotli, or send Accept-Encoding: gzip"
    )
    for coding in ("identity", "utf-8", "aws-chunked"):
        exchange = answering(b"?", ("Content-Encoding", coding))
        assert REDACTOR.exchange(exchange) == exchange
    REDACTOR.exchange(answering(b"", ("Content-Encoding", "br")))


def test_a_coded_body_without_secrets_is_kept() -> None:
    """A body whose coding was undone is kept as it was sent, unless a secret was removed."""
    for text, kept in (("nothing", True), (DASHSCOPE, False)):
        raw = gzip.compress(text.encode())
        exchange = replace(
            answering(text.encode()), coded=CodedBody("gzip", raw, (len(raw),), len(raw)), chunks=()
        )
        coded = REDACTOR.exchange(exchange).coded
        assert coded == (exchange.coded if kept else CodedBody("gzip", b"", (), len(raw)))


def test_a_secret_beside_the_coded_data_is_refused() -> None:
    """A comment in gzip's header is no part of the decoded body, and searched."""
    raw = gzip.compress(b"nothing")
    commented = raw[:3] + b"\x10" + raw[4:10] + DASHSCOPE.encode() + b"\0" + raw[10:]
    assert gzip.decompress(commented) == b"nothing"
    exchange = replace(answering(b"nothing"), coded=CodedBody("gzip", commented))
    with pytest.raises(SecretNotRedacted, match="the compressed response body"):
        REDACTOR.exchange(exchange)


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
def test_a_secret_that_cannot_be_removed_is_an_error(exchange: Exchange) -> None:
    """A key that equals the placeholder; the message says where it is."""
    with pytest.raises(SecretNotRedacted) as caught:
        Redactor(("REDACTED",)).exchange(exchange)
    assert re.fullmatch(
        "a known key would still be readable in the [a-z ]+ of a POST; nothing was written",
        str(caught.value),
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


# ------------------------------------------------------------------------- unknown keys

AWS = "AKIA" + "Q7ZC5D2M9KXW4TBN"
PEM = "-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA04up8hoqzS1APIB0RhjXyObwHQnOzhAk5B"
UNKNOWN = {
    "an sk- key": [
        "sk-fedcba9876543210fedcba9876543210",
        "sk-gdnyfqawvskwiyaavrlnvbtqzxkehcmpjoudsgrifwlaytkb",
        "sk-proj-Wb3dEf7hIj9lMnOqQr2tUv5x_Yz-Q8r7T6",
    ],
    "an Ark key": ["ark-2a325260-ebfd-4409-8e1f-5d6c7b8a9f0e-4d7a1"],
    "a LangSmith key": ["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"],
    "a Twilio key": ["SK" + "fedcba9876543210" * 2],
    "a Mailchimp key": ["fedcba9876543210" * 2 + "-us12"],
    "a Cerebras key": ["csk-" + "Zq8Rw3TkYu5Vb1Xc" * 3],
    "a Postman key": ["PMAK-fedcba9876543210fedcba98-" + "0a1b2c3d4e5f6a7b8" * 2],
    "a Dify key": ["app-uTquvcsQzEMJXPpq4YeZg8Rw"],
    "a Vault token": ["hvs.N62fArWxyPjrNg7N4GKv" + "Zq8Rw3TkYu5Vb1Xc" * 4],
    "an id.secret key": ["fedcba9876543210fedcba9876543210.Zz3dEf6hIj9lMnOp"],
    "an access key id": ["LTAI5tQ7zC5D2m9KxW4TbN8e", AWS],
    "a private key": [PEM],
}
PLACES: dict[str, Callable[[str], Exchange]] = {
    "the address": lambda key: asking(uri=f"https://host/{key}"),
    "the reason": lambda key: replace(EXCHANGE, response=Response(400, f"no {key}")),
    "the request header accept": lambda key: asking(accept=f"a {key}"),
    "the request body, byte 6": lambda key: asking(f'{{"a":"{key}"}}'),
    "the response body, byte 3": lambda key: answering(f"\u4f60{key}".encode()),
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("key", [key for listed in UNKNOWN.values() for key in listed])
def test_an_unknown_key_is_masked(key: str, where: str) -> None:
    """Wherever it is, and nothing else; of a private key, all but its first line."""
    clean = REDACTOR.exchange(PLACES[where](key))
    masked = key if key != PEM else PEM.removeprefix("-----BEGIN RSA PRIVATE KEY-----")
    chunks = () if where.startswith("the response body") else EXCHANGE.chunks
    assert clean == replace(PLACES[where](key.replace(masked, "REDACTED")), chunks=chunks)


IN_LONG_TEXTS = (
    "Authorization: Bearer%20%20%20mF9-B5f4_1JqMxQ2",
    "Basic bWU6aHVudGVyMng=",
    "https://me:hunter2x@host/",
    r"password\\\": \\\"hunter2-Xq!\\\"",
    "client_assertion   =>   '7Gh2kQ9xLm4Zp1Rt'",
)


@pytest.mark.parametrize("before", ["the cat sat on a mat; ", "chatcmpl-0123456789abcdef and 1"])
def test_a_secret_in_a_long_text_is_found(before: str) -> None:
    """A long text is searched near its runs of letters and its signs only."""
    for text in (*IN_LONG_TEXTS, *(key for listed in UNKNOWN.values() for key in listed)):
        secret, around = f" {text} --", before * 50
        shifted = [
            (found.start + len(around), found.end + len(around)) for found in Search().find(secret)
        ]
        found = Search().find(around + secret + " a b" * 100)
        assert [(one.start, one.end) for one in found] == shifted
        assert found or text not in IN_LONG_TEXTS


def url(text: str) -> str:
    """Return *text* with every character escaped as in a URL."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def json_text(text: str) -> str:
    """Return *text* with every character escaped as in JSON."""
    return "".join(f"\\u{ord(character):04x}" for character in text)


ESCAPES: dict[str, Callable[[str], str]] = {
    "URL": url,
    "URL in URL": lambda key: url(url(key)),
    "JSON": json_text,
    "URL in JSON": lambda key: json_text(url(key)),
    "URL in URL in JSON": lambda key: json_text(url(url(key))),
}


@pytest.mark.parametrize(("times", "is_masked"), [(4, True), (5, False)])
def test_base64_in_base64_is_undone_four_times(times: int, is_masked: bool) -> None:
    """No more, so that no text takes endless time."""
    text = "sk-" + "a1b2c3d4" * 4
    for _ in range(times):
        text = base64.b64encode(f"x {text} y".encode()).decode()
    assert (REDACTOR.text(text) != text) == is_masked


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("key", [key for listed in UNKNOWN.values() for key in listed])
def test_an_escaped_unknown_key_is_masked(key: str, escape: str) -> None:
    """Whatever it is escaped for, once or twice; what is around it is unchanged."""
    clean = REDACTOR.exchange(asking(f"see {ESCAPES[escape](key)} --")).request.body.decode()
    assert clean.startswith("see ")
    assert clean.replace(" ", "").endswith("REDACTED--")


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("in_json", [False, True])
def test_a_known_key_escaped_several_times_is_masked(times: int, in_json: bool) -> None:
    """A URL in a URL in a URL, which may be in JSON."""
    text = ODD
    for _ in range(times):
        text = quote(text, safe="")
    text = text.replace("%", "\\u0025") if in_json else text
    assert REDACTOR.exchange(answering(f"<{text}>".encode())).response.body == b"<REDACTED>"


@pytest.mark.parametrize("key", [DASHSCOPE, UNKNOWN["an sk- key"][0]])
def test_a_key_in_pieces_is_masked(key: str) -> None:
    """A client joins the pieces of a stream; the first of them gets the placeholder."""
    pieces = (f"it is {key[:9]}", key[9:20], f"{key[20:]}.")
    clean = REDACTOR.exchange(answering(stream(*pieces)))
    assert clean.response.body == stream("it is REDACTED", "", ".")
    part = answering(stream(key[:9], key[9:15]))
    assert REDACTOR.exchange(part) == part


def _choice(index: int, piece: str) -> Any:
    return {"choices": [{"index": index, "delta": {"content": piece}}]}


def _two_choices(index: int, piece: str) -> Any:
    """Put both choices into one event, the other first and empty."""
    other = {"index": 1 - index, "delta": {"content": ""}}
    return {"choices": [other, {"index": index, "delta": {"content": piece}}]}


def _tool_call(index: int, piece: str) -> Any:
    call = {"index": index, "function": {"arguments": piece}}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def _content_block(index: int, piece: str) -> Any:
    return {"type": "content_block_delta", "index": index, "delta": {"text": piece}}


def _output_item(index: int, piece: str) -> Any:
    return {"output_index": index, "content_index": 0, "delta": piece}


def _output_part(index: int, piece: str) -> Any:
    return {"output_index": 0, "content_index": index, "delta": piece}


def _text_parts(index: int, piece: str) -> Any:
    """A piece in parts, as some models answer: a client joins them."""
    content = [{"text": piece[: len(piece) // 2]}, {"text": piece[len(piece) // 2 :]}]
    return {"output": {"choices": [{"index": index, "message": {"content": content}}]}}


def _item_id(index: int, piece: str) -> Any:
    return {"type": "response.output_text.delta", "item_id": f"msg_{index}", "delta": piece}


def _call_id(index: int, piece: str) -> Any:
    call = {"id": f"call_{index}", "function": {"arguments": piece}}
    return {"choices": [{"delta": {"tool_calls": [call]}}]}


INTERLEAVED = (
    *(
        _item_id,
        _call_id,
        _choice,
        _two_choices,
        _tool_call,
        _content_block,
        _output_item,
        _output_part,
        _text_parts,
    ),
)


@settings(max_examples=60)
@given(
    key=st.sampled_from([DASHSCOPE, ZHIPU, ODD, "hunthunt"]),
    form=st.sampled_from(INTERLEAVED),
    index=st.integers(0, 1),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=5, unique=True),
    others=st.lists(st.integers(0, 3), min_size=6, max_size=6),
    written=st.sampled_from(["data: {}\n\n", "{}\n"]),
)
def test_a_known_key_in_pieces_among_others_is_masked(
    key: str,
    form: Callable[[int, str], Any],
    index: int,
    cuts: list[int],
    others: list[int],
    written: str,
) -> None:
    """A client joins the pieces of each text, although those of two texts alternate.

    The stream is one of events or of JSON lines.
    """
    edges = [0, *sorted(cuts), len(key)]
    pieces = [key[start:end] for start, end in pairwise(edges)]

    def answer(pieces: list[str]) -> Exchange:
        events = []
        for piece, count in zip(pieces, others, strict=False):
            events.append(form(index, piece))
            events += [form(1 - index, "other words ")] * count
        return answering("".join(written.format(json.dumps(e)) for e in events).encode())

    redactor = Redactor((key,))
    clean = redactor.exchange(answer(pieces))
    masked = answer(["REDACTED"] + [""] * (len(pieces) - 1))
    assert clean.response == masked.response or form is _text_parts
    assert not any(key in joined.text for joined in streams(clean.response.body))
    without_its_end = answer(pieces[:-1])
    assert redactor.exchange(without_its_end) == without_its_end


def test_a_known_key_in_pieces_of_plain_text_is_masked() -> None:
    """Events need not be JSON."""
    body = f"data: {DASHSCOPE[:9]}\n\ndata: {DASHSCOPE[9:]}\n\n".encode()
    assert REDACTOR.body(body) == b"data: REDACTED\n\ndata: \n\n"


def stream(*pieces: str) -> bytes:
    """Return a stream that sends a text in these pieces."""
    events = ({"choices": [{"delta": {"content": piece}}]} for piece in pieces)
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)


@pytest.mark.parametrize(
    "text",
    [
        ZHIPUAI_KEY,
        DASHSCOPE_KEY,
        "sk-00000000000000000000000000000000",
        "00000000000000000000000000000000.0000000000000000",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx and sk-your-dashscope-api-key-1234567890ab",
        "sk-learn-a-very-long-hyphenated-recommendation 1",
        "sk-internationalizations and sk-internationalization-1",
        "task-0123456789abcdef0123456789abcdef a-sk-0123456789abcdef0123456789abcdef",
        "chatcmpl-0123456789abcdef call_0123456789abcdef01234567 2025101418302199ab12cd34ef5678ab",
        "d53f1897-8412-4174-8152-f5e545945255 0123456789abcdef0123456789abcdef.png",
        "LTAI AKIA LTAI... AKIAQ7ZC5D2M9KXW4TBNmore",
        "-----BEGIN RSA PRIVATE KEY-----\n(your key)\n-----END RSA PRIVATE KEY-----",
        base64.b64encode(bytes(range(256)) * 8).decode() + "/" + AWS + "/" + "Ab3d" * 90,
    ],
)
def test_what_only_looks_like_a_key_may_be_written(text: str) -> None:
    """Placeholders, ids, names, files in base64; and what the sandbox publishes."""
    assert Redactor().body(text.encode()) == text.encode()
    exchange = answering(text.encode())
    assert Redactor().exchange(exchange) == exchange


RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
FILES = sorted(RECORDINGS.glob("*/*.yaml"))


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason=f"no real recordings at {RECORDINGS}")
def test_no_real_recording_is_refused() -> None:
    """What the live services send has ids of every form, and no key."""
    redactor = Redactor((), HEADERS)
    cassettes = [loads(path.read_text(encoding="utf-8"), str(path)) for path in FILES]
    kept = [
        redactor.exchange(exchange) for recording in cassettes for exchange in recording.exchanges
    ]
    assert len(kept) == 197


# ------------------------------------------------------------------------------- many plants

PLANTS = 2_000
"""Each key in each way at each place, and some more; `make fuzz` has ten thousand."""


def _in_base64(shift: int, encode: Callable[[bytes], bytes], padded: bool) -> Callable[[str], str]:
    """How a key is written after so many other bytes."""

    def write(key: str) -> str:
        text = encode(b"u:"[:shift] + key.encode()).decode()
        return text if padded else text.rstrip("=")

    return write


ESCAPED: dict[str, Callable[[str], str]] = {
    "raw": str,
    "URL": lambda key: quote(key, safe=""),
    "URL, lower case": lambda key: re.sub("%..", lambda e: e[0].lower(), quote(key, safe="")),
    "URL, every letter": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "URL, every letter, lower case": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "URL twice": lambda key: quote(quote(key, safe=""), safe=""),
    "JSON": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "JSON, upper case": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    **{
        f"base64, {shift} before, {encode.__name__}, {padded=}": _in_base64(shift, encode, padded)
        for shift in range(3)
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        for padded in (True, False)
    },
}
PACKED: dict[str, Callable[[str], bytes]] = {
    "gzip": lambda key: gzip.compress(f'{{"key":"{key}"}}'.encode()),
    "deflate": lambda key: zlib.compress(f"a key: {key}".encode()),
    "gzip in base64": lambda key: b'{"a":"%s"}' % base64.b64encode(gzip.compress(key.encode())),
    "deflate in base64": lambda key: (
        b"data: " + base64.urlsafe_b64encode(zlib.compress(key.encode()))
    ),
    "gzip in base64 in JSON": lambda key: (
        b'{"a":"%s"}' % base64.b64encode(gzip.compress(key.encode())).replace(b"/", b"\\/")
    ),
}


@pytest.mark.parametrize("how", PACKED)
@pytest.mark.parametrize("key", [ZHIPU, ID, SECRET, DASHSCOPE, ODD, "sk-Zb3kQ9xT7wLmN2vR8pYc5dHs"])
def test_a_key_in_gzip_is_masked(key: str, how: str) -> None:
    """In a request or an answer that is packed, or has a packed value, and is packed again."""
    body = PACKED[how](key)
    for exchange in (
        answering(body),
        replace(EXCHANGE, request=replace(EXCHANGE.request, body=body)),
    ):
        clean = REDACTOR.exchange(exchange)
        body = clean.response.body if exchange.request == EXCHANGE.request else clean.request.body
        assert [*Search((key,)).find(body.decode("latin-1"))] == []
        assert any(b"REDACTED" in plain for plain in unpacked(body))


def unpacked(body: bytes) -> Iterator[bytes]:
    """Everything that the body may be, decompressed or decoded; written apart from the harness."""
    for data in (body, *decoded(body.replace(b"\\/", b"/"))):
        with suppress(zlib.error):
            yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data)


PLANTED: dict[str, Callable[[str], Exchange]] = {
    "path": lambda text: asking(uri=f"https://host/v1/{text}/x"),
    "query": lambda text: asking(uri=f"https://host/v1?a=1&k={text}&b=2"),
    "request header": lambda text: asking(accept=f"a, {text}"),
    "authorization": lambda text: asking(authorization=f"Bearer {text}"),
    "response header": lambda text: answering(b"", ("location", f"/a?{text}")),
    "request value": lambda text: asking(f'{{"messages":[{{"content":"hi {text}."}}]}}'),
    "request name": lambda text: asking(f'{{"a":{{"{text}":1}}}}'),
    "response body": lambda text: answering(f'{{"output":{{"text":"你好 {text}"}}}}'.encode()),
    "delta": lambda text: answering(
        stream("你", "PLANT", "!").replace(b"PLANT", f"it is {text} ".encode())
    ),
    "error": lambda text: answering(f'{{"code":"1","message":"bad key {text}"}}'.encode()),
    "reason": lambda text: replace(EXCHANGE, response=Response(401, f"bad {text}")),
}


@pytest.mark.slow
def test_no_planted_key_escapes() -> None:
    """A key, somehow written, somewhere: taken out, or nothing is written."""
    chance = random.Random(7)  # noqa: S311 - the same every time
    ways = [
        (key, how, place)
        for key in (ZHIPU, ID, SECRET, DASHSCOPE, ODD)
        for how in ESCAPED
        for place in PLANTED
    ]
    came = Counter[str]()
    escaped = []
    for number in range(PLANTS):
        key, how, place = ways[number] if number < len(ways) else chance.choice(ways)
        around = chance.choice(("", "&", "/", ".", "=", "%20", "  ", "x1"))
        try:
            kept = REDACTOR.exchange(PLANTED[place](f"{ESCAPED[how](key)}{around[:1]}"))
        except SecretNotRedacted:
            came["refused"] += 1
            continue
        came["taken out"] += 1
        if any(key.encode()[2:-2] in seen for part in parts(kept) for seen in decoded(part)):
            escaped.append((key, how, place))
    assert escaped == []
    assert sum(came.values()) == PLANTS
    assert came["taken out"] > PLANTS / 2


def parts(exchange: Exchange) -> Iterator[bytes]:
    """All that would be written."""
    request, response = exchange.request, exchange.response
    yield from (request.body, response.body, request.uri.encode(), response.reason.encode())
    yield from (value.encode() for _, value in (*request.headers, *response.headers))


def decoded(text: bytes) -> Iterator[bytes]:
    """What somebody who knows every encoding might read in it; written apart from the harness."""
    plain = re.sub(rb"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)).encode(), text)
    for reading in (plain, unquote_to_bytes(plain), unquote_to_bytes(unquote_to_bytes(plain))):
        yield reading
        for run in re.findall(rb"[A-Za-z0-9+/_-]{12,}", reading):
            for start in range(4):
                whole = run[start : start + (len(run) - start) // 4 * 4]
                yield base64.b64decode(whole.translate(bytes.maketrans(b"-_", b"+/")))
