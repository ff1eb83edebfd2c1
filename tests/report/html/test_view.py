"""`harness view` in a browser: listed, searched, filtered, compared, followed live."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from harness.cassette.journal import JournalHead, exchange_record, head_record, journal_path
from harness.cassette.reader import loads
from harness.locale import Language
from harness.report.html.view import PER_PAGE, Viewer
from harness.sandbox.server import run_in_thread
from harness.types import Provenance

ROOT = Path(__file__).parents[3]
SLOGAN = "slogan/zhipuai-glm-5.3-flash.yaml"

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of recordings, one of which breaks a rule."""
    for name in ("slogan", "multi-turn"):
        shutil.copytree(ROOT / "cassettes" / name, tmp_path / name)
    broken = tmp_path / "multi-turn" / "dashscope-qwen-flash.yaml"
    broken.write_text(broken.read_text().replace('"total_tokens":', '"total_tokens":9'))
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """The address of the list."""
    with run_in_thread(Viewer([folder], Language.EN).application(), 0) as address:
        yield address


@pytest.fixture
def page(context: BrowserContext, address: str) -> Page:
    """The list in a browser."""
    opened = context.new_page()
    opened.goto(address)
    return opened


def rows(page: Page) -> list[str]:
    """The files in the list."""
    return [Path(text).name for text in page.locator(".runs tbody th").all_inner_texts()]


def test_recordings_are_searched_filtered_shown_and_compared(
    page: Page, folder: Path, screenshots: Path
) -> None:
    """By words of their text; the failed ones; one on its page; two side by side."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    page.screenshot(path=screenshots / "view-list.png")
    size = page.viewport_size
    assert size is not None
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=screenshots / "view-list-phone.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
    assert len(rows(page)) == 4
    page.fill("[name=q]", "智谱AI开放平台 qwen")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=."))
    assert rows(page) == ["dashscope-qwen-flash.yaml"]
    page.fill("[name=q]", "")
    page.check("[name=failed]")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("failed=1"))
    assert rows(page) == ["dashscope-qwen-flash.yaml"]
    assert page.locator(".chip.error").count() == 1
    page.locator(".runs a").click()
    expect(page).to_have_url(re.compile("show"))
    assert "usage_adds_up" in page.locator("#broke").inner_text()
    page.click("text=All recordings")
    for box in page.locator("[name=f]").all()[2:]:
        box.check()
    page.click("text=Compare selected")
    expect(page).to_have_url(re.compile("compare"))
    page.goto(f"{page.url}#s1-compare")
    assert page.locator("#s1-compare mark.differs").count() > 0
    page.screenshot(path=screenshots / "view-compare.png")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_running_recording_is_followed(page: Page, folder: Path, address: str) -> None:
    """Its page shows each answer as it comes, and the recording itself at the end."""
    cassette = folder / "live.yaml"
    exchanges = loads((folder / "multi-turn/zhipuai-glm-5.3-flash.yaml").read_bytes(), "").exchanges
    journal = journal_path(cassette)
    journal.write_bytes(
        head_record(JournalHead(Provenance(), 1)) + exchange_record(1, exchanges[0])
    )
    page.goto(address)
    page.locator("a", has_text="live.yaml").click()
    expect(page.locator("#s1-talk .talk")).to_have_count(1)
    page.locator("a", has_text="Raw HTTP").click()
    expect(page.locator("#s1-wire .exchange")).to_have_count(1)
    with journal.open("ab") as file:
        file.write(exchange_record(2, exchanges[1]))
    expect(page.locator("#s1-wire .exchange").filter(visible=True)).to_have_count(2)
    shutil.copy(folder / SLOGAN, cassette)
    journal.unlink()
    expect(page).to_have_url(re.compile("/show"))
    assert "slogan" in page.locator("nav").inner_text()


def test_an_empty_folder_is_a_list_that_follows(tmp_path: Path) -> None:
    """It loads itself again until there is a recording; the one that is running is linked."""
    with run_in_thread(Viewer([tmp_path], Language.EN).application(), 0) as address:
        empty = httpx.get(address).text
        assert "No recordings yet; this page follows." in empty
        assert 'http-equiv="refresh"' in empty
        head = head_record(JournalHead(Provenance(), 1))
        journal_path(tmp_path / "first.yaml").write_bytes(head)
        assert "recording now" in httpx.get(address).text
        shutil.copy(ROOT / "cassettes" / SLOGAN, tmp_path / "first.yaml")
        assert 'http-equiv="refresh"' not in httpx.get(address).text


def test_many_are_checked_in_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that failed are the same, and are known from then on."""
    text = (ROOT / "cassettes" / SLOGAN).read_text(encoding="utf-8")
    for number in range(12):
        (tmp_path / f"{number}.yaml").write_text(text, encoding="utf-8")
    broken = tmp_path / "7.yaml"
    broken.write_text(text.replace('"total_tokens":', '"total_tokens":9'), encoding="utf-8")
    monkeypatch.setattr("harness.report.html.view.MANY", 1)
    with run_in_thread(Viewer([tmp_path], Language.EN).application(), 0) as address:
        for _ in range(2):
            found = httpx.get(address, params={"failed": "1"}, timeout=60).text
            assert re.findall('name="f" value="([^"]+)"', found) == [str(broken)]


def test_everybody_can_use_the_list(page: Page) -> None:
    """axe finds nothing in it."""
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []


def test_only_this_machine_and_only_the_listed_files(folder: Path, address: str) -> None:
    """Another host, a file that is not listed, and a name that is not one are refused."""
    assert httpx.get(address, headers={"host": "evil.example"}).status_code == 400
    for query in ("f=/etc/passwd", f"f={folder}/../x.yaml", ""):
        assert httpx.get(f"{address}/show?{query}").status_code == 400
    assert httpx.get(f"{address}/compare?f={folder / SLOGAN}").status_code == 400
    assert "script-src" in httpx.get(address).text


def test_thousands_of_recordings_come_page_by_page(tmp_path: Path) -> None:
    """Only those of the page are read; a search reads the text of all."""
    text = (ROOT / "cassettes" / SLOGAN).read_bytes()
    for number in range(1400):
        (tmp_path / f"{number:04}.yaml").write_bytes(text)
    with run_in_thread(Viewer([tmp_path], Language.ZH).application(), 0) as address:
        first = httpx.get(address, timeout=60)
        assert (first.text.count('name="f"'), "1400" in first.text) == (PER_PAGE, True)
        assert "录制" in first.text
        found = httpx.get(address, params={"q": "0123.yaml"}, timeout=60)
        assert found.text.count('name="f"') == 1
