"""The page in a browser: looked at, searched, in the dark, in Chinese, and attacked."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from .conftest import ROOT, Watch

pytestmark = pytest.mark.slow

CHINESE = re.compile("[\u3400-\u9fff/]")


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab in which nothing may go wrong."""
    opened = context.new_page()
    watch = Watch(opened)
    yield opened
    assert watch.wrongs == []


def go(page: Page, anchor: str) -> None:
    """Follow a link to a place on the page."""
    page.evaluate("anchor => { location.hash = anchor; }", anchor)
    page.wait_for_function("anchor => location.hash === `#${anchor}`", arg=anchor)


def shown(page: Page, selector: str) -> int:
    """How many such elements can be seen."""
    return page.locator(selector).filter(visible=True).count()


def soon(page: Page, is_so: Callable[[], bool]) -> bool:
    """Whether it is so now or within a minute: a page answers an event in its own time."""
    for _ in range(3000):
        if is_so():
            return True
        page.wait_for_timeout(20)
    return False


def views(page: Page) -> list[str]:
    """The addresses of all views, and of all panes of the scenarios."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('nav a, .tabs a')].map(a => a.getAttribute('href').slice(1))"
    )
    return found


OPEN_ALL = """async () => {
    const seen = (e) => e.checkVisibility();
    const all = (s) => [...document.querySelectorAll(s)];
    const told = [];
    for (const link of all('nav a, .tabs a')) {
        const changed = new Promise(done => addEventListener('hashchange', done, {once: true}));
        if (location.hash !== link.hash) { location.hash = link.hash; await changed; }
        const own = document.querySelector(link.hash);
        told.push({
            anchor: link.hash, own: seen(own), views: all('[data-view]').filter(seen).length,
            panes: all('[data-pane]').filter(seen).length,
            width: document.documentElement.scrollWidth,
        });
    }
    return told;
}"""
"""Follow every link of the navigation, and tell what is shown then."""


def test_every_view_opens_by_itself(page: Page, shipped_page: Path) -> None:
    """Each link of the page shows its view, and that view only."""
    page.goto(shipped_page.as_uri())
    assert shown(page, "#overview") == 1
    told = page.evaluate(OPEN_ALL)
    assert len(told) > 40
    assert [one for one in told if not one["own"] or one["views"] != 1 or one["panes"] > 1] == []


def test_the_page_of_the_shipped_scenarios_is_small(shipped_page: Path) -> None:
    """It can be sent by mail."""
    assert shipped_page.stat().st_size < 3_000_000


LANES = """id => [...document.querySelectorAll(`#${id} .timeline`)].map(line => {
    const box = (e) => e.getBoundingClientRect();
    return {
        marks: [...line.querySelectorAll('.axis text')].map(box).map(b => [b.left, b.right]),
        names: [...line.querySelectorAll('.axis text')].map(e => e.textContent),
        ticks: [...line.querySelectorAll('.tick')].map(box).map(b => [b.left, b.width]),
        track: box(line.querySelector('.line')).toJSON(),
        states: [...line.querySelectorAll('.states-line text')].map(e => e.textContent),
    };
})"""
"""What is drawn of each turn of a scenario."""


def test_times_can_be_read(page: Page, shipped_page: Path) -> None:
    """Round times that do not run into each other; a stroke for each chunk, within its line."""
    page.goto(f"{shipped_page.as_uri()}#s10-time")
    lines = page.evaluate(LANES, "s10-time")
    assert len(lines) == 6
    for line in lines:
        assert len(line["names"]) == len(set(line["names"])) > 2
        assert all(end < start for (_, end), (start, _) in pairwise(line["marks"]))
        left, right = line["track"]["left"], line["track"]["right"]
        assert all(left <= x and x + width <= right + 0.1 for x, width in line["ticks"])
        assert len({round(x) for x, _ in line["ticks"]}) == len(line["ticks"]) >= 10


BARS = """() => [...document.querySelectorAll('svg.bar, .line')].filter(e => e.checkVisibility())
    .map(e => e.getBoundingClientRect().width)"""
"""How wide each bar is that is shown."""


def test_bars_can_be_seen(page: Page, shipped_page: Path) -> None:
    """Those of the race between models are long enough to be compared, on a phone too."""
    page.goto(shipped_page.as_uri())
    for view, least in (("overview", 250), ("s10-time", 250), ("s10-compare", 60)):
        go(page, view)
        for width in (375, 1280, 1440, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            bars = page.evaluate(BARS)
            assert bars, (view, width)
            assert min(bars) >= least, (view, width)


def test_a_tasks_states_stand_in_its_line(page: Page, shipped_page: Path) -> None:
    """Each with how long it lasted; beside them what the task came to."""
    page.goto(f"{shipped_page.as_uri()}#s3-time")
    states = [text for line in page.evaluate(LANES, "s3-time") for text in line["states"]]
    assert [re.sub(r"\d\.\d\d", "#", text) for text in states] == ["PENDING # s", "RUNNING # s"]
    assert page.locator("#s3-time .state.done").inner_text() == "SUCCEEDED"


def test_the_pictures_are_drawn(page: Page, shipped_page: Path) -> None:
    """A recorded picture is part of the page and decoded by the browser."""
    page.goto(shipped_page.as_uri())
    widths = page.evaluate("[...document.images].map(i => [i.complete, i.naturalWidth > 0])")
    assert widths
    assert all(complete and drawn for complete, drawn in widths)


def test_a_link_to_a_finding_shows_it(page: Page, broken_page: Path) -> None:
    """Opened with its address; from there to its bytes, which are marked, and back."""
    page.goto(f"{broken_page.as_uri()}#f-2")
    assert page.evaluate("document.activeElement.id") == "f-2"
    page.locator("#f-2 [data-zh='查看原始 HTTP']").click()
    assert soon(page, lambda: shown(page, "[data-pane]") == 1)
    marks = page.locator("mark.offending a[href='#f-2']").filter(visible=True)
    assert soon(page, lambda: marks.count() > 0)
    marks.first.click()
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "f-2")


def test_findings_are_filtered(page: Page, broken_page: Path) -> None:
    """By severity and by target, and both leave something out."""
    page.goto(f"{broken_page.as_uri()}#findings")
    every = shown(page, "#findings li.finding")
    page.select_option("#severity", "error")
    errors = shown(page, "#findings li.finding")
    assert soon(page, lambda: shown(page, "#findings li.finding.error") == errors)
    target = page.locator("#findings li.finding.error").first.get_attribute("data-target")
    page.select_option("#target", target)
    assert soon(page, lambda: 0 < shown(page, "#findings li.finding") < errors <= every)


def test_search_finds_words_in_every_view(page: Page, shipped_page: Path) -> None:
    """The views tell how often; what does not fit is not shown; Esc ends it."""
    page.goto(f"{shipped_page.as_uri()}#s10-talk")
    before = shown(page, ".talk")
    page.keyboard.press("/")
    page.keyboard.type("木星")
    assert soon(page, lambda: 0 < shown(page, ".talk") < before)
    hits = page.locator("nav a[href='#s10'] .hits").inner_text()
    assert int(hits) > 0
    assert page.locator("nav a[href='#s1'] .hits").inner_text() == "0"
    assert page.evaluate("CSS.highlights.get('found').size") > 0
    page.keyboard.press("Escape")
    assert soon(page, lambda: shown(page, ".talk") == before)


def test_what_has_nothing_that_is_searched_is_not_shown(page: Page, shipped_page: Path) -> None:
    """No heads of tables without their rows; where nothing is left, the page says so."""
    page.goto(shipped_page.as_uri())
    page.fill("#search", "cogview")
    assert soon(page, lambda: shown(page, "#overview .card") == 4)
    assert shown(page, "#models") == 1
    page.fill("#search", "nowhere to be found")
    assert soon(page, lambda: shown(page, "#overview .nohits") == 1)
    assert shown(page, "#overview .card:not(.hero) table") == 0


def test_a_search_leads_to_what_it_finds(page: Page, broken_page: Path) -> None:
    """A view without matches lists those of the others; Enter goes to the first, a click to any."""
    page.goto(f"{broken_page.as_uri()}#s1-talk")
    page.fill("#search", "usage_adds_up")
    assert soon(page, lambda: shown(page, "#hits a") >= 3)
    assert "usage_adds_up" in page.locator("#hits a").first.inner_text()
    assert page.locator("#hits h3").first.inner_text() == "Overview (2)"
    page.locator("#hits a[href='#f-1']").click()
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "f-1")
    page.fill("#search", "finish_reason_is_known")
    page.keyboard.press("Enter")
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "f-3")
    page.keyboard.press("Escape")
    assert soon(page, lambda: shown(page, "#hits") == 0)


def test_findings_lead_to_their_rules(page: Page, broken_page: Path) -> None:
    """Each rule stands on the page once, with its text and all its findings."""
    page.goto(f"{broken_page.as_uri()}#findings")
    page.locator("#f-2 .head a", has_text="usage_adds_up").click()
    assert soon(page, lambda: shown(page, "#rules") == 1)
    rule = page.locator("#rules .aimed")
    assert "input and output tokens add up" in rule.inner_text()
    rule.locator("a[href='#f-2']").click()
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "f-2")


def test_what_passed_can_be_left_out(page: Page, broken_page: Path) -> None:
    """Failed only: scenarios, rows and findings without errors are hidden, and come back."""
    page.goto(broken_page.as_uri())
    page.locator("#failed").check()
    assert page.locator("nav li", has_text="kitten").filter(visible=True).count() == 0
    assert shown(page, ".runs tbody tr") == 2
    go(page, "findings")
    assert shown(page, "#findings li.finding") == shown(page, "#findings li.error") == 2
    page.locator("#failed").uncheck()
    assert shown(page, "#findings li.finding") == 4


def test_things_are_copied(context: BrowserContext, page: Page, broken_page: Path) -> None:
    """A pointer, the command that finds it again, the body, and the request as a command."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{broken_page.as_uri()}#f-1")

    def copied(button: str) -> str:
        page.evaluate("navigator.clipboard.writeText('')")
        page.locator(button).filter(visible=True).first.click()
        assert soon(page, lambda: bool(page.evaluate("navigator.clipboard.readText()")))
        return str(page.evaluate("navigator.clipboard.readText()"))

    assert copied("#f-1 .copy:has-text('pointer')") == "/usage/total_tokens"
    assert copied("#f-1 .copy:has-text('command')").startswith("harness check /")
    page.locator("#f-1 [data-zh='查看原始 HTTP']").click()
    command = shlex.split(copied(".copy:has-text('curl')").replace("\\\n", ""))
    assert command[:3] == ["curl", "-X", "POST"]
    assert "messages" in json.loads(command[-1])["input"]
    assert "total_tokens" in json.loads(copied(".io > div + div .copy"))["usage"]


