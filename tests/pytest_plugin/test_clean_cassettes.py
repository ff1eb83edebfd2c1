"""Cassettes without findings are judged again only if what findings depend on has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.cassette.store import read
from harness.config import plugins
from harness.providers import rules
from harness.rules import Judged
from harness.types import Transcript

pytest_plugins = ["pytester"]

SLOGAN = Path(__file__).parents[2] / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"
TESTS = """
import httpx
import pytest

@pytest.mark.cassette("slogan.yaml", allow_unused=True)
@pytest.mark.parametrize("count", [0, 1])
def test_slogan(count):
    for _ in range(count):
        assert httpx.post({uri!r}, json={body!r})
"""

Run = Callable[..., int]


@pytest.fixture
def cassette(pytester: pytest.Pytester, only_our_plugin: None) -> Path:
    """Write two tests, of which the second replays all of a cassette; return the cassette."""
    asked = read(SLOGAN).exchanges[0].request
    pytester.makepyfile(test_mine=TESTS.format(uri=asked.uri, body=json.loads(asked.body)))
    path = pytester.path / "slogan.yaml"
    path.write_bytes(SLOGAN.read_bytes())
    return path


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the tests, and returns how many transcripts were judged."""
    judge, judged = rules.judge, list[Transcript]()

    def noted(transcript: Transcript) -> Judged:
        judged.append(transcript)
        return judge(transcript)

    monkeypatch.setattr(rules, "judge", noted)

    def run_tests(*options: str, failed: int = 0) -> int:
        judged.clear()
        options = ("-p", "no:asyncio", "-p", "no:hypothesispytest", *options)
        result = pytester.runpytest_inprocess(*options)
        result.assert_outcomes(passed=2 - failed, failed=failed)
        return len(judged)

    return run_tests


def test_a_cassette_is_judged_once(cassette: Path, run: Run) -> None:
    """Only a test that used all of its cassette is known, by the cassette's content."""
    assert [run(), run(), run("--cache-clear")] == [2, 1, 2]
    cassette.write_bytes(cassette.read_bytes().replace(b"recorded_at: '2", b"recorded_at: '1"))
    assert [run(), run(), run("-p", "no:cacheprovider")] == [2, 1, 2]


def test_findings_are_found_again(cassette: Path, run: Run) -> None:
    """A cassette with findings is judged in each run."""
    text = cassette.read_text(encoding="utf-8")
    cassette.write_text(text.replace("total_tokens", "totally_tokens"), encoding="utf-8")
    assert [run(failed=1), run(failed=1)] == [2, 2]


def test_settings_and_plug_ins_count(
    cassette: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other rules judge again; with a plug-in, nothing is kept."""
    assert [run(), run()] == [2, 1]
    selected = '[tool.harness.rules]\nselect = ["known_endpoint"]\n'
    cassette.with_name("pyproject.toml").write_text(selected, encoding="utf-8")
    assert [run(), run()] == [2, 1]
    monkeypatch.setattr(plugins, "are_installed", lambda *groups: "harness.rules" in groups)
    assert run() == 2


@pytest.mark.slow
@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_processes_share_what_they_know(cassette: Path, run: Run) -> None:
    """What the workers of pytest-xdist judge, the next run knows."""
    run("-n", "2")
    assert run() == 1
