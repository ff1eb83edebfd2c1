"""The recordings of jobs, and the sides of a comparison, which may be scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette import store
from harness.cassette.age import ALWAYS, Period
from harness.cassette.remote import location
from harness.cassette.store import Skip, Store, skip_nothing
from harness.errors import BadCassette, HarnessError
from harness.providers.recordings import (
    head_of,
    none_recorded,
    read_group,
    read_named,
    read_whole,
    recorded_in,
)
from harness.runner.batch import Job, cassette_state, jobs, load_scenarios


def read_job(job: Job, folder: Store) -> AnalyzedTranscript:
    """Return the analyzed transcript of the cassette that a job has in *folder*.

    Raises NoCassette if there is none, and BadCassette if it cannot be read.
    """
    return read_whole(_head_of_job(job, folder))


def find_side(
    name: str, scenarios: Path, folder: Store, skip: Skip = skip_nothing
) -> list[AnalyzedTranscript]:
    """Return the transcripts of one side of a comparison, without reading all of their cassettes.

    The transcript has its turns if *name* is the path of a cassette. All others have only the
    provenance; `read_whole` reads their turns.

    Args:
        name: A cassette's path, a folder of cassettes, `scenario` (with all of its targets) or
            `scenario/target`. A scenario takes precedence over a folder of the same name.
        scenarios: The folder of the scenarios.
        folder: The store of the scenarios' cassettes.
        skip: Called for each file of a folder that cannot be read; it raises by default.

    Raises:
        HarnessError: The file, scenario or target does not exist, a cassette cannot be read, or a
            folder has no cassette that can be read.
    """
    if own := read_named(name):
        return [own]
    path = location(name)
    if name.endswith((".yaml", ".yml")) and not path.is_dir():
        raise HarnessError(f"{name}: there is no such file")
    scenario, _, target = name.partition("/")
    if path.is_dir() and not (scenarios / f"{scenario}.yaml").exists():
        return _found(path, [*_heads(path, skip)])
    chosen = jobs(load_scenarios([scenario], scenarios), [target] if target else [])
    return [_head_of_job(job, folder) for job in chosen]


def read_side(
    name: str, scenarios: Path, folder: Store, skip: Skip = skip_nothing
) -> list[AnalyzedTranscript]:
    """Return the transcripts of one side of a comparison with their turns.

    Unlike `find_side`, which has the same arguments and errors, this reads each cassette whole.
    """
    return _found(name, read_group(find_side(name, scenarios, folder, skip), skip))


def _found(name: str | Path, found: list[AnalyzedTranscript]) -> list[AnalyzedTranscript]:
    """Return *found*, the recordings in a folder. Raises HarnessError if there are none."""
    if not found:
        raise HarnessError(f"{name}: no file in this folder is a cassette that can be read")
    return found


def _heads(folder: Path, skip: Skip) -> Iterator[AnalyzedTranscript]:
    """Yield the transcript, without turns, of each first recording below *folder*."""
    for path in store.find([folder]):
        if not store.is_repeat(path):
            try:
                yield head_of(path, store.read_provenance(path))
            except BadCassette as error:
                skip(error)


def _head_of_job(job: Job, folder: Store) -> AnalyzedTranscript:
    provenance = folder.load_provenance(job.scenario.name, job.target)
    own = replace(provenance, scenario=job.scenario.name, target=str(job.target))
    return head_of(folder.path(job.scenario.name, job.target), own)


def find_recorded(
    scenarios: Path, folder: Store, period: Period = ALWAYS, skip: Skip = skip_nothing
) -> list[AnalyzedTranscript]:
    """Return the transcripts of all scenarios' cassettes that were recorded in *period*.

    They have no turns; `read_whole` reads them. A cassette that cannot be read is passed to *skip*,
    which raises BadCassette by default.

    Raises:
        HarnessError: There are no such cassettes.
    """
    every = jobs(load_scenarios([], scenarios), [])
    recorded = [job for job in every if folder.path(job.scenario.name, job.target).exists()]
    if not recorded:
        raise HarnessError(f"no scenario of {scenarios} has a cassette in {folder.folder}")
    transcripts = []
    for job in recorded:
        try:
            transcripts.append(_head_of_job(job, folder))
        except BadCassette as error:
            skip(error)
    return recorded_in(period, transcripts, str(folder.folder))


def jobs_recorded_in(period: Period, work: Sequence[Job], folder: Store) -> tuple[Job, ...]:
    """Return the jobs whose cassettes were recorded in *period*; all jobs if it has no bounds.

    Raises HarnessError if no cassette was recorded in *period*.
    """
    if not period:
        return tuple(work)
    provenances = [cassette_state(job, folder)[1] for job in work]
    chosen = tuple(job for job, made in zip(work, provenances, strict=True) if made in period)
    if not chosen:
        raise none_recorded(str(folder.folder), period, provenances)
    return chosen