def test_json_is_a_tree_on_request(page: Page, broken_page: Path, shipped_page: Path) -> None:
    """Of a body, and of the data of a stream's events; folded and unfolded; and back to bytes."""
    page.goto(f"{broken_page.as_uri()}#f-1")
    page.locator("#f-1 [data-zh='查看原始 HTTP']").click()
    button = page.locator(".io > div + div [data-copy-tree]").filter(visible=True).first
    button.click()
    tree = page.locator(".tree").first
    assert "total_tokens: 9" in tree.inner_text()
    tree.locator("summary").first.click()
    assert soon(page, lambda: "total_tokens" not in tree.inner_text())
    button.click()
    assert page.locator(".tree").count() == 0
    page.goto(f"{shipped_page.as_uri()}#s10-t1-x1")
    page.locator("#s10-t1-x1 .io > div + div [data-copy-tree]").click()
    assert page.locator("#s10-t1-x1 .tree > summary").inner_text() == "[60]"


def test_tool_results_are_formatted(page: Page, shipped_page: Path) -> None:
    """JSON that a tool returned stands on lines of its own."""
    page.goto(shipped_page.as_uri())
    results = page.locator(".bubble.tool pre").all_text_contents()
    assert any(re.search(r'^\{\n  "', result) for result in results)


