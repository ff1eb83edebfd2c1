"""The public functions `harness.run`, `record`, `replay`, `check` and `compare`.

They do what the commands of these names do, and return values instead of printing. Errors are
raised.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, get_args

from harness import runner
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette import store
from harness.cassette.store import Store
from harness.comparison.pairs import compare as compare_transcripts
from harness.comparison.types import Comparison
from harness.config.environment import load_environment
from harness.errors import HarnessError
from harness.intercept.clock import checked_pace
from harness.intercept.resume import OnInterrupted
from harness.providers import endpoints
from harness.providers.recordings import read_cassette, read_repeats
from harness.providers.rules import judge, project_rules
from harness.runner import Source, batch
from harness.runner.batch import Job
from harness.sandbox import LIFELIKE
from harness.scenario.files import load_all
from harness.scenario.steps import Scenario
from harness.types import Finding, Transcript

FilePath: TypeAlias = str | os.PathLike[str]
"""The path of a file or folder."""

Server = Literal["live", "sandbox"]
"""The servers of a recording: the live services, or a sandbox on this machine."""

Interrupted = Literal["refuse", "resume", "afresh"]
"""The treatment of an interrupted recording's answers: raise an error, use or discard them."""

_ON_INTERRUPTED: dict[Interrupted, OnInterrupted] = {
    "refuse": OnInterrupted.REFUSE,
    "resume": OnInterrupted.RESUME,
    "afresh": OnInterrupted.AFRESH,
}

T = TypeVar("T")


