"""Options, consoles, progress and output files that all commands share.

This module imports slow modules, such as rich, inside functions only: `harness --help` is quick.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer

from harness.errors import HarnessError
from harness.locale import LANGUAGE, Language, localized, localized_count, localized_error

if TYPE_CHECKING:
    from rich.console import Console
    from typer.core import TyperGroup

    from harness.cassette.workers import Workers
    from harness.checks.check import Kept
    from harness.drift.plan import Plan
    from harness.report import Report

T = TypeVar("T")
P = ParamSpec("P")


class Color(StrEnum):
    """The values of `--color`, which say when output is colored; `auto` is on a terminal only."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


_QUIET, _NORMAL, _FULL = range(3)
"""The values of `Verbosity`; its module is not imported only to print the help."""

VERBOSITY: ContextVar[int] = ContextVar("verbosity", default=_NORMAL)
"""The amount of output that the command prints."""

COLOR: ContextVar[Color] = ContextVar("color", default=Color.AUTO)
"""Whether the command prints in colours; `auto`: on a terminal."""

SCENARIOS = Path("scenarios")
CASSETTES = Path("cassettes")


CONTEXT = {"help_option_names": ["-h", "--help"]}
"""The settings of every command."""


def application(group: type[TyperGroup]) -> typer.Typer:
    """Return the typer application of `harness`; the class *group* looks up its commands."""
    app = typer.Typer(
        name="harness",
        cls=group,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings=CONTEXT,
        help=(
            "Record conversations with LLM APIs, replay them offline, check their format, "
            "compare models.\n\n"
            "Begin with: harness demo. "
            "Exit codes: 0 ok, 1 findings, 2 usage error or unreadable input."
        ),
    )
    app.callback(invoke_without_command=True)(options)
    return app


