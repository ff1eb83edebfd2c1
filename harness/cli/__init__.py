"""The command line: the table of its commands; each command's module is loaded when it is called.

`main` is the entry point.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import wraps
from importlib import import_module
from typing import Any, NoReturn, ParamSpec

import typer

from harness.cli import app
from harness.cli.masked_output import masked_output
from harness.errors import HarnessError, InterceptError

COMMANDS = (
    ("demo", "demo:demo", "harness demo --out /tmp/demo"),
    ("record", "record:record", "harness record slogan --target zhipuai"),
    ("replay", "replay:replay", "harness replay slogan --junit junit.xml"),
    ("check", "check:check", "harness check cassettes tests/cassettes/test_chat.yaml"),
    ("report", "report:report", "harness report --out report"),
    ("scan", "scan:scan", "harness scan cassettes .env"),
    ("prune", "prune:prune", "harness prune --tests tests"),
    ("parse", "parse:parse", "harness parse cassettes --parser dashscope"),
    ("faults", "faults:faults", "harness faults cassettes --against my_client:send"),
    ("compare", "compare:compare", "harness compare slogan/zhipuai slogan/dashscope"),
    ("drift", "drift:drift", "harness drift --live slogan --budget 10"),
    ("show", "show:show", "harness show multi-turn/zhipuai --wire"),
    ("list", "list:list_", "harness list --json"),
    ("rules", "rules:rules", "harness rules --explain usage_adds_up"),
    ("schema", "schema:schema", "harness schema > scenario.schema.json"),
    ("sandbox", "sandbox:sandbox", "harness sandbox --latency 0.3 --throttle-every 5"),
    ("serve", "serve:serve", "harness serve cassettes -- npm test"),
    ("chat", "chat:chat", "harness chat dashscope/qwen-plus zhipuai/glm-4.6 --name capitals"),
    ("import", "import_:import_", "harness import session.har --to cassettes/session.yaml"),
    ("export", "export:export", "harness export cassettes/slogan --form otel"),
    ("doctor", "doctor:doctor", "harness doctor"),
    ("install-git", "install_git:install_git", "harness install-git"),
    (
        "textconv",
        "textconv:textconv",
        "harness textconv cassettes/slogan/dashscope-qwen-flash.yaml",
    ),
)
"""Every command: its name, its `module:function`, and an example for its help text."""

WITH_CHILD = ("record", "serve")
"""The commands that run another command, which stands after `--`."""

GROUPS = (("contract", "contract"),)
"""Every group of commands: its name, and its module, which has `COMMANDS` and the help `ABOUT`."""

USAGE_ERROR = 2
INTERRUPTED = 130

P = ParamSpec("P")


def command_line(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the application with only the command that *arguments* begin with.

    It has all commands if *arguments* do not begin with the name of one.
    """
    first = arguments[0] if arguments else ""
    line = app.application()
    known = first in {name for name, *_ in (*COMMANDS, *GROUPS)}
    for name, path, example in COMMANDS:
        if name == first or not known:
            module, _, function = path.partition(":")
            _add(line, name, getattr(import_module(f"harness.cli.{module}"), function), example)
    for name, module in GROUPS:
        if name == first or not known:
            loaded: Any = import_module(f"harness.cli.{module}")
            group = typer.Typer(help=loaded.ABOUT, no_args_is_help=True, rich_markup_mode="rich")
            for command, function, example in loaded.COMMANDS:
                _add(group, command, function, example)
            line.add_typer(group, name=name)
    return line


def _add(line: typer.Typer, name: str, function: Callable[..., None], example: str) -> None:
    line.command(name, epilog=f"Example: {example}")(_interruptible(function))


def _interruptible(command: Callable[P, None]) -> Callable[P, None]:
    """Return *command* changed to print a message and exit with 130 when it is interrupted."""

    @wraps(command)
    def interruptible(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            message = "harness: interrupted; what was recorded before is untouched"
            typer.echo(message, err=True)
            raise typer.Exit(INTERRUPTED) from None

    return interruptible


def _warn(
    message: Warning | str, category: type[Warning], *where: object, **options: object
) -> None:
    """Print a warning on one line, without the line of Python that gave it."""
    typer.echo(f"harness: {message}", err=True)


def split_child_command(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of `harness`, and the command after `--` that it is to run.

    Only the commands of `WITH_CHILD` run one; for others `--` keeps its usual meaning.
    """
    given = [*arguments]
    if not given or given[0] not in WITH_CHILD or "--" not in given:
        return given, []
    end = given.index("--")
    return given[:end], given[end + 1 :]


def main() -> None:
    """Run the command line, and exit: 0 ok, 1 findings, 2 usage error or unreadable input."""
    warnings.showwarning = _warn
    _prepare_output()
    arguments, child = split_child_command(sys.argv[1:])
    try:
        with nullcontext() if _only_helps(arguments) else masked_output():
            _run(arguments, child)
    except SystemExit:
        _flush()
        raise
    except OSError as error:  # of what was still to be written
        _fail(_explain(error))


def _run(arguments: Sequence[str], child: Sequence[str]) -> None:
    try:
        command_line(arguments)(arguments, prog_name="harness", obj=child)
    except (HarnessError, InterceptError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(_explain(error))


def _explain(error: OSError) -> str:
    where = f"{error.filename!s:.200}" if error.filename else "standard output"
    return f"{where}: {error.strerror or error}"


def _only_helps(arguments: Sequence[str]) -> bool:
    """Return whether a command line only prints help or the version, which is to be quick."""
    return not arguments or bool({"--help", "-h", "--version"} & {*arguments})


def _prepare_output() -> None:
    """Let no character and no closed stream end a command with a traceback."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.__stdout__ is None:
        _fail("standard output is closed; for the exit code alone: > /dev/null")


def _flush() -> None:
    """Write what is still to be written, and say so if that is not possible."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        _fail(_explain(error))


def _fail(message: str) -> NoReturn:
    """Print a message, and exit with 2; what cannot be written to standard output is dropped."""
    typer.echo(f"harness: {message}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(USAGE_ERROR)
