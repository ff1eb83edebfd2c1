"""The pytest plugin: scenarios are tests, and tests of the user's code can have a cassette.

`pytest scenarios/` runs each scenario with each target (module `scenarios`). The requests of a test
with `@pytest.mark.cassette` are answered from a cassette (module `cassettes`). To keep pytest's
start fast, the rest of the harness is imported only when there is such a test.
"""

from __future__ import annotations

import argparse
import gc
import json
from argparse import ArgumentTypeError
from collections.abc import Generator
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.locale import LANGUAGE, language_of_environment, localized, localized_error
from harness.pytest_plugin import age, cassettes, network
from harness.pytest_plugin.cassettes import cassette_settings, harness_cassette
from harness.pytest_plugin.clean_cassettes import CLEAN_CASSETTES, CleanCassettes
from harness.pytest_plugin.failures import ReportMask, explain, kept_failure, shortened
from harness.pytest_plugin.scenarios import ScenarioFile
from harness.pytest_plugin.summary import UseCounter

__all__ = ["cassette_settings", "harness_cassette"]

_FOLDERS = "harness_scenarios"
_OPTIONS: dict[str, dict[str, dict[str, Any]]] = json.loads(
    Path(__file__).with_name("options.json").read_text(encoding="utf-8")
)
"""The record modes, the command-line options and the ini settings, each with its help."""

_COMPAT = "harness_compat"
_MODES_OF_OTHERS = ("once", "new_episodes", "rewrite", "any", "always", "live")
_OTHERS = ("pytest_recording", "cassetter")
"""Plugins that have an option `--record-mode`."""


