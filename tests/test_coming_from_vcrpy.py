"""docs/COMING_FROM_VCRPY: its code works, and both languages match."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from harness.providers.servers import PROVIDER_SERVERS
from harness.pytest_plugin.cassettes import MarkOptions

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parent.parent / "docs"
ENGLISH, CHINESE = (
    (DOCS / f"COMING_FROM_VCRPY{ending}.md").read_text(encoding="utf-8")
    for ending in ("", ".zh-CN")
)
README = (DOCS / "guides" / "vcrpy.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_, _, CONFTEST, TEST, PROJECT = BLOCK.findall(ENGLISH)


def test_both_languages_match() -> None:
    """Both languages have the same code, and as many rows and headings."""
    assert BLOCK.findall(CHINESE) == BLOCK.findall(ENGLISH)
    for form in (r"^\| ", r"^#+ ", r"^\d\. "):
        rows = [len(re.findall(form, text, re.MULTILINE)) for text in (ENGLISH, CHINESE)]
        assert rows[0] == rows[1] > 2


def test_every_argument_is_on_the_page() -> None:
    """Each argument of the mark is on the page."""
    names = set(MarkOptions.__dataclass_fields__) - {"_", "path", "findings"}
    assert names - set(re.findall(r"\w+", ENGLISH)) == set()


def test_the_code_after_works(
    pytester: pytest.Pytester, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code after the migration records, and replays with another volatile value."""
    speaker = PROVIDER_SERVERS["zhipuai"]
    monkeypatch.setenv("ZHIPUAI_API_KEY", speaker.key)
    monkeypatch.setenv("ZHIPUAI_BASE_URL", sandbox + speaker.prefix)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_capital=TEST)
    pytester.runpytest_inprocess("-p", "no:asyncio", "--record=missing").assert_outcomes(passed=1)
    monkeypatch.setenv("ZHIPUAI_API_KEY", "a-dummy.key")
    (path,) = pytester.path.rglob("*.yaml")
    cassette = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert re.fullmatch("[0-9a-f]{8}", cassette["metadata"]["harness"]["exchanges"][0]["key"])
    pytester.makepyprojecttoml(PROJECT.replace("localhost", "db.internal"))
    result = pytester.runpytest_inprocess("-p", "no:asyncio")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["harness: 1 replayed, 0 recorded, 0 live; no test went *"])


@pytest.mark.parametrize("half", ["before", "after"])
def test_the_code_in_the_readme_works(pytester: pytest.Pytester, half: str) -> None:
    """The code before and after in the guide works with the same cassette."""
    (shown,) = (block for block in BLOCK.findall(README) if block.startswith("# before"))
    code = dict(zip(["before", "after"], re.split("^# after$", shown, flags=re.M), strict=True))
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\nmarkers = vcr: of another plugin\n")
    pytester.mkdir("cassettes").joinpath("mine.yaml").write_text("interactions: []\nversion: 1\n")
    pytester.makepyfile(f"import harness\nimport pytest\nimport vcr\n\n{code[half]}")
    pytester.runpytest_inprocess("-p", "no:asyncio", "--strict-markers").assert_outcomes(passed=1)
