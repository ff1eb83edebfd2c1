"""The age limit of cassettes, `--cassette-max-age`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
SLOGAN = ROOT / "cassettes" / "slogan" / "zhipuai-glm-5.3-flash.yaml"


@pytest.fixture
def repository(pytester: pytest.Pytester) -> pytest.Pytester:
    """Write a test and a scenario with the same cassette, recorded long ago."""
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


def test_no_limit_by_default(repository: pytest.Pytester) -> None:
    """Without the option, there is no warning."""
    result = repository.runpytest_inprocess()
    result.assert_outcomes(passed=3)


def test_a_young_cassette_passes(repository: pytest.Pytester) -> None:
    """A cassette within the limit causes no warning."""
    result = repository.runpytest_inprocess("--cassette-max-age=3000w", "--cassette-max-age-fails")
    result.assert_outcomes(passed=3)


def test_an_old_cassette_causes_a_warning(repository: pytest.Pytester) -> None:
    """Each test with a cassette that is too old passes with a warning."""
    result = repository.runpytest_inprocess("--cassette-max-age=12h")
    result.assert_outcomes(passed=3, warnings=2)
    result.stdout.fnmatch_lines(
        ["*CassetteAgeWarning: *slogan*.yaml: expected an age of at most 12h, actual * days*"]
    )


def test_an_old_cassette_can_fail_tests(repository: pytest.Pytester) -> None:
    """With --cassette-max-age-fails, each test with a cassette that is too old fails."""
    result = repository.runpytest_inprocess("--cassette-max-age=12h", "--cassette-max-age-fails")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*slogan.yaml: expected an age of at most 12h, actual * days*"])


def test_wrong_options_are_usage_errors(repository: pytest.Pytester) -> None:
    """Wrong options are usage errors of one line."""
    result = repository.runpytest_inprocess("--cassette-max-age=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'soon' is not a valid age; allowed: *30d*"])
    result = repository.runpytest_inprocess("--cassette-max-age-fails")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--cassette-max-age-fails requires --cassette-max-age*"])
