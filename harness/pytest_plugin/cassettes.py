"""A test of one's own with a cassette: `@pytest.mark.cassette`, or the fixture `cassette`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.age import tell_age
from harness.pytest_plugin.summary import Verdict, tell

if TYPE_CHECKING:
    from harness.api.use_cassette import CassetteContext
    from harness.intercept import BeforeRecord, Match

MARK = (
    "cassette(path='', *, folder='cassettes', volatile=(), secrets=(), allow_unused=False, "
    "allow_hosts=(), match=None, before_record=None, findings='fail'): "
    "the requests of this test meet a cassette, by default "
    "cassettes/<module>/<test>.yaml beside the test's file; record with --record=missing"
)
DEFAULTS = "cassette_settings"


@dataclass(frozen=True)
class Settings:
    """What the mark may say. A relative `path` or `folder` begins where the test's file is.

    `path` is one cassette's, `folder` where those lie that have a name of their own.
    """

    path: str | Path = ""
    _: KW_ONLY
    folder: str | Path = "cassettes"
    volatile: Sequence[str] = ()
    secrets: Sequence[str] = ()
    allow_unused: bool = False
    allow_hosts: Sequence[str] = ()
    match: Match | None = None
    before_record: BeforeRecord | None = None
    findings: str = "fail"

    def are_sound(self) -> bool:
        """Whether each value is of its kind."""
        return (
            self.findings in ("fail", "tell")
            and all(isinstance(path, str | Path) for path in (self.path, self.folder))
            and all(map(_is_listed, (self.volatile, self.secrets, self.allow_hosts)))
            and all(hook is None or callable(hook) for hook in (self.match, self.before_record))
        )


def _is_listed(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


_TAPED = pytest.StashKey["CassetteContext"]()
_SETTINGS = pytest.StashKey[Settings]()
_LONGEST = 80


@pytest.fixture(scope="session")
def cassette_settings() -> Mapping[str, Any]:
    """What holds for every cassette of a folder or module that says nothing else: override it.

    In any scope, it returns the arguments of the mark as a mapping.
    """
    return {}


@pytest.fixture
def cassette(
    request: pytest.FixtureRequest, cassette_settings: Mapping[str, Any]
) -> CassetteContext:
    """The cassette that this test's requests meet, and what came of them."""
    return _taped(request.node, cassette_settings)


def has_mark(item: pytest.Item) -> bool:
    """Whether a test is marked as one with a cassette."""
    return item.get_closest_marker("cassette") is not None


def taped_of(item: pytest.Item) -> CassetteContext | None:
    """The cassette of a test that has asked for one."""
    if _TAPED in item.stash:
        return item.stash[_TAPED]
    if not has_mark(item):
        return None
    return _taped(item, getattr(item, "funcargs", {}).get(DEFAULTS, {}))


@contextmanager
def around(item: pytest.Item, taped: CassetteContext) -> Iterator[None]:
    """A test with its cassette; then what the rules find in what passed."""
    from harness.errors import CassetteMiss

    try:
        with _plainly(), taped, _in_every_loop(item, taped):
            yield
    except CassetteMiss as error:
        if not taped.path.exists():
            where = item.nodeid.partition("[")[0]
            error.add_note(f"there is no {taped.path}: pytest --record=missing {where}")
        raise
    finally:
        tell(item, _verdict(taped))
    if taped.played:
        tell_age(item, str(taped.path), taped.provenance)
    _judge(item, taped)


def _taped(item: pytest.Item, defaults: Mapping[str, Any]) -> CassetteContext:
    """The cassette of a test, made once."""
    from harness.api.use_cassette import CassetteContext, Record
    from harness.intercept import identity, keep_all

    told = item.stash[_SETTINGS] = _settings(item, defaults)
    path = path_of(item)
    with _plainly():
        item.stash[_TAPED] = CassetteContext(
            path,
            Record(item.config.getoption("--record")),
            tuple(told.volatile),
            tuple(told.secrets),
            told.allow_unused,
            needed=False,
            test=f"{Path(os.path.relpath(item.path, path.parent)).as_posix()}::{name_of(item)}",
            allow_hosts=tuple(told.allow_hosts),
            match=told.match or identity,
            before_record=told.before_record or keep_all,
            pace=item.config.getoption("--pace"),
        )
    return item.stash[_TAPED]


