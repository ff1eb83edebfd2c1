"""Cassettes that are older than --max-cassette-age allows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
SLOGAN = ROOT / "cassettes" / "slogan" / "zhipuai-glm-4.yaml"


@pytest.fixture
def repository(pytester: pytest.Pytester) -> pytest.Pytester:
    """A test and a scenario with the same cassette, recorded long ago."""
    pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest -p no:asyncio\n"
        "filterwarnings = default\n"
    )
    from harness.cassette.store import read

    asked = read(SLOGAN).exchanges[0].request
    pytester.makepyfile(
        test_mine=f"""
        import httpx
        import pytest

        @pytest.mark.cassette("slogan.yaml")
        def test_slogan():
            body = {json.loads(asked.body)!r}
            assert httpx.post({asked.uri!r}, json=body).json()["choices"]

        @pytest.mark.cassette("slogan.yaml", allow_unused=True)
        def test_nothing():
            pass
        """
    )
    text = SLOGAN.read_text(encoding="utf-8")
    old = re.sub(r"(recorded_at: *'?)[0-9T:+-]+", r"\g<1>2026-01-01T00:00:00+00:00", text)
    for path in (pytester.path, pytester.path / "cassettes" / "slogan"):
        path.mkdir(parents=True, exist_ok=True)
    (pytester.path / "slogan.yaml").write_text(old, encoding="utf-8")
    (pytester.path / "cassettes" / "slogan" / SLOGAN.name).write_text(old, encoding="utf-8")
    scenario = (ROOT / "scenarios" / "slogan.yaml").read_text(encoding="utf-8")
    (pytester.path / "scenarios").mkdir()
    one = re.sub(r"(?m)^.*dashscope(.*\n)+?(?=^steps)", "", scenario)
    (pytester.path / "scenarios" / "slogan.yaml").write_text(one, encoding="utf-8")
    return pytester


def test_no_word_about_age(repository: pytest.Pytester) -> None:
    """Unless somebody asks."""
    result = repository.runpytest_inprocess()
    result.assert_outcomes(passed=3)


def test_young_enough(repository: pytest.Pytester) -> None:
    """Nothing is said either."""
    result = repository.runpytest_inprocess("--max-cassette-age=3000w", "--max-cassette-age-fails")
    result.assert_outcomes(passed=3)


def test_a_warning(repository: pytest.Pytester) -> None:
    """Of each test that was answered from the cassette; they pass."""
    result = repository.runpytest_inprocess("--max-cassette-age=12h")
    result.assert_outcomes(passed=3, warnings=2)
    result.stdout.fnmatch_lines(
        ["*CassetteAgeWarning: *slogan*.yaml: expected an age of at most 12h, actual * days*"]
    )


def test_a_failure(repository: pytest.Pytester) -> None:
    """Where that is asked for."""
    result = repository.runpytest_inprocess("--max-cassette-age=12h", "--max-cassette-age-fails")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*slogan.yaml: expected an age of at most 12h, actual * days*"])


def test_wrong_use(repository: pytest.Pytester) -> None:
    """One message."""
    result = repository.runpytest_inprocess("--max-cassette-age=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'soon' is not a valid age; allowed: *30d*"])
    result = repository.runpytest_inprocess("--max-cassette-age-fails")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--max-cassette-age-fails requires --max-cassette-age*"])
