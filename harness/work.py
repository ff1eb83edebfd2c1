"""Many scenarios with many targets: what the doors offer, in one place for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from harness import dialects, sandbox, store
from harness.compare import matrix
from harness.environment import Environment, without_proxies
from harness.errors import HarnessError, OffTape
from harness.providers import PROVIDERS
from harness.reading import Read, read, transcript_of
from harness.reports import Problem, Report
from harness.rules import RULES, check
from harness.runner import Source, Told, record, replay
from harness.scenario import Scenario, check_providers, check_rules, load_all
from harness.store import Store
from harness.types import Finding, Origin, Target, Transcript


@dataclass(frozen=True, slots=True)
class Job:
    """One scenario with one of its targets."""

    scenario: Scenario
    target: Target

    def __str__(self) -> str:
        return f"{self.scenario.name} with {self.target}"


def load_scenarios(names: Sequence[str], folder: Path) -> tuple[Scenario, ...]:
    """The scenarios of a folder, or those of them that are named; a name may be a file's path.

    Raises BadScenario, or HarnessError for a name that is not there.
    """
    files = [Path(name) for name in names if name.endswith((".yaml", ".yml"))]
    plain = [name for name in names if not name.endswith((".yaml", ".yml"))]
    if (plain or not names) and not folder.is_dir():
        raise HarnessError(
            f"there is no folder {folder} here; say where scenarios are with --scenarios DIR, "
            "or see what this does with: harness demo"
        )
    found = load_all([*files, *([folder] if plain or not names else [])])
    known = {scenario.name: scenario for scenario in found}
    missing = [name for name in plain if name not in known]
    if missing:
        raise HarnessError(
            f"there is no scenario {missing[0]!r} in {folder}; there are: {', '.join(known)}"
        )
    wanted = {*plain, *(file.stem for file in files)} if names else set(known)
    chosen = tuple(scenario for name, scenario in known.items() if name in wanted)
    for scenario in chosen:
        check_providers(scenario, PROVIDERS)
        check_rules(scenario, [rule.name for rule in RULES])
    return chosen


def jobs(scenarios: Iterable[Scenario], targets: Collection[str]) -> tuple[Job, ...]:
    """Every scenario with every target, or with those named by slug, provider or model.

    Raises HarnessError for a name that fits no target.
    """
    every = tuple(Job(s, t) for s in scenarios for t in s.targets)
    for name in targets:
        if not any(_fits(job.target, name) for job in every):
            known = ", ".join(dict.fromkeys(job.target.slug for job in every))
            raise HarnessError(f"no scenario here has a target {name!r}; there are: {known}")
    return tuple(j for j in every if not targets or any(_fits(j.target, n) for n in targets))


def _fits(target: Target, name: str) -> bool:
    return name in (target.slug, target.provider, target.model, str(target))


# ------------------------------------------------------------------------------- recording


def live(environment: Environment) -> Source:
    """The real services, with the user's keys."""
    return Source(
        Origin.LIVE,
        where="the live services",
        key=environment.key,
        address=environment.address,
        secrets=environment.secrets(),
    )


@contextmanager
def sandboxed(options: sandbox.Options, environment: Environment) -> Iterator[Source]:
    """A sandbox of our own, for as long as it is needed; the user's keys are never sent to it."""
    with without_proxies(), sandbox.serve(options) as base:
        speakers = sandbox.SPEAKERS
        yield Source(
            Origin.SANDBOX,
            where=base,
            key=lambda provider: options.keys.get(provider.name, speakers[provider.name].key),
            address=lambda provider: base + speakers[provider.name].prefix,
            secrets=environment.secrets(),
        )


def record_all(
    work: Sequence[Job], source: Source, folder: Store, told: Told
) -> tuple[Problem, ...]:
    """Record every job; what one could not do keeps no other from being done."""
    problems: list[Problem] = []
    for number, job in enumerate(work, start=1):
        told(f"[{number}/{len(work)}] {job}")
        with _problem_of(job, problems.append):
            record(job.scenario, job.target, source, folder, partial(_tell, told, number, job))
    return tuple(problems)


def _tell(told: Told, number: int, job: Job, step: str) -> None:
    told(f"[{number}] {job}: {step}")


