"""HTTP libraries in versions that cannot be intercepted: one sentence, and no patch."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3
from packaging.requirements import Requirement

from harness.errors import UnsupportedLibraryWarning
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.versions import LOWEST, unsupported
from harness.types import Cassette

if TYPE_CHECKING:
    from harness.intercept.context import Tape

PROJECT = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))


def test_the_lowest_versions_are_those_of_the_extras() -> None:
    """They are what `make oldest` runs."""
    extras = PROJECT["project"]["optional-dependencies"]
    listed = {Requirement(text) for texts in extras.values() for text in texts}
    bounds = {(one.name, str(one.specifier)) for one in listed if one.name in LOWEST}
    assert bounds == {(name, f">={version}") for name, version in LOWEST.items()}


def test_installed_versions_are_supported() -> None:
    """These, and modules of them."""
    assert [unsupported(name) for name in (*LOWEST, "requests.adapters", "httpx2")] == [""] * 6


def test_an_old_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version here and the lowest that is tested."""
    monkeypatch.setattr(urllib3, "__version__", "1.26.20")
    said = "requests over urllib3 are neither recorded nor replayed: urllib3 1.26.20 is older than"
    assert unsupported("requests.adapters").startswith(said)
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
