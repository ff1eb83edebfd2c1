"""The command that changes recorded answers and sees what clients make of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import AsJson, console, progress

if TYPE_CHECKING:
    from harness.faults.run.cases import OnInterrupted, Source
    from harness.faults.run.keeping import Kept
    from harness.faults.run.results import Kind, Suffered
    from harness.faults.transport import Fault
    from harness.secrets.redactor import Redactor
    from harness.types import LooseJson


def torture(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="vcrpy cassettes, or folders of them.")
    ],
    against: Annotated[
        str,
        typer.Option(metavar="MODULE:FUNCTION", help="A function of yours that asks and reads."),
    ] = "",
    clients: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", help="Only this SDK. May be given again."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this change. May be given again."),
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="At most so many cases of each kind.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed tries the same cases.")] = 0,
    timeout: Annotated[float, typer.Option(min=0.05, help="A client's seconds, per answer.")] = 2.0,
    time_limit: Annotated[
        float, typer.Option(min=0, help="Stop after so many seconds; 0: when all is tried.")
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the smallest failure of each kind as a cassette."),
    ] = None,
    at_least: Annotated[
        float | None,
        typer.Option(
            min=0, max=100, help="Exit with 1 below this score; 100 with --against, else 0."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change recorded answers as networks and providers do, and see what a client makes of them.

    The answers go over a real connection on this machine to each SDK that can ask for them, or
    with --against to a function of yours. After a harmless change the answer must be the same,
    after a harmful one a typed error must come. docs/TORTURE.md explains every kind.
    """
    from harness.config.environment import load_environment
    from harness.faults.run.cases import sources
    from harness.faults.run.keeping import keep
    from harness.faults.run.running import Limits
    from harness.faults.run.running import torture as suffer
    from harness.providers import PROVIDERS
    from harness.providers.endpoints import HEADERS
    from harness.secrets.redactor import Redactor

    found, left = sources(paths)
    names = _clients(against, clients or [], found)
    chosen = _kinds(kinds or [])
    limits = Limits(cases, seed, timeout, seconds=time_limit)
    with progress() as told:
        done = suffer(names, found, chosen, limits, told)
    redactor = Redactor(load_environment(Path.cwd()).secrets(PROVIDERS.values()), HEADERS)
    _refuse_nothing(done, left, redactor)
    kept = {one.client: list(keep(save, one, redactor)) for one in done} if save else {}
    if as_json:
        _print_json(done, left, kept, redactor)
    else:
        _print(done, left, kept, redactor)
    least = at_least if at_least is not None else 100.0 if against else 0.0
    raise typer.Exit(1 if any((one.score or 0) < least for one in done) else 0)


def _clients(against: str, clients: Sequence[str], found: Sequence[Source]) -> list[str]:
    """The function, or the SDKs that are asked for; else all that have an endpoint here."""
    from harness.errors import HarnessError
    from harness.parse import PARSERS

    if against and clients:
        raise HarnessError("--against and --client exclude each other")
    if against and ":" not in against:
        raise HarnessError(f"--against {against}: should be module:function")
    asked = {source.recorded.endpoint.name for source in found}
    fitting = [p.name for p in PARSERS.values() if p.installed and p.endpoints & asked]
    names = [against] if against else list(clients) or fitting
    if not names:
        raise HarnessError("no answer here that any SDK could ask for; try --against")
    return list(dict.fromkeys(names))


def _kinds(names: Sequence[str]) -> list[Fault]:
    from harness.errors import HarnessError
    from harness.faults.transport import TORTURES

    known = {torture.name: torture for torture in TORTURES}
    for name in names:
        if name not in known:
            raise HarnessError(f"there is no kind {name!r}; known are {', '.join(known)}")
    return [known[name] for name in names] or list(TORTURES)


def _refuse_nothing(
    done: Sequence[Suffered], left: Sequence[OnInterrupted], redactor: Redactor
) -> None:
    """Nothing tried is nothing proved."""
    from harness.errors import HarnessError

    if not any(one.results for one in done):
        told = [_reasons(each, redactor) for each in (left, *(one.left for one in done)) if each]
        raise HarnessError(f"nothing was tried; left out: {'; '.join(told) or 'no exchange here'}")