def test_the_navigation_of_a_phone_is_a_menu(page: Page, shipped_page: Path) -> None:
    """It is opened by a button, and closed by a choice; a field's paths stand in its block."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(shipped_page.as_uri())
    assert shown(page, "nav a") == 0
    page.locator("#menu").click()
    assert page.locator("#menu").get_attribute("aria-expanded") == "true"
    page.locator("nav a[href='#fields']").click()
    assert soon(page, lambda: shown(page, "nav a") == 0 and shown(page, "#fields") == 1)
    wide = "e => e.closest('.wide').scrollWidth - e.closest('.wide').clientWidth"
    assert page.locator("#meaning-text .meaning").evaluate(wide) == 0
    cell = page.locator("#meaning-text td").first
    before = cell.evaluate("e => getComputedStyle(e, '::before').content")
    assert "dashscope" in before


def test_system_prompts_are_on_nobodys_side(page: Page, shipped_page: Path) -> None:
    """Instructions run over the whole width; tool results stand apart from what the user said."""
    page.goto(shipped_page.as_uri())
    kinds = page.evaluate(
        "[...document.querySelectorAll('.bubble')].map(e => [e.querySelector('.role')?.textContent,"
        " e.classList.contains('asked')])"
    )
    asked = {role for role, side in kinds if side}
    assert asked == {"user"}
    assert {"system", "tool"} <= {role for role, _ in kinds}


def test_the_page_tells_what_made_it(page: Page, broken_page: Path) -> None:
    """Version and time stand at its end."""
    page.goto(broken_page.as_uri())
    assert re.search(
        r"· \d+\.\d+\.\d+ · 20\d\d-\d\d-\d\d .* UTC", page.locator("footer").inner_text()
    )


def test_paths_can_be_read_on_a_phone(page: Page, shipped_page: Path) -> None:
    """They are broken into pieces, but not letter by letter."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{shipped_page.as_uri()}#s10-formats")
    cells = page.locator("#s10-formats th[scope=row]").filter(visible=True)
    assert min(cell.bounding_box()["width"] for cell in cells.all()[:20]) > 120  # type: ignore[index]


