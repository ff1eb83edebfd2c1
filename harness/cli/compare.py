"""The command `compare`: compare recordings of models, or list where answers have each field."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeVar

import typer

from harness.cassette.age import period
from harness.cassette.store import Skip, Store, find
from harness.cassette.workers import in_order
from harness.cli import app
from harness.config.environment import load_environment
from harness.config.settings import load_prices
from harness.errors import BadCassette, HarnessError
from harness.locale import LANGUAGE, Language, in_language, mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harness.analysis.transcript import AnalyzedTranscript
    from harness.comparison.fields import FieldMatrix
    from harness.comparison.matrix import Matrix
    from harness.config.prices import Prices
    from harness.convert.targets import AnswerComparison
    from harness.report.json_report import JsonObject

R = TypeVar("R")


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
    from harness.providers import recordings
    from harness.runner import job_recordings

    if on:
        _on_targets(sides or [], on, sandbox, budget, plan, share, out, reports or [], as_json)
    dates = period(since, until)
    names, store, processes = sides or [], Store(cassettes), app.processes(jobs)
    if not names and not fields:
        raise HarnessError("name at least one side, or give --fields; see: harness compare -h")
    with app.skipping() as skip:
        loaded = [
            recordings.recorded_in(
                dates, job_recordings.find_side(name, scenarios, store, skip), name
            )
            for name in names
        ]
        groups: Sequence[Sequence[AnalyzedTranscript]]
        if fields:
            every = [one for side in loaded for one in side]
            every = every or job_recordings.find_recorded(scenarios, store, dates, skip)
            differs = _fields([[one] for one in every], processes, as_json, skip)
            groups = recordings.group_sides([every])
        elif len(loaded) == 2:
            groups = recordings.pair_sides(*loaded)
            differs = _compare(groups, processes, as_json, skip, by_pair=True)
        else:
            groups = recordings.group_sides(loaded)
            differs = _compare(groups, processes, as_json, skip)
        _write(reports or [], groups, skip)
        raise typer.Exit(1 if fail and differs else 0)


def _write(
    paths: Sequence[Path],
    groups: Sequence[Sequence[AnalyzedTranscript]],
    skip: Skip,
) -> None:
    """Write the comparison of groups as reports."""
    from harness.providers.recordings import read_group
    from harness.report.build import compare_report

    if paths:
        read = (read_group(group, skip) for group in groups)
        app.write_reports(compare_report(read, skip), paths)


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
    with folder as name, batch.servers(sandbox, environment) as source:
        with app.progress() as shown:
            compared = on_targets.record_answers(calls, source, Path(name), limit, shown)
        passed = sum(one.passed for one in compared)
        if as_json:
            app.print_json({"compared": on_targets.document(compared), "passed": passed})
        else:
            _print_compared(compared)
            groups = on_targets.groups(compared, Path(name))
            _compare(groups, 1, as_json, lambda error: None)
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


@contextmanager
def _results(
    do: Callable[[Sequence[AnalyzedTranscript], Skip], R],
    groups: Sequence[Sequence[AnalyzedTranscript]],
    processes: int,
    skip: Skip,
) -> Iterator[Iterator[R]]:
    """Yield an iterator of the results of *do* for the recordings of each group, read whole.

    Many are on the disk until they are taken. *skip* is called with the errors of what is left out.
    """
    from harness.report.spool import Spool

    results: Spool[tuple[R, list[BadCassette]]] = Spool()
    with app.progress() as shown:
        for result in _in_order(partial(_read_and_do, do), groups, processes, shown):
            results.append(result)
    yield _without_errors(results, skip)


def _read_and_do(
    do: Callable[[Sequence[AnalyzedTranscript], Skip], R], group: Sequence[AnalyzedTranscript]
) -> tuple[R, list[BadCassette]]:
    from harness.providers.recordings import read_group

    errors: list[BadCassette] = []
    return do(read_group(group, errors.append), errors.append), errors


def _in_order(
    do: Callable[[Sequence[AnalyzedTranscript]], R],
    groups: Sequence[Sequence[AnalyzedTranscript]],
    processes: int,
    shown: Callable[[str], None],
) -> Iterator[R]:
    """Yield the result of *do* for each group in order; *shown* is called with the progress."""
    from harness.report.ranking import scenarios_of

    with closing(in_order(do, groups, processes)) as results:
        for number, group in enumerate(groups, start=1):
            shown(f"[{number}/{len(groups)}] {scenarios_of(group)}")
            yield next(results)


def _without_errors(results: Iterable[tuple[R, list[BadCassette]]], skip: Skip) -> Iterator[R]:
    for result, errors in results:
        for error in errors:
            skip(error)
        yield result


def _fields(
    groups: Sequence[Sequence[AnalyzedTranscript]], processes: int, as_json: bool, skip: Skip
) -> bool:
    """Print the places of fields in the recordings of *groups*, and return whether they differ."""
    from harness.comparison.fields import merged
    from harness.report import field_text, json_report

    with _results(_field_matrix, groups, processes, skip) as tables:
        matrix = merged([*tables])
    if as_json:
        app.print_json(json_report.fields(matrix))
    else:
        field_text.fields(app.console(), matrix)
    return matrix.has_differences


def _field_matrix(group: Sequence[AnalyzedTranscript], _skip: Skip) -> FieldMatrix:
    from harness.comparison.fields import field_matrix

    return field_matrix(group)


@dataclass(frozen=True, slots=True)
class _Form:
    """How the comparison of a group is printed.

    Attributes:
        by_pair: Whether a group has two recordings, which are shown difference by difference, not
            as a matrix.
        as_json: Whether it is JSON.
        color: The value of `--color`.
        language: The language of what is printed.
    """

    by_pair: bool
    as_json: bool
    color: str
    language: Language


class _Compared(NamedTuple):
    """The comparison of a group: its text, whether recordings differ, and the figures of turns."""

    text: str
    differs: bool
    figures: Matrix


def _compared(
    form: _Form, prices: Prices, group: Sequence[AnalyzedTranscript], skip: Skip
) -> _Compared:
    """Compare the recordings of a group. The text is empty if too few could be read."""
    from harness.comparison.matrix import matrix, without_texts
    from harness.providers.recordings import read_repeats
    from harness.report.json_report import dumps

    found = matrix(group, prices, read_repeats(group, skip))
    text = ""
    if len(found.targets) > form.by_pair:
        with in_language(form.language):
            text = dumps(_document(found, form)) if form.as_json else _printed(found, form)
    if form.by_pair:
        differs = any(pair.comparison.differences for pair in found.pairs)
    else:
        differs = any(pair.shape or pair.answer for pair in found.pairs)
    return _Compared(text, differs, without_texts(found))


def _compare(
    groups: Sequence[Sequence[AnalyzedTranscript]],
    processes: int,
    as_json: bool,
    skip: Skip,
    *,
    by_pair: bool = False,
) -> bool:
    """Print the comparison of the recordings of each group, and return whether they differ.

    A group is shown as a matrix, or with *by_pair*, as it has two recordings, difference by
    difference. Without *by_pair* only formats and outcomes count as differences.
    """
    figures: list[Matrix] = []
    differs = False
    is_array = as_json and (by_pair or len(groups) != 1)
    form = _Form(by_pair, as_json, app.COLOR.get(), LANGUAGE.get())
    compared = partial(_compared, form, load_prices(Path.cwd()))
    with (
        _results(compared, groups, processes, skip) as results,
        app.json_array() if is_array else nullcontext(partial(typer.echo, nl=False)) as put,
    ):
        for each in results:
            figures.append(each.figures)
            differs |= each.differs
            if each.text:  # else, what cannot be read was left out
                put(each.text)
    if groups and not any(one.targets for one in figures):
        raise HarnessError("nothing to compare: no recording here can be read")
    if not as_json:
        from harness.report import comparison_text
        from harness.report.ranking import rank_groups

        comparison_text.rankings(app.console(), rank_groups(groups, figures))
        comparison_text.sources(app.console(), figures)
    return differs


def _document(matrix: Matrix, form: _Form) -> JsonObject:
    from harness.report import json_report

    if not form.by_pair:
        return json_report.matrix(matrix)
    return json_report.comparison(matrix.pairs[0].comparison) | {"facts": matrix.figures}


def _printed(matrix: Matrix, form: _Form) -> str:
    from harness.report import comparison_text
    from harness.report.console import StandardText, standard_output

    text = StandardText()
    console = standard_output(form.color, text)
    if form.by_pair:
        comparison_text.comparison(console, matrix.pairs[0].comparison)
        comparison_text.figures(console, matrix)
    else:
        comparison_text.matrix(console, matrix)
    return text.getvalue()
