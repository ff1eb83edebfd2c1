"""Files as bad luck and bad will leave them: good ones, damaged."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("HARNESS_FUZZ", "0"))
"""How many damaged files each test reads; 0 is a few, for every run. See `make fuzz`."""


def runs(few: int) -> settings:
    """So many examples in an ordinary run. What takes longer than its deadline hangs."""
    return settings(
        max_examples=EXAMPLES or few,
        deadline=timedelta(seconds=120),
        suppress_health_check=list(HealthCheck),
    )


TOKENS = (
    *(b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r", b"\t"),
    *(b"data:", b"data: [DONE]\n\n", b"event: error\n", b"id:1\n", b": ping\n\n", b"\n\n", b"\r\n"),
    *(b"null", b"true", b"{}", b"[]", b'""', b"-1", b"0.1", b"1e999", b"NaN", b"9" * 400),
    *(b"[" * 300, b"{" * 300, b'{"a":' * 300, b"- " * 300, b"&a [", b"*a", b"<<: *a\n"),
    *(
        b"!!binary |\n",
        b"!!python/object:os.system ",
        b"!!int ",
        b"|-\n",
        b"? ",
        b"---\n",
        b"...\n",
    ),
    *(b"\\ud800", b"\\u0000", b'"\\UFFFFFFFF"', b"%00", b"../", b"<script>", b"\x1b[2J"),
    *(b"eyJhbGciOiJIUzI1NiJ9.", b"sk-", b"\x1f\x8b\x08", b"H4sIAAAAAAAA", b"====", b"a" * 5000),
)
"""What is of meaning somewhere, or was once too much for somebody."""

Change = Callable[[bytes], bytes]


def _cut(share: float) -> Change:
    return lambda content: content[: int(len(content) * share)]


def _without(at: float, length: int) -> Change:
    return lambda content: content[: (i := int(len(content) * at))] + content[i + length :]


def _twice(at: float, length: int) -> Change:
    def change(content: bytes) -> bytes:
        start = int(len(content) * at)
        return content[: start + length] + content[start:]

    return change


def _with(at: float, token: bytes) -> Change:
    return lambda content: content[: (i := int(len(content) * at))] + token + content[i:]


def _over(at: float, token: bytes) -> Change:
    return lambda content: (
        content[: (i := int(len(content) * at))] + token + content[i + len(token) :]
    )


def _without_line(at: float) -> Change:
    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        del lines[int(len(lines) * at) : int(len(lines) * at) + 1]
        return b"".join(lines)

    return change


def _swapped_lines(one: float, other: float) -> Change:
    def change(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True) or [b""]
        i, j = int(len(lines) * one), int(len(lines) * other)
        lines[i], lines[j] = lines[j], lines[i]
        return b"".join(lines)

    return change


def _other_value(at: float, token: bytes) -> Change:
    """Another value, of any type, for a key of YAML or JSON: the rest stays what it was."""

    def change(content: bytes) -> bytes:
        values = list(_VALUE.finditer(content))
        if not values:
            return content
        chosen = values[int(len(values) * at)]
        return content[: chosen.start()] + token + content[chosen.end() :]

    return change


_VALUE = re.compile(rb"(?<=: )[^\n]+|(?<=\":)[^,}\]\n]+")
_VALUES = st.sampled_from((b"null", b"[]", b"{}", b"-1", b"true", b"0.5", b'"x"', b"[[1]]", b"x"))
_SHARES = st.floats(0, 1, exclude_max=True)
_LENGTHS = st.integers(1, 200)
_PIECES = st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=8)
_CHANGES = st.one_of(
    st.builds(_cut, _SHARES),
    st.builds(_without, _SHARES, _LENGTHS),
    st.builds(_twice, _SHARES, _LENGTHS),
    st.builds(_with, _SHARES, _PIECES),
    st.builds(_over, _SHARES, _PIECES),
    st.builds(_without_line, _SHARES),
    st.builds(_swapped_lines, _SHARES, _SHARES),
    st.builds(_other_value, _SHARES, _VALUES),
    st.builds(_other_value, _SHARES, _VALUES),
)


def damaged(good: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of the good files with one to five changes made to it."""

    def made(content: bytes, changes: list[Change]) -> bytes:
        for change in changes:
            content = change(content)
        return content

    return st.builds(made, st.sampled_from(good), st.lists(_CHANGES, min_size=1, max_size=5))
