"""What is installed: the packages, their data, and what they depend on."""

from __future__ import annotations

import re
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from environments import NAME, PLUGIN
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness import __version__

if TYPE_CHECKING:
    from conftest import Python

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COME_ALONG = {
    "packaging": "pytest needs it",
    "multidict": "how aiohttp has headers; part of its interface",
    "pydantic_core": "half of pydantic, which pins it to the letter",
}
"""Imported but not declared, each with its reason."""
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def pinned() -> dict[str, str]:
    """The versions that everything is tested with, by name."""
    lines = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    pairs = (line.split("==") for line in lines)
    return {canonicalize_name(name): text for name, text in pairs}


def test_one_version() -> None:
    """It is written once, in the package."""
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "harness.__version__"}
    assert version(NAME) == __version__


def test_the_core_is_small() -> None:
    """Who replays in CI installs no SDK, web server or image library."""
    core = {canonicalize_name(Requirement(t).name) for t in PROJECT["project"]["dependencies"]}
    assert len(core) <= 12
    extras = PROJECT["project"]["optional-dependencies"]
    beyond = {canonicalize_name(Requirement(t).name) for texts in extras.values() for t in texts}
    assert core & beyond == set()


def test_all_has_every_extra_of_users() -> None:
    """But zai-sdk, which cannot be beside zhipuai; `images` is a part of `sandbox`.

    What a bucket or a cluster needs is much, and for few.
    """
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    of_developers = {"all", "test", "dev", "docs", "bench", "mutation", "stores"}
    left_out = {"zai", "images", "s3", "oss", "dask"}
    assert everything.extras == extras.keys() - of_developers - left_out
    assert {*extras["images"]} <= {*extras["sandbox"]}


def test_constraints_are_names_and_versions() -> None:
    """Nothing else: no address, no path, no option."""
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    wrong = [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)
    ]
    assert wrong == []
    assert len(pinned()) == len(lines)


def test_every_dependency_is_pinned() -> None:
    """Ours, theirs, and what both need, as installed here."""
    if version("pytest") != pinned()["pytest"]:
        pytest.skip("the lowest versions are installed, not the pinned ones")
    optional = [
        text
        for extra in PROJECT["project"]["optional-dependencies"].values()
        for text in extra
        if Requirement(text).name != NAME
    ]
    todo = [Requirement(text) for text in [*PROJECT["project"]["dependencies"], *optional]]
    seen: set[str] = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name in seen or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue  # for another platform
        seen.add(name)
        assert pinned().get(name) == installed, f"{name} is not pinned to {installed}"
        assert wanted.specifier.contains(installed, prereleases=True), f"{name} {installed}"
        todo += [Requirement(text) for text in requires(name) or ()]
    assert len(seen) > 30


OPTIONAL = {
    "cloudpickle": "of the extra dask, whose tests have an environment of their own",
    "distributed": "of the extra dask, too",
    "zai": "an SDK that recordings are parsed with where it is installed",
    "zstandard": "decodes zstd in its users' environments, where urllib3 and httpx use it too",
}
"""What is used where it is installed, each with its reason."""


@pytest.mark.slow
def test_what_is_imported_is_declared() -> None:
    """Nothing is there only because something else needs it."""
    import ast
    import sys
    from importlib.metadata import packages_distributions

    listed = [PROJECT["project"]["dependencies"]]
    listed += PROJECT["project"]["optional-dependencies"].values()
    declared = {canonicalize_name(Requirement(text).name) for texts in listed for text in texts}
    owners = packages_distributions()
    undeclared = set()
    for path in ROOT.glob("harness/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in {name.split(".")[0] for name in names} - {"harness", "__future__"}:
                if name in sys.stdlib_module_names or name in {*COME_ALONG, *OPTIONAL}:
                    continue
                if not {canonicalize_name(owner) for owner in owners.get(name, ())} & declared:
                    undeclared.add(f"{path.relative_to(ROOT)}: {name}")
    assert undeclared == set()


@pytest.mark.slow
def test_a_wheel_has_everything(wheel: Path, python: Python, tmp_path: Path) -> None:
    """What is installed works without this folder: scenarios, schema, template, types."""
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
        metadata = next(name for name in inside if name.endswith("/entry_points.txt"))
        entry_points = opened.read(metadata).decode()
        opened.extractall(tmp_path / "site")
    wanted = {str(p.relative_to(ROOT)) for p in ROOT.glob("harness/**/*.py")}
    wanted |= {f"harness/shipped_scenarios/{path.name}" for path in ROOT.glob("scenarios/*.yaml")}
    wanted |= {PLUGIN + ".py", "harness/py.typed", "harness/scenario/schema.json"}
    page = [p for p in ROOT.glob("harness/report/html/*") if p.suffix in (".j2", ".css", ".js")]
    wanted |= {str(path.relative_to(ROOT)) for path in page}
    wanted |= {f"harness/locale/zh_CN/LC_MESSAGES/harness.{suffix}" for suffix in ("po", "mo")}
    assert wanted <= inside
    assert "harness = harness.__main__:main" in entry_points
    assert f"llm-harness = {PLUGIN}" in entry_points
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import harness\nfrom harness.scenario.files import shipped_folder\n"
        "print(harness.__file__, shipped_folder(), len([*shipped_folder().glob('*.yaml')]))"
    )
    where = tmp_path / "site" / "harness"
    count = len([*ROOT.glob("scenarios/*.yaml")])
    done = python("-c", code, folder=tmp_path)
    assert done.stdout == f"{where}/__init__.py {where}/shipped_scenarios {count}\n", done.stderr
