"""The names that the plugin adds to pytest, and plugins with similar names beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.config.argparsing import Parser

from harness import pytest_plugin
from harness.pytest_plugin.cassettes import MARK, CassetteFixture

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parents[2] / "docs" / "guides"

CASSETTE = """\
interactions:
- request:
    body: null
    headers: {}
    method: GET
    uri: http://localhost:9/TOOL
  response:
    body:
      string: 'played by TOOL'
    headers: {}
    status:
      code: 200
      message: OK
version: 1
"""

TESTS = """\
import pytest
import requests

def ask(tool):
    return requests.get(f"http://localhost:9/{tool}", timeout=60).text

@pytest.mark.vcr
def test_vcr():
    assert ask("vcr") == "played by vcr"

@pytest.mark.cassette
def test_cassette(cassette, harness_cassette):
    assert ask("cassette") == "played by cassette"
    assert cassette is harness_cassette

@pytest.mark.block_network
def test_block_network():
    with pytest.raises(RuntimeError, match="Network is disabled"):
        ask("block_network")

def test_fixtures(record_mode, vcr_config, cassette_settings, block_network):
    assert (record_mode, vcr_config, cassette_settings) == ("none", {}, {})
"""

LIKE_CASSETTER = """\
import pytest

@pytest.fixture(autouse=True)
def cassette():
    return "theirs"
"""


def names(plugins: pytest.PytestPluginManager) -> set[str]:
    """Return the options, ini settings, marks and fixtures that the plugin adds."""
    parser = Parser(_ispytest=True)
    pytest_plugin.pytest_addoption(parser, plugins)
    (group,) = [group for group in parser._groups if group.options]
    shown = [option for option in group.options if option.attrs().get("help") != "==SUPPRESS=="]
    options = {name for option in shown for name in option.names()}
    fixtures = {"cassette", *pytest_plugin.__all__}
    return {*options, *parser._inidict, MARK.partition("(")[0], *fixtures}


@pytest.mark.parametrize("page", ["pytest.md", "pytest.zh-CN.md"])
def test_a_name_has_the_prefix_or_a_reason(page: str, pytestconfig: pytest.Config) -> None:
    """Each name begins with `harness_`, or is in the table that gives the reason."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    reasons = {name.strip(" `") for row in rows for name in row.split("|")[1].split(",")}
    added = names(pytestconfig.pluginmanager)
    assert reasons == {name for name in added if not name.startswith("harness_")}
    assert hasattr(CassetteFixture, "cassette")


@pytest.mark.slow
def test_beside_pytest_recording(pytester: pytest.Pytester) -> None:
    """Both plugins serve the tests with their marks, options and fixtures in one run."""
    pytest.importorskip("pytest_recording")
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:pytest_httpx\n")
    folder = pytester.mkdir("cassettes") / "test_both"
    folder.mkdir()
    for tool in ("vcr", "cassette"):
        text = CASSETTE.replace("TOOL", tool)
        (folder / f"test_{tool}.yaml").write_text(text, encoding="utf-8")
    pytester.makepyfile(test_both=TESTS)
    done = pytester.runpytest_subprocess("--record-mode=none", "--record=none", "--block-network")
    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines(["harness: 1 replayed, *; no test went to the network"])


@pytest.mark.slow
def test_beside_cassetter(pytester: pytest.Pytester) -> None:
    """Every test has cassetter's fixture `cassette`, and none has this tool's because of that."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p cassetter\n")
    pytester.makepyfile(
        cassetter=LIKE_CASSETTER,
        test_it="import pytest\ndef test_plain(cassette): assert cassette == 'theirs'\n"
        "@pytest.mark.cassette(allow_unused=True)\ndef test_marked(harness_cassette, cassette):\n"
        "    assert harness_cassette.exchanges == () and cassette == 'theirs'\n",
    )
    done = pytester.runpytest_subprocess("--record=none")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["harness: *1 without requests; no test went to the network"])


def test_a_marked_test_gets_its_open_cassette_by_the_fixture(
    pytester: pytest.Pytester, only_our_plugin: None
) -> None:
    """A test that asks for the fixture while it runs gets the cassette that its mark opened."""
    pytester.makepyfile(
        "import harness, pytest\n"
        "@pytest.mark.cassette\n"
        "def test_late(request):\n"
        "    late = request.getfixturevalue('cassette')\n"
        "    assert late.test.endswith('::test_late')\n"
        "    assert late is request.getfixturevalue('harness_cassette')\n"
        "    assert harness.intercept.context.own_block() is late._block\n"
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
