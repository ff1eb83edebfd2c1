"""What a miss says: where two texts part, which field of a form, which cassette and command."""

from __future__ import annotations

import pytest

from harness.intercept.matching import Distance, canonical, closest, key_of, nearest
from harness.locale import Language, in_language, localized_error
from harness.types import Exchange, Request, Response


def request(body: bytes) -> Request:
    """A request with a body."""
    return Request("POST", "http://a.test/v1", (), body)


def explain(recorded: bytes, sent: bytes, *volatile: str) -> str:
    """The text about the difference of two bodies."""
    exchange = Exchange(request(recorded), Response(200, "OK", (), b""))
    return closest(request(sent), [exchange], volatile)


def form(file_name: str, content: str, boundary: str, purpose: str = "batch") -> bytes:
    """A multipart body with a text and a file."""
    lines = [
        f"--{boundary}",
        'Content-Disposition: form-data; name="purpose"',
        "",
        purpose,
        f"--{boundary}",
        f'Content-Disposition: form-data; name="file"; filename="{file_name}"',
        "Content-Type: application/octet-stream",
        "",
        content,
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode()


def test_long_texts_are_shown_where_they_part() -> None:
    """Twenty characters before, and from which character on."""
    old, new = ("word " * 50 + end + " tail" * 40 for end in ("one", "two"))
    text = explain(f'{{"t": "{old}"}}'.encode(), f'{{"t": "{new}"}}'.encode())
    assert "...word word word word one tail" in text
    assert "...word word word word two tail" in text
    assert "(from character 232)" in text


def test_a_long_text_that_goes_on_is_shown_at_its_end() -> None:
    """One text may be the beginning of the other."""
    text = explain(b'"' + b"a" * 100 + b'"', b'"' + b"a" * 100 + b'bc"')
    assert 'aaaa"' in text
    assert 'aaaabc"' in text


def test_a_form_is_compared_by_field() -> None:
    """The file's name and its content are fields of their own; the boundary is none."""
    recorded = form("tmpabc.jsonl", "{}", "b1")
    text = explain(recorded, form("tmpxyz.jsonl", "{}", "b2"))
    assert '/file/filename: expected (cassette) "tmpabc.jsonl", actual (your request)' in text
    assert text.count("\n") == 1
    text = explain(recorded, form("tmpabc.jsonl", "[]", "b2", "other"))
    assert '/purpose: expected (cassette) "batch", actual (your request) "other"' in text
    assert '/file/content: expected (cassette) "{}", actual (your request) "[]"' in text


@pytest.mark.parametrize("volatile", ["/file", "/file/filename", "/*/filename", "/*"])
def test_a_field_of_a_form_may_be_volatile(volatile: str) -> None:
    """By its name; a form with another content is another request, unless that is volatile."""
    one, other = form("tmpabc.jsonl", "{}", "b1"), form("tmpxyz.jsonl", "{}", "b2")
    assert key_of(request(one), ()) != key_of(request(other), ())
    assert key_of(request(one), (volatile,)) == key_of(request(other), (volatile,))
    other = form("tmpabc.jsonl", "[]", "b2")
    is_same = key_of(request(one), (volatile,)) == key_of(request(other), (volatile,))
    assert is_same == (volatile in ("/file", "/*"))


@pytest.mark.parametrize(
    ("volatile", "body"),
    [
        ("/messages/*/id", '{"messages":[{"id":"(volatile)","a":1},{"id":"(volatile)"}]}'),
        ("/messages/[]/id", '{"messages":[{"id":"(volatile)","a":1},{"id":"(volatile)"}]}'),
        ("/messages/1/id", '{"messages":[{"id":1,"a":1},{"id":"(volatile)"}]}'),
        ("/messages/*", '{"messages":["(volatile)","(volatile)"]}'),
        ("/*", '{"messages":"(volatile)"}'),
        ("/*/*/id", '{"messages":[{"id":"(volatile)","a":1},{"id":"(volatile)"}]}'),
        ("/messages/7/id", '{"messages":[{"id":1,"a":1},{"id":2}]}'),
        ("/messages/01/id", '{"messages":[{"id":1,"a":1},{"id":2}]}'),
        ("/none/*", '{"messages":[{"id":1,"a":1},{"id":2}]}'),
    ],
)
def test_volatile_takes_wildcards(volatile: str, body: str) -> None:
    """`*` is every member or item, `[]` every item."""
    given = b'{"messages": [{"id": 1, "a": 1}, {"id": 2}]}'
    assert canonical(given, (volatile,)) == canonical(body.encode())


def test_bytes_that_are_no_text_stay_different() -> None:
    """A file in a form may hold any bytes."""
    one = form("a", "X", "b").replace(b"X", b"\xff\x00")
    assert canonical(one) != canonical(form("a", "X", "b").replace(b"X", b"\xfe\x00"))
    assert canonical(one) == canonical(form("a", "X", "c").replace(b"X", b"\xff\x00"))


def test_an_empty_cassette_has_no_nearest_request() -> None:
    """Its distance is that of another method and path, with no further difference."""
    distance, text = nearest(Request("GET", "http://a/b"), ())
    assert (distance, text) == (Distance(True, True, 0), "the cassette is empty")


def test_a_miss_in_chinese() -> None:
    """The values, and what is typed, stay as they are."""
    advice = (
        "\n  cassette: c.yaml\n  record what is missing with: pytest --record=missing t.py::a"
        "; it was recorded from the sandbox, a live recording costs money"
        "\n(this error was swallowed by a thread, a task or an `except`)"
    )
    told = explain(b'{"a": 1, "b": 2}', b'{"a": 3, "b": 4}')
    with in_language(Language.ZH):
        text = localized_error(f"no recorded answer to POST http://a.test/v1; {told}{advice}")
    assert text == (
        "没有录制对 POST http://a.test/v1 的回答；最接近的已录请求是第 1 次交互，不同之处："
        "\n  /a：期望（磁带）1，实际（您的请求）3\n  /b：期望（磁带）2，实际（您的请求）4"
        "\n  磁带：c.yaml\n  补录缺少的内容：pytest --record=missing t.py::a"
        "；原先录自沙箱，真实录制要花钱\n（此错误被线程、任务或 `except` 吞掉了）"
    )