def test_what_is_folded_is_found(page: Page, shipped_page: Path) -> None:
    """Long tables are folded; a search opens those that have it, and folds them again."""
    page.goto(f"{shipped_page.as_uri()}#fields")
    assert page.evaluate("document.documentElement.scrollHeight") < 3500
    assert shown(page, "#fields .fold tr.findable") == 0
    page.fill("#search", "contentFilter")
    assert soon(page, lambda: shown(page, "#fields .fold tr.findable") > 0)
    assert shown(page, "#fields details.fold[open]") < page.locator("#fields details.fold").count()
    page.fill("#search", "")
    assert soon(page, lambda: shown(page, "#fields details.fold[open]") == 0)
    page.locator("#fields .unfold").click()
    assert soon(page, lambda: shown(page, "#fields .fold tr.findable") > 100)
    page.locator("#fields .unfold").click()
    assert soon(page, lambda: shown(page, "#fields .fold tr.findable") == 0)


def test_a_field_leads_to_its_evidence(page: Page, shipped_page: Path) -> None:
    """From how often it was seen to the exchange where it was, with its bytes."""
    page.goto(f"{shipped_page.as_uri()}#fields")
    row = page.locator("#meaning-text tr", has=page.locator("[data-zh=结束原因]")).first
    href = str(row.locator("a").first.get_attribute("href"))
    row.locator("a").first.click()
    assert soon(page, lambda: page.locator(f"{href}[open]").filter(visible=True).count() == 1)
    assert "finish_reason" in page.locator(href).inner_text()


def test_the_overview_fits(page: Page, shipped_page: Path) -> None:
    """All targets are in sight at once; on a phone the scenario's name stays where it is."""
    page.goto(shipped_page.as_uri())
    wide = "e => e.closest('.wide').scrollWidth - e.closest('.wide').clientWidth"
    assert page.locator(".matrix thead tr:last-child th").count() >= 7
    assert page.locator(".matrix").evaluate(wide) == 0
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.locator(".matrix").evaluate(wide) > 100
    name = page.locator(".matrix tbody th").first
    before = name.bounding_box()
    page.locator(".matrix").evaluate("e => { e.closest('.wide').scrollLeft = 100; }")
    assert name.bounding_box() == before


