"""A report as an HTML page."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.analysis.difference import ChangeKind, Verdict
from harness.comparison.matrix import matrix
from harness.config.prices import NO_PRICES, Price, Prices
from harness.drift.types import Drift, DriftChange
from harness.report import Report, html
from harness.report.build import check_report
from harness.report.html import contents, sections
from harness.report.html.page import STYLES, _providers
from harness.report.model import ORIGINS
from harness.types import BrokenOff, Finding, NetworkError, Origin, Place

from ..samples import exchange, sample, told

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes([0, 0, 4, 0, 0, 0, 2, 0])
PROVIDERS = Path(__file__).parents[3] / "harness" / "providers"
VOID = {"meta", "br", "img", "input", "rect", "wbr"}


class Page(HTMLParser):
    """Which elements a page has, and whether each one is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID or (tag == "rect" and self.rawdata[self.offset_of_end() - 2] != "/"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def offset_of_end(self) -> int:
        """Where the tag that was just read ends."""
        text = self.get_starttag_text() or ""
        return self.rawdata.index(text) + len(text)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [told for name, told in self.seen if name == tag]


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    """Every element is closed; no link to elsewhere, no picture from afar, no style of its own."""
    text = html.report(sample())
    page = Page(text)
    assert page.open == []
    assert {tag for tag, _ in page.seen} & {"link", "iframe", "object", "base"} == set()
    assert "url(" not in text
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))
    assert not [told for _, told in page.seen if "style" in told]
    assert page.seen[0] == ("html", {"lang": "en"})


def test_every_link_leads_somewhere() -> None:
    """Each anchor that is linked to is there, and no two elements have the same."""
    page = Page(html.report(sample()))
    ids = [str(told["id"]) for _, told in page.seen if "id" in told]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.all("a")} <= set(ids)


def test_the_policy_lets_one_script_and_one_style_through() -> None:
    """Their hashes are those of the page's own; nothing else may run, load or be sent."""
    text = html.report(sample())
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (policy,) = (
        str(told["content"])
        for told in Page(text).all("meta")
        if told.get("http-equiv") == "Content-Security-Policy"
    )
    hashes = [_hash(style), _hash(script)]
    assert re.findall(r"'(sha256-[^']+)'", policy) == hashes
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy


