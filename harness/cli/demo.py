"""The command `demo`: record, replay and check without keys, then break a recording."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cassette.store import Store, write_cassette
from harness.cli import app
from harness.config.environment import load_environment
from harness.config.extras import missing
from harness.errors import MissingExtra
from harness.intercept.resume import OnInterrupted
from harness.locale import localized
from harness.sandbox import LIFELIKE
from harness.types import Cassette, Finding, Transcript, Verbosity

if TYPE_CHECKING:
    from harness.analysis.fault import TranscriptFault
    from harness.drift.types import Drift
    from harness.report import Report
    from harness.runner.batch import Job
    from harness.types import Progress

FAILING = "report-of-a-break"
"""The name of the folder with the report of the broken recording."""

TITLE = "Broken on purpose: how a break looks"


def demo(
    out: Path | None = None,
) -> None:
    """Show everything, without keys: record from the sandbox, replay offline, check, compare.

    At the end a copy of one recording is broken on purpose, to show how a break looks: the demo
    fails (exit code 1) where the harness does not notice.
    """
    from harness.report import NAMES, text, write_folder
    from harness.report.build import replay_report
    from harness.report.console import print_message
    from harness.runner import batch
    from harness.scenario.files import shipped_folder

    folder = out or Path(tempfile.mkdtemp(prefix="harness-demo-"))
    store = Store(folder / "cassettes")
    todo = batch.jobs(batch.load_scenarios([], shipped_folder()), [])
    _require_extras(todo)
    screen = app.console()
    print_message(
        screen,
        f"Recording {len(todo)} conversations through the official SDKs, from a sandbox\n"
        "on this machine. It is not the real service: no key is used, nothing is paid.\n",
    )
    start = time.perf_counter()
    with batch.sandboxed(LIFELIKE, load_environment(Path.cwd())) as source, app.progress() as steps:
        print_message(screen, f"sandbox   {source.where}")
        afresh = OnInterrupted.AFRESH
        failed = batch.record_all(todo, source, store, steps, on_interrupted=afresh)
    lasted = time.perf_counter() - start
    print_message(screen, f"recorded  {len(todo) - len(failed)} cassettes in {lasted:.1f} s")
    print_message(screen, "sandbox   stopped; from here on everything is offline\n")
    with app.progress() as steps:
        report = replay_report(todo, store, steps, "Demo: replayed offline")
    for problem in failed:
        print_message(
            screen, f"not recorded: {problem.scenario} with {problem.target}: {problem.text}"
        )
    text.report(screen, report, Verbosity.FULL)
    example = (TITLE, f"../{FAILING}/{NAMES['html']}")
    write_folder(replace(report, pages=(example,)), folder / "report")
    print_message(screen, f"\nreport    {folder / 'report' / NAMES['html']}")
    others = ", ".join(name for form, name in NAMES.items() if form != "html")
    print_message(screen, f"beside it {others}")
    print_message(screen, f"cassettes {folder / 'cassettes'}")
    with app.progress() as steps:
        broken = break_one(todo, store, folder / "broken-on-purpose", steps)
    noticed = _show(broken, folder / FAILING)
    raise typer.Exit(2 if failed else report.exit_code or int(not noticed))


def _require_extras(jobs: Sequence[Job]) -> None:
    """Raise MissingExtra if the sandbox, the report page or an SDK of *jobs* is not installed."""
    from harness.providers import find_provider

    try:
        import_module("harness.providers.servers")
        import_module("harness.report.html")
        for name in {job.target.provider for job in jobs}:
            with find_provider(name).open("", "", lambda seconds: None):
                pass
    except MissingExtra as error:
        raise MissingExtra(missing(error.name or "", "all"), name=error.name) from None


@dataclass(frozen=True, slots=True)
class Broken:
    """A copy of a recording that was broken by a fault, and the result of its check.

    Attributes:
        fault: the fault that broke the copy.
        path: the path of the copy.
        report: the report of a check of the copy.
        drift: the changes from the recording to the copy.
    """

    fault: TranscriptFault
    path: Path
    report: Report
    drift: Drift

    @property
    def finding(self) -> Finding | None:
        """The error that reports the fault; None if the rules did not find it."""
        mine = (f for f in self.report.findings if f.rule == self.fault.breaks_rule)
        return next((f for f in mine if f.severity == "error"), None)

    @property
    def noticed(self) -> bool:
        """Whether the harness noticed the fault: rules found it, and the verdict is `breaking`."""
        return self.finding is not None and self.drift.verdict == "breaking"


def break_one(jobs: Sequence[Job], recorded: Store, into: Path, steps: Progress) -> Broken | None:
    """Break a copy of the shortest recording that states a token count, and return its check.

    The count becomes a string: a change that a provider might really make, and enough to break a
    client. Return None if no recording states a token count.

    Args:
        jobs: The jobs whose recordings may be copied.
        recorded: The folder of the recordings.
        into: The folder for the copy; the copy's provenance says how it was made.
        steps: Called with a line of text for each step.

    Raises:
        HarnessError: A recording cannot be read, or the copy cannot be written.
    """
    from harness.faults.answers import count_as_string
    from harness.faults.registry import injected
    from harness.runner import job_recordings

    existing = [job for job in jobs if recorded.path(job.scenario.name, job.target).exists()]
    reads = [job_recordings.read_job(job, recorded) for job in existing]
    for read in sorted(reads, key=lambda read: len(read.readings)):
        for changed in injected(count_as_string, read):
            original = Path(read.transcript.source)
            path = into / original.parent.name / original.name
            return _checked(count_as_string, original, path, changed, steps)
    return None


def _checked(
    fault: TranscriptFault, original: Path, path: Path, changed: Transcript, steps: Progress
) -> Broken:
    """Write the broken copy, and return it with its check and its comparison with the original."""
    from harness.analysis.difference import Verdict
    from harness.cassette.artefacts import to_files
    from harness.drift import run
    from harness.drift.judge import project_criteria
    from harness.report.build import check_report

    note = f"made by harness demo, not recorded; broken on purpose: {fault.description}"
    provenance = replace(changed.provenance, note=note)
    write_cassette(path, to_files(Cassette(tuple(changed.exchanges()), provenance)))
    criteria = project_criteria(None)
    drifts = run.compare_folders(original, path, criteria, Verdict.BREAKING, steps).drifts
    report = replace(check_report([path], steps), title=TITLE, drifts=drifts)
    return Broken(fault, path, report, drifts[0])


def _show(broken: Broken | None, folder: Path) -> bool:
    """Print what was found in a broken copy, write its report, and return whether it was noticed.

    Without a copy only a message is printed, and False returned.
    """
    from harness.report import NAMES, headline, write_folder
    from harness.report.console import print_message

    screen = app.console()
    print_message(screen, "\nHow does a break look? A copy of one recording, broken on purpose:")
    if broken is None:
        print_message(screen, "no recording can be broken", style="bold red")
        return False
    write_folder(broken.report, folder)
    print_message(screen, f"broken    {broken.path}: {localized(broken.fault.description)}")
    if broken.finding is not None:
        print_message(screen, f"found by  {headline(broken.finding)}")
    print_message(screen, f"drift     {broken.drift.verdict}, from the recording to the copy")
    print_message(screen, f"its page  {folder / NAMES['html']}")
    if not broken.noticed:
        print_message(screen, "the harness did NOT notice, and should have", style="bold red")
    return broken.noticed
