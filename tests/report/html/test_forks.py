"""The tree of recordings on the report page and in `harness view`."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from harness.locale import Language
from harness.report.build import check_report
from harness.report.html.page import report
from harness.report.html.view import Viewer
from harness.sandbox.server import run_in_thread

ROOT = Path(__file__).parents[3]
PARENT = "multi-turn/zhipuai-glm-5.3-flash"
CHILD = "multi-turn-at-3/zhipuai-glm-5.3-flash"


def recordings(folder: Path) -> list[Path]:
    """Write a recording, and one that continues it from turn 3 on."""
    text = (ROOT / "cassettes" / f"{PARENT}.yaml").read_text(encoding="utf-8")
    parent, child = (folder / f"{name}.yaml" for name in (PARENT, CHILD))
    for path in (parent, child):
        path.parent.mkdir()
    parent.write_text(text, encoding="utf-8")
    name = "    scenario: multi-turn\n"
    assert name in text
    forked = text.replace(name, f"    scenario: multi-turn-at-3\n    parent: {PARENT}@3\n")
    child.write_text(forked, encoding="utf-8")
    return [parent, child]


def trees(html: str) -> list[str]:
    """Return the texts of the places of recordings in the tree, with their links."""
    found: list[str] = re.findall(r'<ul class="[^"]*tree">(.*?)</ul>', html, re.DOTALL)
    return [re.sub(r"<(?!a |/a)[^>]*>", "", one).strip() for one in found]


def test_the_page_shows_parent_and_children(tmp_path: Path) -> None:
    """Each with a link to the other; a parent that is not on the page by its name."""
    both = recordings(tmp_path)
    parent, child = trees(report(check_report(both, lambda _: None)))
    assert parent == f'continued, from turn 3: <a href="#s2-t1">{CHILD}</a>'
    assert child == f'continues <a href="#s1-t1">{PARENT}</a>, from turn 3'
    assert trees(report(check_report(both[1:], lambda _: None))) == [
        f"continues {PARENT}, from turn 3"
    ]


def test_the_list_and_each_page_lead_to_the_others(tmp_path: Path) -> None:
    """A fork is marked in the list, and the pages of parent and child are linked."""
    parent, child = recordings(tmp_path)
    with (
        run_in_thread(Viewer([tmp_path], Language.EN).application(), 0) as address,
        httpx.Client(base_url=address) as client,
    ):
        assert f"└ from turn 3: {PARENT}" in client.get("/").text
        for here, there in ((parent, CHILD), (child, PARENT)):
            (tree,) = trees(client.get("/show", params={"f": str(here)}).text)
            link = tree.partition('href="')[2].partition('"')[0]
            assert f">{there.partition('/')[0]}</h2>" in client.get(link).text