def words(page: str) -> str:
    """What a page says, without its elements."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.parametrize("origin", Origin)
def test_the_page_says_where_recordings_come_from(origin: Origin) -> None:
    """A page of sandbox recordings says so, and one of live recordings too."""
    text = html.report(Report("r", (told(origin=origin),)))
    (banner,) = re.findall(r'<p class="banner (\w+)">(.*?)</p>', text)
    assert banner[0] == origin.value
    assert ORIGINS[origin] in banner[1]


def test_what_a_recording_says_is_never_markup() -> None:
    """Whatever a recording holds is shown as text, in every corner of the page."""
    text = html.report(sample("<script>alert(1)</script><img src=x onerror=y>\"'"))
    page = Page(text)
    assert len(page.all("script")) == 1
    assert page.all("script") == [{}]
    assert page.all("img") == []
    assert not [told for _, told in page.seen if any(name.startswith("on") for name in told)]
    assert text.count("&lt;script&gt;") > 10


def test_the_conversations_stand_side_by_side() -> None:
    """Each target has its column with bubbles, in the language of their texts."""
    page = Page(html.report(sample()))
    bubbles = [told for _, told in page.seen if "bubble" in str(told.get("class"))]
    assert (len(page.all("article")), len(bubbles)) == (3, 4)
    assert str(bubbles[0]["class"]).startswith("bubble asked")
    assert bubbles[0]["lang"] == "zh-Hans"


def test_a_picture_is_shown_from_the_recording() -> None:
    """A fetched picture is part of the page, in its conversation and among all pictures."""
    answer = exchange({"images": ["https://there/file"]})
    page = Page(html.report(Report("r", (told([answer, exchange(PNG, path="/file")]),))))
    sources = {str(image["src"]) for image in page.all("img")}
    assert (len(page.all("img")), len(sources)) == (2, 1)
    assert sources.pop().startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize(
    ("sample", "shown"),
    [
        ("zhipu/samples/speech.yaml", ["x", "sound 14 B"]),
        ("zhipu/samples/rerank.yaml", ["x y z", "document 1 0.7 z", "document 0 0.2 y"]),
        ("zhipu/samples/embeddings.yaml", ["2 vectors · 2 dimensions", "4 input tokens"]),
        ("dashscope/samples/compatible-with-two-choices.yaml", ["assistant 1 Dry."]),
        ("dashscope/samples/video.yaml", ["A dog", "video https://oss.example/a.mp4"]),
        ("responses/samples/stream.yaml", ["It is 22 degrees in Beijing.", "calls get_weather"]),
    ],
)
def test_calls_of_every_kind_say_what_was_asked_and_answered(sample: str, shown: list[str]) -> None:
    """Without a scenario, too: a text to speak, documents to rank, vectors, several choices."""
    report = check_report([PROVIDERS / sample], lambda _: None)
    text = words(html.report(report))
    assert [one for one in shown if one not in text] == []
    assert "origin unknown" in text


def test_a_stream_that_was_cut_off_says_so() -> None:
    """It is no refusal, and its exchange is not shown as a good one."""
    cut = replace(exchange(b"data: {}"), broken_off=BrokenOff(NetworkError.RESET, "reset by peer"))
    text = html.report(Report("r", (told([cut]),)))
    assert "network failure connection reset reset by peer" in words(text)
    assert "HTTP 0" not in text
    assert text.count('class="chip error">200<') == 1


def test_what_is_no_picture_or_too_much_is_not_shown() -> None:
    """The first bytes decide, not what anybody says; and a page has room for so much only."""
    assert contents.embedded(PNG + bytes(contents.MAX_PICTURE)) == ""
    assert contents.embedded(b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>") == ""
    large = contents.MAX_PICTURE - 100
    files = [PNG + bytes([n]) * large for n in range(12)]
    assert list(contents.album(files)) == files[: contents.MAX_PICTURES // len(files[0])]


def test_numbers_and_differences_are_on_the_page() -> None:
    """Facts, formats and pairs are told."""
    text = words(html.report(sample()))
    assert (
        "finish reason stop · 7 input tokens , 5 output tokens · first byte 250 ms, total 1.50 s"
        in text
    )
    assert "1 ours/one reply sync stop Chinese 100 % 2 7 5 – 250 ms 1.50 s unknown" in text
    assert "ours/one ↔ ours/two 7 differences 4 differences 0 % turn 1: tool call –" in text
    assert "First divergence : turn 1, tool call" in text
    assert re.search(r"answer \d+ fields · 7 differing", text)


def test_long_lists_are_cut_with_a_number() -> None:
    """A pair that parts in hundreds of places says how many are not listed."""
    left = told([exchange({f"k{i}": 1 for i in range(300)})])
    right = told([exchange({})])
    text = html.report(Report("r", (left, right), matrices=(matrix([left, right]),)))
    assert "100 more in the JSON report." in re.sub(r"<[^>]+>", "", text)


def test_a_finding_leads_to_its_bytes_and_the_bytes_to_it() -> None:
    """The bytes at a finding's offset are marked, in the exchange it names."""
    read = told([exchange({"text": "hi", "finish": "stop"})])
    found = Finding("bad", Place(1, 1, None, 9, "/text"), "odd", scenario="问候", target="ours/one")
    text = html.report(Report("r", (read,), (found,)))
    assert '<a href="#s1-t1-x1"><span data-zh="查看原始 HTTP">' in text
    assert '<mark class="offending"><a href="#f-1" title="#1">&#34;hi&#34;</a></mark>' in text


def test_a_scenario_that_could_not_be_played_is_told() -> None:
    """What could not be played at all is in the matrix and among what broke."""
    text = html.report(replace(sample(), reads=(), matrices=()))
    assert 'class="cell problem"' in text
    assert "no cassette: 你好" in text


def test_failures_name_their_place() -> None:
    """In the overview, beside the scenario and the target."""
    overview = html.report(sample()).partition('id="broke"')[2].partition("</ul>")[0]
    assert "问候 · ours/one · turn 1, exchange 1, byte 3, /x" in words(overview)


def test_what_has_no_target_has_no_separator() -> None:
    """Findings and drifts of a test's cassette."""
    found = replace(sample().findings[0], target="", place=Place())
    lost = replace(sample().drifts[0], target="")
    page = words(html.report(replace(sample(), findings=(found,), drifts=(lost,))))
    assert "问候 · ours/one" not in page
    assert "问候 · ours/one" in words(html.report(sample()))
    assert re.findall(r"问候 ·(?! (?:ours|show))", page) == []


