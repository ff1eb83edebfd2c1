"""What nobody uses is found, and nothing that somebody uses."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cassette.artefacts import to_files
from harness.cassette.store import write_cassette
from harness.runner.prune import TEMPORARY_FOR
from harness.scenario.files import shipped_folder
from harness.types import Cassette, Exchange, Provenance, Request, Response

if TYPE_CHECKING:
    from conftest import Harness, Python

MINE = "cassettes/slogan/zhipuai-glm-5.3-flash.yaml"
GONE = "cassettes/gone/zhipuai-glm-5.3-flash.yaml"
NOBODYS = "cassettes/mine.yaml"
TESTS = """
import pytest

@pytest.mark.cassette
def test_mark(): ...

def test_fixture(cassette): ...

@pytest.mark.cassette("explicit/here.yaml")
def test_path(): ...

@pytest.mark.cassette
@pytest.mark.parametrize("word", ["a", "b/c"])
def test_ids(word): ...

class TestIn:
    @pytest.mark.cassette
    def test_class(self): ...

def test_none(): ...
"""
USED = (
    *("cassettes/test_mine/test_mark.yaml", "cassettes/test_mine/test_fixture.yaml"),
    *("explicit/here.yaml", "cassettes/test_mine/test_ids-a-2c29b1a6.yaml"),
    *("cassettes/test_mine/TestIn.test_class.yaml",),
)


def put(path: Path, body: bytes = b"", scenario: str = "", test: str = "") -> Path:
    """A cassette, of whom it says."""
    answer = Exchange(Request("GET", "http://a"), Response(200, "", (), body))
    provenance = Provenance(scenario=scenario, test=test)
    write_cassette(path, to_files(Cassette((answer,), provenance)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project: one scenario with its cassettes, one that is gone, and a cassette of nobody."""
    (tmp_path / "scenarios").mkdir()
    shutil.copy(shipped_folder() / "slogan.yaml", tmp_path / "scenarios")
    put(tmp_path / MINE, scenario="slogan")
    put(tmp_path / "cassettes/slogan/dashscope-gone.yaml", scenario="slogan")
    put(tmp_path / GONE, scenario="gone")
    put(tmp_path / NOBODYS)
    return tmp_path


@pytest.fixture
def tested(folder: Path, only_our_plugin: None) -> Path:
    """With tests, their cassettes, and cassettes of tests that are gone."""
    tests = folder / "tests"
    tests.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:hypothesispytest -k mark\n")
    (tests / "test_mine.py").write_text(TESTS)
    put(tests / "explicit/here.yaml", test="../test_mine.py::test_path")
    for name in ("test_mark", "test_fixture", "test_none", "test_gone", "TestIn.test_class"):
        at = tests / f"cassettes/test_mine/{name}.yaml"
        put(at, test=f"../../test_mine.py::{name.replace('.', '::')}")
    put(tests / "cassettes/test_old/test_a.yaml", test="../../test_old.py::test_a")
    put(tests / "cassettes/test_mine/moved.yaml", test="../../test_mine.py::test_mark")
    put(tests / "cassettes/elsewhere.yaml", test="../../test_elsewhere.py::test_a")
    put(tests / "cassettes/by_use_cassette.yaml")
    return folder


OF_SCENARIOS = {"cassettes/slogan/dashscope-gone.yaml", GONE}
OF_TESTS = {
    "tests/cassettes/test_mine/moved.yaml",
    "tests/cassettes/test_mine/test_gone.yaml",
    "tests/cassettes/test_old/test_a.yaml",
}


def unused(harness: Harness, folder: Path, *arguments: str) -> set[str]:
    """What is listed as unused."""
    done = harness("prune", "--json", *arguments, folder=folder)
    assert done.code == 0, done.err
    return {one["file"] for one in json.loads(done.out)["unused"]}


def files(folder: Path) -> set[str]:
    """Every file in it but pytest's and Python's own."""
    return {
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "__" not in str(p)
    }


# ------------------------------------------------------------------------------- scenarios


