"""Tests with a cassette: `@pytest.mark.cassette`, or the fixture `cassette`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import CassetteMiss, HarnessError, InterceptError
from harness.locale import localized, localized_error
from harness.pytest_plugin.age import check_age
from harness.pytest_plugin.clean_cassettes import CLEAN_CASSETTES
from harness.pytest_plugin.summary import CassetteUse, note_unwatched, note_use, report_findings

if TYPE_CHECKING:
    from harness.api.use_cassette import CassetteContext
    from harness.faults import InjectedFault
    from harness.intercept.hooks import BeforeRecord, NormalizeRequest
    from harness.rules import Judged

MARK = (
    "cassette(path='', *, folder='cassettes', volatile=(), secrets=(), allow_unused=False, "
    "allow_hosts=(), normalize_request=None, before_record=None, faults=(), findings='fail'): "
    "answer the requests of this test from a cassette, by default "
    "cassettes/<module>/<test>.yaml beside the test's file; record with --record=missing"
)
DEFAULTS = "cassette_settings"
CASSETTE = "harness_cassette"


@dataclass(frozen=True)
class MarkOptions:
    """The arguments of the mark `cassette`.

    Attributes:
        path: The cassette's file, relative to the folder of the test's file, or its address in a
            store. If it is empty, the cassette is in `folder` and named after the test.
        folder: The folder of such cassettes, relative to the folder of the test's file, or its
            address in a store.
        volatile: JSON pointers into request bodies; values there are ignored in matching.
        secrets: Texts that are never written, besides the API keys of the environment.
        allow_unused: Whether the test may leave out recorded requests.
        allow_hosts: Hosts that are contacted without recording or replaying.
        normalize_request: A function that returns the copy of a request that is compared in
            matching. None if there is no such function.
        before_record: A function that is called with each exchange and returns the exchange to
            write in its place, or None to write nothing. None if there is no such function.
        faults: Faults that some requests get instead of their answers, in this order.
        findings: `fail` if errors among the findings fail the test, `show` if they are only added
            to its report.
    """

    path: str | Path = ""
    _: KW_ONLY
    folder: str | Path = "cassettes"
    volatile: Sequence[str] = ()
    secrets: Sequence[str] = ()
    allow_unused: bool = False
    allow_hosts: Sequence[str] = ()
    normalize_request: NormalizeRequest | None = None
    before_record: BeforeRecord | None = None
    faults: Sequence[InjectedFault] = ()
    findings: str = "fail"

    def __post_init__(self) -> None:
        for name in ("path", "folder"):
            if not isinstance(getattr(self, name), str | Path):
                raise TypeError(f"{name}: expected a path")
        if self.findings not in ("fail", "show"):
            raise TypeError(f"findings={self.findings!r} is not valid; expected 'fail' or 'show'")


_NO_OPTIONS = MarkOptions()
_FETCHED = pytest.StashKey[dict[str, Path | Exception]]()
_CONTEXT = pytest.StashKey["CassetteContext"]()
_FAILURE = pytest.StashKey[BaseException | None]()
_IS_EXPECTED = pytest.StashKey[bool]()
_IS_DUE = pytest.StashKey[bool]()
_HAS_OWN = pytest.StashKey[bool]()
_MAY_FOLLOW = pytest.StashKey[bool]()
_MARKED = pytest.StashKey[tuple[pytest.Mark | None, MarkOptions]]()
"""The mark of a test, and the options that it alone sets."""
_OPTIONS = pytest.StashKey[MarkOptions]()
_PATH = pytest.StashKey[Path]()
_MAX_NAME_LENGTH = 80


@pytest.fixture(scope="session")
def cassette_settings() -> Mapping[str, Any]:
    """Return default arguments of the mark `cassette`; override it in a conftest.py or module."""
    return {}


@pytest.fixture
def harness_cassette(
    request: pytest.FixtureRequest, cassette_settings: Mapping[str, Any]
) -> Iterator[CassetteContext]:
    """Return the context of the cassette that answers this test's requests, with its exchanges.

    The cassette is in use until the fixtures that were set up after this one are torn down.
    """
    context = open_context(request.node)
    if context is not None:  # opened by the mark; the test asks for this fixture while it runs
        yield context
        return
    yield _open(request.node, cassette_settings)
    _close(request.node)


class CassetteFixture:
    """A plugin with the fixture `cassette`, another name of `harness_cassette`.

    It is not registered beside the plugin cassetter, which has a fixture of that name.
    """

    @pytest.fixture
    def cassette(self, harness_cassette: CassetteContext) -> CassetteContext:
        """Return the context of the cassette that answers this test's requests."""
        return harness_cassette


