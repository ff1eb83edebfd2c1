"""The commands `contract learn`, `contract check` and `contract accept`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import app
from harness.locale import mark
from harness.wire.text import count

if TYPE_CHECKING:
    from harness.contracts.contract import Contract

CONTRACT = Path("contract.yaml")


def learn(
    paths: list[Path],
    contract: Path = CONTRACT,
    jobs: int | None = None,
    dask: str | None = None,
) -> None:
    """Learn a contract from recordings: what each endpoint answers, as JSON Schema.

    Every clause states how often it held and cites exchanges. An existing file is never replaced.
    """
    from harness.contracts.files import learn_cassettes

    with app.skipping() as skip:
        with app.progress() as report_progress:
            learned = learn_cassettes(
                paths, contract, report_progress, skip, app.workers(jobs, dask)
            )
        _table(learned)
        app.echo(f"\nwrote {contract}: {_summary(learned)}")


def check(
    paths: list[Path],
    contract: Path = CONTRACT,
    jobs: int | None = None,
    dask: str | None = None,
    reports: list[Path] | None = None,
    as_json: bool = False,
) -> None:
    """Check recordings against a contract.

    A field that is gone, has another type or is newly null is an error; a new word or another
    format is a warning; a new field is a note. What few exchanges support is less severe.
    """
    from harness.report.contract import contract_report

    with app.progress() as report_progress:
        workers, keeps = app.workers(jobs, dask), app.kept(as_json, reports or ())
        report = contract_report(paths, contract, report_progress, workers, keeps)
    app.deliver(report, as_json, reports)


def accept(
    paths: list[Path],
    contract: Path = CONTRACT,
    yes: bool = False,
) -> None:
    """Add what further recordings show to a contract; without --yes only show what would change."""
    from harness.contracts.files import propose, write

    with app.skipping() as skip:
        with app.progress() as report_progress:
            proposal = propose(paths, contract, report_progress, skip)
        for line in proposal.changes:
            app.echo(line)
        changes, new = count(len(proposal.changes), "change"), proposal.exchanges
        app.echo(f"{changes} of clauses, {new} new exchanges")
        if new and yes:
            write(contract, proposal.new)
            app.echo(f"wrote {contract}: {_summary(proposal.new)}")
        elif new:
            app.echo("nothing was written; --yes writes it")


def _table(contract: Contract) -> None:
    rows = []
    for section, node in sorted(contract.sections.items()):
        models = ", ".join(sorted(filter(None, node.counts)))
        rows.append((section.endpoint, section.name, models, node.total("of")))
    app.print_table(
        rows,
        ("endpoint", "answer", mark("models"), "exchanges"),
        numbers=("exchanges",),
        words=("answer",),
    )


def _summary(contract: Contract) -> str:

    origins: Counter[str] = Counter()
    for source in contract.sources.values():
        origins[source.recorded_from] += source.exchanges
    listed = ", ".join(f"{count} {origin}" for origin, count in sorted(origins.items()))
    return f"{contract.exchanges} exchanges ({listed}) of {len(contract.sources)} recordings"