def test_cassettes_of_scenarios_that_are_gone(harness: Harness, folder: Path) -> None:
    """Or of targets that are; what says of no scenario stays. Nothing is deleted unasked."""
    before = files(folder)
    assert unused(harness, folder) == OF_SCENARIOS
    done = harness("prune", folder=folder)
    assert done.code == 0
    first, *listed, unjudged, last = done.out.splitlines()
    assert first == (
        "searched cassettes; scenarios with their targets: 2 in scenarios; "
        "tests: not searched; name them with --tests PATH"
    )
    size = (folder / GONE).stat().st_size
    why = "no scenario gone with zhipuai-glm-5.3-flash"
    assert f"{GONE}: cassette, {size} bytes: {why}" in listed
    assert unjudged == "not judged, owner unknown: 1 cassette"
    assert last.endswith("nothing was deleted, --delete does it")
    assert files(folder) == before


@pytest.mark.parametrize("flag", ["--delete", "--yes"])
def test_what_is_listed_is_deleted(harness: Harness, folder: Path, flag: str) -> None:
    """With the folders that are empty then; again there is nothing."""
    before = files(folder)
    done = harness("prune", flag, folder=folder)
    assert done.code == 0
    assert done.out.splitlines()[-1].startswith("deleted: 2 files, ")
    assert before - files(folder) == OF_SCENARIOS
    assert not (folder / "cassettes/gone").exists()
    assert harness("prune", folder=folder).out.splitlines()[-1] == "nothing is unused"


def test_the_folder_itself_stays(harness: Harness, folder: Path) -> None:
    """Even if nothing is left in it."""
    for path in (folder / MINE, folder / NOBODYS):
        path.unlink()
    assert harness("prune", "--yes", folder=folder).code == 0
    assert list((folder / "cassettes").iterdir()) == []


def test_only_where_it_was_asked(harness: Harness, folder: Path) -> None:
    """Folders may be named."""
    assert unused(harness, folder, "cassettes/gone") == {GONE}
    (folder / "empty").mkdir()
    assert unused(harness, folder, "empty") == set()


def _bad(folder: Path) -> list[str]:
    (folder / "scenarios/bad.yaml").write_text("steps: [")
    return []


def _empty(folder: Path) -> list[str]:
    (folder / "scenarios/slogan.yaml").unlink()
    return []


def _bad_test(folder: Path) -> list[str]:
    (folder / "test_a.py").write_text("import nothing_of_this_name\n")
    return ["--tests", "."]


def _bad_mark(folder: Path) -> list[str]:
    text = "import pytest\n@pytest.mark.cassette(no=1)\ndef test_a(): ...\n"
    (folder / "test_a.py").write_text(text)
    return ["--tests", "test_a.py"]


def _nowhere(folder: Path) -> list[str]:
    return ["--tests", "nowhere"]


def _no_folder(folder: Path) -> list[str]:
    return ["nowhere"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [_bad, _empty, _bad_test, _bad_mark, _nowhere, _no_folder],
)
def test_where_not_all_can_be_asked_nothing_is_deleted(
    harness: Harness, folder: Path, spoil: Callable[[Path], list[str]]
) -> None:
    """One message, exit code 2: who cannot be asked may use any of them."""
    arguments = spoil(folder)
    before = files(folder)
    done = harness("prune", "--delete", *arguments, folder=folder)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("harness: ")
    assert done.err.count("\n") == 1
    assert files(folder) == before


# ----------------------------------------------------------------------------------- tests


@pytest.mark.slow
def test_cassettes_of_tests_that_are_gone(harness: Harness, tested: Path) -> None:
    """By mark, fixture, path, class; a file of tests that is gone; a test that has another now.

    Left out by `-k` is not gone. A test without mark may ask for its cassette while it runs.
    """
    (tested / "tests/test_elsewhere.py").write_text(
        "import pytest\npytest.skip('not here', allow_module_level=True)\n"
    )
    before = files(tested)
    assert unused(harness, tested) == OF_SCENARIOS
    assert unused(harness, tested, "--tests", "tests") == OF_SCENARIOS | OF_TESTS
    done = harness("prune", "--tests", "tests", "--yes", folder=tested)
    assert "searched cassettes, " in done.out
    assert "; tests: 7\n" in done.out
    assert before - files(tested) == OF_SCENARIOS | OF_TESTS


