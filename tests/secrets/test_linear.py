"""Whatever a text repeats, the search needs time by its length."""

from __future__ import annotations

import base64
import random
import time

import pytest

from harness.secrets.scanner import Scanner
from harness.secrets.search import Search
from harness.secrets.shapes import KEY_SHAPES

SEARCH = Search(("sk-5f0c1b7e9a2d4c68b3f1e0a7d9c4b825",))
LENGTH = 40_000
PARTS = (
    *("eyJ", "eyJabc.", "eyJaaaa", "sk-", "sk-a-", "token=", 'token="', "token='", '"key": "'),
    *("authorization:", "cookie: a=", "Cookie:a=b;", "-----BEGIN PRIVATE KEY-----", "-----BEGIN "),
    *("://", "://a:", "://a:b@", "%25", "%2525", "\\", "\\\\u005c", "\\u0025", "a", "a.", "0" * 32),
    *("content-disposition: form-data; name=a\r\n", "content-disposition: ", "\r\n\r\n", "data:"),
    *(
        '"signature": "abcdefghijk1", "credential": 1,',
        "\x1f\x8b\x08",
        "\x1f\x8b\x08\0\0\0\0\0\0\3",
    ),
    *(
        "\x28\xb5\x2f\xfd",
        "\x78\x9c",
        "Bearer ",
        "Basic ",
        "Basic aaaaaaaa:",
        "{",
        '"',
        "data: {}\n\n",
    ),
    *(
        '"',
        "a" * 16 + "\n",
        "a" * 20 + "/",
        "&a=b",
        "?sig=",
        "&amp;Signature=",
        '"policy":"eyJh"',
        "\0",
    ),
    *(shape.anchor for shape in KEY_SHAPES),
)


def seconds(text: str) -> float:
    """Return how long a search computes."""
    start = time.thread_time()
    SEARCH.find(text)
    SEARCH.mask_streams(text.encode("latin-1"))
    return time.thread_time() - start


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_a_repeated_text_needs_time_by_its_length(part: str) -> None:
    """A text of four times the length takes no more than a multiple, whatever ends it."""
    for before, after in (("", ""), ("x", "!"), ('"', "")):
        text = part * (LENGTH // len(part))
        short = seconds(f"{before}{text}{after}")
        if short > 0.3:  # on a busy machine, or too slow: then the ratio tells
            assert seconds(f"{before}{text * 4}{after}") < 12 * short + 2


@pytest.mark.slow
def test_ten_megabytes_are_searched() -> None:
    """A picture in an answer, and 40,000 beginnings of a token, as in the first report of it."""
    raw = base64.b64encode(random.Random(1).randbytes(7_500_000)).decode()  # noqa: S311
    start = time.perf_counter()
    assert Scanner().scan(f'{{"a": "{raw}"}}'.encode()) == []
    assert Scanner().scan(b"a: " + b"eyJ" * 40_000) == []
    assert Scanner().scan(b"Content-Disposition: form-data; name=" * 60_000) == []
    assert time.perf_counter() - start < 60
