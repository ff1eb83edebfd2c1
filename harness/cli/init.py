"""The command `init`: the first files of a project that uses the harness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import CannotWrite
from harness.locale import localized, mark

SCENARIO = """\
# yaml-language-server: $schema=scenario.schema.json
name: hello
about: A first conversation, with one model of each provider.

targets:
  - zhipuai/glm-4.6
  - model: dashscope/qwen-plus
    parameters: {result_format: message}

steps:
  - user: 用一句话介绍你自己。
    expect: {finish_reason: stop}
"""

TEST = '''\
"""The answers of your own code, from a cassette: no key, no cost, no network.

Record once with your keys: pytest --record=missing
"""

import pytest


@pytest.mark.cassette
def test_hello() -> None:
    """Replace this by a call of your own code; every HTTP request in it is on the cassette."""
'''

WORKFLOW = """\
name: replay
on: [push, pull_request]
permissions:
  contents: read
jobs:
  replay:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - name: Install the project and the harness
        run: |
%s
      - run: harness replay --report report
      - run: pytest
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: report, path: report}
"""

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
        "scenarios/hello.yaml": SCENARIO,
        "scenarios/scenario.schema.json": dumps(json_schema()),
        "tests/test_hello.py": TEST,
        WORKFLOW_FILE: WORKFLOW % "\n".join(f"          {step}" for step in steps),
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
