"""The command line: a table of the commands, and `main`, the entry point.

The module of a command is loaded when the command is called.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections import UserDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup

from harness.cli import app, help_texts
from harness.cli.masked_output import masked_output
from harness.errors import HarnessError, InterceptError
from harness.locale import (
    INTERRUPTED,
    LANGUAGE,
    Language,
    language_of_environment,
    localized,
    localized_error,
)


class Command(NamedTuple):
    """A command of `harness`, or a group of commands, as `commands.json` describes it.

    Attributes:
        name: The name on the command line. The module and its function have the same name.
        heading: The heading under which the command is listed.
        short: What the command does, in one line; it is listed beside the name.
        example: An example for the help of the command.
        about: The first paragraph of the help of a group; empty for a command.
        examples: An example for each command of a group, by the name of the command and of its
            function; empty for a command.
    """

    name: str
    heading: str
    short: str
    example: str = ""
    about: str = ""
    examples: Mapping[str, str] = {}


_LISTED: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("commands.json").read_text(encoding="utf-8")
)
HEADINGS = tuple(_LISTED)
"""The headings of the commands in the help text."""

LISTED = tuple(
    Command(name, heading, **described)
    for heading, commands in _LISTED.items()
    for name, described in commands.items()
)
"""Every command and group of commands."""

COMMANDS = tuple(command for command in LISTED if not command.examples)
"""Every command."""

GROUPS = tuple(command for command in LISTED if command.examples)
"""Every group of commands."""

_RESERVED = {"import": ("import_", "import_"), "list": ("list", "list_")}
"""The module and the function of commands with names that Python uses."""

WITH_CHILD = ("record", "sandbox", "serve")
"""The commands that run another command, which stands after `--`."""

USAGE_ERROR = 2
EXIT_INTERRUPTED = 130
BROKEN_PIPE = 141
"""As of a program that SIGPIPE ends: whoever reads the output, such as `head`, has closed it."""


@contextmanager
def _interruptible() -> Iterator[None]:
    """Print a message if the `with` block is interrupted, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"harness: {localized(INTERRUPTED)}", err=True)
        sys.exit(EXIT_INTERRUPTED)


class _Commands(UserDict[str, Any]):
    """The commands by name; the module of each is imported when the command is looked up.

    Its values are functions without arguments that return the command.
    """

    def __getitem__(self, name: str) -> Any:
        """Return the command of typer with this *name*. Raises KeyError if there is none."""
        return self.data[name]()


class _CommandGroup(TyperGroup):
    """The application, which prints its help without loading a command, or rich."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands(
            {listed.name: partial(_load_command, listed) for listed in LISTED}
        )

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line; an interrupt, which typer would call Aborted, exits with 130."""
        with _interruptible():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Import the module of a command, and run it; an interrupt exits with 130."""
        with _interruptible():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help in plain text: an import of rich takes longer than all the rest."""
        super(TyperGroup, self).format_help(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, then the commands."""
        records = (parameter.get_help_record(ctx) for parameter in self.get_params(ctx))
        with formatter.section(localized(help_texts.OPTIONS)):
            formatter.write_dl([record for record in records if record is not None])
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names of the commands and what they do, by heading."""
        longest = max(len(command.name) for command in LISTED)
        for heading in HEADINGS:
            with formatter.section(localized(heading)):
                formatter.write_dl(
                    [
                        (command.name.ljust(longest), localized(command.short))
                        for command in LISTED
                        if command.heading == heading
                    ]
                )


def command_line() -> typer.Typer:
    """Return the typer application of `harness` with all commands."""
    return app.application(_CommandGroup)


def _load_command(listed: Command) -> Any:
    """Return a command, or a group of commands, as typer has it, with its module imported."""
    in_module, function = _RESERVED.get(listed.name, (listed.name, listed.name))
    module = import_module(f"harness.cli.{in_module}")
    group = typer.Typer(
        name=listed.name,
        help=listed.about or None,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings=app.CONTEXT,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for name, example in (listed.examples or {function: listed.example}).items():
        group.command(
            name if listed.examples else listed.name,
            context_settings=app.CONTEXT,
            epilog=localized(help_texts.EXAMPLE) + example,
            short_help=None if listed.examples else listed.short,
        )(app.with_output_options(getattr(module, name)))
    loaded: Any = help_texts.localize(typer.main.get_command(group))
    for sub in getattr(loaded, "commands", {}).values():
        help_texts.localize(sub)
    return loaded


def _warn(
    message: Warning | str, category: type[Warning], *where: object, **options: object
) -> None:
    """Print a warning on one line, without the line of Python that gave it."""
    typer.echo(f"harness: {message}", err=True)


def split_child_command(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (arguments of `harness`, the command after `--` that it is to run, or an empty list).

    Only the commands in `WITH_CHILD`, such as `serve`, run another command. For others `--` keeps
    its usual meaning: all arguments are returned in the first list.
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
    output = _output_file()
    try:
        with nullcontext() if _only_helps(arguments) else masked_output():
            stream = sys.stdout
            try:
                copy_context().run(_run, arguments, child)
            finally:  # typer and rich have put something else in place of a pipe that was closed
                is_closed = sys.stdout is not stream or _output_file() != output
    except SystemExit:
        _flush()
        if is_closed:
            sys.exit(BROKEN_PIPE)
        raise
    except OSError as error:  # of what was still to be written
        _fail(_explain(error))


def _output_file() -> tuple[int, int] | None:
    """Return which file standard output is; None if it is closed."""
    try:
        status = os.fstat(1)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _run(arguments: Sequence[str], child: Sequence[str]) -> None:
    LANGUAGE.set(_language(arguments))
    if LANGUAGE.get() is Language.ZH:
        help_texts.break_lines_in_chinese()
    try:
        command = help_texts.localize(typer.main.get_command(command_line()))
        command(arguments, prog_name="harness", obj=child)
    except (HarnessError, InterceptError) as error:
        _fail(localized_error(str(error)))
    except OSError as error:
        _fail(_explain(error))


def _language(arguments: Sequence[str]) -> Language:
    """Return the language of a command line, whose help is to be in it: of `--lang`, or of LANG."""
    given = [arg.partition("=")[2] for arg in arguments if arg.startswith("--lang=")]
    pairs = pairwise(arguments)
    given += [value for option, value in pairs if option == "--lang"]
    return Language(given[0]) if given and given[0] in {*Language} else language_of_environment()


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
        sys.exit(BROKEN_PIPE)
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
