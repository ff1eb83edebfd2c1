"""The commands `git install` and `git textconv`: cassettes in `git diff` as conversations."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePath

import typer

from harness.cassette.store import write_text
from harness.cli import app
from harness.config.files import read_file
from harness.errors import BadCassette, HarnessError

ATTRIBUTES = ".gitattributes"
_SETTING = ("diff.harness.textconv", "harness git textconv")


def install(
    cassettes: Path = app.CASSETTES,
    undo: bool = False,
) -> None:
    """Have `git diff` show cassettes as conversations, in this clone.

    Writes one line to .gitattributes (to be committed) and one setting to this clone's
    .git/config (git runs no commands of a cloned repository: run this once in each clone).
    """
    message = _uninstall(Path.cwd(), cassettes) if undo else _install(Path.cwd(), cassettes)
    app.echo(message)


def textconv(
    path: Path,
) -> None:
    """Print a cassette as text for `git diff`: the conversation, then the raw HTTP, without times.

    A file that is not a cassette is printed unchanged: a diff has to be shown in any case.
    """
    from harness.providers import recordings
    from harness.report import text, wire

    try:
        read = recordings.read_for_diff(path)
    except BadCassette:
        try:
            content = read_file(path)
        except OSError:
            content = None
        if content is None:
            raise
        typer.echo(content, nl=False)
        return
    screen = app.console()
    text.conversation(screen, read)
    wire.wire(screen, read)


def _install(folder: Path, cassettes: Path) -> str:
    """Configure the driver in the repository of *folder*, and return a message about it.

    Raises:
        HarnessError: there is no repository, *cassettes* is outside of it, or git is not installed.
    """
    root = _root(folder)
    _git(root, "config", *_SETTING)
    line, lines = _line(root, folder, cassettes), _lines(root)
    if line in lines:
        return f"git diff shows cassettes as conversations; {ATTRIBUTES} says so already"
    write_text(root / ATTRIBUTES, "".join(f"{each}\n" for each in [*lines, line]))
    return f"git diff shows cassettes as conversations; commit {root / ATTRIBUTES}"


def _uninstall(folder: Path, cassettes: Path) -> str:
    """Remove the driver, and return a message about it. Raises HarnessError as `_install` does."""
    root = _root(folder)
    _git(root, "config", "--unset-all", _SETTING[0], allowed=(0, 5))  # 5: not set
    line, lines = _line(root, folder, cassettes), _lines(root)
    if line in lines:
        write_text(root / ATTRIBUTES, "".join(f"{each}\n" for each in lines if each != line))
    return "git diff shows cassettes as the text they are"


def _root(folder: Path) -> Path:
    return Path(_git(folder, "rev-parse", "--show-toplevel"))


def _line(root: Path, folder: Path, cassettes: Path) -> str:
    """Return the line of `.gitattributes` for the cassettes' folder.

    Raises HarnessError if the folder is outside of the repository.
    """
    inside = (folder / cassettes).resolve()
    if not inside.is_relative_to(root.resolve()):
        raise HarnessError(f"{cassettes} is not in the repository {root}")
    name = PurePath(inside.relative_to(root.resolve())).as_posix()
    return f"{name}/**/*.yaml diff=harness"


def _lines(root: Path) -> list[str]:
    file = root / ATTRIBUTES
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _git(folder: Path, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - git, with arguments of our own
            ["git", *arguments],  # noqa: S607 - the one that is on the user's path
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise HarnessError("git is not installed here") from None
    if done.returncode not in allowed:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise HarnessError(f"git {arguments[0]}: {lines[0] if lines else 'failed'}")
    return done.stdout.strip()
