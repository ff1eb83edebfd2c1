"""Recordings as they lie on file, read without running an SDK; and the sides of a comparison, found
among them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis.transcript import AnalyzedTranscript, analyze, transcript_of
from harness.batch import Job, examine, jobs, load_scenarios, project_rules, state
from harness.cassette import store
from harness.cassette.period import ALWAYS, Period
from harness.cassette.store import Store
from harness.errors import HarnessError
from harness.providers import endpoints
from harness.report import Report
from harness.rules import Judged
from harness.runner import Progress
from harness.types import Problem, Provenance


def read_cassette(path: Path) -> AnalyzedTranscript:
    """Any vcrpy cassette as a transcript, without running an SDK. Raises BadCassette."""
    transcript = transcript_of(store.read(path), endpoints.recognise, source=str(path))
    if not transcript.provenance.scenario:
        transcript = replace(transcript, scenario=path.stem)
    return analyze(transcript, endpoints.recognise)


def read_recorded(job: Job, folder: Store) -> AnalyzedTranscript:
    """A job's cassette, without running an SDK. Raises NoCassette, or BadCassette."""
    cassette = folder.load(job.scenario.name, job.target)
    told = replace(cassette.provenance, scenario=job.scenario.name, target=str(job.target))
    path = str(folder.path(job.scenario.name, job.target))
    named = replace(cassette, provenance=told)
    return analyze(transcript_of(named, endpoints.recognise, source=path), endpoints.recognise)


def untimed(path: Path) -> AnalyzedTranscript:
    """A cassette's transcript without times, which differ between any two recordings, and without
    its artefacts: git hands over the text alone."""
    found = store.read_alone(path)
    exchanges = tuple(replace(e, timing=None, chunks=()) for e in found.exchanges)
    plain = replace(found, exchanges=exchanges)
    return analyze(transcript_of(plain, endpoints.recognise, source=path.name), endpoints.recognise)


def repeats(reads: Iterable[AnalyzedTranscript]) -> list[AnalyzedTranscript]:
    """The recordings that lie beside these as their repeats. Raises BadCassette."""
    return [again for one in reads for again in beside(one)]


def beside(one: AnalyzedTranscript) -> tuple[AnalyzedTranscript, ...]:
    """The repeats of one recording; not those of another script, which answer something else.

    Raises BadCassette.
    """
    told, found = one.transcript, []
    for path in store.beside(Path(told.source)).values() if told.source else ():
        other = replace(read_cassette(path).transcript, scenario=told.scenario)
        scripts = {other.provenance.script, told.provenance.script} - {()}
        if len(scripts) <= 1:
            own = replace(other, target=told.target, provenance=told.provenance)
            found.append(analyze(own, endpoints.recognise))
    return tuple(found)


def check_cassettes(paths: Sequence[Path], progress: Progress, asked: Period = ALWAYS) -> Report:
    """Check every cassette in files and folders by the rules of the wire.

    Of those that can be read, only the ones of a period.
    """
    began = time.perf_counter()
    choice = project_rules()
    reads: list[AnalyzedTranscript] = []
    judged: list[Judged] = []
    problems: list[Problem] = []
    files = store.find(list(paths))
    for number, path in enumerate(files, start=1):
        progress(f"[{number}/{len(files)}] {path}")
        try:
            one = read_cassette(path)
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
            continue
        if one.transcript.provenance in asked:
            done, found = examine(one.transcript, choice)
            reads.append(done)
            judged.append(found)
    return Report(
        title="Check",
        reads=tuple(reads),
        findings=tuple(finding for found in judged for finding in found.findings),
        ignored=tuple(finding for found in judged for finding in found.ignored),
        problems=tuple(problems),
        duration=time.perf_counter() - began,
    )


# ------------------------------------------------------------------------- sides of a comparison


