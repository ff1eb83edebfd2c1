"""Transcripts read from cassettes without running an SDK, and the sides of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis.transcript import AnalyzedTranscript, analyze, transcript_of
from harness.cassette import store
from harness.cassette.age import ALWAYS, Period
from harness.cassette.remote import located, location
from harness.cassette.store import Skip, Store, skip_nothing
from harness.errors import BadCassette, HarnessError
from harness.providers import endpoints
from harness.providers.masking import masked
from harness.runner.batch import Job, cassette_state, jobs, load_scenarios
from harness.types import Cassette, Problem, Provenance, Transcript


def analyzed(cassette: Cassette, source: str = "") -> AnalyzedTranscript:
    """Return the analyzed transcript of *cassette*, which was read from the file *source*.

    If the cassette names no scenario, the transcript's scenario is the file's name without suffix.
    Secrets are not masked.
    """
    return analyze(_transcript(cassette, source), endpoints.recognise)


def read_masked(path: Path) -> Cassette:
    """Return the cassette at *path*, of the harness or of vcrpy, with its secrets masked.

    Raises BadCassette if it cannot be read.
    """
    return masked(store.read(path))


def read_cassette(path: Path) -> AnalyzedTranscript:
    """Return the analyzed transcript of any vcrpy cassette, with secrets masked.

    If the cassette names no scenario, the transcript's scenario is the file's name without suffix.
    Raises BadCassette if it cannot be read.
    """
    return analyzed(read_masked(path), str(path))


def read_transcript(path: Path) -> Transcript:
    """Return the transcript of any vcrpy cassette, not yet analyzed, with secrets masked.

    If the cassette names no scenario, the transcript's scenario is the file's name without suffix.
    Raises BadCassette if it cannot be read.
    """
    return _transcript(read_masked(path), str(path))


def try_read(path: Path) -> Transcript | Problem:
    """Return the transcript of any vcrpy cassette, not yet analyzed, with secrets masked.

    Return a problem if the cassette cannot be read.
    """
    try:
        return read_transcript(path)
    except HarnessError as error:
        return Problem("", "", str(error))


def try_read_head(path: Path) -> Transcript | Problem:
    """Return the transcript of the cassette at *path* without turns: only its head is read.

    Return a problem if the head cannot be read.
    """
    try:
        return _transcript(Cassette((), store.read_provenance(path)), str(path))
    except HarnessError as error:
        return Problem("", "", str(error))


def _transcript(cassette: Cassette, source: str) -> Transcript:
    scenario = cassette.provenance.scenario or Path(source).stem
    transcript = transcript_of(cassette, endpoints.recognise, source=source)
    return replace(transcript, scenario=scenario)


def read_job(job: Job, folder: Store) -> AnalyzedTranscript:
    """Return the analyzed transcript of the cassette that a job has in *folder*.

    Raises NoCassette if there is none, and BadCassette if it cannot be read.
    """
    return read_whole(_head_of_job(job, folder))


def read_for_diff(path: Path) -> AnalyzedTranscript:
    """Return the transcript of a cassette for `git diff`, without times and artefacts.

    Times differ between recordings. Artefacts are missing because Git passes only the text of an
    old cassette. Raises BadCassette if it cannot be read.
    """
    cassette = masked(store.read_text_only(path))
    exchanges = tuple(replace(e, timing=None, chunks=()) for e in cassette.exchanges)
    return analyzed(replace(cassette, exchanges=exchanges), path.name)


def read_repeats(
    transcripts: Iterable[AnalyzedTranscript], skip: Skip = skip_nothing
) -> list[AnalyzedTranscript]:
    """Return the transcripts of the repeats of all *transcripts*.

    Repeats are the cassettes `<name>~2.yaml`, `<name>~3.yaml` ... beside each. One that cannot be
    read is passed to *skip*, which raises BadCassette by default.
    """
    return [repeat for one in transcripts for repeat in repeats_of(one, skip)]


def repeats_of(
    first: AnalyzedTranscript, skip: Skip = skip_nothing
) -> tuple[AnalyzedTranscript, ...]:
    """Return the transcripts of the repeats of the recording *first*; empty if there are none.

    Repeats are the cassettes `<name>~2.yaml`, `<name>~3.yaml` ... beside *first*. Those that were
    recorded from other steps, before or after a change of the scenario, are left out. A repeat that
    cannot be read is passed to *skip*, which raises BadCassette by default.
    """
    own, repeats = first.transcript, []
    for path in store.repeat_paths(located(own.source)).values() if own.source else ():
        try:
            other = read_transcript(path)
        except BadCassette as error:
            skip(error)
            continue
        if len({other.provenance.script, own.provenance.script} - {()}) <= 1:
            named = replace(
                other, scenario=own.scenario, target=own.target, provenance=own.provenance
            )
            repeats.append(analyze(named, endpoints.recognise))
    return tuple(repeats)


# ------------------------------------------------------------------------- sides of a comparison


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
    path = location(name)
    is_special = path.exists() and not path.is_dir() and not path.is_file()
    if is_special or (path.is_file() and name.endswith((".yaml", ".yml"))):
        return [read_cassette(path)]
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


def read_group(
    group: Iterable[AnalyzedTranscript], skip: Skip = skip_nothing
) -> list[AnalyzedTranscript]:
    """Return the transcripts in *group*, which may have no turns yet, with their turns.

    A cassette that cannot be read is left out, and its error passed to *skip*, which raises it by
    default.
    """
    wholes = []
    for head in group:
        try:
            wholes.append(read_whole(head))
        except BadCassette as error:
            skip(error)
    return wholes


def read_whole(head: AnalyzedTranscript) -> AnalyzedTranscript:
    """Return the transcript *head* with its turns, which are read from its cassette if missing.

    Raises BadCassette if the cassette cannot be read.
    """
    own = head.transcript
    if head.turns or not own.source:
        return head
    cassette = replace(read_masked(located(own.source)), provenance=own.provenance)
    return analyzed(cassette, own.source)


def _heads(folder: Path, skip: Skip) -> Iterator[AnalyzedTranscript]:
    """Yield the transcript, without turns, of each first recording below *folder*."""
    for path in store.find([folder]):
        if not store.is_repeat(path):
            try:
                yield _head(path, store.read_provenance(path))
            except BadCassette as error:
                skip(error)


def _head_of_job(job: Job, folder: Store) -> AnalyzedTranscript:
    provenance = folder.load_provenance(job.scenario.name, job.target)
    own = replace(provenance, scenario=job.scenario.name, target=str(job.target))
    return _head(folder.path(job.scenario.name, job.target), own)


def _head(path: Path, provenance: Provenance) -> AnalyzedTranscript:
    return analyzed(Cassette((), provenance), str(path))


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


def group_sides(sides: Sequence[Sequence[AnalyzedTranscript]]) -> list[list[AnalyzedTranscript]]:
    """Return groups of transcripts; those of a group are compared with each other in a matrix.

    Each side is a list of transcripts. Several sides with one transcript each form one group.
    Otherwise all transcripts are grouped by scenario.
    """
    every = [transcript for side in sides for transcript in side]
    if len(sides) > 1 and len(every) == len(sides):
        return [every]
    by_scenario: dict[str, list[AnalyzedTranscript]] = {}
    for one in every:
        by_scenario.setdefault(one.transcript.scenario, []).append(one)
    return list(by_scenario.values())


def pair_sides(
    left: Sequence[AnalyzedTranscript], right: Sequence[AnalyzedTranscript]
) -> list[tuple[AnalyzedTranscript, AnalyzedTranscript]]:
    """Return the pairs to compare: one transcript of *left* and one of *right*.

    If both sides have a single transcript, these are the pair. Otherwise transcripts with the same
    scenario and target are paired or, if there are none, transcripts with the same target. Other
    transcripts are left out.

    Raises:
        HarnessError: No transcripts have the same target.
    """
    if len(left) == 1 and len(right) == 1:
        return [(left[0], right[0])]
    for key in (_scenario_and_target, _target):
        others = {key(one): one for one in right}
        pairs = [(one, others[key(one)]) for one in left if key(one) in others]
        if pairs:
            return pairs
    ours, theirs = (", ".join(dict.fromkeys(map(_target, side))) for side in (left, right))
    raise HarnessError(
        f"no target is on both sides: {ours} and {theirs}; "
        "name one on each side, as scenario/target"
    )


def _scenario_and_target(one: AnalyzedTranscript) -> tuple[str, str]:
    return one.transcript.scenario, one.transcript.target


def _target(one: AnalyzedTranscript) -> str:
    return one.transcript.target


# --------------------------------------------------------------------------------- by period


def recorded_in(
    period: Period, transcripts: Sequence[AnalyzedTranscript], source: str
) -> list[AnalyzedTranscript]:
    """Return the transcripts that were recorded in *period*.

    Raises HarnessError if there are transcripts, but none from *period*. *source* is what the
    message calls their cassettes, such as their folder.
    """
    provenances = [one.transcript.provenance for one in transcripts]
    chosen = [one for one in transcripts if one.transcript.provenance in period]
    if transcripts and not chosen:
        raise _none_recorded(source, period, provenances)
    return chosen


def jobs_recorded_in(period: Period, work: Sequence[Job], folder: Store) -> tuple[Job, ...]:
    """Return the jobs whose cassettes were recorded in *period*; all jobs if it has no bounds.

    Raises HarnessError if no cassette was recorded in *period*.
    """
    if not period:
        return tuple(work)
    provenances = [cassette_state(job, folder)[1] for job in work]
    chosen = tuple(job for job, made in zip(work, provenances, strict=True) if made in period)
    if not chosen:
        raise _none_recorded(str(folder.folder), period, provenances)
    return chosen


def _none_recorded(source: str, period: Period, provenances: Iterable[Provenance]) -> HarnessError:
    days = sorted({one.recorded_at[:10] or "an unknown day" for one in provenances})
    listed = ", ".join(days[:_SHOWN]) + (f" and {len(days) - _SHOWN} more" * (len(days) > _SHOWN))
    return HarnessError(f"{source}: nothing was recorded {period}; there is: {listed or 'nothing'}")


_SHOWN = 6