def test_the_overview_answers_what_a_newcomer_asks(page: Page, shipped_page: Path) -> None:
    """Which fields differ, who was faster and cheaper, what the picture looks like, what broke."""
    page.goto(shipped_page.as_uri())
    text = page.locator("#overview").inner_text()
    assert "No failures" in text
    assert "dashscope · messages ↔ dashscope · prompt: 2 of 6 fields at different paths" in text
    assert "independent-questions, multi-turn, slogan" in text
    verdicts = page.locator(".contest p").all_inner_texts()
    assert len(verdicts) == 5
    assert all("fastest: " in told and "cheapest: " in told for told in verdicts)
    assert "are those of the sandbox" in text
    assert shown(page, "#overview .gallery img") == 3


def test_only_what_differs_is_shown_on_request(page: Page, shipped_page: Path) -> None:
    """Fields that are the same everywhere can be left out."""
    page.goto(f"{shipped_page.as_uri()}#fields")
    page.locator("#fields .unfold").click()
    assert soon(page, lambda: shown(page, "#fields .fold tr.same") > 0)
    same, parts = shown(page, "#fields tr.same"), shown(page, "#fields tr.parts")
    page.locator("#fields .only-differing").check()
    assert same > 0
    assert (shown(page, "#fields tr.same"), shown(page, "#fields tr.parts")) == (0, parts)


def test_keys_lead_from_item_to_item(page: Page, broken_page: Path) -> None:
    """j and k go to the next finding and back; ? tells so."""
    page.goto(f"{broken_page.as_uri()}#findings")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "f-2")
    page.keyboard.press("k")
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "f-1")
    page.keyboard.press("?")
    assert soon(page, lambda: shown(page, "dialog") == 1)
    page.keyboard.press("Escape")
    assert soon(page, lambda: shown(page, "dialog") == 0)


