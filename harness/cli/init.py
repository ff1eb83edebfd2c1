"""The command `init`: the first files of a project that uses the harness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import CannotWrite

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
      - run: pip install 'llm-conversation-harness[all]'
      - run: harness replay --report report
      - run: pytest
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: report, path: report}
"""

IGNORED = (".env", "report/", "*.journal")

MARK = "# recordings of LLM APIs"


EXAMPLE = "harness init"
"""An example for the help text."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.")] = Path(),
) -> None:
    """Write a first scenario, an example test, a workflow for CI and lines for .gitignore.

    Files that exist are left as they are.
    """
    from harness.cassette.store import write_text
    from harness.report.json_report import dumps
    from harness.scenario.schema_model import json_schema

    files = {
        "scenarios/hello.yaml": SCENARIO,
        "scenarios/scenario.schema.json": dumps(json_schema()),
        "tests/test_hello.py": TEST,
        ".github/workflows/replay.yml": WORKFLOW,
    }
    for name, text in files.items():
        path = folder / name
        if path.exists():
            typer.echo(f"left   {path}: it exists")
        else:
            write_text(path, text)
            typer.echo(f"wrote  {path}")
    _ignore(folder / ".gitignore")
    typer.echo(
        "\nnext:  harness record --sandbox   (without keys; or with ZHIPUAI_API_KEY and "
        "DASHSCOPE_API_KEY: harness record)\n"
        "       harness replay"
    )


def _ignore(path: Path) -> None:
    """Add what must not be committed to a .gitignore. Raises CannotWrite."""
    from harness.cassette.store import write_text

    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CannotWrite(f"{path} cannot be read: {error}") from None
    missing = [line for line in IGNORED if line not in before.splitlines()]
    if not missing:
        typer.echo(f"left   {path}: it has all that is needed")
        return
    gap = "" if not before or before.endswith("\n") else "\n"
    write_text(path, f"{before}{gap}{MARK}\n" + "".join(f"{line}\n" for line in missing))
    typer.echo(f"wrote  {path}")