def has_mark(item: pytest.Item) -> bool:
    """Return whether a test has the mark `cassette`."""
    return _mark(item) is not None


def _mark(item: pytest.Item) -> pytest.Mark | None:
    """Return the closest mark `cassette` of a test, as `get_closest_marker` does, which is slow."""
    node: pytest.Item | pytest.Collector | None = item
    while node is not None:
        for mark in node.own_markers:
            if mark.name == "cassette":
                return mark
        node = node.parent
    return None


def has_cassette(item: pytest.Item) -> bool:
    """Return whether a test has the mark `cassette` or uses the fixture `cassette`.

    A fixture that is requested by `request.getfixturevalue` while the test runs does not count.
    """
    return has_mark(item) or CASSETTE in getattr(item, "fixturenames", ())


def use_first(item: pytest.Item) -> None:
    """Arrange that a test's cassette is opened before its function-scoped fixtures are set up.

    The fixture `harness_cassette` opens it if the test uses that fixture, if a project overrides it
    or `cassette_settings`, or with `--setup-show`. In all other cases `open_if_due` opens it, which
    takes half the time. Do nothing for a test without a cassette.
    """
    names = getattr(item, "fixturenames", None)
    if names is None or not has_cassette(item):
        return
    item.stash[_FAILURE], item.stash[_IS_EXPECTED] = None, False
    if CASSETTE not in names and _has_own_fixtures(item):
        item.stash[_IS_DUE] = True
        return
    item.stash[_IS_DUE] = False
    if CASSETTE in names:
        names.remove(CASSETTE)
    known: Mapping[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    is_narrow = (name in known and known[name][-1].scope == "function" for name in names)
    names.insert(next((i for i, narrow in enumerate(is_narrow) if narrow), len(names)), CASSETTE)


def _has_own_fixtures(item: pytest.Item) -> bool:
    """Return whether pytest shows no fixtures, and no project replaces those of a cassette."""
    node = item.parent or item
    if _HAS_OWN not in node.stash:
        manager = item.session._fixturemanager
        is_shown = item.config.getoption("setupshow", False)
        node.stash[_HAS_OWN] = not is_shown and all(
            len(manager.getfixturedefs(name, item) or ()) == 1 for name in (CASSETTE, DEFAULTS)
        )
    return node.stash[_HAS_OWN]


def open_if_due(item: pytest.Item) -> None:
    """Open the cassette of a test, unless it is open already or a fixture is to open it."""
    if item.stash.get(_IS_DUE, False):
        item.stash[_IS_DUE] = False
        _open(item, {})
        item.addfinalizer(functools.partial(_close, item))


def note_finalizer(item: pytest.Item, name: str, function: Callable[..., Any]) -> None:
    """Store on *item* whether a function-scoped fixture may make requests when it is torn down.

    If none of its fixtures may, the cassette is checked as soon as the test function has returned.

    Args:
        item: The test.
        name: The name of the fixture.
        function: The decorated function that defines the fixture.
    """
    if _may_send_at_teardown(function, is_xunit=name.startswith("_xunit")):
        item.stash[_MAY_FOLLOW] = True


@functools.lru_cache(maxsize=1024)
def _may_send_at_teardown(function: Callable[..., Any], *, is_xunit: bool) -> bool:
    package = str(getattr(function, "__module__", "")).partition(".")[0]
    is_plain = inspect.isfunction(function) and not hasattr(function, "__wrapped__")
    is_plain &= not inspect.isgeneratorfunction(function) and not inspect.isasyncgenfunction(
        function
    )
    is_plain &= "request" not in inspect.signature(function).parameters
    is_tool = package in _TOOLS and not is_xunit
    return not is_plain and not is_tool


_TOOLS = frozenset(
    (
        *("_pytest", "anyio", "cassetter", "harness", "hypothesis", "pytest_asyncio", "pytest_cov"),
        *("pytest_httpx", "pytest_mock", "pytest_recording", "requests_mock", "respx"),
    )
)
"""Packages whose fixtures make no requests when they are torn down."""


@contextmanager
def phase(item: pytest.Item, *, is_call: bool) -> Iterator[None]:
    """Run the `with` block, a phase of a test, and note whether it failed.

    With *is_call* it is the call of the test, otherwise the set-up. After the call, the cassette is
    checked, unless fixtures may make more requests.
    """
    context = item.stash.get(_CONTEXT, None)
    error: BaseException | None = None
    try:
        if is_call and context is not None:
            with _in_existing_tasks(item, context):
                yield
            error = _unittest_failure(item)
        else:
            yield
    except BaseException as raised:
        error = item.stash[_FAILURE] = raised
        context = item.stash.get(_CONTEXT, None)
        if context is None or _explained(context, raised) is raised:
            raise
    if context is None:
        return
    reason = item.stash[_FAILURE] = _explained(context, error)
    if reason is not None and reason is not error:
        item._excinfo = None  # type: ignore[attr-defined]  # what a unittest.TestCase caught
        raise reason from (None if type(error).__name__ == "NotAnswered" else error)
    if is_call and reason is None and not item.stash.get(_MAY_FOLLOW, False):
        _finish(item)


def open_context(item: pytest.Item) -> CassetteContext | None:
    """Return the context of a test's cassette; None if it is not in use."""
    return item.stash.get(_CONTEXT, None)


def note_outcome(item: pytest.Item, report: pytest.TestReport) -> None:
    """Note whether a phase of a test was skipped, or failed as it was expected to."""
    if report.when != "teardown":
        item.stash[_IS_EXPECTED] = report.skipped


def begin_teardown(item: pytest.Item) -> None:
    """Prepare the open cassette of a test for the teardown of fixtures; do nothing without one.

    A request without a recorded answer raises NotAnswered from now on, an ordinary exception.
    """
    if _CONTEXT in item.stash:
        item.stash[_CONTEXT].begin_teardown()


def _explained(context: CassetteContext, error: BaseException | None) -> BaseException | None:
    """Return what a test with a cassette failed with, with notes on what to do."""
    reason = context.reason_to_fail(error)
    if reason is not None:
        context.explain_journal(reason)
    if isinstance(reason, CassetteMiss):
        reason.args = (localized_error(str(reason)),)
    if isinstance(reason, CassetteMiss) and not context.path.exists():
        test = context.test.partition("[")[0].rpartition("/")[2]
        note = localized("there is no {}: {}").format(
            context.path, f"pytest --record=missing {test}"
        )
        if note not in getattr(reason, "__notes__", ()):
            reason.add_note(note)
    return reason


def _open(item: pytest.Item, defaults: Mapping[str, Any]) -> CassetteContext:
    """Open and return the cassette of a test; *defaults* are the value of `cassette_settings`."""
    context = _create_context(item, defaults)
    with _errors_as_failures:
        if context.record == "all":
            _check_owner(context)
        context.__enter__()
    item.stash[_CONTEXT] = context
    return context


def _close(item: pytest.Item) -> None:
    with _errors_as_failures:
        _finish(item)


def _unittest_failure(item: pytest.Item) -> BaseException | None:
    """Return the error that a `unittest.TestCase` caught for pytest."""
    caught = getattr(item, "_excinfo", None)
    return caught[0].value if caught else None


def _finish(item: pytest.Item) -> None:
    """Close the cassette of a test, once; then check its age and its findings."""
    context = item.stash.get(_CONTEXT, None)
    if context is None:
        return
    del item.stash[_CONTEXT]
    failure = error = item.stash.get(_FAILURE, None)
    if item.stash.get(_IS_EXPECTED, False) and context.recorded:
        error = None  # a replay needs what the test asked before it was skipped, or failed
    try:
        with _errors_as_failures:
            context.__exit__(type(error) if error else None, error, None)
    finally:
        note_use(item, _use(context))
        note_unwatched(item, context.unwatched)
    if failure is not None:
        return
    if context.replayed:
        check_age(item, str(context.path), context.provenance)
    judged = _judged(item, context)
    if judged is not None:
        report_findings(item, judged, fails=item.stash[_OPTIONS].findings == "fail")


def _judged(item: pytest.Item, context: CassetteContext) -> Judged | None:
    """Return the findings in a test's exchanges; None if there are none, now or in another run."""
    from harness.config.settings import examined_once

    known, content = item.config.stash[CLEAN_CASSETTES], context.replayed_file
    with examined_once(), _errors_as_failures:
        if known.has(content):
            return None
        judged = context.judged
        if judged.findings or judged.ignored:
            return judged
        known.add(content)
        return None


def _check_owner(context: CassetteContext) -> None:
    """Raise HarnessError if recording all again would replace what another test recorded."""
    from harness.cassette.store import file_stamp, read

    if not file_stamp(context.path):
        return
    try:
        tests = read(context.path).provenance.test.splitlines()
    except HarnessError:  # unreadable, so nothing of use is lost
        return
    others = [test for test in tests if test != context.test and _exists(context.path, test)]
    if others:
        raise HarnessError(
            f"{context.path} was recorded by {others[0]}, too, and recording it again by "
            f"{context.test} would replace that: give each test a cassette of its own (a mark "
            "without path), or delete the file and record it with --record=missing and "
            "allow_unused=True"
        )


def _exists(cassette: Path, test: str) -> bool:
    """Return whether the test that recorded a cassette is still in its file."""
    from harness.cassette.remote import home

    file, _, name = test.partition("::")
    function = name.rpartition("::")[2].partition("[")[0]
    try:
        text = (home(cassette) / file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return re.search(rf"\bdef {re.escape(function)}\b", text) is not None


def hosts_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the host patterns in `allow_hosts` of a test's mark and of the project.

    Return an empty tuple if one is invalid; that is reported when the cassette is opened.
    """
    from harness.cassette.remote import home
    from harness.config.hosts import AllowedHosts
    from harness.config.settings import load_settings

    try:
        project = load_settings(home(cassette_path(item)))
        return AllowedHosts((*_marked(item).allow_hosts, *project.allow_hosts)).patterns
    except (HarnessError, pytest.fail.Exception):  # told when the cassette is opened
        return ()


def _create_context(item: pytest.Item, defaults: Mapping[str, Any]) -> CassetteContext:
    from harness.api.use_cassette import CassetteContext
    from harness.cassette.remote import home
    from harness.intercept.hooks import identity, keep_all

    options = item.stash[_OPTIONS] = _options(item, defaults) if defaults else _marked(item)
    with _errors_as_failures:
        path = cassette_path(item)
        test_file = _relative(os.fspath(item.path), os.fspath(home(path)), os.getcwd())
        return CassetteContext(
            path,
            item.config.getoption("--record"),
            options.volatile,
            options.secrets,
            options.allow_unused,
            must_exist=False,
            test=f"{test_file}::{name_of(item)}",
            allow_hosts=options.allow_hosts,
            normalize_request=options.normalize_request or identity,
            before_record=options.before_record or keep_all,
            pace=item.config.getoption("--pace"),
            faults=options.faults,
            how_to_record=f"with: pytest --record=missing {item.nodeid.partition('[')[0]}",
        )


@functools.lru_cache(maxsize=16)
def _relative(file: str, folder: str, _: str) -> str:
    """Return the path of *file* from *folder*; the last argument is the working folder."""
    return Path(os.path.relpath(file, folder)).as_posix()


def cassette_path(item: pytest.Item) -> Path:
    """Return the path of a test's cassette, which may not exist yet, without running a fixture."""
    if _PATH not in item.stash:
        item.stash[_PATH] = _chosen_path(item)
    return item.stash[_PATH]


def _chosen_path(item: pytest.Item) -> Path:
    chosen, is_file = _chosen(item)
    folder = _fetched(item, chosen) if store_of(item) else _beside(item.path, chosen)
    return folder if is_file else folder / _default_path(item)


@functools.lru_cache(maxsize=256)
def _beside(file: Path, chosen: str | Path) -> Path:
    return file.parent / chosen


def _chosen(item: pytest.Item) -> tuple[str | Path, bool]:
    """Return the file or folder that a test's mark names, and whether it is a file."""
    options = _marked(item)
    return (options.path, True) if str(options.path) else (options.folder, False)


def store_of(item: pytest.Item) -> str:
    """Return the address of the store that a test's mark names; "" if it names a local file."""
    from harness.cassette.remote import is_address

    chosen, _ = _chosen(item)
    return str(chosen) if is_address(chosen) else ""


def _fetched(item: pytest.Item, address: str | Path) -> Path:
    """Return the local path for the address of a store, which is read once in a test run."""
    from harness.cassette.remote import location

    known = item.config.stash.setdefault(_FETCHED, {})
    if str(address) not in known:
        try:
            known[str(address)] = location(address)
        except HarnessError as error:
            known[str(address)] = error
    found = known[str(address)]
    if isinstance(found, Exception):
        raise found
    return found


def name_of(item: pytest.Item) -> str:
    """Return the test's name in its file: `TestClass::test_name[id]`."""
    return item.nodeid.partition("::")[2] or item.name


def _marked(item: pytest.Item) -> MarkOptions:
    """Return the options of a test's cassette that its mark sets."""
    mark = _mark(item)
    known, options = item.stash.get(_MARKED, (None, _NO_OPTIONS))
    if known is not mark:
        options = _options(item, {})
        item.stash[_MARKED] = mark, options
    return options


def _options(item: pytest.Item, defaults: Mapping[str, Any]) -> MarkOptions:
    """Return the options of a test's cassette.

    An argument is taken from the first of these that has it:

    1. the mark of the test, else of its class, else of its module
    2. *defaults*, the value of the fixture `cassette_settings`. It may not set `path` and `folder`,
       because `harness prune` has to know them without running anything
    3. the defaults of `MarkOptions`

    `[tool.harness]` in pyproject.toml adds to these arguments, see `use_cassette`. Invalid
    arguments fail the test.
    """
    for name in ("path", "folder"):
        if name in defaults:
            pytest.fail(f"the fixture {DEFAULTS}: only the mark can set {name}", pytrace=False)
    mark = _mark(item)
    args, own = (mark.args, mark.kwargs) if mark else ((), {})
    merged = _NO_OPTIONS
    for where, arguments, options in (
        (f"the fixture {DEFAULTS}", (), defaults),
        ("@pytest.mark.cassette", args, {**defaults, **own}),
    ):
        if not arguments and not options:
            continue
        try:
            merged = MarkOptions(*arguments, **options)
        except TypeError as error:
            message = str(error).replace("MarkOptions.__init__() ", "")
            text = f"{where}: {message}; usage: {MARK}"
            raise pytest.fail.Exception(text, pytrace=False) from None
    return merged


def _default_path(item: pytest.Item) -> str:
    """Return `<module>/<test>.yaml`, valid as a path and unique for each test."""
    name = ".".join(item.nodeid.split("::")[1:]) or item.name
    safe = re.sub(r"[^\w.-]+", "-", name)[:_MAX_NAME_LENGTH].strip("-")
    if safe != name:
        safe += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{item.path.stem}/{safe}.yaml"


class _ErrorsAsFailures:
    """A context that converts errors of the harness to failures of the test, without traceback."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return

        if isinstance(error, HarnessError | InterceptError):
            raise pytest.fail.Exception(str(error), pytrace=False) from None


_errors_as_failures = _ErrorsAsFailures()


@contextmanager
def _in_existing_tasks(item: pytest.Item, context: CassetteContext) -> Iterator[None]:
    """Run an asynchronous test with the tape of *context*.

    Its task may have begun in a fixture, before the tape was in use; the context of an
    `IsolatedAsyncioTestCase` always did.
    """
    isolated = getattr(getattr(item, "_instance", None), "_asyncioTestContext", None)
    if isolated is not None:
        context.enter_in(isolated)
    function = getattr(item, "obj", None)
    if isolated is not None or not inspect.iscoroutinefunction(function):
        yield
        return

    @functools.wraps(function)
    async def call_inside(*args: Any, **options: Any) -> Any:
        return await context.call_inside(function, *args, **options)

    item.obj = call_inside  # type: ignore[attr-defined]  # a pytest.Function, or alike
    try:
        yield
    finally:
        item.obj = function  # type: ignore[attr-defined]


def _use(context: CassetteContext) -> CassetteUse:
    if context.used_network and not context.written:
        return CassetteUse.LIVE
    if context.used_network:
        return CassetteUse.PARTIAL if context.replayed else CassetteUse.RECORDED
    if context.reached_hosts:
        return CassetteUse.ALLOWED
    if context.misses:
        return CassetteUse.MISSED
    return CassetteUse.REPLAYED if context.attempts else CassetteUse.NO_REQUESTS