def path_of(item: pytest.Item) -> Path:
    """Where the cassette of a test is, if it asks for one: by its mark, before any fixture runs."""
    told = _settings(item, {})
    return item.path.parent / (Path(told.path) if str(told.path) else told.folder / _default(item))


def asks(item: pytest.Item) -> bool:
    """Whether a test has the mark or the fixture; one that it finds while it runs is not seen."""
    return has_mark(item) or "cassette" in getattr(item, "fixturenames", ())


def name_of(item: pytest.Item) -> str:
    """The test's name in its file: `TestClass::test_name[id]`."""
    return item.nodeid.partition("::")[2] or item.name


def _settings(item: pytest.Item, defaults: Mapping[str, Any]) -> Settings:
    """What holds for a test's cassette, the first of these that says something:

    1. its mark: that of the test, else of its class, else of its module
    2. the fixture `cassette_settings`: the one nearest to the test; not where the cassette is,
       which `harness prune` has to know without running anything
    3. `Settings`, as it stands

    What pyproject.toml says in [tool.harness] is added to that, see `CassetteContext`.
    """
    told = Settings()
    placed = sorted({"path", "folder"} & set(defaults))
    if placed:
        pytest.fail(f"the fixture {DEFAULTS}: {placed[0]} is for the mark to say", pytrace=False)
    mark = item.get_closest_marker("cassette")
    for where, arguments, options in (
        (f"the fixture {DEFAULTS}", (), defaults),
        ("@pytest.mark.cassette", mark.args if mark else (), mark.kwargs if mark else {}),
    ):
        try:
            own = Settings(*arguments, **options)
        except TypeError as error:
            pytest.fail(f"{where}: {_plain(error)}; it is {MARK}", pytrace=False)
        if not own.are_sound():
            pytest.fail(f"{where} is {MARK}", pytrace=False)
        said: dict[str, Any] = {"path": own.path, **options} if arguments else {**options}
        told = replace(told, **said)
    return told


def _plain(error: TypeError) -> str:
    return str(error).replace("Settings.__init__() ", "")


def _default(item: pytest.Item) -> Path:
    """`<module>/<test>.yaml`: safe, the same each time, another for every test."""
    name = ".".join(item.nodeid.split("::")[1:]) or item.name
    safe = re.sub(r"[^\w.-]+", "-", name)[:_LONGEST].strip("-")
    if safe != name:
        safe += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return Path(item.path.stem) / f"{safe}.yaml"


@contextmanager
def _plainly() -> Iterator[None]:
    """An error of the harness fails the test with its one message."""
    from harness.errors import HarnessError

    try:
        yield
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def _in_every_loop(item: pytest.Item, taped: CassetteContext) -> Iterator[None]:
    """An asynchronous test may run in a task that began with a fixture, and so without a tape."""
    function = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(function):
        yield
        return

    @functools.wraps(function)
    async def here(*args: Any, **options: Any) -> Any:
        return await taped.here(function, *args, **options)

    item.obj = here  # type: ignore[attr-defined]  # a pytest.Function, or alike
    try:
        yield
    finally:
        item.obj = function  # type: ignore[attr-defined]


def _verdict(taped: CassetteContext) -> Verdict:
    if taped.went_out and not taped.written:
        return Verdict.LIVE
    if taped.went_out:
        return Verdict.PARTIAL if taped.played else Verdict.RECORDED
    if taped.reached:
        return Verdict.ALLOWED
    return Verdict.REPLAYED if taped.played else Verdict.UNTOUCHED


def _judge(item: pytest.Item, taped: CassetteContext) -> None:
    """Fail with findings that are errors; show the others."""
    with _plainly():
        judged = taped.judged
    if not judged.findings and not judged.ignored:
        return
    from harness.report import describe
    from harness.types import Severity

    strict = item.stash[_SETTINGS].findings == "fail"
    found = {f: strict and f.severity is Severity.ERROR for f in judged.findings}
    lesser = [describe(finding) for finding, fails in found.items() if not fails]
    if lesser:
        item.add_report_section("call", "findings", "\n\n".join(lesser))
    if judged.ignored:
        told = "\n\n".join(describe(finding) for finding in judged.ignored)
        item.add_report_section("call", f"{len(judged.ignored)} ignored findings", told)
    worse = [describe(finding) for finding, fails in found.items() if fails]
    if worse:
        pytest.fail("\n\n".join(worse), pytrace=False)
