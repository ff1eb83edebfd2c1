"""The help of the commands: paragraphs without line breaks, in the language of the user."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import typer

from harness.locale import localized, mark

if TYPE_CHECKING:
    from harness.locale.extract import Message

HELP = mark("Show this message and exit.")
OPTIONS, ARGUMENTS = mark("Options"), mark("Arguments")
COMPLETION: Mapping[str, str] = {
    "install_completion": mark("Install completion for the current shell."),
    "show_completion": mark("Show completion for the current shell, to copy or adapt it."),
}
"""The help of typer's own options."""


_BREAK = re.compile("(?<=[，。；：、）])(?=[^ ，。；：、])|(?=（)")
"""Where a Chinese text gets a space: rich breaks lines in a table at spaces only."""


def localize(command: Any) -> Any:
    """Put the help of a command and of its parameters in the user's language, and return it.

    Lines of a docstring are joined, so that the terminal's width decides where they break.
    """
    command.help = "\n\n".join(map(localized, _paragraphs(command.help)))
    command.short_help = localized(command.short_help or "") or None
    command.rich_help_panel = localized(getattr(command, "rich_help_panel", None) or "") or None
    for parameter in command.params:
        named = COMPLETION.get(parameter.name, getattr(parameter, "help", None) or "")
        parameter.help = _BREAK.sub(" ", localized(named))
        is_argument = parameter.param_type_name == "argument"
        panel = parameter.rich_help_panel or (ARGUMENTS if is_argument else OPTIONS)
        parameter.rich_help_panel = localized(panel)
        if getattr(parameter, "is_flag", False):
            parameter.metavar = " "  # instead of <bool>
    with typer.Context(command, help_option_names=["-h", "--help"]) as context:
        if option := command.get_help_option(context):
            option.help, option.metavar = localized(HELP), " "
            option.rich_help_panel = localized(OPTIONS)
    return command


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n")]


def texts(command: Any) -> Iterator[str]:
    """Yield every text of the help of a command and of its subcommands, in English."""
    yield from _paragraphs(command.help)
    yield from (command.short_help or "", getattr(command, "rich_help_panel", None) or "")
    for parameter in command.params:
        if parameter.name not in COMPLETION:
            yield getattr(parameter, "help", None) or ""
            yield getattr(parameter, "rich_help_panel", None) or ""
    for sub in getattr(command, "commands", {}).values():
        yield from texts(sub)


def extract(
    _file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[Message]:
    """Yield the texts of the help for the catalogues; called by Babel (see `[tool.babel]`)."""
    from harness.cli import GROUPS, HEADINGS, command_line

    every = [*HEADINGS, *(short for *_, short in GROUPS), HELP, OPTIONS, ARGUMENTS]
    every += [*COMPLETION.values(), *texts(typer.main.get_command(command_line()))]
    yield from ((1, None, text, []) for text in dict.fromkeys(every) if text)