def side(name: str, scenarios: Path, folder: Store) -> list[AnalyzedTranscript]:
    """One side of a comparison: a cassette's path, a folder of them, `scenario`, or
    `scenario/target`.

    A scenario gives one transcript for each of its targets, and comes before a folder of the same
    name. Raises HarnessError.
    """
    path = Path(name)
    if path.is_file() and name.endswith((".yaml", ".yml")):
        return [read_cassette(path)]
    if name.endswith((".yaml", ".yml")):
        raise HarnessError(f"{name}: there is no such file")
    scenario, _, target = name.partition("/")
    if path.is_dir() and not (scenarios / f"{scenario}.yaml").exists():
        return [read_cassette(f) for f in store.find([path]) if not store.is_repeat(f)]
    chosen = jobs(load_scenarios([scenario], scenarios), [target] if target else [])
    return [read_recorded(job, folder) for job in chosen]


def recorded(scenarios: Path, folder: Store, asked: Period = ALWAYS) -> list[AnalyzedTranscript]:
    """Every cassette of every scenario that is there, or those of a period.

    Raises HarnessError where there is none.
    """
    every = jobs(load_scenarios([], scenarios), [])
    there = [job for job in every if folder.path(job.scenario.name, job.target).exists()]
    if not there:
        raise HarnessError(f"no scenario of {scenarios} has a cassette in {folder.folder}")
    return made_in(asked, [read_recorded(job, folder) for job in there], str(folder.folder))


def groups(sides: Sequence[Sequence[AnalyzedTranscript]]) -> list[list[AnalyzedTranscript]]:
    """What belongs into one matrix: single transcripts, if each side is one; else those of one
    scenario."""
    every = [read for side in sides for read in side]
    if len(sides) > 1 and len(every) == len(sides):
        return [every]
    found: dict[str, list[AnalyzedTranscript]] = {}
    for one in every:
        found.setdefault(one.transcript.scenario, []).append(one)
    return list(found.values())


def pairs(
    left: Sequence[AnalyzedTranscript], right: Sequence[AnalyzedTranscript]
) -> list[tuple[AnalyzedTranscript, AnalyzedTranscript]]:
    """What to compare with what: one with one; or scenario and target with the same, or where no
    scenario is on both sides, target with the same target.

    Raises HarnessError where that leaves nothing.
    """
    if len(left) == 1 and len(right) == 1:
        return [(left[0], right[0])]
    for named in (_scenario_and_target, _target):
        others = {named(done): done for done in right}
        both = [(done, others[named(done)]) for done in left if named(done) in others]
        if both:
            return both
    ours, theirs = (", ".join(dict.fromkeys(map(_target, side))) for side in (left, right))
    raise HarnessError(
        f"no target is on both sides: {ours} and {theirs}; "
        "name one on each side, as scenario/target"
    )


def _scenario_and_target(one: AnalyzedTranscript) -> tuple[str, str]:
    return one.transcript.scenario, one.transcript.target


def _target(one: AnalyzedTranscript) -> str:
    return one.transcript.target


# ------------------------------------------------------------------------------- of some days


def made_in(
    asked: Period, reads: Sequence[AnalyzedTranscript], what: str
) -> list[AnalyzedTranscript]:
    """Those that were recorded in a period. Raises HarnessError where there is none."""
    found = [one for one in reads if one.transcript.provenance in asked]
    if reads and not found:
        raise HarnessError(_none(what, asked, (one.transcript.provenance for one in reads)))
    return found


def jobs_of(asked: Period, todo: Sequence[Job], folder: Store) -> tuple[Job, ...]:
    """The jobs whose cassettes were recorded in a period; all, if it has no bounds.

    Raises HarnessError where there is none.
    """
    if not asked:
        return tuple(todo)
    told = [(job, state(job, folder)[1]) for job in todo]
    found = tuple(job for job, made in told if made in asked)
    if not found:
        raise HarnessError(_none(str(folder.folder), asked, (made for _, made in told)))
    return found


def _none(what: str, asked: Period, told: Iterable[Provenance]) -> str:
    days = sorted({one.recorded_at[:10] or "an unknown day" for one in told})
    listed = ", ".join(days[:_SHOWN]) + (f" and {len(days) - _SHOWN} more" * (len(days) > _SHOWN))
    return f"{what}: nothing was recorded {asked}; there is: {listed or 'nothing'}"


_SHOWN = 6
