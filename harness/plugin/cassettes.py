"""A test of one's own with a cassette: `@pytest.mark.cassette`, or the fixture `cassette`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin.tally import Verdict, tell

if TYPE_CHECKING:
    from harness.taped import Taped

MARK = (
    "cassette(path='', *, volatile=(), secrets=(), allow_unplayed=False, findings='fail'): "
    "the requests of this test meet a cassette, by default "
    "cassettes/<module>/<test>.yaml beside the test's file; record with --record=missing"
)


@dataclass(frozen=True)
class Settings:
    """What the mark may say. A relative `path` begins in the folder of the test's file."""

    path: str | Path = ""
    _: KW_ONLY
    volatile: Sequence[str] = ()
    secrets: Sequence[str] = ()
    allow_unplayed: bool = False
    findings: str = "fail"


_TAPED = pytest.StashKey["Taped"]()
_LONGEST = 80


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Taped:
    """The cassette that this test's requests meet, and what came of them."""
    return _taped(request.node)


def taped_of(item: pytest.Item) -> Taped | None:
    """The cassette of a test that has asked for one."""
    if _TAPED in item.stash:
        return item.stash[_TAPED]
    return _taped(item) if item.get_closest_marker("cassette") else None


@contextmanager
def around(item: pytest.Item, taped: Taped) -> Iterator[None]:
    """A test with its cassette; then what the rules find in what passed."""
    from harness.errors import Miss

    try:
        with _plainly(), taped, _in_every_loop(item, taped):
            yield
    except Miss as error:
        if not taped.path.exists():
            where = item.nodeid.partition("[")[0]
            error.add_note(f"there is no {taped.path}: pytest --record=missing {where}")
        raise
    finally:
        tell(item, _verdict(taped))
    _judge(item, taped)


def _taped(item: pytest.Item) -> Taped:
    """The cassette of a test, made once."""
    from harness.taped import Record, Taped

    settings, path = _settings(item), path_of(item)
    item.stash[_TAPED] = Taped(
        path,
        Record(item.config.getoption("--record")),
        tuple(settings.volatile),
        tuple(settings.secrets),
        settings.allow_unplayed,
        needed=False,
        test=f"{Path(os.path.relpath(item.path, path.parent)).as_posix()}::{name_of(item)}",
        pace=item.config.getoption("--pace"),
    )
    return item.stash[_TAPED]


def path_of(item: pytest.Item) -> Path:
    """Where the cassette of a test is, if it asks for one."""
    chosen = _settings(item).path
    return item.path.parent / (Path(chosen) if str(chosen) else _default(item))


def asks(item: pytest.Item) -> bool:
    """Whether a test has the mark or the fixture; one that it finds while it runs is not seen."""
    fixtures = getattr(item, "fixturenames", ())
    return item.get_closest_marker("cassette") is not None or "cassette" in fixtures


def name_of(item: pytest.Item) -> str:
    """The test's name in its file: `TestClass::test_name[id]`."""
    return item.nodeid.partition("::")[2] or item.name


def _settings(item: pytest.Item) -> Settings:
    mark = item.get_closest_marker("cassette")
    if mark is None:
        return Settings()
    try:
        told = Settings(*mark.args, **mark.kwargs)
    except TypeError as error:
        pytest.fail(f"@pytest.mark.cassette: {error}; it is {MARK}", pytrace=False)
    lists = not isinstance(told.volatile, str) and not isinstance(told.secrets, str)
    if told.findings not in ("fail", "tell") or not lists:
        pytest.fail(f"@pytest.mark.cassette is {MARK}", pytrace=False)
    return told


def _default(item: pytest.Item) -> Path:
    """`cassettes/<module>/<test>.yaml`: safe, the same each time, another for every test."""
    name = ".".join(item.nodeid.split("::")[1:]) or item.name
    safe = re.sub(r"[^\w.-]+", "-", name)[:_LONGEST].strip("-")
    if safe != name:
        safe += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return Path("cassettes") / item.path.stem / f"{safe}.yaml"


@contextmanager
def _plainly() -> Iterator[None]:
    """An error of the harness fails the test with its one message."""
    from harness.errors import HarnessError

    try:
        yield
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def _in_every_loop(item: pytest.Item, taped: Taped) -> Iterator[None]:
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


def _verdict(taped: Taped) -> Verdict:
    if taped.went_out and not taped.written:
        return Verdict.LIVE
    if taped.went_out:
        return Verdict.PARTIAL if taped.played else Verdict.RECORDED
    return Verdict.REPLAYED if taped.played else Verdict.UNTOUCHED


def _judge(item: pytest.Item, taped: Taped) -> None:
    """Fail with findings that are errors; show the others."""
    from harness.reports import describe
    from harness.types import Severity

    strict = _settings(item).findings == "fail"
    with _plainly():
        judged = taped.judged
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