def test_the_first_key_leads_past_the_navigation(page: Page, shipped_page: Path) -> None:
    """Tab shows a link to the content, and whatever has the focus can be seen to have it."""
    page.goto(shipped_page.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert soon(page, lambda: page.evaluate("document.activeElement.id") == "main")


def test_the_page_speaks_chinese(page: Page, shipped_page: Path) -> None:
    """Every text that is marked changes, back too, and the choice is kept."""
    page.goto(shipped_page.as_uri())
    english = page.locator("nav a").first.inner_text()
    page.locator("#language").click()
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    told = page.evaluate("[...document.querySelectorAll('[data-zh]')].map(e => e.textContent)")
    assert len(told) > 500
    assert not [text for text in told if not CHINESE.search(text)]
    regions = "[...document.querySelectorAll('[role=region]')].map(e => e.ariaLabel)"
    told = page.evaluate(regions)
    assert len(told) > 40
    assert not [text for text in told if not CHINESE.search(text.partition(":")[0])]
    row = page.locator("#s10-compare table.facts tbody tr").first.locator("td")
    assert row.all_text_contents()[2:6] == ["回答", "流式", "stop", "中文 100 %"]
    go(page, "s10-compare")
    word = row.nth(2).locator("span").bounding_box()
    assert word is not None
    assert word["width"] > word["height"]  # not one sign below the other
    go(page, "overview")
    page.reload()
    assert page.locator("nav a").first.inner_text() == "总览"
    page.locator("#language").click()
    assert page.locator("nav a").first.inner_text() == english


def test_findings_speak_chinese(page: Page, broken_page: Path) -> None:
    """The law, the labels, the place and what was expected do; values stay as they were found."""
    page.goto(f"{broken_page.as_uri()}#findings")
    first = page.locator("#findings li.finding", has_text="usage_adds_up").first
    assert "Check that input and output tokens add up to the total." in first.inner_text()
    assert "输入与输出" not in first.inner_text()
    assert page.locator("h1").inner_text() == "Check"
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "检查"
    assert first.locator(".law").inner_text() == "输入与输出的 token 数相加等于总数。"
    assert first.locator("dt").all_inner_texts() == ["期望", "实际", "位置"]
    assert first.locator("dd").first.inner_text() == "83 + 30 = 113，即 token 总数"
    reason = page.locator("#findings li.finding", has_text="finish_reason_is_known").first
    assert reason.locator("dd").first.inner_text() == "以下之一：length, stop, tool_calls"
    where = first.locator("dd").last.inner_text()
    assert re.fullmatch("第 1 轮，第 1 次交互，字节 [0-9]+，/usage/total_tokens", where)
    assert first.locator(".message").count() == 0
    more = page.locator("#findings li.finding .law ~ .message")
    assert [text for text in more.all_inner_texts() if text.startswith("expected ")] == []
    laws = page.locator("#findings .law").filter(visible=True).all_inner_texts()
    assert len(laws) == page.locator("#findings li.finding").count()
    assert all(re.search("[\u4e00-\u9fff]{4}", law) for law in laws)


def test_the_page_is_dark_where_the_reader_is(browser: Browser, shipped_page: Path) -> None:
    """By the system's wish, and by a button that is remembered."""
    context = browser.new_context(color_scheme="dark", locale="zh-CN")
    page = context.new_page()
    page.goto(shipped_page.as_uri())
    back = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.evaluate(back) == "rgb(15, 19, 24)"
    page.locator("#theme").click()
    assert page.evaluate(back) == "rgb(245, 246, 248)"
    page.reload()
    assert page.evaluate(back) == "rgb(245, 246, 248)"
    context.close()


def test_the_page_is_whole_without_its_script(browser: Browser, shipped_page: Path) -> None:
    """Where scripts are off, everything is shown, one thing below the other."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(shipped_page.as_uri())
    every = page.locator("[data-view]").count()
    assert every > 10
    assert soon(page, lambda: shown(page, "[data-view]") == every)
    assert soon(page, lambda: shown(page, ".controls") == 0)
    context.close()


def test_drift_leads_to_its_changes_and_its_conversation(page: Page, drifted_page: Path) -> None:
    """From the overview to a change, to a recording that has it, and to what was said there."""
    page.goto(drifted_page.as_uri())
    page.locator("#overview a[href='#c-1']").click()
    assert soon(page, lambda: shown(page, "#drift") == 1)
    page.locator("#c-1 summary").click()
    page.locator("#c-1 a[href='#d-1']").click()
    change = page.locator("#d-1 tr.findable", has_text="/usage/total_tokens").first
    assert soon(page, lambda: "integer" in change.inner_text())
    page.locator("#d-1 > p > a").click()
    assert soon(page, lambda: shown(page, "#drift") == 0 and shown(page, ".talk") > 0)


def test_drift_tells_each_change_once(page: Page, drifted_page: Path) -> None:
    """A renamed field is one change: its old and new name, since when, the rule it breaks."""
    page.goto(f"{drifted_page.as_uri()}#drift")
    cards = page.locator(".change")
    first = cards.first.inner_text()
    assert "answer /usage/total_tokens renamed → /usage/all_tokens" in first
    assert re.search(r"between the recordings of 20[-0-9: ]+ and 20[-0-9: ]+ · 1 recording", first)
    assert "rules broken by it: answer_fits_schema" in first
    titles = cards.locator("h3").all_inner_texts()
    assert sum("/usage/all_tokens" in title for title in titles) == 1
    assert not [title for title in titles if "answer_fits_schema" in title]
    broken = [title for title in titles if "history_is_carried" in title]
    assert [title.split()[0] for title in broken] == ["warning"]
    assert page.locator("#drift > h2 .count").inner_text() == str(len(titles))


def test_a_large_report_is_unpacked_when_it_is_shown(
    page: Page, shipped_page: Path, large_page: Path
) -> None:
    """Scenarios are compressed; links, searches and languages reach into them all the same."""
    assert large_page.stat().st_size * 3 < shipped_page.stat().st_size * 2
    assert "木星" not in large_page.read_text(encoding="utf-8")
    page.goto(large_page.as_uri())
    page.evaluate("Promise.all([read(), read()])")  # a search before the page has read its texts
    packed = page.locator("[data-view][data-packed]")
    every = packed.count()
    assert every > 10
    page.fill("#search", "木星")
    assert soon(page, lambda: shown(page, "#hits a") > 0)
    assert "木星" in page.locator("#hits a").first.inner_text()
    page.keyboard.press("Enter")
    assert soon(page, lambda: shown(page, ".talk") > 0)
    assert packed.count() == every - 1
    page.keyboard.press("Escape")
    page.locator("#language").click()
    go(page, "s2-t1-x1")
    assert soon(page, lambda: shown(page, "#s2-t1-x1 .io") == 1)
    assert page.locator("#s2 .tabs a").first.inner_text() == "对话"
    page.goto(f"{large_page.as_uri()}#s3-wire")
    page.reload()
    assert soon(page, lambda: shown(page, "#s3-wire") == 1)


def test_a_run_of_tests_is_a_list(page: Page, tests_page: Path) -> None:
    """A line per test: its name, its model, its result, its time; no path of this machine."""
    page.goto(tests_page.as_uri())
    rows = [row.locator("th, td").all_inner_texts() for row in page.locator(".runs tbody tr").all()]
    assert [row[:3] for row in rows[:2]] == [
        ["multi-turn/dashscope-qwen-flash", "qwen-flash", "passed"],
        ["slogan/dashscope-qwen-flash", "qwen-flash", "passed"],
    ]
    assert len(rows) == 4
    assert all(re.fullmatch(r"\d+ ms", row[3]) for row in rows)
    assert str(tests_page.parent) not in page.locator("#overview").inner_text()
    page.locator(".runs a").last.click()
    assert soon(page, lambda: shown(page, ".talk") > 0)


def test_the_cheapest_and_the_noise_are_told(page: Page, drifted_page: Path) -> None:
    """Who was cheaper stands on the overview; what repeats differ in stands apart."""
    page.goto(f"{drifted_page.as_uri()}#models")
    assert "cheapest: dashscope/qwen-flash" in page.locator(".contest p").first.inner_text()
    assert page.locator(".models .chip.good", has_text="cheapest").first.is_visible()
    go(page, "s1-compare")
    page.locator("#s1-compare .noise summary").click()
    assert soon(page, lambda: "Hm." in page.locator("#s1-compare .noise").inner_text())


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(page: Page, broken_page: Path, width: int) -> None:
    """The page is never scrolled sideways; wide tables are, in their frames."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(broken_page.as_uri())
    told = page.evaluate(OPEN_ALL)
    assert [one["anchor"] for one in told if one["width"] > width] == []


def test_a_hostile_recording_does_nothing(page: Page, hostile_page: Path) -> None:
    """In no view, not when everything is opened, hovered or clicked, and not in a search."""
    page.goto(hostile_page.as_uri())
    for anchor in views(page):
        go(page, anchor)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        for place in page.locator(".bubble, td, pre, li").filter(visible=True).all()[:12]:
            place.hover(force=True)
    page.fill("#search", "<script>")
    page.locator("#language").click()
    page.emulate_media(media="print")
    assert page.evaluate("window.harmed") is None
    names = "[...new Set([...document.querySelectorAll('*')].map(e => e.localName))]"
    elements = page.evaluate(names)
    assert not {"iframe", "base", "object", "img", "textarea"} & set(elements)
    assert page.locator("script").count() == page.locator("style").count() == 1
    assert page.locator("a:not([href^='#'], footer a)").count() == 0


def test_what_came_into_the_page_after_all_would_not_run(
    context: BrowserContext, hostile_page: Path
) -> None:
    """The policy is the second lock: handlers, scripts and pictures from afar are refused."""
    page = context.new_page()
    page.goto(hostile_page.as_uri())
    with socket.create_server(("127.0.0.1", 0)) as afar:
        afar.setblocking(False)
        page.evaluate(BREAK_IN, afar.getsockname()[1])
        with pytest.raises(BlockingIOError):  # nobody came
            afar.accept()
    assert page.evaluate("window.harmed") is None


BREAK_IN = """async (port) => {
    document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror="window.harmed = 1">'
        + `<img src="http://127.0.0.1:${port}/x"><a id=trap href="javascript:window.harmed=2">`);
    const script = document.createElement('script');
    script.textContent = 'window.harmed = 3';
    document.body.append(script);
    document.getElementById('trap').click();
    await new Promise(done => setTimeout(done, 150));
}"""


DESKTOP = {"width": 1280, "height": 900}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP, "locale": "en-GB"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "chinese": {"viewport": DESKTOP, "locale": "zh-CN"},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
SHOTS = (
    "overview",
    "fields",
    "s3-talk",
    "s3-time",
    "s10-compare",
    "s10-formats",
    "s10-time",
    "s10-wire",
    "s10-talk",
)
"""The views of the shipped scenarios: a picture, a task, streams, tools."""

DRIFTED_SHOTS = {
    "drift": "drift",
    "history": "history",
    "rules": "rules",
    "models": "models",
    "charts": "charts",
    "noise": "s1-compare",
}
"""The views of recordings that changed, with a history: name and anchor."""

OTHER_SHOTS = ("tests", "findings", "marked", "keys", "search", "hostile")


@pytest.mark.parametrize("look", LOOKS if os.environ.get("HARNESS_SCREENSHOTS") else ["light"])
def test_every_view_is_photographed(
    browser: Browser,
    shipped_page: Path,
    broken_page: Path,
    drifted_page: Path,
    hostile_page: Path,
    tests_page: Path,
    screenshots: Path,
    look: str,
) -> None:
    """For people to look at: make screenshots, which takes four pictures of each."""
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    page.goto(shipped_page.as_uri())
    for anchor in SHOTS:
        go(page, anchor)
        page.screenshot(path=screenshots / f"{look}-{anchor}.png")
    page.goto(drifted_page.as_uri())
    for name, anchor in DRIFTED_SHOTS.items():
        go(page, anchor)
        page.screenshot(path=screenshots / f"{look}-{name}.png")
    page.goto(tests_page.as_uri())
    page.screenshot(path=screenshots / f"{look}-tests.png")
    page.goto(f"{broken_page.as_uri()}#findings")
    page.screenshot(path=screenshots / f"{look}-findings.png")
    page.locator("[data-zh='查看原始 HTTP']").first.click()
    page.screenshot(path=screenshots / f"{look}-marked.png")
    go(page, "overview")
    page.keyboard.press("?")
    page.screenshot(path=screenshots / f"{look}-keys.png")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("total_tokens")
    page.screenshot(path=screenshots / f"{look}-search.png")
    page.goto(hostile_page.as_uri())
    page.screenshot(path=screenshots / f"{look}-hostile.png")
    taken = {path.stem.removeprefix(f"{look}-") for path in screenshots.glob(f"{look}-*.png")}
    assert taken == {*SHOTS, *DRIFTED_SHOTS, *OTHER_SHOTS}
    guide = (ROOT / "docs" / "guides" / "report.md").read_text(encoding="utf-8")
    assert {name for name in taken if f"`{name}`" not in guide} == set()
    context.close()


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("shown", ["broken_page", "drifted_page"])
def test_everybody_can_use_it(
    browser: Browser, request: pytest.FixtureRequest, look: str, shown: str
) -> None:
    """axe finds nothing in all views together: names, contrasts, headings, order."""
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    page.goto(request.getfixturevalue(shown).as_uri())
    page.evaluate("document.querySelectorAll('[hidden]').forEach(e => { e.hidden = false; })")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    told = Axe().run(page).response["violations"]
    assert [f"{one['id']}: {node['html'][:200]}" for one in told for node in one["nodes"][:3]] == []
    context.close()


def test_it_can_be_printed(page: Page, shipped_page: Path, screenshots: Path) -> None:
    """On paper there is everything, in light colours, with nothing folded."""
    page.goto(f"{shipped_page.as_uri()}#s10-wire")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.screenshot(path=screenshots / "print.png")
    assert (shown(page, "nav"), shown(page, ".controls"), shown(page, "details pre") > 3) == (
        0,
        0,
        True,
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for kind in ("[data-view]", "[data-pane]"):
        assert shown(page, kind) == page.locator(kind).count()
    assert page.locator("details:not([open])").count() == 0
    days = page.locator("#overview time").all_inner_texts()
    assert days
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", day) for day in days)
    assert len(page.pdf()) > 10_000
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert soon(page, lambda: shown(page, "details pre") == 0)
