"""Extraction of the messages of the catalogues that are no calls of gettext; Babel calls it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import typer

from harness import errors
from harness.cli import GROUPS, HEADINGS, command_line, help_texts
from harness.locale import ERROR, FOLDER, messages

_RETURNS = ("Iterator[Finding]", "Iterable[Finding]")

ExtractedMessage = tuple[int, str | None, str | tuple[str, str], list[str]]
"""An item for Babel: line number, name of the gettext function, message, and comments.

The message of `pgettext` is a pair: its context and the message.
"""

PRINTING = ("echo", "localized_error", "print_error", "print_message")
"""The names of functions that print or translate the message that they are called with."""

_ERRORS = {
    *(
        name
        for name, value in vars(errors).items()
        if getattr(value, "__module__", "") == errors.__name__
    ),
    *("ArgumentTypeError", "BadReference", "Invalid", "NotExpressible"),
    *PRINTING,
}
"""The names of what is called with a message: errors, and functions that print or translate it."""

_WORD = re.compile("[A-Za-z]{2,}")


def rules(
    file: IO[bytes], _keywords: Mapping[str, object], _tags: Collection[str], options: object
) -> Iterator[ExtractedMessage]:
    """Yield the paragraphs of the docstring of each rule in a Python file.

    A rule is a public function of the module that returns an iterator of findings. Babel calls this
    function with the file, and with keywords, comment tags and options that it does not need.
    """
    for node in ast.parse(file.read()).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if node.returns is not None and ast.unparse(node.returns) in _RETURNS:
            for paragraph in filter(None, (ast.get_docstring(node) or "").split("\n\n")):
                yield node.lineno, None, " ".join(paragraph.split()), [node.name]


def error_messages(
    _file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[ExtractedMessage]:
    """Yield the messages of the errors that the package raises, with `{}` for each value.

    The messages are the texts given to an error, and those in `harness/locale/errors.txt`.
    Babel calls this function for one file only, so it reads all others itself. Messages of fewer
    than two words are left out, and the sandbox's refusals, whose texts are the services'.
    """
    package = Path(errors.__file__).parent
    for path in sorted(package.rglob("*.py")):
        own = "sandbox" in path.with_suffix("").relative_to(package).parts
        names = _ERRORS - {"Refused"} if own else _ERRORS
        yield from _error_messages(ast.parse(path.read_bytes()), names)
    for text in messages(FOLDER / "errors.txt"):
        yield 1, "pgettext", (ERROR, text), []


def lines(
    file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[ExtractedMessage]:
    """Yield each message of a text file to Babel, which calls this function: one on each line."""
    yield from ((1, None, text, []) for text in messages(Path(file.name)))


def values(
    file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[ExtractedMessage]:
    """Yield each text of a JSON file of objects of texts to Babel, which calls this function."""
    for part in json.load(file).values():
        yield from ((1, None, text, []) for text in part.values())


def options(
    file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[ExtractedMessage]:
    """Yield the help of each option in a JSON file to Babel, which calls this function."""
    for part in json.load(file).values():
        yield from ((1, None, option["help"], []) for option in part.values())


def _error_messages(module: ast.Module, names: Collection[str]) -> Iterator[ExtractedMessage]:
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) == "typer.echo":
            continue
        if ast.unparse(node.func).rpartition(".")[2] in names:
            for text in map(_template, node.args):
                if len(_WORD.findall(text)) > 1:
                    yield 1, "pgettext", (ERROR, text), []


def _template(node: ast.expr) -> str:
    """Return the text of a string or an f-string, with `{}` for each value; else an empty text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = node.values if isinstance(node, ast.JoinedStr) else ()
    return "".join(_template(part) if isinstance(part, ast.Constant) else "{}" for part in parts)


def texts(command: Any) -> Iterator[str]:
    """Yield every text of the help of *command* and of its subcommands, in English."""
    yield from help_texts.paragraphs(command.help)
    yield from (command.short_help or "", getattr(command, "rich_help_panel", None) or "")
    for parameter in command.params:
        if parameter.name not in help_texts.COMPLETION:
            yield getattr(parameter, "help", None) or ""
            yield getattr(parameter, "rich_help_panel", None) or ""
    for sub in getattr(command, "commands", {}).values():
        yield from texts(sub)


def help_messages(
    _file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[ExtractedMessage]:
    """Yield the texts of the help of all commands to Babel, which calls this function."""
    every = [*HEADINGS, *(group.short for group in GROUPS)]
    every += texts(typer.main.get_command(command_line()))
    yield from ((1, None, text, []) for text in dict.fromkeys(every) if text)
