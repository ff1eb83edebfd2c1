"""The help of the commands: paragraphs without line breaks, in the language of the user."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

import typer

from harness.locale import localized, localized_error, mark

HELP = mark("Show this message and exit.")
OPTIONS, ARGUMENTS = mark("Options"), mark("Arguments")
COMPLETION: Mapping[str, str] = {
    "install_completion": mark("Install completion for the current shell."),
    "show_completion": mark("Show completion for the current shell, to copy or adapt it."),
}
"""The help of typer's own options."""


def break_lines_in_chinese() -> None:
    """Make rich, the library that prints the help, break lines between Chinese characters, too."""
    from rich import _wrap

    _wrap.words = _words


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the start, the end and the text of each part of *text* that stays on one line.

    White space in it is underscores, so that there is room for it: rich would cut off a line of
    wide characters that white space makes too long.
    """
    from harness.wire.text import BETWEEN_WIDE

    start = 0
    for word in re.split(rf"(?<=\s)(?=\S)|{BETWEEN_WIDE}", text):
        yield start, start + len(word), re.sub(r"\s", "_", word)
        start += len(word)


USAGE, EXAMPLE = mark("Usage: "), mark("Example: ")
_METAVARS = (mark("[OPTIONS]"), mark("COMMAND [ARGS]..."))
"""The words of typer in the line with the usage."""

_FRAMES: Mapping[str, str] = {
    "ERRORS_PANEL_TITLE": mark("Error"),
    "COMMANDS_PANEL_TITLE": mark("Commands"),
    "RICH_HELP": mark("Try [blue]'{command_path} {help_option}'[/] for help."),
    "DEFAULT_STRING": mark("[default: {}]"),
    "REQUIRED_LONG_STRING": mark("[required]"),
    "ABORTED_TEXT": mark("Aborted."),
}
"""The texts of typer around help and errors, by the name of its constant."""


def _localize_frames() -> None:
    from typer import rich_utils

    for name, text in _FRAMES.items():
        setattr(rich_utils, name, localized(text))


def _with_localized_errors(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return *parse*, which reads arguments, with its errors in the user's language."""

    @wraps(parse)
    def localized_parse(*arguments: Any, **options: Any) -> Any:
        try:
            return parse(*arguments, **options)
        except Exception as error:
            if hasattr(error, "format_message"):
                message = localized_error(error.format_message())
                error.format_message = lambda: message
                _localize_frames()
            raise

    return localized_parse


def localize(command: Any) -> Any:
    """Translate the help, usage and errors of *command* in place, and return *command*.

    Lines of a docstring are joined, so that the terminal's width decides where they break.
    """
    command.help = "\n\n".join(map(localized, paragraphs(command.help)))
    command.short_help = localized(command.short_help or "") or None
    command.rich_help_panel = localized(getattr(command, "rich_help_panel", None) or "") or None
    for parameter in command.params:
        named = COMPLETION.get(parameter.name, getattr(parameter, "help", None) or "")
        parameter.help = localized(named)
        is_argument = parameter.param_type_name == "argument"
        panel = parameter.rich_help_panel or (ARGUMENTS if is_argument else OPTIONS)
        parameter.rich_help_panel = localized(panel)
        if getattr(parameter, "is_flag", False):
            parameter.metavar = " "  # instead of <bool>
        if is_argument:
            parameter.display_type_rich = lambda ctx: None  # its name says enough
    for name in ("make_context", "resolve_command"):
        if hasattr(command, name):
            setattr(command, name, _with_localized_errors(getattr(command, name)))
    _localize_usage(command)
    with typer.Context(command, help_option_names=["-h", "--help"]) as context:
        if option := command.get_help_option(context):
            option.help, option.metavar = localized(HELP), " "
            option.rich_help_panel = localized(OPTIONS)
    return command


def _localize_usage(command: Any) -> None:
    """Put the line with the usage, and what rich prints after it, in the user's language."""

    def format_usage(context: Any, formatter: Any) -> None:
        words = " ".join(command.collect_usage_pieces(context))
        for metavar in _METAVARS:
            words = words.replace(metavar, localized(metavar))
        formatter.write_usage(context.command_path, words, localized(USAGE))
        if "typer.rich_utils" in sys.modules:
            _localize_frames()

    command.format_usage = format_usage


def paragraphs(text: str | None) -> list[str]:
    """Return the paragraphs of a docstring, each on one line."""
    return [" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n")]