def test_the_page_gives_the_number_of_cassettes_that_were_left_out() -> None:
    """Those of tests, where scenarios are replayed."""
    page = words(html.report(replace(sample(), left_out=3)))
    assert "3 cassettes of no scenario, such as those of tests, are not replayed here" in page
    assert "of no scenario" not in html.report(sample())


def test_drift_is_told_with_the_gravest_first() -> None:
    """A verdict for each target, and each change with what was there before and is now."""
    page = html.report(sample("gone"))
    text = words(page)
    assert "1 breaking 1 same" in text
    assert "问候 ours/one breaking 2 – 1 问候 ours/two same – – –" in text
    assert "turn where change before after 1 gone /gone removed (gone) gone – " in text
    assert "1 adds_up rule broken – gone" in text
    assert page.index('id="d-1" data-target="ours/one"') < page.index('id="d-2"')
    assert 'id="drift"' not in html.report(replace(sample(), drifts=()))


def test_many_changes_are_cut_with_a_number() -> None:
    """A recording that changed everywhere does not fill the page."""
    change = DriftChange(
        ChangeKind.REMOVED, "/a", "", "string", "", 1, "answer", verdict=Verdict.BREAKING
    )
    many = (change,) * (sections.MAX_CHANGES + 7)
    text = html.report(Report("r", drifts=(Drift("s", "t", "a", "b", many),)))
    assert text.count("<td><code>answer /a</code>") == sections.MAX_CHANGES
    assert f"{len(many)}</span>" in text
    assert '<span>7</span> <span data-zh="项见 JSON 报告">more in' in text


def priced(*prices: Price) -> Report:
    """A report of two models that answered two turns."""
    turns = [exchange({"text": "a", "finish": "stop"})], [exchange({"text": "b"})]
    reads = told(*turns), told(*turns, target="ours/two")
    return Report("r", reads, matrices=(matrix(reads, Prices(prices)),))


PRICE = Price("ours", "one", "CNY", "a page", date(2026, 7, 1), input=2, output=8)


def test_who_was_cheaper_is_said_where_it_can_be() -> None:
    """Costs with their prices and where these are from; else what is missing."""
    dear = replace(PRICE, model="two", input=20)
    text = words(html.report(priced(PRICE, dear)))
    assert "问候 2 turns each fastest : tie · cheapest : ours/one" in text
    assert (
        "ours/one cheapest 14 10 250 ms 1.50 s 0.000108 CNY "
        "CNY per 1M tokens : 2 input , 8 output valid from 2026-07-01" in text
    )
    assert "ours/two 1.50 s · 0.000360 CNY" in text
    assert "Price sources ours/one: a page, valid from 2026-07-01 ours/two: a page, " in text
    same = words(html.report(priced(PRICE, replace(PRICE, model="two"))))
    assert "cheapest : tie: ours/one, ours/two" in same
    half = words(html.report(priced(PRICE, replace(dear, output=None))))
    assert "cheapest : unknown (no price, or no token counts, of ours/two)" in half
    other = words(html.report(priced(PRICE, replace(dear, currency="USD"))))
    assert "cheapest : unknown (different currencies)" in other
    assert "0.000360 USD" in other


def test_noise_is_told_as_noise() -> None:
    """What differs between repeats of one side stands apart from the differences."""
    one = told([exchange({"text": "a", "finish": "stop"})])
    two = told([exchange({"text": "b", "finish": "length"})], target="ours/two")
    again = told([exchange({"text": "c", "finish": "stop"})])
    page = html.report(Report("r", (one, two), matrices=(matrix([one, two], NO_PRICES, [again]),)))
    found = words(page)
    assert "ours/one ↔ ours/two 0 differences 1 difference 0 % turn 1: finish reason 2" in found
    noise = found[found.index("noise 2 These values also differ between repeats") :]
    noise = noise[: noise.index("Formats")]
    assert "/text a b" in noise
    assert "/finish" not in noise
    assert "values that always differ" not in noise


def test_every_verdict_has_its_looks() -> None:
    """A verdict without a style would be shown as plain text."""
    assert set(STYLES["verdicts"]) == {verdict.value for verdict in Verdict}


def test_a_provider_ends_at_the_first_slash() -> None:
    """Models of a gateway have a slash in their names; a label may have one, too."""
    targets = ["zhipuai/glm (a/b)", "openrouter/x/y", "openrouter/z", "plain (1/2)"]
    found = [("zhipuai", ["glm (a/b)"]), ("openrouter", ["x/y", "z"]), ("", ["plain (1/2)"])]
    assert [*_providers(targets)] == found
