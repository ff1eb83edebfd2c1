"""The matching of requests with recorded ones, and what a miss says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CassetteMiss
from harness.intercept import matching
from harness.intercept.matching import canonical, closest, key_of, masked_places
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import without_keys
from harness.types import Cassette, Exchange, Request, Response
from harness.wire import Document, read_json

from .players import HOST, exchange, miss_of, player, request, text_of_answer

# ------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "body",
    [
        '{"a":[1,{"b":"你"}],"c":null}'.encode(),
        '{"c":null,"a":[1,{"b":"你"}]}'.encode(),
        b' {\n"a":[1,{"b" : "\\u4f60"}],"c":null} ',
    ],
)
def test_equivalent_requests_have_the_same_key(body: bytes) -> None:
    """Key order, spacing, escapes, headers, the host and the case of the method are ignored."""
    one = request("/v1?a=1", {"a": [1, {"b": "你"}], "c": None})
    other = Request("post", "http://127.0.0.1:1/v1?a=1", (("x", "y"),), body)
    assert key_of(other, ()) == key_of(one, ())


@pytest.mark.parametrize(
    "other",
    [
        request("/v1", {"a": [1, 2]}, "PUT"),
        request("/v2", {"a": [1, 2]}),
        request("/v1?x", {"a": [1, 2]}),
        request("/v1", {"a": [2, 1]}),
        request("/v1", {"a": [1, 2, 3]}),
        request("/v1", {"a": [1.0, 2]}),
        request("/v1", {"a": [True, 2]}),
        request("/v1", {"a": ["1", 2]}),
        request("/v1", {"a": [1, 2], "b": None}),
        request("/v1"),
        Request("POST", f"{HOST}/v1", (), b'{"a":[1,2],"a":[1,2]}'),
        Request("POST", f"{HOST}/v1", (), b"\xff"),
    ],
)
def test_other_differences_are_a_miss(other: Request) -> None:
    """Method, path, query, values, types and the order in lists are compared."""
    tape = player(exchange("x", "/v1", {"a": [1, 2]}))
    assert "no recorded answer" in miss_of(tape, other)
    assert text_of_answer(tape, request("/v1", {"a": [1, 2]})) == "x"


def test_volatile_values_are_ignored() -> None:
    """Volatile values are ignored in objects and lists, but not whether they exist."""
    volatile = ("/seed", "/messages/1/id", "/a~1b", "/none", "")
    tape = player(
        exchange("x", body={"seed": 1, "messages": [{}, {"id": "a"}], "a/b": 1, "q": 1}),
        volatile=volatile,
    )
    other = {"seed": {"x": 2}, "messages": [{}, {"id": None}], "a/b": 2, "q": 1}
    assert text_of_answer(tape, request("/chat", other)) == "x"
    tape = player(exchange("x", body={"seed": 1, "l": [1, 2]}), volatile=("/seed", "/l/0"))
    assert text_of_answer(tape, request("/chat", {"seed": 2, "l": [3, 2]})) == "x"
    tape = player(exchange("x", body={"seed": 1}), volatile=("/seed",))
    assert miss_of(tape, request("/chat", {})).endswith(
        '/seed: expected (cassette) "(volatile)", actual (your request) absent'
    )


def form(boundary: str, text: str = "hello") -> Request:
    """Return a multipart request as a library sends it."""
    part = f'Content-Disposition: form-data; name="f"\r\n\r\n{text}\r\n'
    body = f"--{boundary}\r\n{part}--{boundary}\r\n{part}--{boundary}--\r\n"
    return Request("POST", f"{HOST}/files", (), body.encode())


def test_the_boundary_of_multipart_bodies_is_ignored() -> None:
    """The boundary of a multipart body is ignored, and all else is compared."""
    tape = player(Exchange(form("5e8b1821df0b"), Response(200, body=b"x")))
    message = miss_of(tape, form("0f1f2f3f4f5f", "--0f1f2f3f4f5f in a text"))
    text = '/f: expected (cassette) "hello", actual (your request) "--0f1f2f3f4f5f in a text"'
    assert text in message
    assert text_of_answer(tape, form("0f1f2f3f4f5f")) == "x"
    assert canonical(b"--a\r\nx") == "--a\r\nx"


@pytest.mark.parametrize(
    "post",
    [
        lambda files: requests.post(f"{HOST}/files", files=files, timeout=60).text,
        lambda files: urllib3.request("POST", f"{HOST}/files", fields=files).data.decode(),
        lambda files: httpx.post(f"{HOST}/files", files=files).text,
    ],
    ids=["requests", "urllib3", "httpx"],
)
def test_an_uploaded_file_is_found(post: Callable[[Any], str]) -> None:
    """The upload of a file is found again, whatever library sends it."""

    def kept(request: Request) -> Request:
        sent.append(request)
        return request

    sent: list[Request] = []
    files = {"file": ("a.bin", b"\x00\xff\r\n--\r\n")}
    with use_tape(Player(Cassette(()), normalize_request=kept)), pytest.raises(CassetteMiss):
        post(files)
    with use_tape(player(Exchange(sent[0], Response(200, body=b"x")))):
        assert post(files) == "x"


def test_an_invalid_address_is_looked_up() -> None:
    """A request with an invalid address is looked up as any other."""
    tape = player(Exchange(Request("GET", "http://[half"), Response(200, body=b"x")))
    assert text_of_answer(tape, Request("GET", "http://[half")) == "x"
    assert miss_of(tape, request("/chat"))


@pytest.mark.slow
@given(st.binary() | st.text().map(str.encode), st.lists(st.sampled_from(["", "/", "/0", "x"])))
def test_any_body_has_a_canonical_form(body: bytes, volatile: list[str]) -> None:
    """Any body has a canonical form."""
    assert canonical(body, volatile) == canonical(body, volatile)


# ----------------------------------------------------------------------------------- misses


def test_a_miss_names_the_closest_exchange() -> None:
    """A miss names the closest exchange by its number, and both values where they differ."""
    tape = player(
        exchange("x", "/embed", {"model": "a"}),
        exchange("x", "/chat", {"model": "a", "messages": [{"role": "user", "content": "你好"}]}),
        exchange(
            "x", "/chat", {"model": "b", "messages": [{"role": "user", "content": "再见"}, {}]}
        ),
    )
    body = {"model": "a", "messages": [{"role": "user", "content": "您好"}], "stream": True}
    assert miss_of(tape, request("/chat", body)) == (
        "no recorded answer to POST https://host/chat; the closest recorded request is exchange 2, "
        "which differs in\n"
        '  /messages/0/content: expected (cassette) "你好", actual (your request) "您好"\n'
        "  /stream: expected (cassette) absent, actual (your request) true"
    )


def test_a_miss_shows_method_path_and_query() -> None:
    """The method weighs more than the path, and the path more than the body."""
    tape = player(exchange("x", "/a?v=1", {"q": 1}, "PUT"))
    assert miss_of(tape, request("/b?v=2", {"q": 1})) == (
        "no recorded answer to POST https://host/b?v=2; "
        "the closest recorded request is exchange 1, which differs in\n"
        '  method: expected (cassette) "PUT", actual (your request) "POST"\n'
        '  path: expected (cassette) "/a", actual (your request) "/b"\n'
        '  query: expected (cassette) "v=1", actual (your request) "v=2"'
    )
    tape = player(exchange("x", "/other", {"q": 1}), exchange("x", "/chat", {"q": 2, "r": 3}))
    assert "is exchange 2" in miss_of(tape, request("/chat", {"q": 1}))
    tape = player(exchange("x", "/chat", {"q": 1}, "PUT"), exchange("x", "/other", {"q": 2}))
    assert "is exchange 2" in miss_of(tape, request("/chat", {"q": 1}))


def test_a_miss_shows_differences_of_types() -> None:
    """Types are compared as in JSON, and a missing branch is reported once."""
    recorded = exchange("x", body={"a": 1, "b": True, "c": {"d": [1, 2]}, "e: f": {"g": 1}})
    message = closest(request("/chat", {"a": 1.0, "b": 1, "c": 5}), [recorded])
    assert message == (
        "the closest recorded request is exchange 1, which differs in\n"
        "  /a: expected (cassette) 1, actual (your request) 1.0\n"
        "  /b: expected (cassette) true, actual (your request) 1\n"
        '  /c: expected (cassette) {"d": [1, 2]}, actual (your request) 5\n'
        '  /e: f: expected (cassette) {"g": 1}, actual (your request) absent'
    )


def test_a_miss_shows_bodies_that_are_not_json() -> None:
    """Bodies that are not JSON are shown as text."""
    recorded = Exchange(Request("POST", f"{HOST}/chat", (), b"a=1"), Response(200))
    assert closest(Request("POST", f"{HOST}/chat", (), b"a=\xff"), [recorded]).endswith(
        '\n  body: expected (cassette) "a=1", actual (your request) "a=\ufffd"'
    )
    assert closest(request("/chat", {"a": 1}), [recorded]).endswith(
        '\n  body: expected (cassette) "a=1", actual (your request) "{\\"a\\": 1}"'
    )
    assert closest(request("/chat"), [recorded]).endswith(
        '\n  body: expected (cassette) "a=1", actual (your request) absent'
    )


def test_a_miss_leaves_out_volatile_values() -> None:
    """Volatile values are not among the differences."""
    tape = player(exchange("x", body={"seed": 1, "q": 1}), volatile=("/seed",))
    assert miss_of(tape, request("/chat", {"seed": 2, "q": 2})).endswith(
        "which differs in\n  /q: expected (cassette) 1, actual (your request) 2"
    )


def test_a_miss_is_short() -> None:
    """Long values and long lists are shortened, and half a surrogate pair can be printed."""
    tape = player(exchange("x", body={"t": "好" * 100, **{str(i): i for i in range(20)}}))
    lines = miss_of(tape, request("/chat", {"t": "\ud83d"})).splitlines()
    assert len(lines) == 1 + 8 + 1
    assert lines[1] == f'  /t: expected (cassette) "{"好" * 56}..., actual (your request) "\\ud83d"'
    assert lines[-1] == "  and 13 more"
    "\n".join(lines).encode()


def test_the_closest_exchange_is_found_among_many_differences() -> None:
    """All differences count, also those that are not shown."""
    far = exchange("x", body={str(i): -1 for i in range(20)})
    near = exchange("x", body={str(i): -1 if i < 12 else i for i in range(20)})
    question = request("/chat", {str(i): i for i in range(20)})
    assert closest(question, [far, near]).startswith("the closest recorded request is exchange 2,")


def test_a_miss_of_an_empty_cassette_says_so() -> None:
    """The miss of an empty cassette says that it is empty."""
    assert miss_of(player(), request("/chat")) == (
        "no recorded answer to POST https://host/chat; the cassette is empty"
    )


def test_a_miss_shows_no_secret() -> None:
    """A miss shows no secret of address or body, and redacted requests are found."""
    key = "sk-0123456789"
    cassette = Cassette((exchange("x", "/chat?k=REDACTED", {"q": "REDACTED"}),))
    tape = Player(cassette, Redactor((key,)))
    text = miss_of(tape, request(f"/chat?k={key}&x", {"q": f"my {key}"}))
    assert key not in text
    assert '/q: expected (cassette) "REDACTED", actual (your request) "my REDACTED"' in text
    assert text_of_answer(tape, request(f"/chat?k={key}", {"q": key})) == "x"
    assert key not in repr(tape)


def test_a_masked_parameter_matches_by_its_literal_name() -> None:
    """The name of a masked parameter is neither a pattern nor the template of a text."""
    tape = player(exchange("x", "/chat?a.\\d=REDACTED&b=1"))
    assert text_of_answer(tape, request("/chat?a.\\d=other&b=1")) == "x"
    assert "query: " in miss_of(tape, request("/chat?a12=other&b=1"))


def test_a_miss_searches_and_parses_a_large_request_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many recorded requests it is compared with, of which none has its text."""
    searched: list[bytes] = []
    parsed: list[bytes] = []
    mask, parse = Redactor.body, read_json

    def mask_seen(self: Redactor, body: bytes) -> bytes:
        searched.append(body)
        return mask(self, body)

    def parse_seen(body: bytes) -> Document:
        parsed.append(body)
        return parse(body)

    monkeypatch.setattr(Redactor, "body", mask_seen)
    monkeypatch.setattr(matching, "read_json", parse_seen)
    tape = player(*(exchange("x", body={"q": str(number)}) for number in range(5)))
    question = request("/chat", {"q": "z" * 100_000})
    text = miss_of(tape, question)
    assert f'actual (your request) "{"z" * 56}...' in text
    assert searched.count(question.body) == 1
    assert parsed.count(question.body) < 5


@pytest.mark.parametrize("start", [0, 40, 55])
def test_a_miss_shows_nothing_that_looks_like_a_key(start: int) -> None:
    """A miss shows nothing that looks like a key, wherever the text is cut."""
    key = "sk-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
    words = "word " * (start // 5)
    tape = player(exchange("x", "/chat", {"q": "?"}))
    for text in (
        miss_of(tape, request("/chat", {"q": f"{words}{key}"})),
        miss_of(tape, request(f"/chat?k={key}", {"q": "?"})),
        miss_of(tape, Request("POST", f"{HOST}/chat", (), f"{words}{key}".encode())),
    ):
        assert "sk-9f" not in text
        assert "REDACTED" in text or start == 55
    assert without_keys(f"{key} a {key}{key}") == "REDACTED a REDACTED"


# ---------------------------------------------------------------------------------- secrets


def test_masked_places_are_found_in_the_query_and_the_body() -> None:
    """Only those with the name of a secret; a body that is no JSON has none."""
    masked = request("/v1?a=1&key=REDACTED", {"api_key": "REDACTED", "text": "REDACTED"})
    other = Request("POST", f"{HOST}/v1", (), b"REDACTED")
    assert list(masked_places([masked, other])) == ["?key", "/api_key"]