def _print(
    done: Sequence[Suffered],
    left: Sequence[OnInterrupted],
    kept: dict[str, list[Kept]],
    redactor: Redactor,
) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    screen = console()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("kind", no_wrap=True)
    for one in done:
        table.add_column(Text(one.client), overflow="fold")
    for harmful, meaning in _MEANING.items():
        table.add_row(Text(meaning, "dim"))
        for name in _tried(done, harmful):
            table.add_row(f"  {name}", *(_cell(one.kinds.get(name)) for one in done))
    table.add_row("score", *(_score(one) for one in done), style="bold")
    screen.print(table)
    for one in done:
        _print_failures(one, kept.get(one.client, []), redactor)
    _print_left(done, left, redactor)


_MEANING = {False: "the same must come", True: "an error must come"}


def _tried(done: Sequence[Suffered], harmful: bool) -> list[str]:
    """Every such kind that was tried with anybody, in the order of the table of kinds."""
    from harness.faults.transport import TORTURES

    names = {name for one in done for name in one.kinds}
    return [t.name for t in TORTURES if t.name in names and t.harmful is harmful]


def _cell(kind: Kind | None) -> str:
    """How many ended as they should, and how the others did."""
    from harness.faults.transport import Verdict

    if kind is None:
        return "-"
    failed = [result.verdict for result in kind.results if not result.right]
    told = [f"{failed.count(v)} {v}" for v in Verdict if v in failed]
    return f"{kind.right}/{len(kind.results)} {', '.join(told)}".rstrip()


def _score(one: Suffered) -> str:
    return "-" if one.score is None else f"{one.score:.1f}"


def _print_failures(one: Suffered, kept: Sequence[Kept], redactor: Redactor) -> None:
    where = {keeping.kind: keeping.path or keeping.why for keeping in kept}
    for kind in one.kinds.values():
        if kind.smallest is None:
            continue
        result = kind.smallest
        typer.echo(f"{one.client} {kind.name}: {result.sent.what} ({result.case.source})")
        typer.echo(f"  {result.verdict}: {redactor.text(result.words) or 'as the untouched one'}")
        if kind.name in where:
            typer.echo(f"  kept: {where[kind.name]}")


def _print_left(
    done: Sequence[Suffered], left: Sequence[OnInterrupted], redactor: Redactor
) -> None:
    """What was not tried, in numbers; --json has all of it."""
    if left:
        typer.echo(f"left out: {_reasons(left, redactor)}")
    for one in done:
        missing = one.planned - len(one.results)
        told = f"{len(one.results)} cases of {one.exchanges} exchanges"
        told += f", {missing} more when the time was up" if missing else ""
        told += f"; left out: {_reasons(one.left, redactor)}" if one.left else ""
        typer.echo(f"{one.client}: {told}")


def _reasons(left: Sequence[OnInterrupted], redactor: Redactor) -> str:
    from collections import Counter

    counts = Counter(redactor.text(one.why) for one in left)
    return "; ".join(f"{count} ({why})" for why, count in counts.items())


def _print_json(
    done: Sequence[Suffered],
    left: Sequence[OnInterrupted],
    kept: dict[str, list[Kept]],
    redactor: Redactor,
) -> None:
    from harness.report import json_report

    told = {
        "left_out": [{"what": one.what, "why": one.why} for one in left],
        "clients": [_as_json(one, kept.get(one.client, []), redactor) for one in done],
    }
    typer.echo(json_report.dumps(told))


def _as_json(one: Suffered, kept: Sequence[Kept], redactor: Redactor) -> LooseJson:
    return {
        "client": one.client,
        "score": one.score,
        "exchanges": one.exchanges,
        "planned": one.planned,
        "left_out": [{"what": o.what, "why": redactor.text(o.why)} for o in one.left],
        "kinds": [_kind_as_json(kind, redactor) for kind in one.kinds.values()],
        "kept": [
            {"kind": k.kind, "path": str(k.path) if k.path else None, "why": k.why} for k in kept
        ],
    }


def _kind_as_json(kind: Kind, redactor: Redactor) -> LooseJson:
    return {
        "kind": kind.name,
        "must_end_in": "error" if kind.harmful else "same",
        "right": kind.right,
        "cases": [
            {
                "source": str(result.case.source.path),
                "exchange": result.case.source.number,
                "change": result.sent.what,
                "verdict": str(result.verdict),
                "right": result.right,
                "words": redactor.text(result.words),
            }
            for result in kind.results
        ],
    }
