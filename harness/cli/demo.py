"""The command that shows everything once, without keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import console, exit_code, progress, stopwatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.demo_fault import Broken
    from harness.report import Report
    from harness.types import Problem

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

    from harness import batch
    from harness.cassette.store import Store
    from harness.cli import demo_fault
    from harness.config.environment import load_environment
    from harness.intercept.resume import OnInterrupted
    from harness.report import NAMES
    from harness.report.build import replay_report
    from harness.report.folder import write_folder
    from harness.sandbox import LIFELIKE
    from harness.scenario import shipped_folder

    folder = out or Path(tempfile.mkdtemp(prefix="harness-demo-"))
    store = Store(folder / "cassettes")
    todo = batch.jobs(batch.load_scenarios([], shipped_folder()), [])
    said = console()
    said.print(f"Recording {len(todo)} conversations through the official SDKs, from a sandbox")
    said.print("on this machine. It is not the real service: no key is used, nothing is paid.\n")
    with stopwatch() as clock:
        with (
            batch.sandboxed(LIFELIKE, load_environment(Path.cwd())) as source,
            progress() as told,
        ):
            said.print(f"sandbox   {source.where}")
            afresh = OnInterrupted.AFRESH
            failed = batch.record_all(todo, source, store, told, on_interrupted=afresh)
        said.print(f"recorded  {len(todo) - len(failed)} cassettes in {clock():.1f} s")
    said.print("sandbox   stopped; from here on everything is offline\n")
    with progress() as told:
        report = replay_report(todo, store, told, "Demo: replayed offline")
    _print_demo(report, failed)
    beside = (demo_fault.TITLE, f"../{BREAK}/{NAMES['html']}")
    write_folder(replace(report, pages=(beside,)), folder / "report")
    _print_where(folder)
    with progress() as told:
        broken = demo_fault.break_one(todo, store, folder / "broken-on-purpose", told)
    noticed = _break(broken, folder / BREAK)
    raise typer.Exit(2 if failed else exit_code(report) or int(not noticed))


def _print_demo(report: Report, failed: Sequence[Problem]) -> None:
    from harness.report import text

    said = console()
    for problem in failed:
        said.print(f"not recorded: {problem.scenario} with {problem.target}: {problem.text}")
    text.report(said, report)


def _print_where(folder: Path) -> None:
    from harness.report import NAMES

    said = console()
    said.print(f"\nreport    {folder / 'report' / NAMES['html']}", soft_wrap=True)
    others = ", ".join(name for form, name in NAMES.items() if form != "html")
    said.print(f"beside it {others}")
    said.print(f"cassettes {folder / 'cassettes'}", soft_wrap=True)


def _break(broken: Broken | None, folder: Path) -> bool:
    """Tell how a break looks, and write its page; whether it was noticed."""
    from harness.report import NAMES
    from harness.report.console import say
    from harness.report.findings import headline
    from harness.report.folder import write_folder

    said = console()
    say(said, "\nHow does a break look? A copy of one recording, broken on purpose:")
    if broken is None:
        say(said, "no recording can be broken", "bold red")
        return False
    write_folder(broken.report, folder)
    say(said, f"broken    {broken.path}: {broken.fault.description}")
    if broken.finding is not None:
        say(said, f"found by  {headline(broken.finding)}")
    say(said, f"drift     {broken.drift.verdict}, from the recording to the copy")
    say(said, f"its page  {folder / NAMES['html']}")
    if not broken.noticed:
        say(said, "the harness did NOT notice, and should have", "bold red")
    return broken.noticed
