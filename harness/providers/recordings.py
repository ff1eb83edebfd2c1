"""Recordings on disk: read with their secrets masked, analyzed, and paired for a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.analysis.transcript import AnalyzedTranscript, analyze, transcript_of
from harness.cassette import store
from harness.cassette.age import Period
from harness.cassette.remote import located, location
from harness.cassette.store import Skip, skip_nothing
from harness.errors import BadCassette, HarnessError
from harness.providers import endpoints
from harness.providers.masking import masked
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


def read_named(name: str) -> AnalyzedTranscript | None:
    """Return the transcript of the cassette whose path is *name*; None if there is no such file.

    Raises BadCassette if it cannot be read.
    """
    path = location(name)
    is_special = path.exists() and not path.is_dir() and not path.is_file()
    is_cassette = is_special or (path.is_file() and name.endswith((".yaml", ".yml")))
    return read_cassette(path) if is_cassette else None


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


def head_of(path: Path, provenance: Provenance) -> AnalyzedTranscript:
    """Return the analyzed transcript, without turns, of a cassette with *provenance*."""
    return analyzed(Cassette((), provenance), str(path))


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
        raise none_recorded(source, period, provenances)
    return chosen


def none_recorded(source: str, period: Period, provenances: Iterable[Provenance]) -> HarnessError:
    """Return the error of a selection by *period* that left nothing; see `recorded_in`."""
    days = sorted({one.recorded_at[:10] or "an unknown day" for one in provenances})
    listed = ", ".join(days[:_SHOWN]) + (f" and {len(days) - _SHOWN} more" * (len(days) > _SHOWN))
    return HarnessError(f"{source}: nothing was recorded {period}; there is: {listed or 'nothing'}")


_SHOWN = 6
