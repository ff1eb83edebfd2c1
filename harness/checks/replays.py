"""The replay of many jobs, each checked by the rules, in several processes or from earlier results.

A replay runs no code of the project: only the harness, the SDK and the HTTP library. So its result
is known if nothing has changed that it depends on: beside what every result depends on (see
`harness.checks.cache`), the scenario with its files, the target, the tables of models, the settings
of the scenario's folder, and the files and environment variables of the SDKs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from harness.cassette.store import Store
from harness.cassette.workers import Workers
from harness.checks.cache import ResultCache
from harness.checks.check import NO_CACHE, Checked, CheckedFile, Kept, checked
from harness.config import surroundings
from harness.config.settings import load_settings
from harness.providers import find_provider
from harness.runner.batch import Job, replay_all
from harness.scenario.steps import Scenario
from harness.types import Problem, Progress


def replay_cache(folder: Path | None, work: Sequence[Job]) -> ResultCache[CheckedFile]:
    """Return the cache in *folder* of the results of replays; it keeps nothing if that is None.

    Nothing is kept either if an SDK of the jobs is not installed as a package, such as one whose
    sources are elsewhere, since nobody knows when they change.
    """
    if folder is None:
        return NO_CACHE
    providers = {name: find_provider(name) for name in {job.target.provider for job in work}}
    sdks = {sdk for one in providers.values() for sdk in (*one.sdks, one.distribution)}
    state = surroundings.state_of(sorted(sdks))
    return NO_CACHE if state is None else ResultCache(folder, CheckedFile, ("replay", *state))


def replay_jobs(
    work: Sequence[Job],
    store: Store,
    progress: Progress,
    workers: Workers = 1,
    pace: float = 0.0,
    keeps: Kept = Kept.TRANSCRIPTS,
    cache: ResultCache[CheckedFile] = NO_CACHE,
) -> Iterator[Checked | Problem]:
    """Replay every job offline, check it by the project's rules, and yield the results in order.

    Args:
        work: The jobs.
        store: The folder of the cassettes.
        progress: Called with a line of text for each job that is replayed.
        workers: The largest number of processes, or the address of a Dask scheduler.
        pace: The factor by which recorded latencies and waits are multiplied; 0 is instant.
        keeps: The parts of each job that its result contains.
        cache: The results of earlier replays. They are used if only figures are kept and the pace
            is 0: a paced replay is made to be waited for.

    Yields:
        A result for each job; a problem for a job that cannot be replayed.

    Raises:
        BadSettings: The project's settings are invalid.
    """
    if keeps > Kept.FIGURES or pace:
        cache = NO_CACHE
    paths = [Path(_path(job, store)) for job in work]
    own = dict(zip(paths, _dependencies(work), strict=True)) if cache.folder else {}
    with cache.opened(paths if own else (), own) as known:
        todo = [job for job, path in zip(work, paths, strict=True) if path not in known.of]
        new = replay_all(todo, store, progress, partial(checked, keeps=keeps), workers, pace)
        for path in paths:
            if path in known.of:
                yield Checked(known.of[path])
                continue
            result = next(new)
            if isinstance(result, Checked):
                known.write(path, result.file)
            yield result


def _path(job: Job, store: Store) -> os.PathLike[str]:
    return job.own(store).path(job.scenario.name, job.target)


def _dependencies(work: Iterable[Job]) -> Iterator[tuple[bytes, ...]]:
    """Yield what the result of each job depends on beside its cassette and what all results do."""
    of_scenarios: dict[int, tuple[bytes, ...]] = {}
    for job in work:
        scenario = job.scenario
        if id(scenario) not in of_scenarios:
            of_scenarios[id(scenario)] = tuple(_of_scenario(scenario))
        yield (*of_scenarios[id(scenario)], repr(job.target).encode("utf-8", "surrogateescape"))


def _of_scenario(scenario: Scenario) -> Iterator[bytes]:
    """Yield the scenario, its path, the files that it names, and the settings for it."""
    yield os.fsencode(str(scenario.path))
    yield (scenario.source.digest or scenario.form.model_dump_json(exclude_unset=True)).encode()
    for step in scenario.steps:
        yield from (_content(part.path) for part in step.parts if part.path)
    folder = scenario.path.parent if scenario.path else Path.cwd()
    for settings in (load_settings(folder), load_settings(Path.cwd())):
        yield from map(_content, (settings.file, settings.models))


def _content(path: Path | None) -> bytes:
    """Return a mark that there is content and the content of a file; empty if it cannot be read."""
    try:
        return b"=" + path.read_bytes() if path else b""
    except OSError:
        return b""
