"""A headless Chromium, and pages for it: of shipped recordings, broken ones, hostile ones."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from harness.analysis.difference import ChangeKind, Verdict
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette.age import ALWAYS
from harness.cassette.store import Store, find
from harness.checks.check import Kept
from harness.comparison.matrix import matrix
from harness.config.prices import Price, Prices
from harness.drift import run
from harness.drift.judge import project_criteria
from harness.drift.types import Drift, DriftChange
from harness.providers import endpoints, recordings
from harness.report import FILES, Report, html
from harness.report import drift as drift_report
from harness.report.build import check_report, draw_nothing, replay_report, tests_report
from harness.report.spool import SpooledReads
from harness.report.trends import with_report
from harness.runner import batch
from harness.types import Problem

ROOT = Path(__file__).parents[3]

HOSTILE = """\
<script>window.harmed = 1</script><img src=x onerror="window.harmed = 2">
<svg onload="window.harmed=3">
<svg><script>window.harmed = 4</script></svg><iframe src="javascript:parent.harmed = 5"></iframe>
[click](javascript:window.harmed=6) ![x](https://example.invalid/x.png) <https://example.invalid>
</script></style></pre></title></textarea><style>body { display: none }</style><base href="//x">
<a href="javascript:window.harmed = 7">a</a> \x1b[2J\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07
"><details open ontoggle="window.harmed = 8"> ' onmouseover='window.harmed = 9 {{ 7 * 7 }} ${7*7}
```html onload=x
<script>alert(1)</script>
```
"""
"""What a recording may hold that wants to be more than text."""

INVENTED = Prices(
    (
        Price("zhipuai", "glm-5.3-flash", "CNY", "invented", date(2026, 1, 1), input=1, output=4),
        Price("dashscope", "qwen-flash", "CNY", "invented", date(2026, 1, 1), input=0.5, output=1),
    )
)
"""Prices that nobody asks."""

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="parent.harmed = 10"/>'


def hostile_cassette() -> str:
    """A cassette of another tool, full of it, in every place a recording has."""
    asked = {"model": HOSTILE, "messages": [{"role": HOSTILE, "content": HOSTILE}]}
    call = {"id": HOSTILE, "type": "function", "function": {"name": HOSTILE, "arguments": HOSTILE}}
    said = {"role": "assistant", "content": HOSTILE, "tool_calls": [call]}
    said["reasoning_content"] = HOSTILE
    answer = {"id": 1, HOSTILE: HOSTILE, "choices": [{"finish_reason": HOSTILE, "message": said}]}
    image = {"created": 1, "data": [{"url": "https://open.bigmodel.cn/x.svg"}]}
    base = "https://open.bigmodel.cn"
    there = f"{base}/api/paas/v4"
    interactions = [
        _exchange(f"{there}/chat/completions", asked, yaml.safe_dump(answer), 200),
        _exchange(f"{there}/chat/completions", asked, _json(answer), 200),
        _exchange(f"{there}/chat/completions", asked, _json({"error": {"code": HOSTILE}}), 429),
        _exchange(f"{there}/images/generations", asked, _json(image), 200),
        _exchange(f"{base}/x.svg", None, SVG.decode(), 200),
        _exchange(f"{base}/<script>?'\"onerror=", None, HOSTILE, 500),
    ]
    return yaml.safe_dump({"version": 1, "interactions": interactions}, allow_unicode=True)


def hostile(checked: Report) -> Report:
    """The report of two such cassettes, as of one scenario whose every name is hostile, too: side
    by side, with a repeat, at a hostile price, and with what changed."""
    one, two = (_renamed(read, number) for number, read in enumerate(checked.reads))
    day = date(2026, 1, 1)
    price = Price("zhipuai", HOSTILE, HOSTILE, HOSTILE, day, input=1, output=1, image=1)
    texts = {"path": HOSTILE, "before": HOSTILE, "after": HOSTILE, "part": HOSTILE, "rule": HOSTILE}
    gone = DriftChange(ChangeKind.REMOVED, turn=1, verdict=Verdict.BREAKING, **texts)
    rule = replace(gone, kind=ChangeKind.RULE, rule=HOSTILE)
    return Report(
        HOSTILE,
        reads=(one, two),
        findings=tuple(replace(found, scenario=HOSTILE) for found in checked.findings),
        matrices=(matrix([one, _shorter(two)], Prices((price,)), [two]),),
        problems=(Problem(HOSTILE, HOSTILE, HOSTILE),),
        drifts=(Drift(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (gone, rule), (HOSTILE,)),),
    )


def _renamed(one: AnalyzedTranscript, number: int) -> AnalyzedTranscript:
    target = f"zhipuai/{HOSTILE} ({number})"
    return replace(one, transcript=replace(one.transcript, scenario=HOSTILE, target=target))


def _shorter(one: AnalyzedTranscript) -> AnalyzedTranscript:
    """One that has other answers, for a turn of it is gone."""
    turns = one.transcript.turns
    fewer = tuple(replace(t, number=n) for n, t in enumerate(turns[1:], start=1))
    return analyze(replace(one.transcript, turns=fewer), endpoints.recognise)


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _exchange(uri: str, asked: object, answer: str, status: int) -> dict[str, object]:
    headers = {"x-hostile": [HOSTILE.replace("\n", " ")], "content-type": ["application/json"]}
    body = None if asked is None else _json(asked)
    method = "GET" if asked is None else "POST"
    request = {"method": method, "uri": uri, "body": body, "headers": headers}
    told = {"code": status, "message": HOSTILE.splitlines()[0]}
    response = {"status": told, "headers": headers, "body": {"string": answer}}
    return {"request": request, "response": response}


@pytest.fixture(scope="session")
def shipped_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all shipped scenarios and their cassettes."""
    todo = batch.jobs(batch.load_scenarios([], ROOT / "scenarios"), [])
    report = replay_report(todo, Store(ROOT / "cassettes"), lambda _: None, "Shipped")
    page = tmp_path_factory.mktemp("shipped") / "index.html"
    page.write_text(html.report(report), encoding="utf-8")
    return page


@pytest.fixture(scope="session")
def broken_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of recordings in which something is wrong: a sum of tokens, a finish reason."""
    folder = tmp_path_factory.mktemp("broken")
    for name in ("slogan", "kitten-image"):
        shutil.copytree(ROOT / "cassettes" / name, folder / name)
    for path in folder.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        text = text.replace('"total_tokens":', '"total_tokens":9').replace('"stop"', '"stopped"')
        path.write_text(text, encoding="utf-8")
    page = folder / "index.html"
    report = check_report([folder], lambda _: None)
    page.write_text(html.report(report), encoding="utf-8")
    return page


@pytest.fixture(scope="session")
def drifted_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of recordings that changed: a field renamed in one, one added, another wording;
    side by side, with prices, the old ones being repeats."""
    folder = tmp_path_factory.mktemp("drifted")
    for side in ("old", "new"):
        for name in ("slogan", "multi-turn"):
            shutil.copytree(ROOT / "cassettes" / name, folder / side / name)
    for name, before, after in (
        ("slogan/zhipuai-glm-5.3-flash.yaml", '"total_tokens":', '"all_tokens":'),
        (
            "multi-turn/zhipuai-glm-5.3-flash.yaml",
            '"total_tokens":',
            '"billed":true,"total_tokens":',
        ),
        ("slogan/dashscope-qwen-flash.yaml", '"request_id":"', '"request_id":"0'),
        ("multi-turn/dashscope-qwen-flash.yaml", '"content":"', '"content":"Hm. '),
    ):
        path = folder / "new" / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
    criteria = project_criteria(None)
    new = SpooledReads()
    result = run.compare_folders(
        folder / "old",
        folder / "new",
        criteria,
        Verdict.BREAKING,
        lambda _: None,
        keep=new.append,
    )
    result = replace(result, transcripts=new)
    old = [recordings.read_cassette(path) for path in find([folder / "old"])]
    scenarios = {read.transcript.scenario for read in result.transcripts}
    groups = [
        [r for r in result.transcripts if r.transcript.scenario == s] for s in sorted(scenarios)
    ]
    matrices = tuple(matrix(group, INVENTED, old) for group in groups)
    page = folder / "index.html"
    report = replace(drift_report.report(result), matrices=matrices)
    runs = folder / "runs"
    runs.mkdir()
    earlier = FILES["json"](check_report([folder / "old"], lambda _: None))
    (runs / "1.json").write_text(earlier, encoding="utf-8")
    report = replace(report, history=with_report(runs, report))
    page.write_text(html.report(report), encoding="utf-8")
    return page


@pytest.fixture(scope="session")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the shipped cassettes, packed as those of large reports are."""
    page = tmp_path_factory.mktemp("large") / "index.html"
    report = check_report([ROOT / "cassettes"], lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.html.packing.LARGE", 1)
        page.write_text(html.report(report), encoding="utf-8")
    return page


@pytest.fixture(scope="session")
def tests_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of tests whose cassettes name no scenario."""
    folder = tmp_path_factory.mktemp("tests")
    for name in ("slogan", "multi-turn"):
        shutil.copytree(ROOT / "cassettes" / name, folder / name)
    for path in folder.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub("(?m)^    (scenario|target): .*\n", "", text), encoding="utf-8")
    page = folder / "index.html"
    report = tests_report(
        sorted(folder.rglob("*.yaml")), ALWAYS, 1, lambda _: None, Kept.TRANSCRIPTS, draw_nothing
    )
    page.write_text(html.report(report), encoding="utf-8")
    return page


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a cassette that is after its reader."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile.yaml").write_text(hostile_cassette(), encoding="utf-8")
    (folder / "another.yaml").write_text(hostile_cassette(), encoding="utf-8")
    page = folder / "index.html"
    found = check_report([folder], lambda _: None)
    assert found.reads, found.problems
    report = hostile(found)
    page.write_text(html.report(report), encoding="utf-8")
    return page


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window. It has a running event loop, which no other test is to meet."""
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.skip("no browser: install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=["--headless=new", "--no-sandbox"]
        )
        yield opened
        opened.close()


class Watch:
    """What a page did that it must not do."""

    def __init__(self, page: Page) -> None:
        self.wrongs: list[str] = []
        page.on("console", lambda told: self.wrongs.append(f"console: {told.text}"))
        page.on("pageerror", lambda error: self.wrongs.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.wrongs.append(f"dialog: {dialog.message}"))
        page.on("popup", lambda popup: self.wrongs.append(f"popup: {popup.url}"))
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:image/")):
            self.wrongs.append(f"request: {url}")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor who was never here, with an English browser."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    made.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield made
    made.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page go: a scratch folder, or what HARNESS_SCREENSHOTS says."""
    wanted = os.environ.get("HARNESS_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