class _OtherMode(argparse.Action):
    """Refuse a record mode of another tool with those that are allowed."""

    def __call__(self, *_: object) -> None:
        allowed = ", ".join(f"--record={mode}" for mode in _OPTIONS["record"])
        raise pytest.UsageError(
            localized_error(f"{self.option_strings[0]} is not valid; allowed: {allowed}")
        )


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the command-line options and the ini settings of this plugin."""
    LANGUAGE.set(language_of_environment())
    group = parser.getgroup("harness", localized("conversations with LLM APIs"))
    for mode, option in _OPTIONS["record"].items():  # flags, so that `--record scenarios/` is one
        group.addoption(
            *(("--record",) if mode == "all" else ()),
            f"--record={mode}",
            dest="harness_record",
            action="store_const",
            const=mode,
            default="none",
            help=localized(option["help"]),
        )
    config: Any = pluginmanager.get_plugin("pytestconfig")
    given = [str(argument).partition("--record=") for argument in config.invocation_params.args]
    modes = {mode for before, option, mode in given if option and not before}
    for mode in {*modes, *_MODES_OF_OTHERS} - _OPTIONS["record"].keys():
        group.addoption(f"--record={mode}", action=_OtherMode, nargs=0, help=argparse.SUPPRESS)
    types = {"--pace": _pace, "--cassette-max-age": age.parse_option}
    for flag, option in _OPTIONS["options"].items():
        typed = {"type": types[flag]} if flag in types else {}
        group.addoption(flag, **typed, **option | {"help": localized(option["help"])})
    for name, setting in _OPTIONS["settings"].items():
        parser.addini(name, **setting | {"help": localized(setting["help"])})


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """With `--no-network`, move to a Linux network namespace without a network.

    With `harness_compat = "vcr"`, register the marks, fixtures and options of pytest-recording.
    Both happen before any test, conftest or worker is started.
    """
    if early_config.known_args_namespace.harness_no_network:
        network.isolate(early_config)
    compat = early_config.getini(_COMPAT)
    if compat == "vcr":
        _take_over(early_config)
    elif compat:
        raise pytest.UsageError(
            localized_error(f'{_COMPAT} = "{compat}" is not valid; expected "vcr" or nothing')
        )
    elif not any(map(find_spec, _OTHERS)):
        early_config.pluginmanager.register(_NoRecordMode(), "harness-no-record-mode")


def _take_over(config: pytest.Config) -> None:
    """Register the marks, fixtures and options of pytest-recording."""
    if config.pluginmanager.has_plugin("recording"):
        raise pytest.UsageError(
            localized_error(
                f'{_COMPAT} = "vcr" stands in for pytest-recording: uninstall it, or run pytest '
                "with -p no:recording"
            )
        )
    from harness.pytest_plugin import vcr

    config.pluginmanager.register(vcr, "harness-vcr")


class _NoRecordMode:
    """The option `--record-mode` of other tools, which is refused."""

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """Add the option `--record-mode`, whose use is an error."""
        group = parser.getgroup("harness")
        group.addoption("--record-mode", action=_OtherMode, nargs="?", help=argparse.SUPPRESS)


def pytest_collection_finish(session: pytest.Session) -> None:
    """With `--no-network`, raise pytest.UsageError if a test needs a host outside this machine."""
    if session.config.getoption("harness_no_network"):
        network.check_allowed_hosts(session.items)


def _pace(text: str) -> float:
    from harness.intercept.clock import checked_pace

    try:
        return checked_pace(float(text))
    except (HarnessError, ValueError):
        raise ArgumentTypeError(
            localized_error(f"{text!r} is not a valid pace; expected 0, 1 or any positive factor")
        ) from None


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark `cassette`, and the further plugins that the options ask for."""
    age.check_options(config)
    config.addinivalue_line("markers", cassettes.MARK)
    uses = UseCounter(has_no_network=config.getoption("harness_no_network"))
    config.pluginmanager.register(uses, "harness-use-counter")
    config.pluginmanager.register(ReportMask(), "harness-report-mask")
    config.stash[CLEAN_CASSETTES] = CleanCassettes(config)
    config.pluginmanager.register(config.stash[CLEAN_CASSETTES], "harness-clean-cassettes")
    if not config.pluginmanager.has_plugin("cassetter"):
        config.pluginmanager.register(cassettes.CassetteFixture(), "harness-cassette-fixture")
    listing = config.getoption("--list-cassettes")
    if listing:
        from harness.pytest_plugin.report import CassetteListing

        config.pluginmanager.register(CassetteListing(Path(listing)), "harness-listing")
    folder = config.getoption("--cassette-report")
    if folder:
        from harness.pytest_plugin.report import CassetteReport

        config.pluginmanager.register(CassetteReport(Path(folder)), "harness-report")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return a collector for a YAML file in a folder of scenarios; None for any other file."""
    if file_path.suffix == ".yaml" and file_path.parent.name in parent.config.getini(_FOLDERS):
        scenario: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
        return scenario
    return None


@cache
def import_all(*, is_first: bool) -> None:
    """Import the modules that tests with cassettes need, without garbage collections.

    The many new objects would start collections, which take long and find no garbage. If no test
    has run yet, all existing objects, nearly all of them of modules, are also excluded from later
    collections (`gc.freeze`), which saves more time than the import takes. Otherwise objects of
    fixtures are among them, so they are only moved to the oldest generation.

    Args:
        is_first: Whether no test has run before.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import_module("harness.api.use_cassette")
        if not gc.get_freeze_count():
            gc.freeze()
            if not is_first:
                gc.unfreeze()
    finally:
        if was_enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Run a test with its fixtures; if it has a cassette, with patches of the HTTP libraries.

    In a replay, missing API keys are set to placeholders, so that its fixtures can create clients.
    """
    if not cassettes.has_cassette(item):
        return (yield)
    import_all(is_first=item is item.session.items[0])
    from harness.api.placeholders import placeholder_keys

    replays = item.config.getoption("--record") == "none"
    with (
        network.patches_for(nextitem),
        placeholder_keys() if replays else nullcontext(),
        network.backstop(item),
    ):
        return (yield)


def pytest_sessionfinish() -> None:
    """Remove the patches of HTTP libraries and the placeholder keys that the last test left."""
    network.end_patches()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Open the cassette of a test before its function-scoped fixtures are set up."""
    cassettes.use_first(item)
    with cassettes.phase(item, is_call=False), network.checked(item):
        result = yield
        cassettes.open_if_due(item)
        return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Set up a fixture.

    The test's cassette is in use meanwhile only if the scope of the fixture is `function`.
    """
    item = request._pyfuncitem
    is_narrow = fixturedef.scope == "function"
    if is_narrow:
        cassettes.open_if_due(item)
        cassettes.note_finalizer(item, fixturedef.argname, fixturedef.func)
    with (
        nullcontext() if is_narrow else network.wide_fixtures(item),
        kept_failure(fixturedef, request),
    ):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Tear a test down, and fail it if a connection of its fixtures was refused meanwhile."""
    with network.checked(item, is_teardown=True):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Explain a failure, and shorten an InterceptError to the caller's code and the message."""
    report = yield
    if call.excinfo is None:
        return report
    cassettes.note_outcome(item, report)
    explain(report, item, call)
    return shortened(report, item, call)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test with its cassette, if it has one, and check the cassette."""
    with cassettes.phase(item, is_call=True):
        return (yield)
