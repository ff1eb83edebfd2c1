"""The command line. `main` is the only way in, and the only place that ends the process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from harness.cli import (
    app,
    check,
    compare,
    contract,
    demo,
    doctor,
    drift,
    faults,
    list,
    parse,
    prune,
    record,
    replay,
    report,
    rules,
    sandbox,
    scan,
    schema,
    show,
)
from harness.errors import HarnessError, InterceptError

COMMANDS = (
    ("demo", demo.demo, "harness demo --out /tmp/demo"),
    ("record", record.record, "harness record slogan --target zhipuai"),
    ("replay", replay.replay, "harness replay slogan --junit junit.xml"),
    ("check", check.check, "harness check cassettes tests/cassettes/test_chat.yaml"),
    ("report", report.report, "harness report --out report"),
    ("scan", scan.scan, "harness scan cassettes .env"),
    ("prune", prune.prune, "harness prune --tests tests"),
    ("parse", parse.parse, "harness parse cassettes --parser dashscope"),
    ("faults", faults.faults, "harness faults cassettes --against my_client:send"),
    ("compare", compare.compare, "harness compare slogan/zhipuai slogan/dashscope"),
    ("drift", drift.drift, "harness drift --live slogan --budget 10"),
    ("show", show.show, "harness show multi-turn/zhipuai --wire"),
    ("list", list.list_, "harness list --json"),
    ("rules", rules.rules, "harness rules --explain usage_adds_up"),
    ("schema", schema.schema, "harness schema > scenario.schema.json"),
    ("sandbox", sandbox.sandbox, "harness sandbox --latency 0.3 --throttle-every 5"),
    ("doctor", doctor.doctor, "harness doctor"),
    ("install-git", show.install_git, "harness install-git"),
    ("textconv", show.textconv, "harness textconv cassettes/slogan/zhipuai-glm-4.yaml"),
)
"""Every command: its name, its function, an example for its help text."""

GROUPS = (("contract", contract.COMMANDS, contract.ABOUT),)
"""Every group of commands: its name, its commands in the same form, what they are for."""

WRONG_USE = 2
INTERRUPTED = 130


def command_line() -> typer.Typer:
    """The application with all its commands."""
    line = app.application()
    for name, function, example in COMMANDS:
        line.command(name, epilog=f"Example: {example}")(_interruptible(function))
    for group_name, commands, about in GROUPS:
        group = app.group(about)
        for command, what, example in commands:
            group.command(command, epilog=f"Example: {example}")(_interruptible(what))
        line.add_typer(group, name=group_name)
    return line


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with a word to whoever interrupts it; typer would end without one."""

    @wraps(command)
    def interruptible(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            said = "harness: interrupted; what was recorded before is untouched"
            typer.echo(said, err=True)
            raise typer.Exit(INTERRUPTED) from None

    return interruptible


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 findings, 2 wrong use or unreadable input."""
    try:
        command_line()(prog_name="harness")
    except (HarnessError, InterceptError) as error:
        typer.echo(f"harness: {error}", err=True)
        sys.exit(WRONG_USE)
