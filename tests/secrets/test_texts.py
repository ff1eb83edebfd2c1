"""Encoded data is decoded slice by slice, wherever a text is cut."""

from __future__ import annotations

import base64
import binascii
import random
import re
import zlib

import pytest

from harness.secrets import texts
from harness.secrets.runs import long_runs
from harness.secrets.texts import DecodedRuns, base64_bytes, packed

CHANCE = random.Random(1)  # noqa: S311


@pytest.fixture(autouse=True, params=[64, 2**16])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Have texts be cut into slices of this size."""
    monkeypatch.setattr(texts, "_SLICE", request.param)
    number: int = request.param
    return number


def decoded(text: str) -> list[tuple[int, int, bytes]]:
    """Return (start, end, decoded data) for what is encoded in a text."""
    data = packed(text, long_runs(text), DecodedRuns())
    return [(part.start, part.end, part.plain.encode("latin-1")) for part in data]


@pytest.mark.parametrize("ending", ["", "=", "=="])
@pytest.mark.parametrize("after", ["", " and", ".more", "~", "\n", "="])
def test_base64_is_decoded_as_a_whole(ending: str, after: str) -> None:
    """Whatever its length and its padding."""
    for count in (*range(15, 70), 126, 127, 128, 129, 1500, 1501):
        letters = base64.b64encode(CHANCE.randbytes(count)).decode().rstrip("=")
        text = f"x: {letters.replace('/', 'a')}{ending}{after}"
        expected = letters.replace("/", "a")
        expected = expected[: len(expected) - (len(expected) % 4 == 1)]
        plain = base64.b64decode(expected + "=" * (-len(expected) % 4))
        start, end, found = decoded(text)[0]
        assert found == plain
        assert text[start:end].rstrip("=") == letters.replace("/", "a")
        assert len(decoded(text)) == 1


def test_base64_of_several_lines_is_decoded_as_one() -> None:
    """Also in the alphabet of URLs."""
    data = CHANCE.randbytes(600)
    lines = base64.encodebytes(data).decode().replace("+", "-").replace("/", "_")
    ((_, _, plain),) = decoded(lines.rstrip("\n"))
    assert plain == data


def test_compressed_data_in_hexadecimal_is_found_once(size: int) -> None:
    """Wherever it begins."""
    number = zlib.compress(b"some words, some words").hex()
    for before in range(2 * 64 + 3):
        text = f"{'z' * before}{number}{'z' * 70}{number} {number}"
        plain = bytes.fromhex(number)
        starts = [start for start, end, data in decoded(text) if data == plain]
        assert starts == [at.start() for at in re.finditer(number, text)], (before, size)


def test_equal_base64_in_another_text_is_decoded_once() -> None:
    """As where an escape elsewhere in a text is undone."""
    first, second = (CHANCE.randbytes(120).hex() for _ in range(2))
    seen = DecodedRuns()
    parts = [*packed(f"a {first}", long_runs(f"a {first}"), seen)]
    text = f"longer {first} and {second}"
    more = [*packed(text, long_runs(text), seen)]
    assert len(parts) == 1
    assert [part.start for part in more] == [text.index(second)]


def by_binascii(text: str) -> bytes | None:
    """Return what Python's own reader of base64 returns for a text, padded as it has to be."""
    letters = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return binascii.a2b_base64(letters + "=" * (-len(letters) % 4))
    except ValueError:
        return None


def test_long_base64_is_decoded_as_python_does() -> None:
    """With any last letters, also those with bits that are lost, any padding and any sign in it."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    long = base64.b64encode(CHANCE.randbytes(3 * 2**12)).decode()
    ends = [one + other for one in alphabet for other in alphabet]
    for end in (*ends, *(end + third for end in CHANCE.sample(ends, 64) for third in alphabet)):
        padded = long + end + "=" * (-len(end) % 4)
        assert base64_bytes(padded) == binascii.a2b_base64(padded), end
    for sign in ("", "-", "_", "=", "==", "\n", " ", ".", "*", "\x80", "A"):
        for at in (0, 1, 2, 3, 5000, len(long) - 1, len(long)):
            for end in ("", "=", "==", "===", "A", "AB", "AB=", "AB==", "ABC", "ABC="):
                text = f"{long[:at]}{sign}{long[at:]}{end}"
                if set(text.rstrip("=")) <= {*alphabet, *"-_ \n"}:
                    assert base64_bytes(text) == by_binascii(text), (sign, at, end)
