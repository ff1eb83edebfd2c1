"""The command `faults`: inject faults into recorded answers, and show how clients handle them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli import app
from harness.errors import HarnessError
from harness.locale import localized, localized_error, mark

if TYPE_CHECKING:
    from harness.faults.cases import AnswerSource, ClientResults, FaultResults, Saved, Skipped
    from harness.secrets.redactor import Redactor


def faults(
    paths: list[Path],
    against: str = "",
    clients: list[str] | None = None,
    only: list[str] | None = None,
    cases: int = 10,
    seed: int = 0,
    timeout: float = 2.0,
    time_limit: float = 0,
    save: Path | None = None,
    at_least: float | None = None,
    as_json: bool = False,
) -> None:
    """Inject faults into recorded answers, as networks and providers do, and test clients.

    The answers are sent over a real connection on this machine to each SDK that can request them,
    or with --against to a function of yours. After a harmless change the answer must be the same,
    after a harmful one a typed error must come. docs/FAULTS.md explains every fault.
    """
    from harness.faults.cases import save_failures, sources
    from harness.faults.registry import DELIVERY_FAULTS
    from harness.faults.run import Limits, run_faults
    from harness.providers.masking import recording_redactor

    with app.skipping() as skip:
        with app.progress() as shown:
            exchanges, skipped = sources(paths, skip, shown)
        names = _clients(against, clients or [], exchanges)
        chosen = app.by_name(only or [], {fault.name: fault for fault in DELIVERY_FAULTS}, "fault")
        limits = Limits(cases, seed, timeout, seconds=time_limit)
        with app.progress() as show:
            results = run_faults(names, exchanges, chosen, limits, show)
        redactor = recording_redactor()
        tried = _Tried(results, skipped, redactor)
        tried.require_results()
        if save:
            of_clients = {one.name: list(save_failures(save, one, redactor)) for one in results}
            tried.saved.update(of_clients)
        if as_json:
            app.print_json(tried.document())
        else:
            tried.print()
        usual = 100.0 if against else 0.0
        least = usual if at_least is None else at_least
        raise typer.Exit(1 if any((client.score or 0) < least for client in results) else 0)


def _clients(against: str, clients: Sequence[str], exchanges: Sequence[AnswerSource]) -> list[str]:
    """Return the names of the clients to test.

    These are the function of `--against`, the SDKs of `--sdk`, or else every installed SDK that
    can request one of the exchanges. Raises HarnessError if there is none.
    """
    from harness.parse import PARSERS

    if against and clients:
        raise HarnessError("--against and --sdk exclude each other")
    if against and ":" not in against:
        raise HarnessError(f"--against {against}: expected module:function")
    endpoints = {source.answer.endpoint.name for source in exchanges}
    suitable = [p for p in PARSERS.values() if p.endpoints & endpoints]
    installed = [p.name for p in suitable if p.installed]
    names = [against] if against else list(clients) or installed
    if not names and suitable:
        raise HarnessError("; ".join(dict.fromkeys(p.missing for p in suitable)))
    if not names:
        raise HarnessError("no SDK can request any of these exchanges; try --against")
    return list(dict.fromkeys(names))


@dataclass(frozen=True)
class _Tried:
    """What was tried with each client; texts of recordings and errors are shown redacted."""

    results: Sequence[ClientResults]
    skipped: Sequence[Skipped]
    redactor: Redactor
    saved: dict[str, list[Saved]] = field(default_factory=dict)

    def require_results(self) -> None:
        """Raise HarnessError if no case was tried with any client."""
        if not any(client.results for client in self.results):
            every = (self.skipped, *(client.skipped for client in self.results))
            reasons = "; ".join(self._reasons(group) for group in every if group)
            raise HarnessError(f"nothing was tried; skipped: {reasons or 'no exchange here'}")

    def print(self) -> None:
        """Print a table of faults and clients, the failures, and what was skipped."""
        from harness.report.console import draw
        from harness.report.tables import Table

        rows: list[list[str]] = []
        styles: dict[int, str] = {}
        for harmful, meaning in _MEANING.items():
            styles[len(rows)] = "dim"
            rows.append([localized(meaning), *("" for _ in self.results)])
            rows += [
                [f"  {name}", *(_cell(client.by_fault.get(name)) for client in self.results)]
                for name in _tried(self.results, harmful=harmful)
            ]
        styles[len(rows)] = "bold"
        scores = ("-" if one.score is None else f"{one.score:.1f}" for one in self.results)
        rows.append([localized("score"), *scores])
        widths = {"fault": max(len(row[0]) for row in rows)}
        columns = (mark("fault"), *(client.name for client in self.results))
        draw(app.console(), Table(columns, rows, styles=styles, widths=widths))
        for client in self.results:
            self._print_failures(client)
        self._print_skipped()

    def _print_failures(self, client: ClientResults) -> None:
        where = {item.fault: item.path or item.reason for item in self.saved.get(client.name, [])}
        for name, results in client.by_fault.items():
            failure = results.smallest_failure
            if failure is None:
                continue
            change = localized_error(failure.delivery.description)
            typer.echo(f"{client.name} {name}: {change} ({failure.case.source})")
            detail = self.redactor.text(failure.detail) or "the same answer as the unchanged one"
            app.echo(f"  {localized(failure.reaction.value)}: {localized_error(detail)}")
            if name in where:
                app.echo(f"  saved: {where[name]}")

    def _print_skipped(self) -> None:
        """Print how many exchanges and cases were not tried, by reason; --json lists each."""
        if self.skipped:
            app.echo(f"skipped: {self._reasons(self.skipped)}")
        for client in self.results:
            missing = client.planned - len(client.results)
            line = f"{len(client.results)} cases of {client.exchanges} exchanges"
            line += f", {missing} more when the time was up" if missing else ""
            line += f"; skipped: {self._reasons(client.skipped)}" if client.skipped else ""
            app.echo(f"{client.name}: {line}")

    def _reasons(self, skipped: Sequence[Skipped]) -> str:
        counts = Counter(self.redactor.text(item.reason) for item in skipped)
        return "; ".join(f"{count} ({localized_error(reason)})" for reason, count in counts.items())

    def document(self) -> dict[str, Any]:
        """Return all of it as a JSON object."""
        clients = [
            {
                "client": client.name,
                "score": client.score,
                "exchanges": client.exchanges,
                "planned": client.planned,
                "skipped": [
                    {**asdict(s), "reason": self.redactor.text(s.reason)} for s in client.skipped
                ],
                "faults": [self._of_fault(results) for results in client.by_fault.values()],
                "saved": [
                    {**asdict(s), "path": str(s.path) if s.path else None}
                    for s in self.saved.get(client.name, [])
                ],
            }
            for client in self.results
        ]
        return {"skipped": [asdict(item) for item in self.skipped], "clients": clients}

    def _of_fault(self, results: FaultResults) -> dict[str, Any]:
        cases = [
            {
                "source": str(result.case.source.path),
                "exchange": result.case.source.number,
                "change": result.delivery.description,
                "reaction": str(result.reaction),
                "passed": result.passed,
                "detail": self.redactor.text(result.detail),
            }
            for result in results.results
        ]
        expected = "error" if results.fault.harmful else "same"
        name, passed = results.fault.name, results.passed
        return {"fault": name, "expected": expected, "passed": passed, "cases": cases}


_MEANING = {False: mark("expected: the same answer"), True: mark("expected: an error")}


def _tried(results: Sequence[ClientResults], *, harmful: bool) -> list[str]:
    """Return the names of the faults that were tried with any client, in their fixed order."""
    from harness.faults.registry import DELIVERY_FAULTS

    names = {name for client in results for name in client.by_fault}
    return [f.name for f in DELIVERY_FAULTS if f.name in names and f.harmful is harmful]


def _cell(results: FaultResults | None) -> str:
    """Return how many cases passed, and the reactions of the others; `-` if none was tried."""
    from harness.faults.delivery import Reaction

    if results is None:
        return "-"
    failed = [result.reaction for result in results.results if not result.passed]
    endings = [f"{failed.count(v)} {localized(v.value)}" for v in Reaction if v in failed]
    return f"{results.passed}/{len(results.results)} {', '.join(endings)}".rstrip()
