"""Long runs of letters, in which keys and base64 are looked for."""

from __future__ import annotations

import re
from itertools import cycle

import pytest

from harness.secrets import runs
from harness.secrets.search import Search

NUMBERS = ", ".join(f"-0.{number:016}" for number in range(10**15, 10**15 + 400))
KEY = "4Qw2xZkp9LmT4vRb8NcY"


@pytest.mark.parametrize("length", [16, 40, 2**18])
def test_runs_are_found_wherever_a_text_is_cut(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """They are those that a regular expression finds, also those longer than a slice."""
    monkeypatch.setattr(runs, "_SLICE", length)
    lengths = (3, 14, 15, 16, 17, 90, 1)
    words = zip("x" * 200, cycle(lengths), cycle((" ", "é", "\n", "")), strict=False)
    text = "".join(letter * length + end for letter, length, end in words)
    expected = [match.span() for match in re.finditer("x{15,}", text)]
    assert runs.long_runs(text) == expected


def test_a_list_of_numbers_has_no_runs() -> None:
    """Vectors have many numbers with as many digits as a key has letters."""
    assert runs.long_runs(NUMBERS) == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"{NUMBERS}, token={KEY}, {NUMBERS}", KEY),
        (f"{NUMBERS}, Bearer 4820519374652801937, {NUMBERS}", "4820519374652801937"),
        (f"{NUMBERS}, {'4820519374652801' * 2}.aBcD1234eFgH5678, {NUMBERS}", None),
        (f"{NUMBERS}, LTAI4820519374652801, {NUMBERS}", "LTAI4820519374652801"),
    ],
    ids=["by name", "bearer", "id.secret", "access key"],
)
def test_a_secret_among_numbers_is_found(text: str, secret: str | None) -> None:
    """It has letters, or stands behind a word that makes it one."""
    (found,) = Search().find(text)
    (hit,) = found.hits
    assert hit.secret == (secret or f"{'4820519374652801' * 2}.aBcD1234eFgH5678")


def test_numbers_beside_words_have_no_runs() -> None:
    """Most answers with vectors have texts too, so that numbers are left out one by one."""
    text = f"{'the cat sat on a mat ' * 40}{NUMBERS}, {KEY} {NUMBERS}"
    assert [text[start:end] for start, end in runs.long_runs(text)] == [KEY]


@pytest.mark.parametrize(
    "number", ["12345678901234567890", "4820519374652801\n", "4820519374652801\r\n"]
)
def test_a_number_that_may_begin_base64_has_a_run(number: str) -> None:
    """Base64 may have digits only, and its first line may be a number."""
    (run,) = runs.long_runs(f"{NUMBERS}, {number} , {NUMBERS}")
    assert run[1] - run[0] == len(number.rstrip())