def run(
    scenario: FilePath | Scenario, *, source: Server, targets: Sequence[str] = ()
) -> tuple[Transcript, ...]:
    """Run a scenario against the services or the sandbox, and keep no cassette.

    Args:
        scenario: The file of a scenario, a folder of scenarios, or a `Scenario`.
        source: `live` needs API keys and costs money. `sandbox` needs none.
        targets: The targets, each by its provider, model, `provider/model` or slug; empty for all.

    Returns:
        A transcript for each scenario and target, in their order.

    Raises:
        BadScenario: A scenario is invalid.
        MissingKey: An API key is not set.
        UnexpectedRefusal: A provider returned an error that the scenario does not expect.
        HarnessError: Any other error.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        recorded = record(scenario, source=source, targets=targets, cassettes=folder)
    return tuple(replace(transcript, source="") for transcript in recorded)


def record(
    scenario: FilePath | Scenario,
    *,
    source: Server,
    targets: Sequence[str] = (),
    cassettes: FilePath = "cassettes",
    repeat: int = 1,
    interrupted: Interrupted = "refuse",
) -> tuple[Transcript, ...]:
    """Run a scenario against the services or the sandbox, and write a cassette for each target.

    API keys come from the environment or from a file `.env` in the current folder. If a recording
    fails, its existing cassette is unchanged; cassettes of earlier targets are written.

    Args:
        scenario: The file of a scenario, a folder of scenarios, or a `Scenario`.
        source: `live` needs API keys and costs money. `sandbox` needs none.
        targets: The targets, each by its provider, model, `provider/model` or slug; empty for all.
        cassettes: The folder of the cassettes.
        repeat: The number of recordings of each target. The second and later ones are repeats, by
            which `compare` knows what varies between any two answers.
        interrupted: What to do with the answers of an interrupted recording: `refuse` raises
            UnfinishedRecording, `resume` uses them, `afresh` discards them.

    Returns:
        A replay of each cassette that was written, in the order of scenarios and targets.

    Raises:
        BadScenario: A scenario is invalid.
        MissingKey: An API key is not set.
        UnexpectedRefusal: A provider returned an error that the scenario does not expect.
        UnfinishedRecording: An interrupted recording has left answers, and *interrupted* is
            `refuse`.
        HarnessError: Any other error.
    """
    if repeat < 1:
        raise HarnessError(f"repeat={repeat!r} is not valid; expected a number from 1")
    on_interrupted = _ON_INTERRUPTED[_one_of("interrupted", interrupted, Interrupted)]
    folder = Store(Path(cassettes))
    work = batch.repeated(_jobs(scenario, targets), repeat)
    with _servers(source) as opened:
        for job in work:
            own = job.own(folder)
            runner.record(job.scenario, job.target, opened, own, _ignore, on_interrupted)
    return tuple(_replay(job, folder) for job in work)


def replay(
    scenario: FilePath | Scenario,
    *,
    targets: Sequence[str] = (),
    cassettes: FilePath = "cassettes",
    pace: float = 0.0,
) -> tuple[Transcript, ...]:
    """Run a scenario offline, through the SDKs, from its cassettes.

    Args:
        scenario: The file of a scenario, a folder of scenarios, or a `Scenario`.
        targets: The targets, each by its provider, model, `provider/model` or slug; empty for all.
        cassettes: The folder of the cassettes.
        pace: The factor by which recorded latencies are multiplied: 0 is instant, 1 as recorded.

    Returns:
        A transcript for each scenario, target and repeat, in their order.

    Raises:
        BadScenario: A scenario is invalid.
        NoCassette: A scenario and target has no cassette.
        BadCassette: A cassette cannot be read.
        StaleCassette: A scenario changed since it was recorded.
        CassetteMiss: A cassette has no response for a request.
        HarnessError: Any other error.
    """
    folder, speed = Store(Path(cassettes)), checked_pace(pace)
    work = batch.with_repeats(_jobs(scenario, targets), folder)
    return tuple(_replay(job, folder, speed) for job in work)


def check(*recordings: FilePath | Transcript) -> tuple[Finding, ...]:
    """Return the findings of the rules in recordings, without the ignored ones.

    The rules that apply are those that a scenario selects and `[tool.harness.rules]` in the
    pyproject.toml of the current folder. Rules about SDKs apply only to transcripts of `run`,
    `record` and `replay`.

    Args:
        *recordings: Transcripts, cassettes of any tool in vcrpy's format, and folders of them.

    Raises:
        BadCassette: A cassette cannot be read.
        BadSettings: The project's settings are invalid.
        HarnessError: A path does not exist or holds no cassettes.
    """
    rules = project_rules(Path.cwd())
    return tuple(
        finding
        for recording in recordings
        for transcript in _transcripts(recording)
        for finding in judge(rules.apply_to(transcript)).findings
    )


def compare(left: FilePath | Transcript, right: FilePath | Transcript) -> Comparison:
    """Compare two recordings, turn by turn: the formats of their answers, then their values.

    A difference that also occurs between the repeats of a recording has the layer `volatile`.

    Args:
        left: A transcript or the file of a cassette.
        right: A transcript or the file of a cassette.

    Raises:
        BadCassette: A cassette cannot be read.
    """
    sides = _analyzed(left), _analyzed(right)
    return compare_transcripts(*sides, read_repeats(sides))


def load_scenario(path: FilePath) -> Scenario:
    """Return the scenario in a file. Raises BadScenario if it is invalid or cannot be read."""
    (scenario,) = batch.with_known_names(load_all([Path(path)]))
    return scenario


def _jobs(scenario: FilePath | Scenario, targets: Sequence[str]) -> tuple[Job, ...]:
    if isinstance(targets, str):
        raise HarnessError(f"targets={targets!r}: expected a list of strings")
    loaded = (scenario,) if isinstance(scenario, Scenario) else load_all([Path(scenario)])
    return batch.jobs(batch.with_known_names(loaded), targets)


def _servers(source: Server) -> AbstractContextManager[Source]:
    is_sandbox = _one_of("source", source, Server) == "sandbox"
    return batch.servers(is_sandbox, load_environment(Path.cwd()), LIFELIKE)


def _one_of(name: str, value: T, literal: object) -> T:
    """Return *value*; raise HarnessError if it is not a value of the type *literal*."""
    if value not in get_args(literal):
        listed = ", ".join(map(repr, get_args(literal)))
        raise HarnessError(f"{name}={value!r} is not valid; expected one of: {listed}")
    return value


def _ignore(_: str) -> None:
    """Do nothing."""


def _replay(job: Job, folder: Store, pace: float = 0.0) -> Transcript:
    return runner.replay(job.scenario, job.target, job.own(folder), pace)


def _transcripts(recording: FilePath | Transcript) -> Iterator[Transcript]:
    if isinstance(recording, Transcript):
        yield recording
        return
    for file in store.find([Path(recording)]):
        yield read_cassette(file).transcript


def _analyzed(side: FilePath | Transcript) -> AnalyzedTranscript:
    if isinstance(side, Transcript):
        return analyze(side, endpoints.recognise)
    return read_cassette(Path(side))
