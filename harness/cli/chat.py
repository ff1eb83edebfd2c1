"""The command `chat`: hold a conversation in the terminal and keep it as a scenario."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cassette.store import Store
from harness.cli import app
from harness.config.environment import load_environment
from harness.errors import HarnessError
from harness.locale import localized, mark
from harness.sandbox import LIFELIKE
from harness.types import Failure, Json, Outcome, Reply, Target

if TYPE_CHECKING:
    from harness.cli.conversation import Conversation

HELP = mark("""\
/undo          take back the last question and its answers, or the instruction after them
/system TEXT   add an instruction, which is sent with everything that follows
/image FILE    send an image, by file or URL, with the next question
/save NAME     call the conversation NAME when it ends
/help          this text
/quit          end (as Ctrl-D and Ctrl-C do) and write the scenario and its cassettes""")


def chat(
    targets: list[str],
    name: str = "",
    system: str = "",
    parameters: list[str] | None = None,
    sandbox: bool = False,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
) -> None:
    """Hold a conversation, streamed, with one target or several side by side; /help in it.

    Each answer is on the disk as soon as it is complete. At the end there is a scenario, and a
    cassette for each target that replays it. After a crash: harness record NAME --resume.
    """
    from harness.cli.conversation import converse
    from harness.runner import batch

    name = name or f"chat-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    environment, store = load_environment(Path.cwd()), Store(cassettes)
    settings: dict[str, Json] = {"mode": "stream", "parameters": _parameters(parameters or [])}
    with (
        batch.servers(sandbox, environment, LIFELIKE) as source,
        converse(name, _targets(targets), source, store, scenarios, settings) as conversation,
    ):
        if system:
            conversation.instruct(system)
        if sys.stdin.isatty():
            where = source.where
            app.echo(f"{', '.join(targets)} at {where}; /help, /quit or Ctrl-D", err=True)
        _hold(conversation)
        written = conversation.finish()
    if not written:
        app.echo("nothing was answered, nothing is written", err=True)
        raise typer.Exit(0)
    _check(written, conversation.name, scenarios, cassettes)


def _targets(names: list[str]) -> list[Target]:

    found = []
    for name in names:
        provider, slash, model = name.partition("/")
        if not (provider and slash and model):
            raise HarnessError(f"{name!r}: expected provider/model, as in dashscope/qwen-plus")
        found.append(Target(provider, model))
    return found


def _parameters(given: list[str]) -> dict[str, Json]:
    from harness.wire import read_json

    parameters: dict[str, Json] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise HarnessError(f"--parameter {text}: expected NAME=VALUE")
        document = read_json(value.encode())
        parameters[name] = value if document.problem else document.value
    return parameters


def _hold(conversation: Conversation) -> None:
    """Read lines until the end of the input."""
    read = _reader()
    while True:
        try:
            line = read().strip()
        except (EOFError, KeyboardInterrupt):
            return
        command, _, rest = line.partition(" ")
        if command in ("/quit", "/exit"):
            return
        if command == "/undo":
            app.echo("taken back" if conversation.undo() else "nothing to take back")
        elif command == "/save" and rest.strip():
            _rename(conversation, rest.strip())
        elif command == "/system" and rest.strip():
            conversation.instruct(rest.strip())
        elif command == "/image" and rest.strip():
            _attach(conversation, rest.strip())
        elif line.startswith("/"):
            typer.echo(localized(HELP))
        elif line:
            try:
                _ask(conversation, line)
            except KeyboardInterrupt:
                return


def _attach(conversation: Conversation, image: str) -> None:
    try:
        conversation.attach(image)
    except HarnessError as error:
        app.echo(f"not sent: {error}")
    else:
        app.echo(f"will be sent with the next question: {image}")


def _rename(conversation: Conversation, name: str) -> None:
    try:
        conversation.rename(name)
    except HarnessError as error:
        app.echo(f"not saved: {error}")
    else:
        app.echo(f"will be saved as {name}")


def _reader() -> Callable[[], str]:
    """Return a function that reads one line; with history and editing on a terminal."""
    if not sys.stdin.isatty():
        return input_without_prompt
    try:
        from prompt_toolkit import PromptSession
    except ModuleNotFoundError:
        return lambda: input("> ")
    session: PromptSession[str] = PromptSession()
    return lambda: session.prompt("> ")


def input_without_prompt() -> str:
    """Return the next line of standard input; bytes that are not UTF-8 become U+FFFD.

    Raises EOFError at the end of the input.
    """
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.encode(errors="surrogateescape").decode(errors="replace")


def _ask(conversation: Conversation, text: str) -> None:
    """Ask, print the answers as they come, and say why a target refused."""
    shown: list[Target] = []
    several = len(conversation.parties) > 1

    def show(target: Target, piece: str) -> None:
        if target not in shown:
            if several:
                typer.echo(("\n" if shown else "") + f"[{target}]")
            shown.append(target)
        typer.echo(piece, nl=False)
        sys.stdout.flush()

    try:
        outcomes = conversation.ask(text, show)
    except KeyboardInterrupt:
        app.echo("\ninterrupted: the question is not part of the conversation")
        raise
    except HarnessError as error:
        app.echo(f"not sent: {error}")
        return
    for target, outcome in outcomes:
        if isinstance(outcome, Failure):
            app.echo(f"{target} refused ({outcome.code or outcome.status}): {outcome.message}")
        elif target not in shown:
            show(target, _text(outcome))
    if shown:
        typer.echo()


def _text(outcome: Outcome) -> str:
    """Return a reply that was not streamed, or its tool calls, as text."""
    if not isinstance(outcome, Reply):
        return ""
    calls = [f"{call.name}({call.arguments})" for call in outcome.tool_calls]
    return "\n".join(filter(None, [outcome.content or "", *calls]))


def _check(written: list[Path], name: str, scenarios: Path, cassettes: Path) -> None:
    """Print what was written, replay it, and exit with 1 if the replay has errors."""
    from harness.report.build import replay_report
    from harness.report.text import report as print_report
    from harness.runner import batch

    for path in written:
        app.echo(f"wrote {path}", err=True)
    work = batch.jobs(batch.load_scenarios([name], scenarios), [])
    report = replay_report(work, Store(cassettes), lambda _: None)
    if report.ok:
        app.echo(f"it replays: harness replay {name}", err=True)
    else:
        print_report(app.console(), report)
    raise typer.Exit(report.exit_code)