@pytest.mark.slow
def test_what_pytest_recorded_is_known_again(
    harness: Harness, folder: Path, sandbox: str, python: Python, only_our_plugin: None
) -> None:
    """From the recording of a test with two parameters to the deletion of one's cassette."""
    text = (
        "import httpx, pytest, harness\n"
        '@pytest.mark.cassette(findings="show")\n'
        '@pytest.mark.parametrize("word", WORDS)\n'
        f'def test_ids(word): httpx.get("{sandbox}/" + word)\n'
        "def test_code():\n"
        '    with harness.use_cassette(f"cassettes/{1}.yaml", record="missing"):\n'
        f'        httpx.get("{sandbox}/x")\n'
    )
    file = folder / "test_it.py"
    file.write_text(text.replace("WORDS", '["a", "b"]'))
    done = python("-m", "pytest", "-q", "--record=missing", "test_it.py", folder=folder)
    assert done.returncode == 0, done.stdout
    found = {path.name for path in (folder / "cassettes/test_it").iterdir()}
    assert len(found) == 2
    assert unused(harness, folder, "--tests", "test_it.py") == OF_SCENARIOS
    file.write_text(text.replace("WORDS", '["a"]'))
    (gone,) = unused(harness, folder, "--tests", "test_it.py") - OF_SCENARIOS
    assert gone.startswith("cassettes/test_it/test_ids-b-")


@pytest.mark.slow
def test_tests_that_were_not_asked_for_may_use_theirs(harness: Harness, tested: Path) -> None:
    """Only cassettes of the tests that were looked at are judged."""
    (tested / "tests/unit").mkdir()
    for name in ("tests/unit/test_a.py", "tests/test_other.py"):
        (tested / name).write_text("def test_mark(): ...\n")
    asked = ("--tests", "tests/unit", "--tests", "tests/test_other.py")
    assert unused(harness, tested, *asked) == OF_SCENARIOS


@pytest.mark.slow
def test_a_cassette_that_code_names_stays(harness: Harness, tested: Path) -> None:
    """Some code opens with harness.use_cassette what a test's mark once recorded. Where there are
    no scenarios, tests are enough; cassettes of scenarios are not judged then."""
    shutil.rmtree(tested / "scenarios")
    (tested / "tests/helpers.py").write_text('CASSETTE = "test_gone.yaml"\n')
    kept = OF_TESTS - {"tests/cassettes/test_mine/test_gone.yaml"}
    assert unused(harness, tested, "--tests", "tests") == kept


@pytest.mark.slow
def test_a_test_may_use_a_scenarios_cassette(harness: Harness, tested: Path) -> None:
    """By its path, from anywhere."""
    mark = f"import pytest\n@pytest.mark.cassette('../{GONE}')\ndef test_mark(): ...\n"
    (tested / "tests/test_more.py").write_text(mark)
    assert GONE not in unused(harness, tested, "--tests", "tests")


# ------------------------------------------------------------------------ artefacts, rests

FILE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def test_artefacts_that_nobody_names(harness: Harness, folder: Path) -> None:
    """In their own folder: by any file there, cassette or not. Others there are not ours."""
    for number, name in enumerate(("a", "b", "c", "d")):
        put(folder / f"cassettes/{name}.yaml", FILE + bytes([number]))
    named = {p.name: p for p in (folder / "cassettes/artefacts").iterdir()}
    assert len(named) == 4
    assert unused(harness, folder) == OF_SCENARIOS
    text = (folder / "cassettes/b.yaml").read_text()
    (folder / "cassettes/a.yaml").unlink()
    (folder / "cassettes/b.yaml").rename(folder / "cassettes/b.journal")
    (folder / "cassettes/c.yaml").rename(folder / "cassettes/gone/c.yaml")
    (folder / "cassettes/artefacts/notes.txt").write_text("mine")
    listed = unused(harness, folder) - OF_SCENARIOS
    assert len(listed) == 2
    assert not any(Path(name).stem in text for name in listed)
    assert harness("prune", "--delete", folder=folder).code == 0
    left = {p.name for p in (folder / "cassettes/artefacts").iterdir()}
    assert len(left) == 3
    assert "notes.txt" in left


def test_artefacts_go_with_the_cassettes_that_name_them(harness: Harness, folder: Path) -> None:
    """At once, and their folder too."""
    put(folder / GONE, FILE, scenario="gone")
    assert len(unused(harness, folder)) == 3
    assert harness("prune", "--delete", folder=folder).code == 0
    assert not (folder / "cassettes/gone").exists()


