"""The page on what a replay guarantees: its promises name tests that exist, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = (ROOT / "docs" / f"GUARANTEES{end}.md" for end in ("", ".zh-CN"))


def promised(page: Path) -> list[list[str]]:
    """Return the tests in each row of the tables of a page, and in each point of its lists."""
    rows = re.split(r"\n(?=\| |- |#)", page.read_text(encoding="utf-8"))
    return [names for row in rows if (names := re.findall(r"`(test_\w+(?:\.py)?)`", row))]


def test_each_promise_names_a_test_that_exists() -> None:
    """A test of that name, or a module of tests."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(texts), re.MULTILINE))
    modules = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    named = {name for names in promised(ENGLISH) for name in names}
    assert len(named) > 50
    assert named <= defined | modules


def test_each_linked_test_is_in_its_file() -> None:
    """A link leads to the module that has the test."""
    linked = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", ENGLISH.read_text("utf-8"))
    assert len(linked) > 20
    for name, path in linked:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), path


def test_both_languages_make_the_same_promises() -> None:
    """Each row names the same tests, and there are as many limits."""
    assert promised(ENGLISH) == promised(CHINESE)
    english, chinese = (page.read_text(encoding="utf-8") for page in (ENGLISH, CHINESE))
    assert english.count("\n- ") == chinese.count("\n- ")
