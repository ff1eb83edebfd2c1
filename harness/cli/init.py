"""The command `init`: the first files of a project that uses the harness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import CannotWrite
from harness.locale import localized, mark

IGNORED = (".env", "report/", "*.journal")

MARK = "# recordings of LLM APIs"

WORKFLOW_FILE = ".github/workflows/replay.yml"

NEXT = mark(
    "next:  harness record --sandbox   (without keys; or with ZHIPUAI_API_KEY and "
    "DASHSCOPE_API_KEY: harness record)\n       harness replay"
)

_WROTE, _LEFT = mark("wrote"), mark("left ")


EXAMPLE = "harness init"
"""An example for the help text."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.")] = Path(),
) -> None:
    """Write a first scenario, an example test, a workflow for CI and lines for .gitignore.

    Files that exist are left as they are.
    """
    from harness.cassette.store import write_text
    from harness.cli.install_steps import install_steps
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
    from harness.cassette.store import write_text

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