def _declared(command: Callable[P, None], added: Sequence[Parameter] = ()) -> Callable[P, None]:
    """Return *command*, its parameters declared as in `options.json`, with those that are *added*.

    That file has the arguments and options by the name of the parameter: those of every command
    with such a parameter, then those of one module. `flags` are by default the parameter's name.
    """
    own = signature(command, eval_str=True)
    shown: Any = command
    annotated: Any = Annotated
    described = _described(command.__module__.rpartition(".")[2])
    parameters = [
        one.replace(annotation=annotated[one.annotation, described[one.name]])
        if one.name in described
        else one
        for one in own.parameters.values()
    ]
    parameters += added
    shown.__signature__ = own.replace(parameters=parameters)
    shown.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _described(module: str) -> dict[str, Any]:
    """Return the arguments and options of a module's commands, by the names of parameters."""
    parts = json.loads(Path(__file__).with_name("options.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for name, one in {**parts["shared"], **parts.get(module, {})}.items():
        if "argument" in one:
            found[name] = typer.Argument(metavar=one.pop("argument"), **one)
        else:
            found[name] = typer.Option(*one.pop("flags", "").split(), **one)
    return found


@_declared
def options(
    context: typer.Context,
    version: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    color: Color | None = None,
    lang: Language | None = None,
) -> None:
    """Take the options before a command; print the version, or the help if there is no command."""
    _set_output(quiet, verbose, color, lang)
    if version:
        from harness import __version__

        typer.echo(f"harness {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(_USAGE_ERROR)


def with_output_options(command: Callable[P, None]) -> Callable[P, None]:
    """Return *command* as typer needs it, with options such as `--quiet` and `--color` added.

    `options.json` describes the arguments and options; `options` takes the added ones, too.
    """

    @wraps(command)
    def with_options(*arguments: P.args, **given: P.kwargs) -> None:
        _set_output(*(given.pop(name) for name in _OUTPUT))
        _check_reports(given.get("reports"))
        command(*arguments, **given)

    common = [signature(options).parameters[name] for name in _OUTPUT]
    return _declared(with_options, [one.replace(kind=Parameter.KEYWORD_ONLY) for one in common])


_OUTPUT = ("quiet", "verbose", "color", "lang")


def _check_reports(paths: Any) -> None:
    """Raise HarnessError for a path of `--report` that is meant for a file of an unknown form."""
    for path in paths or ():
        from harness.report import ENDINGS

        ending = path.suffix.lower()
        is_file = path.name == "-" or (2 < len(ending) < 6 and ending[1:].isalpha())
        if is_file and ending not in ENDINGS and not path.is_dir():
            known = ", ".join(ENDINGS)
            raise HarnessError(f"--report {path}: expected a folder, or a file ending in {known}")


def _set_output(quiet: Any, verbose: Any, color: Any, lang: Any) -> None:
    if quiet or verbose:
        VERBOSITY.set(_FULL if verbose else _QUIET)
    if color:
        COLOR.set(color)
    if lang:
        LANGUAGE.set(lang)


def echo(message: str, *, err: bool = False) -> None:
    """Print *message* in the language of the user; with *err* to standard error."""
    typer.echo(localized_error(message), err=err)


def print_error(message: str) -> None:
    """Print an error *message* in the language of the user, on a line, to standard error."""
    typer.echo(f"harness: {localized_error(message)}", err=True)


def console() -> Console:
    """Return a console on standard output."""
    from harness.report.console import standard_output

    return standard_output(COLOR.get())


def child_command(context: typer.Context) -> list[str]:
    """Return the command after `--` on the command line; empty if there is none."""
    return list(context.obj or ())


def processes(jobs: int | None) -> int:
    """Return the number of processes that `--jobs` sets; by default one per processor."""
    from harness.cassette.workers import cores

    return jobs or cores()


def workers(jobs: int | None, dask: str | None) -> Workers:
    """Return the number of processes or the address of a Dask scheduler that options set.

    *jobs* is the value of `--jobs`, *dask* that of `--dask`. Raises HarnessError if both are set.
    """
    if dask is None:
        return processes(jobs)
    if jobs is not None:
        raise HarnessError("--jobs and --dask exclude each other: Dask's workers are its processes")
    return dask


def print_warnings(warnings: Iterable[str]) -> None:
    """Print each warning on a line of its own to standard error."""
    for warning in warnings:
        print_error(f"warning: {warning}")


def print_table(
    rows: Iterable[Iterable[object]],
    columns: Sequence[str],
    numbers: Sequence[str] = (),
    words: Sequence[str] = (),
) -> None:
    """Print *rows* as a table under the names *columns*.

    *numbers* has the names of columns that are aligned to the right, *words* the names of columns
    whose texts are translated.
    """
    from harness.report.console import draw
    from harness.report.tables import Table

    cells = [[str(value) for value in row] for row in rows]
    table = Table(tuple(columns), cells, numbers=tuple(numbers), words=tuple(words))
    draw(console(), table)


def print_plan(plan: Plan, as_json: bool) -> None:
    """Print what would be recorded and what that costs, as text or as JSON."""
    from harness.report import drift

    if as_json:
        print_json(drift.plan_document(plan))
    else:
        drift.plan_text(console(), plan)


def print_json(value: object) -> None:
    """Print *value* as strict JSON; an iterator in it is an array, printed while it is made."""
    from harness.report.json_report import pieces

    printed: list[str] = []
    size = 0
    for piece in pieces(value):
        if printed and size + len(piece) > _AT_ONCE:
            typer.echo("".join(printed), nl=False)
            printed, size = [], 0
        printed.append(piece)
        size += len(piece)
    typer.echo("".join(printed), nl=False)
    typer.echo()


_AT_ONCE = 2**16
"""Characters from which on a part of JSON is printed; secrets are looked for in each part."""


@contextmanager
def json_array() -> Iterator[Callable[[str], None]]:
    """Yield a function that prints JSON text as the next item of one JSON array.

    The brackets around the items are printed at the start and the end of the block.
    """
    before = "["

    def put(item: str) -> None:
        nonlocal before
        text = item.rstrip("\n").replace("\n", "\n  ")
        typer.echo(f"{before}\n  {text}", nl=False)
        before = ","

    yield put
    typer.echo("[]" if before == "[" else "\n]")


def folders_of_tests(scenarios: Path, cassettes: Path) -> list[Path]:
    """Return the folders of the tests' cassettes, for a project without a folder of scenarios.

    Args:
        scenarios: The folder of scenarios. If it exists or is not the default folder, the list is
            empty.
        cassettes: The folder of cassettes. If it exists and is not the default folder, the list
            has this folder only; else the folders are searched for below the current folder.
    """
    from harness.cassette.remote import location
    from harness.runner.prune import cassette_folders

    if scenarios.is_dir() or scenarios != SCENARIOS:
        return []
    is_named = cassettes != CASSETTES and location(cassettes).is_dir()
    return [cassettes] if is_named else [*cassette_folders([Path()])]


def with_left_out(report: Report, scenarios: Path, cassettes: Path) -> Report:
    """Return the *report* of a replay of all scenarios, with `left_out` set.

    That is the number of cassettes in a folder that is not named after a scenario. They are looked
    for in *cassettes* and, if it is the default folder, in the cassette folders of tests.
    """
    from dataclasses import replace

    from harness.runner.prune import cassette_folders

    folders = {cassettes, *(cassette_folders([Path()]) if cassettes == CASSETTES else ())}
    of_scenarios = (scenarios, *(folder.parent / SCENARIOS for folder in folders))
    names = {path.stem for folder in of_scenarios for path in folder.glob("*.yaml")}
    files = {path for folder in folders for path in folder.glob("**/*.yaml")}
    number = sum(path.parent.name not in names for path in files)
    return replace(report, left_out=number)


def print_left_out(report: Report) -> None:
    """Print to standard error how many cassettes a replay left out; print nothing if it is 0."""
    if report.left_out and VERBOSITY.get() != _QUIET:
        text = localized_count(
            report.left_out,
            "{} cassette of no scenario, such as a test's, is not replayed here: "
            "check it with harness check, or pytest --cassette-report",
            "{} cassettes of no scenario, such as those of tests, are not replayed here: "
            "check them with harness check, or pytest --cassette-report",
        )
        typer.echo(text, err=True)


def by_name(names: Iterable[str], known: Mapping[str, T], noun: str) -> list[T]:
    """Return the value of each of *names* in the mapping *known*; without names, all its values.

    Raises HarnessError for an unknown name; *noun* says in the message what it names: `SDK`.
    """
    chosen = list(dict.fromkeys(names)) or list(known)
    for name in chosen:
        if name not in known:
            raise HarnessError(f"unknown {noun} {name!r}; known are {', '.join(known)}")
    return [known[name] for name in chosen]


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the text of the current step on the terminal.

    The function adds the estimated time that remains. It does nothing if standard error is not a
    terminal, or with `--quiet`.
    """
    from rich.console import Console
    from rich.markup import escape

    screen = Console(stderr=True, highlight=False)
    if not screen.is_terminal or VERBOSITY.get() == _QUIET:
        yield lambda text: None
        return
    began, number = time.monotonic(), 0

    def show(text: str) -> None:
        nonlocal began, number
        if step := _STEP.match(text):
            if int(step[1]) < number:  # another sequence of steps
                began = time.monotonic()
            number = int(step[1])
        left = time_left(text, time.monotonic() - began)
        status.update(escape(localized_error(text) + left))

    with screen.status("") as status:
        yield show


_STEP = re.compile(r"\[([0-9]+)/([0-9]+)( done)?\]")
_SHORT = 2.0
"""The number of seconds from which on the time that is left is estimated."""


def time_left(step: str, seconds: float) -> str:
    """Return the estimated time that remains, as text; empty if it cannot be estimated.

    Args:
        step: The text of the current step, which begins with `[3/20]` or `[3/20 done]`.
        seconds: The time since the first step began.
    """
    found = _STEP.match(step)
    if not found or seconds < _SHORT:
        return ""
    done = int(found[1]) - (not found[3])
    left = seconds / done * (int(found[2]) - done) if done else 0
    if not left:
        return ""
    minutes, rest = divmod(round(left), 60)
    time = f"{minutes} min {rest} s" if minutes else f"{rest} s"
    about = localized("about {} left").format(time)
    return f" ({about})"


@contextmanager
def skipping() -> Iterator[Callable[[HarnessError], None]]:
    """Yield a function to call with the error of each file that cannot be read.

    It prints the error. At the end of the block typer exits: with 2 if the function was called,
    else with the exit code raised in the block, or 0.
    """
    skipped: set[str] = set()

    def skip(error: HarnessError) -> None:
        if str(error) not in skipped:
            print_error(f"left out: {error}")
        skipped.add(str(error))

    code = 0
    try:
        yield skip
    except typer.Exit as done:
        code = done.exit_code
    raise typer.Exit(_UNREADABLE if skipped else code)


_UNREADABLE = _USAGE_ERROR = 2


def kept(as_json: bool, reports: Iterable[Path]) -> Kept:
    """Return how much of each cassette a report must keep to be printed and written to *reports*.

    *as_json* is whether the report is printed as JSON.
    """
    from harness.checks.check import Kept
    from harness.report import ENDINGS
    from harness.types import Verbosity

    needs = {"junit": Kept.COUNTS, "json": Kept.FIELDS, "lines": Kept.FIELDS}
    forms = (ENDINGS.get(path.suffix.lower(), "") for path in reports)
    needed = (needs.get(form, Kept.TRANSCRIPTS) for form in forms)
    printed = Kept.FIGURES if Verbosity(VERBOSITY.get()) is Verbosity.FULL else Kept.COUNTS
    return max([Kept.FIELDS if as_json else printed, *needed])


def with_history(report: Report, folder: Path | None) -> Report:
    """Return *report* with the figures of the earlier JSON reports in *folder*, to show trends.

    If *folder* is None, *report* is returned unchanged.
    """
    from dataclasses import replace

    from harness.report.trends import with_report

    return replace(report, history=with_report(folder, report)) if folder else report


def deliver(report: Report, as_json: bool, reports: Sequence[Path] | None) -> None:
    """Print a report, write it to each file of *reports*, and exit with the report's exit code.

    *as_json* is whether to print it as JSON. Raises typer.Exit.
    """
    from harness.report import json_report, text
    from harness.types import Verbosity

    if as_json:
        print_json(json_report.document(report))
    else:
        text.report(console(), report, Verbosity(VERBOSITY.get()))
    print_left_out(report)
    write_reports(report, reports)
    raise typer.Exit(report.exit_code)


def write_reports(report: Report, paths: Iterable[Path] | None) -> None:
    """Write a report to each of *paths*, in the format that the ending names, such as `.html`.

    A path without such an ending is a folder, which gets a file of every format.
    """
    from harness.report import write

    for path in paths or ():
        write(report, path)
