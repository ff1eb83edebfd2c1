"""HTTP libraries in versions that cannot be intercepted: one sentence, and no patch."""

from __future__ import annotations

import ast
import re
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from aiohttp import client, connector
from packaging.requirements import Requirement

from harness.errors import UnsupportedLibraryWarning
from harness.intercept import aiohttp, versions
from harness.intercept import requests as requests_patches
from harness.intercept import urllib3 as urllib3_patches
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.versions import LOWEST, NAMES, missing_name, unsupported
from harness.types import Cassette

if TYPE_CHECKING:
    from harness.intercept.context import Tape

INTERCEPT = Path(versions.__file__).parent
NONE = Cassette(())
STABLE = {
    "_exit",  # os._exit and sys._getframe are documented
    "_getframe",
    "_get_running_loop",  # in asyncio.__all__
}
"""The names with an underscore that are public."""
asleep = time.sleep
PROJECT = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))


def test_the_lowest_versions_are_those_of_the_extras() -> None:
    """They are what `make oldest` runs."""
    extras = PROJECT["project"]["optional-dependencies"]
    listed = {Requirement(text) for texts in extras.values() for text in texts}
    bounds = {(one.name, str(one.specifier)) for one in listed if one.name in LOWEST}
    assert bounds == {(name, f">={version}") for name, version in LOWEST.items()}


def private_names(path: Path) -> set[str]:
    """Return the private attributes that a module uses and does not define itself."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    defined |= {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    defined |= {node.id for node in nodes if isinstance(node, ast.Name)}
    used = {node.attr for node in attributes if re.match(r"_[a-z]", node.attr)}
    return used - defined


def test_every_private_name_is_listed() -> None:
    """Each private name of a library that the patches use or replace is in `NAMES`."""
    listed = {name for names in NAMES.values() for name in names}
    used = set().union(*map(private_names, INTERCEPT.glob("*.py")))
    assert used - {name.rpartition(".")[2] for name in listed} == STABLE
    patched = [(o, name) for o, name, _ in aiohttp.patches(client)]
    patched += [(o, name) for o, name, _ in urllib3_patches.patches(urllib3)]
    patched += [(o, name) for o, name, _ in requests_patches.patches(requests.sessions)][:1]
    wanted = {f"{o.__module__}:{o.__name__}.{name}" for o, name in patched if "__" not in name}
    assert wanted <= listed


@pytest.mark.parametrize("library", NAMES)
def test_every_name_is_there(library: str) -> None:
    """Each name exists in the installed version, the lowest or the newest that is tested."""
    import_module(library)
    missing_name.cache_clear()
    assert missing_name(library) == ""


@pytest.mark.parametrize(
    ("library", "owner", "name"),
    [
        ("aiohttp", connector.Connection, "_notify_release"),
        ("requests", requests.adapters.HTTPAdapter, "build_response"),
        ("urllib3", urllib3.HTTPResponse, "_fp_read"),
        ("urllib3", urllib3.connectionpool.HTTPConnectionPool, "_make_request"),
    ],
)
def test_a_missing_name(
    monkeypatch: pytest.MonkeyPatch, library: str, owner: type, name: str
) -> None:
    """One sentence names what is missing, and the library is not patched."""
    monkeypatch.delattr(owner, name)
    missing_name.cache_clear()
    expected = (
        rf"^requests over {library} are neither recorded nor replayed: {library} [\d.]+ has no "
        rf"{owner.__name__}\.{name}, which the patches need; harness doctor shows the versions"
    )
    try:
        with pytest.warns(UnsupportedLibraryWarning, match=expected), use_tape(Player(NONE)):
            assert not hasattr(owner, name)
    finally:
        missing_name.cache_clear()


def test_another_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name of asyncio that the clock needs, a replay sleeps in real time."""
    monkeypatch.setitem(sys.modules, "asyncio.events", ModuleType("asyncio.events"))
    missing_name.cache_clear()
    expected = r"^sleeps of a replay take real time: Python 3\.[\d.]+ has no TimerHandle\._callback"
    try:
        with pytest.warns(UnsupportedLibraryWarning, match=expected), use_tape(Player(NONE)):
            assert time.sleep is asleep
    finally:
        missing_name.cache_clear()


def test_installed_versions_are_supported() -> None:
    """These, and modules of them."""
    modules = ("requests.sessions", "httpx2", "asyncio", "uvloop")
    assert [unsupported(name) for name in (*LOWEST, *modules)] == [""] * 8


def test_an_old_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version here and the lowest that is tested."""
    monkeypatch.setattr(urllib3, "__version__", "1.26.20")
    said = "requests over urllib3 are neither recorded nor replayed: urllib3 1.26.20 is older than"
    assert unsupported("requests.sessions").startswith(said)
    assert unsupported("httpx") == ""


def test_another_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of niquests has other private names under the same name."""
    monkeypatch.setattr(urllib3, "AsyncPoolManager", ModuleType, raising=False)
    assert "urllib3-future has taken the place of urllib3" in unsupported("urllib3")


def test_it_is_said_once_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning when a tape is used; the library stays as it is."""
    monkeypatch.setattr(requests, "__version__", "2.20.0")
    before = requests.adapters.HTTPAdapter.send
    tape: Tape = Player(Cassette(()))
    said = pytest.warns(UnsupportedLibraryWarning, match="2.20.0 is older than 2.31")
    with said as warned, use_tape(tape):
        assert requests.adapters.HTTPAdapter.send is before
    assert len(warned) == 1
