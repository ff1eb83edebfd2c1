"""Tests with a cassette: `@pytest.mark.cassette`, or the fixture `cassette`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.age import check_age
from harness.pytest_plugin.summary import CassetteUse, note_use, report_findings

if TYPE_CHECKING:
    from harness.api.use_cassette import CassetteContext
    from harness.intercept.hooks import BeforeRecord, NormalizeRequest

MARK = (
    "cassette(path='', *, folder='cassettes', volatile=(), secrets=(), allow_unused=False, "
    "allow_hosts=(), normalize_request=None, before_record=None, findings='fail'): "
    "answer the requests of this test from a cassette, by default "
    "cassettes/<module>/<test>.yaml beside the test's file; record with --record=missing"
)
DEFAULTS = "cassette_settings"


@dataclass(frozen=True)
class MarkOptions:
    """The arguments of the mark `cassette`.

    Attributes:
        path: The cassette's file, relative to the folder of the test's file. If it is empty, the
            cassette is in `folder` and named after the test.
        folder: The folder of such cassettes, relative to the folder of the test's file.
        volatile: See `use_cassette`.
        secrets: See `use_cassette`.
        allow_unused: See `use_cassette`.
        allow_hosts: See `use_cassette`.
        normalize_request: See `use_cassette`.
        before_record: See `use_cassette`.
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
    findings: str = "fail"

    def __post_init__(self) -> None:
        for name in ("path", "folder"):
            if not isinstance(getattr(self, name), str | Path):
                raise TypeError(f"{name}: expected a path")
        if self.findings not in ("fail", "show"):
            raise TypeError(f"findings={self.findings!r} is not valid; expected 'fail' or 'show'")


_CONTEXT = pytest.StashKey["CassetteContext"]()
_OPTIONS = pytest.StashKey[MarkOptions]()
_MAX_NAME_LENGTH = 80


@pytest.fixture(scope="session")
def cassette_settings() -> Mapping[str, Any]:
    """Return default arguments of the mark `cassette`; override it in a conftest.py or module."""
    return {}


@pytest.fixture
def cassette(
    request: pytest.FixtureRequest, cassette_settings: Mapping[str, Any]
) -> CassetteContext:
    """Return the context of the cassette that answers this test's requests, with its exchanges."""
    return _create_context(request.node, cassette_settings)


def has_mark(item: pytest.Item) -> bool:
    """Return whether a test has the mark `cassette`."""
    return item.get_closest_marker("cassette") is not None


def has_cassette(item: pytest.Item) -> bool:
    """Return whether a test has the mark `cassette` or uses the fixture `cassette`.

    A fixture that is requested by `request.getfixturevalue` while the test runs does not count.
    """
    return has_mark(item) or "cassette" in getattr(item, "fixturenames", ())


def context_of(item: pytest.Item) -> CassetteContext | None:
    """Return the context of a test's cassette; None if the test has no cassette."""
    if _CONTEXT in item.stash:
        return item.stash[_CONTEXT]
    if not has_mark(item):
        return None
    return _create_context(item, getattr(item, "funcargs", {}).get(DEFAULTS, {}))


@contextmanager
def run_with_cassette(item: pytest.Item, context: CassetteContext) -> Iterator[None]:
    """Run the `with` block, a test, in *context*; then check the cassette's age and findings."""
    from harness.errors import CassetteMiss

    try:
        with _errors_as_failures(), context, _in_existing_tasks(item, context):
            yield
    except CassetteMiss as error:
        if not context.path.exists():
            test = item.nodeid.partition("[")[0]
            error.add_note(f"there is no {context.path}: pytest --record=missing {test}")
        raise
    finally:
        note_use(item, _use(context))
    if context.replayed:
        check_age(item, str(context.path), context.provenance)
    with _errors_as_failures():
        judged = context.judged
    if judged.findings or judged.ignored:
        report_findings(item, judged, fails=item.stash[_OPTIONS].findings == "fail")


def _create_context(item: pytest.Item, defaults: Mapping[str, Any]) -> CassetteContext:
    from harness.api.use_cassette import CassetteContext
    from harness.intercept.hooks import identity, keep_all

    options = item.stash[_OPTIONS] = _options(item, defaults)
    path = cassette_path(item)
    with _errors_as_failures():
        item.stash[_CONTEXT] = CassetteContext(
            path,
            item.config.getoption("--record"),
            options.volatile,
            options.secrets,
            options.allow_unused,
            must_exist=False,
            test=f"{Path(os.path.relpath(item.path, path.parent)).as_posix()}::{name_of(item)}",
            allow_hosts=options.allow_hosts,
            normalize_request=options.normalize_request or identity,
            before_record=options.before_record or keep_all,
            pace=item.config.getoption("--pace"),
        )
    return item.stash[_CONTEXT]


def cassette_path(item: pytest.Item) -> Path:
    """Return the path of a test's cassette, which its mark sets; no fixture has to run for it."""
    options = _options(item, {})
    path = Path(options.path) if str(options.path) else options.folder / _default_path(item)
    return item.path.parent / path


def name_of(item: pytest.Item) -> str:
    """Return the test's name in its file: `TestClass::test_name[id]`."""
    return item.nodeid.partition("::")[2] or item.name


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
    mark = item.get_closest_marker("cassette")
    args, own = (mark.args, mark.kwargs) if mark else ((), {})
    merged = MarkOptions()
    for where, arguments, options in (
        (f"the fixture {DEFAULTS}", (), defaults),
        ("@pytest.mark.cassette", args, {**defaults, **own}),
    ):
        try:
            merged = MarkOptions(*arguments, **options)
        except TypeError as error:
            message = str(error).replace("MarkOptions.__init__() ", "")
            text = f"{where}: {message}; usage: {MARK}"
            raise pytest.fail.Exception(text, pytrace=False) from None
    return merged


def _default_path(item: pytest.Item) -> Path:
    """Return `<module>/<test>.yaml`, valid as a path and unique for each test."""
    name = ".".join(item.nodeid.split("::")[1:]) or item.name
    safe = re.sub(r"[^\w.-]+", "-", name)[:_MAX_NAME_LENGTH].strip("-")
    if safe != name:
        safe += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return Path(item.path.stem) / f"{safe}.yaml"


@contextmanager
def _errors_as_failures() -> Iterator[None]:
    """Convert a HarnessError of the `with` block to a failure of the test, without a traceback."""
    from harness.errors import HarnessError

    try:
        yield
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@contextmanager
def _in_existing_tasks(item: pytest.Item, context: CassetteContext) -> Iterator[None]:
    """Run an asynchronous test with the tape of *context*.

    Its task may have begun in a fixture, before the tape was in use.
    """
    function = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(function):
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
    return CassetteUse.REPLAYED if context.replayed else CassetteUse.NO_REQUESTS
