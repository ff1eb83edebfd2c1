"""The packages that the harness uses: extras, tested versions, clashes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.config.packages import CORE, FOR_USERS, KNOWN_CLASHES, Installed, this_environment

ROOT = Path(__file__).parent.parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

REQUIREMENTS = (
    "rich>=13",
    'tomli>=2; python_version < "3.0"',
    'httpx>=0.27; extra == "zhipu"',
    'zhipuai>=2.1.5; extra == "zhipu"',
    'httpx>=0.26,<1; extra == "zai"',
    'zai-sdk>=0.2; extra == "zai"',
    'openai<4,>=2; extra == "openai"',
    'llm-conversation-harness[zhipu,zai]; extra == "all"',
    'ruff>=1; extra == "dev"',
)
TESTED = {"rich": "15.0", "httpx": "0.28.1", "zhipuai": "2.1.5.20250825", "openai": "3.54"}


def environment(
    installed: Mapping[str, str], needs: Mapping[str, tuple[str, ...]] | None = None
) -> Installed:
    """An environment in which these versions are installed."""
    return Installed(REQUIREMENTS, TESTED, lambda name: installed.get(name, ""), (needs or {}).get)


def test_each_package_has_its_extras_and_versions() -> None:
    """Of the core and the extras for users; what two extras need is there once."""
    packages = environment({"rich": "14"}).packages
    assert [(one.name, one.extras, one.lowest, one.newest) for one in packages] == [
        ("rich", (CORE,), "13", "15.0"),
        ("httpx", ("zhipu", "zai"), "0.27", "0.28.1"),
        ("zhipuai", ("zhipu",), "2.1.5", "2.1.5.20250825"),
        ("zai-sdk", ("zai",), "0.2", ""),
        ("openai", ("openai",), "2", "3.54"),
    ]


@pytest.mark.parametrize(
    ("installed", "state"),
    [
        ("", "not installed"),
        ("1.9", "not supported"),
        ("2", "ok"),
        ("3.54", "ok"),
        ("3.55", "newer than tested"),
        ("4.0", "not supported"),
        ("3.0rc1", "ok"),
    ],
)
def test_the_state_of_a_package(installed: str, state: str) -> None:
    """By what is allowed, and by what was tested."""
    (openai,) = (p for p in environment({"openai": installed}).packages if p.name == "openai")
    assert openai.state == state


def test_a_package_without_a_tested_version_is_ok() -> None:
    """Nothing is claimed of it."""
    zai = environment({"zai-sdk": "9"}).packages[3]
    assert (zai.name, zai.state) == ("zai-sdk", "ok")


def test_what_an_extra_lacks() -> None:
    """Nothing, if all of its packages are there."""
    assert environment({"httpx": "0.28", "zhipuai": "2.1.5"}).extras() == {
        "zhipu": (),
        "zai": ("zai-sdk",),
        "openai": ("openai",),
    }


@pytest.mark.parametrize("clash", KNOWN_CLASHES, ids=lambda clash: "+".join(clash.packages))
def test_known_clashes(clash: Any) -> None:
    """Said if all of its packages are there, and not if one is missing."""
    installed = dict.fromkeys(clash.packages, "1")
    assert clash in [*environment(installed).clashes()]
    installed[clash.packages[0]] = ""
    assert clash not in [*environment(installed).clashes()]


def test_the_known_clashes_are_those_of_the_issue() -> None:
    """Both SDKs of Zhipu, what replaces urllib3, and plugins with a mark of their own."""
    assert {one.packages for one in KNOWN_CLASHES} >= {
        ("zai-sdk", "zhipuai"),
        ("urllib3-future",),
        ("pytest-recording",),
    }


def test_unmet_requirements_are_clashes() -> None:
    """Of an installed package, if a wrong version is there; a missing one is not its matter."""
    needs = {"openai": ("httpx<0.28", "jiter>=1", 'tqdm>5; extra == "x"'), "rich": ("httpx>=0.1",)}
    installed = {"openai": "3.0", "httpx": "0.28.1", "rich": "14", "tqdm": "4"}
    (clash,) = environment(installed, needs).clashes()
    assert clash.packages == ("openai", "httpx")
    assert clash.text == "openai 3.0 needs httpx<0.28, and 0.28.1 is installed"


def test_a_known_clash_is_said_once() -> None:
    """Not again as a requirement that is not met."""
    needs = {"zai-sdk": ("PyJWT>=2.9",)}
    installed = {"zai-sdk": "0.2", "zhipuai": "2.1.5", "PyJWT": "2.8"}
    (clash,) = environment(installed, needs).clashes()
    assert clash.packages == ("zai-sdk", "zhipuai")


def test_an_extra_that_clashes_with_what_is_installed() -> None:
    """Instead of a command that would break the environment, doctor shows the clash."""
    assert (
        environment({"zhipuai": "2.1.5"})
        .excluded(["zai-sdk"])
        .startswith("zai-sdk and zhipuai: they need versions of PyJWT that exclude each other")
    )
    assert environment({"zhipuai": "2.1.5"}).excluded(["openai"]) == ""
    assert environment({}).excluded(["zai-sdk", "zhipuai"]) == ""


def test_every_extra_for_users_is_in_the_table() -> None:
    """All of pyproject.toml but the sum, and those for development."""
    of_developers = {"all", "bench", "dev", "docs", "mutation", "stores", "test"}
    extras = PROJECT["project"]["optional-dependencies"].keys() - of_developers
    assert {*FOR_USERS} == {CORE, *extras}


def test_what_is_tested_is_in_the_constraints() -> None:
    """Read from constraints.txt, here in the checkout."""
    here = this_environment()
    assert here.tested["pytest"]
    assert f"pytest=={here.tested['pytest']}\n" in (ROOT / "constraints.txt").read_text()
