"""Keys are found by their anchors, near long runs of letters, wherever they stand."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterator

import pytest

from harness.secrets.runs import long_runs
from harness.secrets.shapes import KEY_SHAPES, PLACEHOLDER, Hit, is_made_up, keys

CHANCE = random.Random(1)  # noqa: S311
LETTERS = string.ascii_letters + string.digits


def some(count: int, letters: str = LETTERS) -> str:
    """Return random letters."""
    return "".join(CHANCE.choice(letters) for _ in range(count))


def base64_of(count: int) -> str:
    """Return base64 of random bytes, of so many letters."""
    return base64.b64encode(CHANCE.randbytes(count)).decode()[:count]


def encoded(text: str) -> str:
    """Return a text in base64, without padding."""
    return base64.b64encode(text.encode()).decode().rstrip("=")


def token(header: str) -> str:
    """Return a JSON Web Token."""
    return f"{encoded(header)}.{some(40)}.{some(43)}"


def by_patterns(text: str) -> Iterator[Hit]:
    """Yield the keys that the patterns alone find."""
    for shape in KEY_SHAPES:
        for match in shape.pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            start -= shape.before
            if shape.confirms(match) and not is_made_up(text[start:end]):
                yield Hit(start, end, shape.kind, text[start:end])


PLANTED = {
    "in base64": f"/dapi{some(32, '0123456789abcdef')}+",
    "in base64, long": f"+AKCp8{some(64)}/",
    "apart": f"LTAI5t{some(18)}",
    "random": f"SK{some(32, '0123456789abcdef')}",
    "a sign in the anchor": f"sk-{some(32)}",
    "a sign behind the anchor": f"ghp_{some(36)}",
    "equals": f"AccountKey={some(86)}==",
    "a token": token('{"alg":"HS256"}'),
    "a token of a long header": token('{"alg":"HS256","kid":"' + "x" * 600 + '"}'),
    "a token of a longer header": token('{"alg":"HS256","kid":"' + "x" * 1500 + '"}'),
    "credentials": f"Bearer {some(40)}",
    "Telegram": f"123456789:AA{some(33)}",
    "a URL": f"https://alice:{some(12)}@host/",
    "Basic": f"Basic {encoded(f'alice:{some(12)}')}",
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_key_in_long_base64_is_found_as_by_its_pattern(name: str) -> None:
    """The middle of long base64 is left out only where no key can be: near its ends, all count."""
    before, after = base64_of(4000), base64_of(4000)
    for first, last in ((0, 0), (0, 4000), (4000, 0), (4000, 4000), (1024, 4000), (4000, 1024)):
        for shift in (-60, -40, -33, -20, -5, -1, 0, 1, 5, 20, 40):
            for sign in ("", " ", "/"):
                length, rest = max(0, first + shift), max(0, last - shift)
                text = f"{before[:length]}{sign}{PLANTED[name]}{sign}{after[:rest]}"
                assert sorted(keys(text, long_runs(text)), key=str) == sorted(
                    by_patterns(text), key=str
                ), (first, last, shift, sign)


def test_many_anchors_are_searched_by_the_pattern() -> None:
    """Where a text has the anchor again and again, and keys in between."""
    password = some(12)
    part = "://" * 200 + f"https://alice:{password}@host/" + "://a " * 200
    found = [hit for hit in keys(part * 3, long_runs(part * 3)) if hit.secret == password]
    assert len(found) == 3
    assert [hit.start for hit in found] == sorted({hit.start for hit in found})
    assert PLACEHOLDER not in part