@contextmanager
def _problem_of(job: Job, found: Callable[[Problem], None]) -> Iterator[None]:
    """An error of the harness becomes a problem of this job."""
    try:
        yield
    except (HarnessError, OffTape) as error:
        found(Problem(job.scenario.name, str(job.target), str(error)))


# ------------------------------------------------------------------------------- replaying


def examine(transcript: Transcript) -> tuple[Read, tuple[Finding, ...]]:
    """A transcript, read, and all that the rules find in it."""
    return read(transcript, dialects.recognise), check(transcript)


def replay_all(work: Sequence[Job], folder: Store, told: Told, title: str) -> Report:
    """Replay every job offline, check it by every rule, compare the targets of each scenario."""
    began = time.perf_counter()
    reads: list[Read] = []
    findings: list[Finding] = []
    problems: list[Problem] = []
    for number, job in enumerate(work, start=1):
        told(f"[{number}/{len(work)}] {job}")
        with _problem_of(job, problems.append):
            done, found = examine(replay(job.scenario, job.target, folder))
            reads.append(done)
            findings += found
    return Report(
        title=title,
        reads=tuple(reads),
        findings=tuple(findings),
        matrices=tuple(matrix(group) for group in _by_scenario(reads)),
        problems=tuple(problems),
        duration=time.perf_counter() - began,
    )


def _by_scenario(reads: Iterable[Read]) -> Iterator[list[Read]]:
    for _, group in groupby(reads, key=lambda done: done.transcript.scenario):
        yield list(group)


# -------------------------------------------------------------- cassettes, without any scenario


def read_cassette(path: Path) -> Read:
    """Any vcrpy cassette as a transcript, without running an SDK. Raises BadCassette."""
    transcript = transcript_of(store.read(path), dialects.recognise, source=str(path))
    if not transcript.provenance.scenario:
        transcript = replace(transcript, scenario=path.stem)
    return read(transcript, dialects.recognise)


def check_cassettes(paths: Sequence[Path], told: Told) -> Report:
    """Check every cassette in files and folders by the rules of the wire."""
    began = time.perf_counter()
    reads: list[Read] = []
    findings: list[Finding] = []
    problems: list[Problem] = []
    files = store.find(list(paths))
    for number, path in enumerate(files, start=1):
        told(f"[{number}/{len(files)}] {path}")
        try:
            done = read_cassette(path)
        except HarnessError as error:
            problems.append(Problem("", "", str(error)))
            continue
        reads.append(done)
        findings += check(done.transcript)
    return Report(
        title="Check",
        reads=tuple(reads),
        findings=tuple(findings),
        problems=tuple(problems),
        duration=time.perf_counter() - began,
    )


def side(name: str, scenarios: Path, folder: Store) -> list[Read]:
    """One side of a comparison: a cassette's path, `scenario`, or `scenario/target`.

    A scenario gives one transcript for each of its targets. Raises HarnessError.
    """
    if name.endswith((".yaml", ".yml")) and Path(name).exists():
        return [read_cassette(Path(name))]
    scenario, _, target = name.partition("/")
    chosen = jobs(load_scenarios([scenario], scenarios), [target] if target else [])
    return [_read_recorded(job, folder) for job in chosen]


def _read_recorded(job: Job, folder: Store) -> Read:
    cassette = folder.load(job.scenario.name, job.target)
    told = replace(cassette.provenance, scenario=job.scenario.name, target=str(job.target))
    path = str(folder.path(job.scenario.name, job.target))
    named = replace(cassette, provenance=told)
    return read(transcript_of(named, dialects.recognise, source=path), dialects.recognise)


def pairs(left: Sequence[Read], right: Sequence[Read]) -> list[tuple[Read, Read]]:
    """What to compare with what: one with one, or target with the same target.

    Raises HarnessError where that leaves nothing.
    """
    if len(left) == 1 and len(right) == 1:
        return [(left[0], right[0])]
    others = {done.transcript.target: done for done in right}
    both = [(a, others[a.transcript.target]) for a in left if a.transcript.target in others]
    if not both:
        ours = ", ".join(done.transcript.target for done in left)
        raise HarnessError(
            f"no target is on both sides: {ours} and {', '.join(others)}; "
            "name one on each side, as scenario/target"
        )
    return both
