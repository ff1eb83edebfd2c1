"""The public Python API: its names, its types, its documentation, and how fast it is imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import venv
from inspect import getdoc, signature
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import harness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Python

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "PYTHON_API.md").read_text(encoding="utf-8")
(SCENARIO,) = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
EXAMPLES: list[str] = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

FUNCTIONS = ("run", "record", "replay", "check", "compare", "use_cassette", "load_scenario")


def test_every_public_name_can_be_imported() -> None:
    """Those of the functions, of the nouns and of the errors."""
    for name in harness.__all__:
        assert getattr(harness, name) is not None
    assert {*FUNCTIONS, "Transcript", "Finding", "CassetteMiss"} <= {*harness.__all__}
    assert dir(harness) == sorted(harness.__all__)


def test_no_other_name_is_public() -> None:
    """The error names the module and the name."""
    with pytest.raises(AttributeError, match=r"^module 'harness' has no attribute 'recrod'$"):
        _ = harness.recrod  # type: ignore[attr-defined]  # as a type checker says too


def test_all_names_are_imported_by_a_star() -> None:
    """`__all__` is computed from what type checkers read."""
    names: dict[str, object] = {}
    exec("from harness import *", names)  # noqa: S102 - no function may have such an import
    assert {*harness.__all__} <= {*names}


def test_every_error_is_public() -> None:
    """All of the tree."""
    tree = ast.parse((ROOT / "harness" / "errors.py").read_text(encoding="utf-8"))
    assert {n.name for n in tree.body if isinstance(n, ast.ClassDef)} <= {*harness.__all__}


def test_no_module_hides_a_function() -> None:
    """Importing a module of a function's name would put the module in its place."""
    modules = {path.stem for path in (ROOT / "harness").iterdir()} - {"strategies"}
    assert not modules & {*harness.__all__}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_documented(name: str) -> None:
    """In its docstring with every parameter, and in the guide."""
    function = getattr(harness, name)
    text = getdoc(function) or ""
    assert f"`{name}`" in GUIDE
    if name != "load_scenario":  # its sentence says it all
        assert [p for p in signature(function).parameters if f"{p}:" not in text] == []


def test_what_is_imported_first_is_little(python: Python) -> None:
    """No library but Python's own, until a name is used; a noun needs none either."""
    code = (
        "import sys; before = {*sys.modules}; import harness; harness.Request; harness.NoCassette\n"
        "print(*sorted({*sys.modules} - before - {*sys.stdlib_module_names}))"
    )
    names = [name for name in python("-c", code).stdout.split() if "." not in name]
    assert [name for name in names if name not in sys.stdlib_module_names] == ["harness"]


# ------------------------------------------------------------------------------- the guide


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the guide's scenario."""
    (tmp_path / "capital.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python in whose site-packages this package is, beside all libraries that are here."""
    home = tmp_path_factory.mktemp("python")
    venv.create(home, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "harness").symlink_to(ROOT / "harness")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(here), encoding="utf-8")
    return home / "bin" / "python"


def mypy(programs: Iterable[str], folder: Path, installed: Path) -> list[str]:
    """What mypy, strict, says about programs of a user."""
    for number, program in enumerate(programs, start=1):
        (folder / f"program{number}.py").write_text(program, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - mypy, with files of this test
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed)]
        + [path.name for path in sorted(folder.glob("program*.py"))],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if ": error: " in line]


GOOD = """
import pytest
from harness import Cassette, CassetteMiss, Exchange, Finding, NormalizeRequest, Request, Transcript
from harness import BeforeRecord, replay, use_cassette


def normalize(request: Request) -> Request:
    return Request(request.method, request.uri, request.headers, b"")


def drop(exchange: Exchange) -> None:
    return None


hooks: tuple[NormalizeRequest, BeforeRecord] = (normalize, drop)


@use_cassette("one.yaml", normalize_request=normalize, before_record=drop)
def answer(question: str) -> int:
    return len(question)


@use_cassette("two.yaml", record="all", volatile=["/seed"], pace=0.5)
async def answer_later(question: str) -> int:
    return len(question)


@pytest.mark.cassette(normalize_request=normalize)
def test_mine(cassette: Cassette) -> None:
    number: int = answer("?")
    transcripts: tuple[Transcript, ...] = replay("mine.yaml")
    assert number, transcripts


def first(findings: tuple[Finding, ...]) -> str | None:
    try:
        return findings[0].message
    except CassetteMiss:
        return None
"""

BAD = """
import harness


def normalize(request: harness.Request) -> str:
    return request.uri


harness.recrod("capital.yaml")
harness.record("capital.yaml", source="cloud")
harness.record("capital.yaml")
harness.use_cassette("one.yaml", record="sometimes")
harness.use_cassette("one.yaml", normalize_request=normalize)
harness.replay("capital.yaml")[0].turns[0].numbr
harness.check(3)
"""


@pytest.mark.slow
def test_programs_of_users_are_checked(folder: Path, installed: Path) -> None:
    """By mypy, strict: the examples and hooks have no error, and each mistake is one."""
    programs = [*EXAMPLES, GOOD, BAD]
    errors = mypy(programs, folder, installed)
    places = [tuple(line.split(":")[:2]) for line in errors]
    first = BAD.splitlines().index('harness.recrod("capital.yaml")') + 1
    bad = f"program{len(programs)}.py"
    assert places == [(bad, str(line)) for line in range(first, first + 7)], errors
