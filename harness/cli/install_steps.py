"""What a workflow has to install: the project as it declares itself, and this harness."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.config.extras import DISTRIBUTION
from harness.locale import mark

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-test.txt")
"""The files of requirements that are installed."""

FOR_TESTS = ("test", "tests", "dev")
"""The extras and dependency groups that are installed, the first of them that there is."""

LOCAL = mark(
    "note:  the harness on this machine is from a folder that a CI cannot reach: write its address "
    "into {}, or into your requirements"
)


def install_steps(folder: Path) -> tuple[list[str], str]:
    """Return the commands that install a project and the harness, and a note if one will fail."""
    declared = list(_declared(folder))
    files = [folder / name for name in (*REQUIREMENTS, "pyproject.toml")]
    if any(DISTRIBUTION in _text(file) for file in files):
        return declared, ""
    requirement, is_reachable = _this_harness(distribution(DISTRIBUTION))
    return [*declared, f"pip install '{requirement}'"], "" if is_reachable else LOCAL


def _declared(folder: Path) -> Iterator[str]:
    for name in REQUIREMENTS:
        if (folder / name).is_file():
            yield f"pip install -r {name}"
    try:
        project = tomllib.loads(_text(folder / "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return
    if "project" in project:
        extras = project["project"].get("optional-dependencies", {})
        extra = next((f"[{name}]" for name in FOR_TESTS if name in extras), "")
        yield f"pip install -e '.{extra}'"
    groups = project.get("dependency-groups", {})
    yield from (f"pip install --group {name}" for name in FOR_TESTS if name in groups)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _this_harness(installed: Distribution) -> tuple[str, bool]:
    """Return a requirement for what is installed here, and whether another machine can reach it.

    pip notes where a package that is from no index came from (PEP 610).
    """
    name = f"{DISTRIBUTION}[all]"
    origin: Any = json.loads(installed.read_text("direct_url.json") or "{}")
    url = urlsplit(origin.get("url", ""))
    if not url.scheme:
        return f"{name}=={installed.version}", True
    if version := origin.get("vcs_info"):
        return f"{name} @ {version['vcs']}+{url.geturl()}@{version['commit_id']}", True
    if url.scheme != "file":
        return f"{name} @ {url.geturl()}", True
    folder = unquote(url.path)
    remote, commit = _git(folder, "remote", "get-url", "origin"), _git(folder, "rev-parse", "HEAD")
    if address := _public(remote):
        return f"{name} @ git+{address}@{commit}", True
    return name, False


def _public(remote: str) -> str:
    """Return the address of a git remote without a user and a password; empty if it is local."""
    found = re.match(r"(?:https?://|ssh://)?(?:[^/@]*@)?([^/:]+\.[^/:]+)(?::\d+/|[:/])(.+)", remote)
    return f"https://{found[1]}/{found[2]}" if found else ""


def _git(folder: str, *arguments: str) -> str:
    """Return what git prints; empty if it fails."""
    command = ["git", "-C", folder, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()
