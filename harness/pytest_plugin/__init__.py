"""The pytest plugin: scenarios are tests, and tests of one's own may have a cassette.

`pytest scenarios/` makes a test of every scenario with every target, see `scenarios`. A test with
`@pytest.mark.cassette` has its requests answered from a cassette, see `cassettes`. Nothing but
pytest is imported until there is one of them.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Generator
from pathlib import Path

import pytest

from harness.pytest_plugin.age import check_options, options
from harness.pytest_plugin.cassettes import (
    DEFAULTS,
    MARK,
    around,
    asks,
    cassette,
    cassette_settings,
    has_mark,
    taped_of,
)
from harness.pytest_plugin.network import Outside
from harness.pytest_plugin.scenarios import ScenarioFile
from harness.pytest_plugin.summary import Tally

__all__ = ["cassette", "cassette_settings"]

_FOLDERS = "harness_scenarios"
_OUTSIDE = pytest.StashKey[Outside]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and the one setting of this plugin."""
    group = parser.getgroup("harness", "conversations with LLM APIs")
    # Three flags, so that `--record scenarios/` is a flag and a folder.
    group.addoption(
        "--record",
        "--record=all",
        dest="harness_record",
        action="store_const",
        const="all",
        default="none",
        help="record every scenario and cassette anew; live: needs keys and costs money",
    )
    group.addoption(
        "--record=missing",
        dest="harness_record",
        action="store_const",
        const="missing",
        help="record what was never recorded: scenarios without cassette, requests not on one",
    )
    group.addoption(
        "--record=none",
        dest="harness_record",
        action="store_const",
        const="none",
        help="replay only, offline (default)",
    )
    group.addoption(
        "--record-from",
        choices=("live", "sandbox"),
        default="live",
        help="whom --record asks in scenarios: the live services (default) or the sandbox, "
        "which has no model",
    )
    group.addoption(
        "--cassettes",
        metavar="DIR",
        help="the folder of scenarios' cassettes; default: cassettes, beside that of scenarios",
    )
    group.addoption(
        "--list-cassettes",
        metavar="FILE",
        help="write as JSON which cassette each collected test has; with --collect-only",
    )
    group.addoption(
        "--pace",
        type=_pace,
        default=0.0,
        metavar="FACTOR",
        help="have recorded answers, and waits in a replay, take so many times as long as they "
        "did: 0 is at once (default), 1 as recorded",
    )
    group.addoption(
        "--cassette-report",
        metavar="DIR",
        help="write the report page of the tests' cassettes to this folder, and the same as "
        "Markdown, JUnit, JSON and JSON Lines",
    )
    options(group)
    parser.addini(
        _FOLDERS,
        type="args",
        default=["scenarios"],
        help="names of folders whose *.yaml files are scenarios; empty switches this off",
    )


def _pace(text: str) -> float:
    """The same as `harness.intercept.checked_pace` allows, without any import."""
    try:
        pace = float(text)
    except ValueError:
        pace = -1
    if not 0 <= pace < math.inf:
        raise ArgumentTypeError(f"{text!r} is no pace; allowed: 0, 1, or any positive number")
    return pace


def pytest_configure(config: pytest.Config) -> None:
    """The mark of tests, and the closing line."""
    check_options(config)
    config.addinivalue_line("markers", MARK)
    config.pluginmanager.register(Tally(), "harness-tally")
    config.pluginmanager.register(config.stash.setdefault(_OUTSIDE, Outside()), "harness-outside")
    listing = config.getoption("--list-cassettes")
    if listing:
        from harness.pytest_plugin.listing import Listing

        config.pluginmanager.register(Listing(Path(listing)), "harness-listing")
    folder = config.getoption("--cassette-report")
    if folder:
        from harness.pytest_plugin.report import Reporting

        config.pluginmanager.register(Reporting(Path(folder)), "harness-reporting")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every YAML file in a folder of scenarios is one."""
    if file_path.suffix == ".yaml" and file_path.parent.name in parent.config.getini(_FOLDERS):
        scenario: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
        return scenario
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Replay a test with placeholder keys, so that its fixtures can make clients without keys."""
    if not asks(item) or item.config.getoption("--record") != "none":
        return (yield)
    from harness.api.placeholders import placeholder_keys

    with placeholder_keys():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """A test with the mark has the defaults of its folder set up like any fixture."""
    names = getattr(item, "fixturenames", None)
    if names is not None and DEFAULTS not in names and has_mark(item):
        names.append(DEFAULTS)
    with item.config.stash[_OUTSIDE].watching(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """What its fixtures do afterwards is not on the cassette either."""
    with item.config.stash[_OUTSIDE].watching(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that asked for a cassette runs with it."""
    taped = taped_of(item)
    if taped is None:
        return (yield)
    with around(item, taped):
        return (yield)
