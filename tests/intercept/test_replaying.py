"""Replaying: which recorded answer a request gets, and what is told when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CassetteMiss, ConnectionBlocked
from harness.intercept import Player, use_tape
from harness.intercept.matching import canonical, closest, key_of
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import without_keys
from harness.types import Cassette, Exchange, Provenance, Request, Response

HOST = "https://host"


def asked(path: str, body: Any = None, method: str = "POST") -> Request:
    """A request with a JSON body."""
    content = b"" if body is None else json.dumps(body).encode()
    return Request(method, HOST + path, (), content)


def told(answer: str, path: str = "/chat", body: Any = None, method: str = "POST") -> Exchange:
    """A recorded exchange."""
    return Exchange(asked(path, body, method), Response(200, body=answer.encode()))


def playing(*exchanges: Exchange, volatile: tuple[str, ...] = ()) -> Player:
    """A tape with these exchanges."""
    return Player(Cassette(exchanges, Provenance(volatile=volatile)))


def found(tape: Player, request: Request) -> str:
    """The text of what the tape answers."""
    return tape.find(request).response.body.decode()


def missed(tape: Player, request: Request) -> str:
    """What the tape tells where it has no answer."""
    with pytest.raises(CassetteMiss) as caught:
        tape.find(request)
    return str(caught.value)


# ------------------------------------------------------------------------------------ order


def test_first_recorded_is_first_played() -> None:
    """For each question on its own, in whatever order the questions come."""
    tape = playing(
        told("a1", body={"q": "a"}), told("b1", body={"q": "b"}), told("a2", body={"q": "a"})
    )
    a, b = asked("/chat", {"q": "a"}), asked("/chat", {"q": "b"})
    assert [found(tape, a), found(tape, a), found(tape, b)] == ["a1", "a2", "b1"]


def test_a_polls_last_answer_stays() -> None:
    """How often a client asks for a state is its own affair."""
    tape = playing(told("running", "/t", method="GET"), told("done", "/t", method="GET"))
    poll = asked("/t", method="GET")
    assert [found(tape, poll) for _ in range(4)] == ["running", "done", "done", "done"]


@pytest.mark.parametrize(("times", "words"), [(1, "once"), (2, "2 times"), (3, "3 times")])
def test_a_question_asked_once_more_is_a_miss(times: int, words: str) -> None:
    """Only a GET may be repeated; the message says how often it was recorded."""
    tape = playing(*[told("x", body={"q": 1})] * times)
    for _ in range(times):
        tape.find(asked("/chat", {"q": 1}))
    assert missed(tape, asked("/chat", {"q": 1})) == (
        f"no recorded answer to POST https://host/chat: it was recorded {words} "
        "and is sent once more"
    )


def test_what_nobody_asked_for_is_told() -> None:
    """In the order it was recorded; the same exchange twice is two."""
    same = told("x", body={"q": 1})
    tape = playing(told("z", "/z"), same, told("y", "/y", method="GET"), same)
    assert len(tape.unused()) == 4
    tape.find(asked("/chat", {"q": 1}))
    tape.find(asked("/y", method="GET"))
    tape.find(asked("/y", method="GET"))
    assert tape.unused() == (told("z", "/z"), same)


def test_a_turn_holds_what_was_played_in_it() -> None:
    """Whatever turn it was recorded in, and as often as it was played."""
    tape = playing(told("s", "/s"), told("p", "/p", method="GET"))
    with tape.turn(1) as first:
        tape.find(asked("/s"))
    with tape.turn(2) as second:
        tape.find(asked("/p", method="GET"))
        tape.find(asked("/p", method="GET"))
        missed(tape, asked("/q"))
    assert [len(first), len(second)] == [1, 2]


def test_a_replay_has_nothing_to_listen_to() -> None:
    """A tape that plays never lets a request go out."""
    with pytest.raises(ConnectionBlocked):
        playing().capture(asked("/chat"))


# ------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "body",
    [
        '{"a":[1,{"b":"你"}],"c":null}'.encode(),
        '{"c":null,"a":[1,{"b":"你"}]}'.encode(),
        b' {\n"a":[1,{"b" : "\\u4f60"}],"c":null} ',
    ],
)
def test_spelling_does_not_matter(body: bytes) -> None:
    """Key order, spacing, escapes, headers, the host, and the case of the method."""
    one = asked("/v1?a=1", {"a": [1, {"b": "你"}], "c": None})
    other = Request("post", "http://127.0.0.1:1/v1?a=1", (("x", "y"),), body)
    assert key_of(other, ()) == key_of(one, ())


@pytest.mark.parametrize(
    "other",
    [
        asked("/v1", {"a": [1, 2]}, "PUT"),
        asked("/v2", {"a": [1, 2]}),
        asked("/v1?x", {"a": [1, 2]}),
        asked("/v1", {"a": [2, 1]}),
        asked("/v1", {"a": [1, 2, 3]}),
        asked("/v1", {"a": [1.0, 2]}),
        asked("/v1", {"a": [True, 2]}),
        asked("/v1", {"a": ["1", 2]}),
        asked("/v1", {"a": [1, 2], "b": None}),
        asked("/v1"),
        Request("POST", f"{HOST}/v1", (), b'{"a":[1,2],"a":[1,2]}'),
        Request("POST", f"{HOST}/v1", (), b"\xff"),
    ],
)
def test_every_other_difference_matters(other: Request) -> None:
    """Method, path, query, values, types, order in lists."""
    tape = playing(told("x", "/v1", {"a": [1, 2]}))
    assert "no recorded answer" in missed(tape, other)
    assert found(tape, asked("/v1", {"a": [1, 2]})) == "x"


def test_volatile_values_do_not_count() -> None:
    """In objects and in lists; but whether there is a value does."""
    volatile = ("/seed", "/messages/1/id", "/a~1b", "/none", "")
    tape = playing(
        told("x", body={"seed": 1, "messages": [{}, {"id": "a"}], "a/b": 1, "q": 1}),
        volatile=volatile,
    )
    other = {"seed": {"x": 2}, "messages": [{}, {"id": None}], "a/b": 2, "q": 1}
    assert found(tape, asked("/chat", other)) == "x"
    tape = playing(told("x", body={"seed": 1, "l": [1, 2]}), volatile=("/seed", "/l/0"))
    assert found(tape, asked("/chat", {"seed": 2, "l": [3, 2]})) == "x"
    tape = playing(told("x", body={"seed": 1}), volatile=("/seed",))
    assert missed(tape, asked("/chat", {})).endswith(
        '/seed: expected (cassette) "(volatile)", actual (your request) absent'
    )


def form(boundary: str, text: str = "hello") -> Request:
    """A form in parts, as every library sends one."""
    part = f'Content-Disposition: form-data; name="f"\r\n\r\n{text}\r\n'
    body = f"--{boundary}\r\n{part}--{boundary}\r\n{part}--{boundary}--\r\n"
    return Request("POST", f"{HOST}/files", (), body.encode())


def test_the_line_between_the_parts_of_a_form_does_not_count() -> None:
    """It is made up anew each time, and no file would be found again; all else counts."""
    tape = playing(Exchange(form("5e8b1821df0b"), Response(200, body=b"x")))
    told = missed(tape, form("0f1f2f3f4f5f", "--0f1f2f3f4f5f in a text"))
    assert "f1f2f" not in told.partition("asked")[0]
    assert found(tape, form("0f1f2f3f4f5f")) == "x"
    assert canonical(b"--a\r\nx") == "--a\r\nx"


@pytest.mark.parametrize(
    "post",
    [
        lambda files: requests.post(f"{HOST}/files", files=files, timeout=9).text,
        lambda files: urllib3.request("POST", f"{HOST}/files", fields=files).data.decode(),
        lambda files: httpx.post(f"{HOST}/files", files=files).text,
    ],
    ids=["requests", "urllib3", "httpx"],
)
def test_a_file_that_is_sent_again_is_found(post: Callable[[Any], str]) -> None:
    """Whatever library sends it."""

    def kept(request: Request) -> Request:
        sent.append(request)
        return request

    sent: list[Request] = []
    files = {"file": ("a.bin", b"\x00\xff\r\n--\r\n")}
    with use_tape(Player(Cassette(()), normalize_request=kept)), pytest.raises(CassetteMiss):
        post(files)
    with use_tape(playing(Exchange(sent[0], Response(200, body=b"x")))):
        assert post(files) == "x"


def test_an_address_that_is_none_is_still_looked_up() -> None:
    """A cassette may hold anything; it is no reason to break."""
    tape = playing(Exchange(Request("GET", "http://[half"), Response(200, body=b"x")))
    assert found(tape, Request("GET", "http://[half")) == "x"
    assert missed(tape, asked("/chat"))


@given(st.binary() | st.text().map(str.encode), st.lists(st.sampled_from(["", "/", "/0", "x"])))
def test_any_body_has_a_spelling(body: bytes, volatile: list[str]) -> None:
    """Whatever it is."""
    assert canonical(body, volatile) == canonical(body, volatile)


# ----------------------------------------------------------------------------------- misses


def test_a_miss_names_the_closest_exchange() -> None:
    """By number, and where it differs, with both values."""
    tape = playing(
        told("x", "/embed", {"model": "a"}),
        told("x", "/chat", {"model": "a", "messages": [{"role": "user", "content": "你好"}]}),
        told("x", "/chat", {"model": "b", "messages": [{"role": "user", "content": "再见"}, {}]}),
    )
    body = {"model": "a", "messages": [{"role": "user", "content": "您好"}], "stream": True}
    assert missed(tape, asked("/chat", body)) == (
        "no recorded answer to POST https://host/chat; the closest recorded request is exchange 2, "
        "which differs in\n"
        '  /messages/0/content: expected (cassette) "你好", actual (your request) "您好"\n'
        "  /stream: expected (cassette) absent, actual (your request) true"
    )


def test_a_miss_tells_method_path_and_query() -> None:
    """The same method weighs more than the same path, and that more than the same body."""
    tape = playing(told("x", "/a?v=1", {"q": 1}, "PUT"))
    assert missed(tape, asked("/b?v=2", {"q": 1})) == (
        "no recorded answer to POST https://host/b?v=2; "
        "the closest recorded request is exchange 1, which differs in\n"
        '  method: expected (cassette) "PUT", actual (your request) "POST"\n'
        '  path: expected (cassette) "/a", actual (your request) "/b"\n'
        '  query: expected (cassette) "v=1", actual (your request) "v=2"'
    )
    tape = playing(told("x", "/other", {"q": 1}), told("x", "/chat", {"q": 2, "r": 3}))
    assert "is exchange 2" in missed(tape, asked("/chat", {"q": 1}))
    tape = playing(told("x", "/chat", {"q": 1}, "PUT"), told("x", "/other", {"q": 2}))
    assert "is exchange 2" in missed(tape, asked("/chat", {"q": 1}))


def test_a_miss_tells_types_apart() -> None:
    """What Python takes for equal, JSON does not; a branch that is gone is told once."""
    recorded = told("x", body={"a": 1, "b": True, "c": {"d": [1, 2]}, "e: f": {"g": 1}})
    told_ = closest(asked("/chat", {"a": 1.0, "b": 1, "c": 5}), [recorded])
    assert told_ == (
        "the closest recorded request is exchange 1, which differs in\n"
        "  /a: expected (cassette) 1, actual (your request) 1.0\n"
        "  /b: expected (cassette) true, actual (your request) 1\n"
        '  /c: expected (cassette) {"d": [1, 2]}, actual (your request) 5\n'
        '  /e: f: expected (cassette) {"g": 1}, actual (your request) absent'
    )


def test_a_miss_tells_bodies_that_are_no_json() -> None:
    """As text, as far as they are one."""
    recorded = Exchange(Request("POST", f"{HOST}/chat", (), b"a=1"), Response(200))
    assert closest(Request("POST", f"{HOST}/chat", (), b"a=\xff"), [recorded]).endswith(
        '\n  body: expected (cassette) "a=1", actual (your request) "a=\ufffd"'
    )
    assert closest(asked("/chat", {"a": 1}), [recorded]).endswith(
        '\n  body: expected (cassette) "a=1", actual (your request) "{\\"a\\": 1}"'
    )
    assert closest(asked("/chat"), [recorded]).endswith(
        '\n  body: expected (cassette) "a=1", actual (your request) absent'
    )


def test_a_miss_does_not_tell_what_is_volatile() -> None:
    """It made no difference."""
    tape = playing(told("x", body={"seed": 1, "q": 1}), volatile=("/seed",))
    assert missed(tape, asked("/chat", {"seed": 2, "q": 2})).endswith(
        "which differs in\n  /q: expected (cassette) 1, actual (your request) 2"
    )


def test_a_miss_is_short() -> None:
    """Long values are cut, and so are long lists; half a character can be printed."""
    tape = playing(told("x", body={"t": "好" * 100, **{str(i): i for i in range(20)}}))
    lines = missed(tape, asked("/chat", {"t": "\ud83d"})).splitlines()
    assert len(lines) == 1 + 8 + 1
    assert lines[1] == f'  /t: expected (cassette) "{"好" * 56}..., actual (your request) "\\ud83d"'
    assert lines[-1] == "  and 13 more"
    "\n".join(lines).encode()


def test_the_closest_is_found_among_many_differences() -> None:
    """More than are shown are still counted."""
    far = told("x", body={str(i): -1 for i in range(20)})
    near = told("x", body={str(i): -1 if i < 12 else i for i in range(20)})
    question = asked("/chat", {str(i): i for i in range(20)})
    assert closest(question, [far, near]).startswith("the closest recorded request is exchange 2,")


def test_an_empty_cassette_says_so() -> None:
    """There is nothing to be close to."""
    assert missed(playing(), asked("/chat")) == (
        "no recorded answer to POST https://host/chat; the cassette is empty"
    )


def test_a_miss_never_tells_a_secret() -> None:
    """Neither from the address nor from the body; and what was masked is found again."""
    key = "sk-0123456789"
    cassette = Cassette((told("x", "/chat?k=REDACTED", {"q": "REDACTED"}),))
    tape = Player(cassette, Redactor((key,)))
    text = missed(tape, asked(f"/chat?k={key}&x", {"q": f"my {key}"}))
    assert key not in text
    assert '/q: expected (cassette) "REDACTED", actual (your request) "my REDACTED"' in text
    assert found(tape, asked(f"/chat?k={key}", {"q": key})) == "x"
    assert key not in repr(tape)


@pytest.mark.parametrize("start", [0, 40, 55])
def test_a_miss_never_tells_what_looks_like_a_key(start: int) -> None:
    """Whoever's it is, and wherever the text is cut that is shown."""
    key = "sk-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
    words = "word " * (start // 5)
    tape = playing(told("x", "/chat", {"q": "?"}))
    for text in (
        missed(tape, asked("/chat", {"q": f"{words}{key}"})),
        missed(tape, asked(f"/chat?k={key}", {"q": "?"})),
        missed(tape, Request("POST", f"{HOST}/chat", (), f"{words}{key}".encode())),
    ):
        assert "sk-9f" not in text
        assert "REDACTED" in text or start == 55
    assert without_keys(f"{key} a {key}{key}") == "REDACTED a REDACTED"


LIBRARIES: dict[str, Callable[[str], object]] = {
    "httpx": httpx.get,
    "requests": lambda url: requests.get(url, timeout=9),
    "urllib3": lambda url: urllib3.PoolManager().request("GET", url, retries=5),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_miss_reaches_the_caller_of_a_library(library: str) -> None:
    """Past everything that catches `Exception` and tries again."""
    with use_tape(playing()), pytest.raises(CassetteMiss):
        LIBRARIES[library](f"{HOST}/x")


def test_chunks_are_given_out_as_recorded() -> None:
    """And what no chunk size covers comes last, whole."""
    exchange = Exchange(Request("GET", f"{HOST}/s"), Response(200, body=b"aabbbcc"), chunks=(2, 3))
    tape = Player(Cassette((exchange,)))
    with use_tape(tape):
        with httpx.stream("GET", f"{HOST}/s") as answer:
            assert list(answer.iter_raw()) == [b"aa", b"bbb", b"cc"]
        with requests.get(f"{HOST}/s", stream=True, timeout=9) as response:
            assert list(response.iter_content(None)) == [b"aa", b"bbb", b"cc"]
        with requests.get(f"{HOST}/s", stream=True, timeout=9) as response:
            assert list(response.iter_content(2)) == [b"aa", b"bb", b"b", b"cc"]


def test_compressed_recordings_of_others_are_played() -> None:
    """Stock vcrpy keeps bodies as they came."""
    import gzip

    coded = (("content-encoding", "gzip"),)
    exchange = Exchange(
        Request("GET", f"{HOST}/z"), Response(200, "", coded, gzip.compress(b"hello"))
    )
    with use_tape(Player(Cassette((exchange,)))):
        assert httpx.get(f"{HOST}/z").text == "hello"
        assert requests.get(f"{HOST}/z", timeout=9).text == "hello"
        assert urllib3.PoolManager().request("GET", f"{HOST}/z").data == b"hello"
