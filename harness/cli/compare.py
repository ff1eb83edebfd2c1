"""The command `compare`: compare recordings of models, or list where answers have each field."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

import typer

from harness.cassette.age import period
from harness.cassette.store import Skip, Store, find
from harness.cli import app
from harness.config.environment import load_environment
from harness.config.settings import load_prices
from harness.errors import HarnessError
from harness.locale import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.transcript import AnalyzedTranscript
    from harness.convert.targets import AnswerComparison


def compare(
    sides: list[str] | None = None,
    fields: bool = False,
    on: list[str] | None = None,
    sandbox: bool = False,
    budget: str | None = None,
    plan: bool = False,
    share: float = 1.0,
    out: Path | None = None,
    fail: bool = False,
    since: str | None = None,
    until: str | None = None,
    scenarios: Path = app.SCENARIOS,
    cassettes: Path = app.CASSETTES,
    jobs: int | None = None,
    reports: list[Path] | None = None,
    as_json: bool = False,
) -> None:
    """Compare recordings: formats first, then answers.

    Two sides are compared difference by difference. One scenario alone, or more than two sides,
    give the matrix of all targets in them. Ids, times and other values that differ between any two
    answers are listed separately, as is what differs between repeats (harness record --repeat N).

    With --fields: the path of every field of an answer (content, tool calls, tokens, errors ...)
    by target and delivery (non-streaming, streamed, task), how often it is present, and in which
    exchange; of all scenarios, if no side is named.

    With --on, SIDE is any recording (of a program, of another tool): its requests are translated
    and put to other targets, and each answer is compared with the recorded one. It passes if the
    target answers, calls the same functions, and has JSON where that was JSON. What a target has
    no counterpart for is listed. No request is sent that could exceed --budget.
    Example: harness compare tests/cassettes --on dashscope/qwen-flash --budget 2CNY --plan

    Recordings of one target on several days are named with their day: harness compare june july,
    with a folder of cassettes for each. --since and --until leave out recordings of other days.
    """
    from harness.runner import recordings

    if on:
        _on_targets(sides or [], on, sandbox, budget, plan, share, out, reports or [], as_json)
    dates = period(since, until)
    names, store, processes = sides or [], Store(cassettes), app.processes(jobs)
    if not names and not fields:
        raise HarnessError("name at least one side, or give --fields; see: harness compare -h")
    with app.skipping() as skip:
        with app.progress() as shown:
            sides_read = [
                recordings.read_side(name, scenarios, store, skip, processes, shown)
                for name in names
            ]
        loaded = [
            recordings.recorded_in(dates, side, name)
            for side, name in zip(sides_read, names, strict=True)
        ]
        groups: Sequence[Sequence[AnalyzedTranscript]]
        if fields:
            transcripts = [transcript for side in loaded for transcript in side]
            transcripts = transcripts or recordings.read_recorded(scenarios, store, dates, skip)
            groups, differs = recordings.group_sides([transcripts]), _fields(transcripts, as_json)
        elif len(loaded) == 2:
            groups = recordings.pair_sides(*loaded)
            differs = _compare(groups, as_json, skip, by_pair=True)
        else:
            groups = recordings.group_sides(loaded)
            differs = _compare(groups, as_json, skip)
        _write(reports or [], groups, skip)
        raise typer.Exit(1 if fail and differs else 0)


def _write(
    paths: Sequence[Path],
    groups: Sequence[Sequence[AnalyzedTranscript]],
    skip: Skip,
) -> None:
    """Write the comparison of groups as reports."""
    from harness.report.build import compare_report

    if paths:
        app.write_reports(compare_report(groups, skip), paths)


def _on_targets(
    sides: Sequence[str],
    targets: Sequence[str],
    sandbox: bool,
    budget: str | None,
    only_plan: bool,
    share: float,
    out: Path | None,
    reports: Sequence[Path],
    as_json: bool,
) -> NoReturn:
    """Put recorded requests to other targets, print the comparison, and exit."""
    from harness.convert import targets as on_targets
    from harness.drift.plan import parse_budget
    from harness.providers import PROVIDERS
    from harness.runner import batch

    limit = None if budget is None else parse_budget(budget)
    environment = load_environment(Path.cwd())
    secrets = environment.secrets(PROVIDERS.values())
    calls, left = on_targets.requests_for(find([*map(Path, sides)]), targets, secrets, limit)
    for recording, one in left:
        app.echo(f"left out: {recording}, exchange {one.number}: {one.reason}", err=True)
    if only_plan:
        app.print_plan(on_targets.plan(calls, limit), as_json)
        raise typer.Exit
    folder = nullcontext(str(out)) if out else TemporaryDirectory(prefix="harness-compare-")
    with folder as name, batch.servers(sandbox, environment) as source, app.progress() as shown:
        compared = on_targets.record_answers(calls, source, Path(name), limit, shown)
        passed = sum(one.passed for one in compared)
        if as_json:
            app.print_json({"compared": on_targets.document(compared), "passed": passed})
        else:
            _print_compared(compared)
            _compare(on_targets.groups(compared, Path(name)), as_json, lambda error: None)
        _write(reports, on_targets.groups(compared, Path(name)), lambda error: None)
    raise typer.Exit(0 if compared and passed >= share * len(compared) else 1)


def _print_compared(compared: Sequence[AnswerComparison]) -> None:
    rows = [
        (
            one.call.recording,
            one.call.job.target,
            "passed" if one.passed else "; ".join(one.reasons),
            "–" if one.similarity is None else f"{one.similarity:.0%}",
            ", ".join(one.call.losses) or "–",
        )
        for one in compared
    ]
    app.print_table(
        rows,
        ("recording", "target", mark("result"), mark("similar"), mark("not translated")),
        words=("result", "not translated"),
    )
    passed = sum(one.passed for one in compared)
    app.echo(f"passed: {passed} of {len(compared)}\n")


def _fields(transcripts: list[AnalyzedTranscript], as_json: bool) -> bool:
    from harness.comparison.fields import field_matrix
    from harness.report import field_text, json_report

    matrix = field_matrix(transcripts)
    if as_json:
        app.print_json(json_report.fields(matrix))
    else:
        field_text.fields(app.console(), matrix)
    return matrix.has_differences


def _compare(
    groups: Sequence[Sequence[AnalyzedTranscript]],
    as_json: bool,
    skip: Skip,
    *,
    by_pair: bool = False,
) -> bool:
    """Print the comparison of the recordings of each group, and return whether they differ.

    A group is shown as a matrix, or with *by_pair*, as it has two recordings, difference by
    difference. Without *by_pair* only formats and outcomes count as differences.
    """
    from harness.comparison.matrix import matrix
    from harness.report import comparison_text, json_report
    from harness.report.ranking import rank_groups
    from harness.runner.recordings import read_repeats

    prices = load_prices(Path.cwd())
    matrices = [matrix(group, prices, read_repeats(group, skip)) for group in groups]
    pairs = [pair for each in matrices for pair in each.pairs]
    if as_json and by_pair:
        both = zip(pairs, matrices, strict=True)
        app.print_json(
            [json_report.comparison(p.comparison) | {"facts": m.figures} for p, m in both]
        )
    elif as_json:
        documents = [json_report.matrix(each) for each in matrices]
        app.print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for each in matrices:
            if by_pair:
                comparison_text.comparison(app.console(), each.pairs[0].comparison)
                comparison_text.figures(app.console(), each)
            else:
                comparison_text.matrix(app.console(), each)
        comparison_text.rankings(app.console(), rank_groups(groups, matrices))
        comparison_text.sources(app.console(), matrices)
    if by_pair:
        return any(pair.comparison.differences for pair in pairs)
    return any(pair.shape or pair.answer for pair in pairs)
