"""A report as an HTML page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from harness.compare import compare
from harness.reports import Report, html
from harness.types import Origin

from .samples import exchange, sample, told

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes([0, 0, 4, 0, 0, 0, 2, 0])
VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """Which elements a page has, and whether each one is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    """Every element is closed; no script, no link to elsewhere, no picture from afar."""
    text = html.report(sample())
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.seen} & {"script", "link", "iframe"} == set()
    assert "url(" not in text
    links = [a["href"] for tag, a in page.seen if tag == "a"]
    assert all(str(link).startswith("#") for link in links)
    assert page.seen[0] == ("html", {"lang": "en"})


def test_the_banner_says_where_recordings_come_from() -> None:
    """A page of sandbox recordings says so, one of live recordings too."""
    assert 'sandbox">Recorded from the sandbox, not from' in html.report(sample())
    live = Report("r", (told(origin=Origin.LIVE),))
    assert 'banner">Recorded from the live providers.' in html.report(live)


def test_what_a_recording_says_is_never_markup() -> None:
    """Whatever a recording holds is shown as text, in every corner of the page."""
    text = html.report(sample("<script>alert(1)</script><img src=x onerror=y>\"'"))
    page = Page(text)
    assert "<script" not in text
    assert not [tag for tag, told in page.seen if tag == "img" or "onerror" in told]
    assert text.count("&lt;script&gt;") > 10


def test_the_conversations_stand_side_by_side() -> None:
    """Each target has its column with bubbles, in the language of their texts."""
    page = Page(html.report(sample()))
    columns = [told for tag, told in page.seen if tag == "article"]
    bubbles = [told for _, told in page.seen if "bubble" in str(told.get("class"))]
    assert (len(columns), len(bubbles)) == (3, 4)
    assert bubbles[0] == {"class": "bubble asked", "lang": "zh-Hans"}


def test_a_picture_is_shown_from_the_recording() -> None:
    """A fetched picture is part of the page, one too large is not."""
    answer = exchange({"images": ["https://there/file"]})
    page = Page(html.report(Report("r", (told([answer, exchange(PNG, path="/file")]),))))
    (image,) = [told for tag, told in page.seen if tag == "img"]
    assert str(image["src"]).startswith("data:image/png;base64,iVBOR")
    assert html.embedded(PNG + bytes(html.MAX_PICTURE)) == ""
    assert html.embedded(b"<svg>") == ""


def test_numbers_and_differences_are_on_the_page() -> None:
    """Facts, formats and pairs are told."""
    text = html.report(sample())
    assert "finish reason stop, 7 tokens in, 5 out, first byte 250 ms, total 1.50 s" in text
    assert re.search(r"answer: \d+ paths, 7 where the formats part", text)
    assert "ours/one and ours/two: format differs at 7 spots" in text


def test_long_lists_are_cut_with_a_number() -> None:
    """A pair that parts in hundreds of places says how many are not listed."""
    left = told([exchange({f"k{i}": 1 for i in range(300)})])
    right = told([exchange({})])
    text = html.report(Report("r", (left, right), comparisons=(compare(left, right),)))
    assert "And 100 more: see the JSON report." in text
