"""Environments of their own, with the wheel of this project and chosen packages of this one.

Nothing is downloaded: the packages are links to those that are installed here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from venv import EnvBuilder

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
NAME = "llm-conversation-harness"
PLUGIN = "llm_conversation_harness_pytest"
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "constraints.txt")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this project from a copy in *folder*, and return its path."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.mo")
    for name in ("harness", "scenarios"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in (*FILES, f"{PLUGIN}.py"):
        shutil.copy(ROOT / name, source)
    (source / "dist").mkdir()
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('dist'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)  # noqa: S603 - this Python
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        """The path of its Python."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of its packages."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def run(
        self, *arguments: str | Path, folder: Path, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python, and return exit code, stdout and stderr."""
        return subprocess.run(  # noqa: S603 - a Python made here, with the arguments of a test
            [self.python, *map(str, arguments)],
            cwd=folder,
            env={name: value for name, value in env.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def create(folder: Path, wheel: Path, others: Iterable[str] = ()) -> Environment:
    """Create an environment in *folder* with the wheel, what it needs, and *others*."""
    EnvBuilder(symlinks=True).create(folder)
    environment = Environment(folder)
    unpacked = _unpacked(wheel)
    for path in unpacked.iterdir():
        (environment.packages / path.name).symlink_to(path)
    (metadata,) = unpacked.glob("*.dist-info/METADATA")
    lines = metadata.read_text(encoding="utf-8").splitlines()
    needed = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires")]
    core = (text for text in needed if text.partition(":")[0] != "Requires-Python")
    for name in sorted(_closure([*core, *others])):
        _link(name, environment.packages)
    return environment


@cache
def _unpacked(wheel: Path) -> Path:
    """Return the folder of a wheel's files; environments share it, and what Python compiles."""
    folder = wheel.parent / "unpacked"
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder)
    return folder


def _closure(texts: Iterable[str]) -> set[str]:
    """Return the names of the distributions that requirements need, themselves included."""
    todo, found = [Requirement(text) for text in texts], set[str]()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        todo += [Requirement(text) for text in distribution(name).requires or ()]
    return found


def _link(name: str, packages: Path) -> None:
    """Link the files and folders of an installed distribution into *packages*."""
    for source in sorted(set(_top_level(name))):
        target = packages / source.name
        if not target.exists():
            target.symlink_to(source)


def _top_level(name: str) -> Iterator[Path]:
    installed = distribution(name)
    for file in installed.files or ():
        if file.parts[0] not in ("..", "__pycache__"):
            yield Path(str(installed.locate_file(file.parts[0]))).resolve()
