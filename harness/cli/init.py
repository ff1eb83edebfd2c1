"""The command `init`: the first files of a project that uses the harness.

The workflow for CI that it writes installs the project, as its files declare, and this harness.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import typer

from harness.cassette.store import write_text
from harness.config.extras import DISTRIBUTION
from harness.config.git import git_output
from harness.errors import CannotWrite
from harness.locale import localized, mark

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-test.txt")
"""The files of requirements that are installed."""

FOR_TESTS = ("test", "tests", "dev")
"""The extras and dependency groups that are installed, the first of them that there is."""

LOCAL = mark(
    "note:  the harness on this machine is from a folder that a CI cannot reach: write its address "
    "into {}, or into your requirements"
)


def install_steps(folder: Path) -> tuple[list[str], str]:
    """Return (commands, note) for a CI workflow that installs the project and the harness.

    *folder* is the folder of the project. The note tells the user that CI cannot reach the place
    from which the harness was installed; it is empty if CI can.
    """
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
    remote, commit = (
        git_output(folder, "remote", "get-url", "origin"),
        git_output(folder, "rev-parse", "HEAD"),
    )
    if address := _public(remote):
        return f"{name} @ git+{address}@{commit}", True
    return name, False


def _public(remote: str) -> str:
    """Return the address of a git remote without a user and a password; empty if it is local."""
    found = re.match(r"(?:https?://|ssh://)?(?:[^/@]*@)?([^/:]+\.[^/:]+)(?::\d+/|[:/])(.+)", remote)
    return f"https://{found[1]}/{found[2]}" if found else ""


IGNORED = (".env", "report/", "build/", "*.journal")

MARK = "# recordings of LLM APIs"

WORKFLOW_FILE = ".github/workflows/replay.yml"

NEXT = mark(
    "next:  harness record --sandbox   (without keys; or with ZHIPUAI_API_KEY and "
    "DASHSCOPE_API_KEY: harness record)\n       harness replay"
)

_WROTE, _LEFT = mark("wrote"), mark("left ")


def init(
    folder: Path = Path(),
) -> None:
    """Write a first scenario, an example test, a workflow for CI and lines for .gitignore.

    Files that exist are left as they are.
    """
    from harness.report.json_report import dumps
    from harness.scenario.schema_model import json_schema

    is_new = not (folder / WORKFLOW_FILE).exists()
    steps, note = install_steps(folder)
    files = {
        "scenarios/hello.yaml": _starter("hello.yaml"),
        "scenarios/scenario.schema.json": dumps(json_schema()),
        "tests/test_hello.py": _starter("test_hello.txt"),
        WORKFLOW_FILE: _starter("replay.yml") % "\n".join(f"          {step}" for step in steps),
    }
    for name, text in files.items():
        path = folder / name
        if path.exists():
            _say(_LEFT, path, localized("it exists"))
        else:
            write_text(path, text)
            _say(_WROTE, path)
    _ignore(folder / ".gitignore")
    if note and is_new:
        typer.echo("\n" + localized(note).format(WORKFLOW_FILE))
    typer.echo("\n" + localized(NEXT))


def _starter(name: str) -> str:
    """Return the text of a first file of a project."""
    return (Path(__file__).parent / "starter" / name).read_text(encoding="utf-8")


def _say(done: str, path: Path, reason: str = "") -> None:
    text = f"{path}{localized(': ')}{reason}" if reason else str(path)
    typer.echo(f"{localized(done)}  {text}")


def _ignore(path: Path) -> None:
    """Add what must not be committed to a .gitignore. Raises CannotWrite."""
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CannotWrite(f"{path} cannot be read: {error}") from None
    missing = [line for line in IGNORED if line not in before.splitlines()]
    if not missing:
        _say(_LEFT, path, localized("it has all that is needed"))
        return
    gap = "" if not before or before.endswith("\n") else "\n"
    write_text(path, f"{before}{gap}{MARK}\n" + "".join(f"{line}\n" for line in missing))
    _say(_WROTE, path)
