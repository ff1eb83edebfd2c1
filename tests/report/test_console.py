"""Cells of tables are broken between words; words and numbers stay whole."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.report.console import cells, draw, fit, least, print_text, wrap
from harness.report.tables import Table
from report.samples import console, written


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("zhipuai/glm-5.3-flash", 12, "zhipuai/\nglm-5.3-\nflash"),
        ("independent-questions", 14, "independent-\nquestions"),
        ("2026-11-29T01:30:29+00:00", 16, "2026-11-29\nT01:30:29+00:00"),
        ("2.1.5.20250825", 16, "2.1.5.20250825"),
        ("cost 0.0113 CNY", 11, "cost 0.0113\nCNY"),
        ("您叫小明。今年12岁。", 10, "您叫小明。\n今年12岁。"),
        ("您叫小明。", 8, "您叫小\n明。"),
        ("说“你好”", 4, "说\n“你\n好”"),
        ("DASHSCOPE_API_KEY is not set", 17, "DASHSCOPE_API_KEY\nis not set"),
        ("one\ntwo three", 5, "one\ntwo\nthree"),
        ("abcdefgh", 3, "abc\ndef\ngh"),
        ("", 3, ""),
    ],
)
def test_a_text_is_broken_between_words(text: str, width: int, expected: str) -> None:
    """Where there is room for a word or number, it is whole; Chinese has no space between words."""
    assert wrap(text, width) == expected


@given(st.text(), st.integers(2, 40))
def test_nothing_is_lost_or_too_wide(text: str, width: int) -> None:
    """Whatever the text, each line fits; only white space goes at a line's end."""
    wrapped = wrap(text, width)
    assert "".join(wrapped.split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in wrapped.split("\n"))


def test_each_character_is_as_wide_as_rich_says() -> None:
    """Also in texts of usual characters, which are measured without looking at each."""
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    texts = [text for one in characters for text in (one, f"天 “{one}")]
    assert [text for text in texts if cells(text) != cell_len(text)] == []


def test_the_widest_columns_become_narrower_first() -> None:
    """Each down to its minimum; where that is not enough, all have their minimum."""
    assert fit([10, 20, 5], [4, 4, 5], 25) == [10, 10, 5]
    assert fit([10, 20, 5], [4, 4, 5], 3) == [4, 4, 5]
    assert (least("zhipuai/glm-5.3-flash"), least("x" * 99)) == (8, 24)


ROWS = [
    ("独立的问题-independent-questions", "zhipuai/glm-5.3-flash", "sandbox", "1234567", "0.0113"),
    ("single-turn-messages", "dashscope/qwen-plus (incremental)", "unknown", "9", "1234.560000"),
    ("一个非常非常长的、没有空格的中文场景名称，用来检验表格的宽度", "通义/千问", "live", "–", "–"),
]
COLUMNS = ("scenario", "target", "from", "output tokens", "cost per turn")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_with_chinese_fits(width: int) -> None:
    """Every number stands whole on one line, and every word of ordinary length too."""
    on = console(width)
    draw(on, Table(COLUMNS, ROWS, numbers=COLUMNS[3:]))
    drawn = written(on)
    assert max(map(cell_len, drawn.splitlines())) <= width
    words = {word for line in drawn.splitlines() for word in line.split()}
    assert {"1234567", "9", "0.0113", "1234.560000", "sandbox", "unknown"} <= words
    assert "…" not in drawn


def test_a_text_of_many_lines_is_written_with_few_calls() -> None:
    """Elsewhere than on a terminal: secrets are looked for in each call."""

    class Counted(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    file = Counted()
    print_text(Console(file=file), "a\n" * 5_000 + "\tb\x1b", indent=2)
    assert file.getvalue() == "  a\n" * 5_000 + " " * 8 + "b\ufffd\n"
    assert file.writes < 20


def test_a_table_that_is_too_wide_for_its_numbers_has_all_columns() -> None:
    """It is printed wider than the console."""
    names = tuple(f"number {n}" for n in range(12))
    file = io.StringIO()
    screen = Console(file=file, width=40, color_system=None)
    draw(screen, Table(names, [[str(10**9 + n) for n in range(12)]], numbers=names))
    assert file.getvalue().split()[-12:] == [str(10**9 + n) for n in range(12)]


def test_the_same_text_with_and_without_styles() -> None:
    """Headers are bold, and rows have their style, but for that nothing differs."""
    table = Table(("a", "b"), [["x", "long text"], ["1", ""]], styles={1: "red"})
    plain_file, styled_file = io.StringIO(), io.StringIO()
    draw(Console(file=plain_file, width=80, color_system=None), table)
    draw(Console(file=styled_file, width=80, color_system="standard", force_terminal=True), table)
    styled = styled_file.getvalue()
    assert "\x1b[1ma" in styled
    assert "\x1b[31m1" in styled
    assert Text.from_ansi(styled).plain.rstrip() == plain_file.getvalue().rstrip()
