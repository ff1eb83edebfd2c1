"""What holds for a report of any words."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report import comparison_text, html, json_report, junit, text

from .samples import console, sample, written


@cache
def ours() -> str:
    """Return the one script of a page."""
    (script,) = re.findall(r"<script>(.*?)</script>", html.report(sample()), re.DOTALL)
    assert isinstance(script, str)
    return script


class Tags(HTMLParser):
    """Which elements with which attributes a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[tuple[str, ...]] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, *(name for name, _ in attrs)))


MARKDOWN = "# a\n\n**a** _a_ `a` ~~a~~\n\n> a\n\n- a\n\n1. a\n\n3) a\n\n***"
TABLES = "    a\n\na\nb  \n\n|a|\n|-|\n|a|"


@cache
def known() -> set[tuple[str, ...]]:
    """Return what is on a page of harmless Markdown."""
    return Tags(html.report(sample(MARKDOWN))).seen | Tags(html.report(sample(TABLES))).seen


"""A whole report takes a while on a busy machine; that is no fault of its words."""

WORDS = st.text("<script>\"'&;{}%[]/=\\北京\n\r\t\0\x1b\x85\u2028\u202e\ud800\ufffe", max_size=12)
ANY = WORDS | st.text(max_size=5)


@pytest.mark.slow
@given(ANY)
@settings(max_examples=25)
def test_a_page_never_runs_what_was_recorded(words: str) -> None:
    """No recorded words raise, or end up on the page as an element or an attribute: whatever is
    said, the page has the same elements, and the one script that it always has."""
    page = html.report(sample(f"<script>{words}"))
    page.encode("utf-8")
    (script,) = re.findall(r"<script[^>]*>(.*?)</script", page, re.DOTALL | re.IGNORECASE)
    assert script == ours()
    assert Tags(page).seen <= known()


@given(ANY)
@settings(max_examples=40)
def test_xml_always_parses(words: str) -> None:
    """The XML of any words can be read back."""
    ElementTree.fromstring(junit.report(sample(words)).encode("utf-8"))  # noqa: S314 - our own


@given(ANY)
@settings(max_examples=40)
def test_json_always_parses(words: str) -> None:
    """The JSON of any words can be read back."""
    assert json.loads(json_report.report(sample(words)).encode("utf-8"))["version"] == 1


@pytest.mark.slow
@given(ANY, st.sampled_from([20, 80, 120]), st.booleans())
@settings(max_examples=25)
def test_a_console_is_never_steered(words: str, width: int, terminal: bool) -> None:
    """No recorded words raise, or reach the console as an escape."""
    on, report = console(width, terminal), sample(words)
    text.report(on, report)
    comparison_text.matrix(on, report.matrices[0])
    for read in report.reads:
        text.conversation(on, read)
    told = written(on)
    told.encode("utf-8")
    assert not {"\0", "\u202e", "\ufffe"} & set(told)
    assert terminal or "\x1b" not in told
