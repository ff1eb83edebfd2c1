"""The command that shows everything once, without keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import console, exit_code, progress, stopwatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.breaking import Broken
    from harness.reports import Problem, Report

BREAK = "report-of-a-break"
"""The folder of the page that shows how a break looks."""


def demo(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to; a new scratch folder, if not said."),
    ] = None,
) -> None:
    """Show everything, without keys: record from the sandbox, replay offline, check, compare.

    At the end a copy of one recording is broken on purpose, to show how a break looks: the demo
    fails (exit code 1) where the harness does not notice.
    """
    import tempfile
    from dataclasses import replace

    from harness import breaking, work
    from harness.environment import environment
    from harness.filing import write_folder
    from harness.reports import NAMES
    from harness.resuming import Left
    from harness.sandbox import LIFELIKE
    from harness.shipped import scenarios
    from harness.store import Store

    folder = out or Path(tempfile.mkdtemp(prefix="harness-demo-"))
    store = Store(folder / "cassettes")
    todo = work.jobs(work.load_scenarios([], scenarios()), [])
    said = console()
    said.print(f"Recording {len(todo)} conversations through the official SDKs, from a sandbox")
    said.print("on this machine. It is not the real service: no key is used, nothing is paid.\n")
    with stopwatch() as clock:
        with (
            work.sandboxed(LIFELIKE, environment(Path.cwd())) as source,
            progress() as told,
        ):
            said.print(f"sandbox   {source.where}")
            failed = work.record_all(todo, source, store, told, left=Left.AFRESH)
        said.print(f"recorded  {len(todo) - len(failed)} cassettes in {clock():.1f} s")
    said.print("sandbox   stopped; from here on everything is offline\n")
    with progress() as told:
        report = work.replay_all(todo, store, told, "Demo: replayed offline")
    _print_demo(report, failed)
    beside = (breaking.TITLE, f"../{BREAK}/{NAMES['html']}")
    write_folder(replace(report, pages=(beside,)), folder / "report")
    _print_where(folder)
    with progress() as told:
        broken = breaking.break_one(todo, store, folder / "broken-on-purpose", told)
    noticed = _break(broken, folder / BREAK)
    raise typer.Exit(2 if failed else exit_code(report) or int(not noticed))


def _print_demo(report: Report, failed: Sequence[Problem]) -> None:
    from harness.reports import text

    said = console()
    for problem in failed:
        said.print(f"not recorded: {problem.scenario} with {problem.target}: {problem.text}")
    text.report(said, report)


def _print_where(folder: Path) -> None:
    from harness.reports import NAMES

    said = console()
    said.print(f"\nreport    {folder / 'report' / NAMES['html']}", soft_wrap=True)
    others = ", ".join(name for form, name in NAMES.items() if form != "html")
    said.print(f"beside it {others}")
    said.print(f"cassettes {folder / 'cassettes'}", soft_wrap=True)


def _break(broken: Broken | None, folder: Path) -> bool:
    """Tell how a break looks, and write its page; whether it was noticed."""
    from harness.filing import write_folder
    from harness.reports import NAMES
    from harness.reports.findings import headline
    from harness.reports.printing import say

    said = console()
    say(said, "\nHow does a break look? A copy of one recording, broken on purpose:")
    if broken is None:
        say(said, "no recording can be broken", "bold red")
        return False
    write_folder(broken.report, folder)
    say(said, f"broken    {broken.path}: {broken.mutator.text}")
    if broken.finding is not None:
        say(said, f"found by  {headline(broken.finding)}")
    say(said, f"drift     {broken.drift.verdict}, from the recording to the copy")
    say(said, f"its page  {folder / NAMES['html']}")
    if not broken.noticed:
        say(said, "the harness did NOT notice, and should have", "bold red")
    return broken.noticed