def test_what_cannot_be_read_is_kept_and_told(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cassette without permission may be used, and may name any artefact beside it."""
    put(folder / "cassettes/gone/a.yaml", FILE)
    put(folder / "cassettes/gone/closed.yaml", FILE + b"1", scenario="gone")
    put(folder / "cassettes/slogan/b.yaml", FILE + b"2")
    (folder / "cassettes/slogan/b.yaml").unlink()
    (folder / "cassettes/gone/a.yaml").unlink()
    before = files(folder)

    def read(path: Path) -> bytes:
        if path.name == "closed.yaml":
            raise PermissionError(13, "Permission denied", str(path))
        return path.read_bytes()

    monkeypatch.setattr(sys.modules["harness.runner.prune"], "read_file", read)
    done = harness("prune", "--delete", folder=folder)
    assert done.code == 2
    assert done.err == (
        "harness: left out: cassettes/gone/closed.yaml: cannot be read: Permission denied\n"
    )
    deleted = before - files(folder)
    assert deleted > OF_SCENARIOS
    assert {Path(name).parent.parent.name for name in deleted - OF_SCENARIOS} == {"slogan"}


def test_a_file_that_is_no_cassette_is_kept_and_named(harness: Harness, folder: Path) -> None:
    """The exit code is 2, and what else is unused is listed all the same."""
    (folder / "cassettes/broken.yaml").write_text("interactions: [", encoding="utf-8")
    done = harness("prune", folder=folder)
    assert done.code == 2
    assert done.err.startswith("harness: left out: cassettes/broken.yaml")
    assert f"{GONE}: cassette" in done.out
    assert "not judged, owner unknown: 1 cassette\n" in done.out


def test_files_that_were_never_finished(harness: Harness, folder: Path) -> None:
    """Once nobody can be writing them any more."""
    old = time.time() - TEMPORARY_FOR - 60
    for name, when in ((".a.yaml.abc_12x9.new", old), (".b.yaml.abc_12x9.new", None)):
        path = folder / "cassettes" / name
        path.write_text("half")
        if when:
            os.utime(path, (when, when))
    for name in (".c.new", "d.new", "e.journal", ".f.yaml.journal"):
        path = folder / "cassettes" / name
        path.write_text("x")
        os.utime(path, (old, old))
    assert unused(harness, folder) - OF_SCENARIOS == {"cassettes/.a.yaml.abc_12x9.new"}


def test_links_are_not_followed(
    harness: Harness, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither to folders nor to files; they are not deleted themselves."""
    outside = tmp_path_factory.mktemp("outside")
    put(outside / "gone/a.yaml", FILE, scenario="gone")
    put(outside / "b.yaml", FILE)
    (outside / "b.yaml").unlink()
    (folder / "cassettes/link").symlink_to(outside)
    (folder / "cassettes/gone/a.yaml").symlink_to(outside / "gone/a.yaml")
    (folder / "cassettes/artefacts").symlink_to(outside / "artefacts")
    (folder / "cassettes/gone/nowhere.yaml").symlink_to(outside / "nowhere")
    before = files(outside)
    assert unused(harness, folder) == OF_SCENARIOS
    assert harness("prune", "--delete", folder=folder).code == 0
    assert files(outside) == before
    assert (folder / "cassettes/gone/a.yaml").is_symlink()


def test_what_cannot_be_deleted_is_told(
    harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message, after all others are deleted."""
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "dashscope-gone.yaml":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    done = harness("prune", "--delete", folder=folder)
    assert done.code == 2
    assert "dashscope-gone.yaml cannot be deleted: Permission denied" in done.err
    assert OF_SCENARIOS & files(folder) == {"cassettes/slogan/dashscope-gone.yaml"}


def test_without_scenarios_their_cassettes_are_not_judged(harness: Harness, folder: Path) -> None:
    """A project may have only tests: nothing is deleted without an owner that was asked."""
    shutil.rmtree(folder / "scenarios")
    before = files(folder)
    done = harness("prune", "--delete", folder=folder)
    assert done.code == 0
    assert "not judged, owner unknown: 4 cassettes" in done.out
    assert files(folder) == before
