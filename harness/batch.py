"""Many scenarios with many targets: what the doors offer, in one place for all of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, as_completed
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from harness import sandbox
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.cassette.journal import unfinished
from harness.cassette.store import Store
from harness.compare import SHIPPED, Prices, matrix
from harness.compare import load as load_prices
from harness.config.environment import Environment, without_proxies
from harness.config.settings import settings
from harness.errors import HarnessError, InterceptError, NoCassette
from harness.intercept.resume import OnInterrupted
from harness.providers import NO_KEY, PROVIDERS, Provider, endpoints
from harness.providers.rules import RULES, judge
from harness.providers.servers import PROVIDER_SERVERS
from harness.report import Report
from harness.rules import Judged
from harness.rules.choice import EVERYTHING, Choice
from harness.runner import Progress, Source, fits, record, replay
from harness.scenario import Scenario, check_providers, check_rules, load_all
from harness.types import Origin, Problem, Provenance, Target, Transcript


@dataclass(frozen=True, slots=True)
class Job:
    """One scenario with one of its targets; `repeat` is the number of the recording, from 1."""

    scenario: Scenario
    target: Target
    repeat: int = 1

    def __str__(self) -> str:
        number = f", repeat {self.repeat}" if self.repeat > 1 else ""
        return f"{self.scenario.name} with {self.target}{number}"

    def own(self, folder: Store) -> Store:
        """The folder, as that of recordings with this number."""
        return replace(folder, repeat=self.repeat)


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


def repeated(work: Iterable[Job], times: int) -> tuple[Job, ...]:
    """Every job so many times, one recording beside the other."""
    return tuple(replace(job, repeat=n) for job in work for n in range(1, times + 1))


def with_repeats(work: Iterable[Job], folder: Store) -> tuple[Job, ...]:
    """Every job, and each repeat of it that was recorded."""
    return tuple(
        replace(job, repeat=n)
        for job in work
        for n in (1, *folder.repeats(job.scenario.name, job.target))
    )


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
    """Run a sandbox while the block lasts, as a source that never receives the user's keys.

    Asking the source for a provider that the sandbox does not serve raises HarnessError.
    """
    with without_proxies(), sandbox.serve(options, PROVIDER_SERVERS) as base:
        yield Source(
            Origin.SANDBOX,
            where=base,
            key=lambda provider: options.keys.get(provider.name, _server(provider).key),
            address=lambda provider: base + _server(provider).prefix,
            secrets=environment.secrets(),
        )


def _server(provider: Provider) -> sandbox.ProviderServer:
    if provider.name not in PROVIDER_SERVERS:
        raise HarnessError(
            f"the sandbox does not serve {provider.name!r} (it serves: "
            f"{', '.join(PROVIDER_SERVERS)}); record from the live service, without --sandbox"
        )
    return PROVIDER_SERVERS[provider.name]


def record_all(
    work: Sequence[Job],
    source: Source,
    folder: Store,
    progress: Progress,
    at_once: int = 1,
    left: OnInterrupted = OnInterrupted.REFUSE,
) -> tuple[Problem, ...]:
    """Record every job, so many at once; what one could not do keeps no other from being done."""
    brake = _Brake()

    def do(job: Job, progress: Progress) -> None:
        own = _Braked(folder.folder, job.repeat, brake)
        record(job.scenario, job.target, source, own, progress, left)

    done = _outcomes(work, do, progress, at_once, brake)
    return tuple(problem for problem in done if isinstance(problem, Problem))


def state(job: Job, folder: Store) -> tuple[str, Provenance]:
    """The state of a job's cassette in a word, and what it says of itself where it can be read.

    It is `ok`, `missing`, `unreadable`, `out of date` where the scenario changed since, or
    `unfinished` where a recording was interrupted, or is going on.
    """
    folder = job.own(folder)
    word, told = _state_of_cassette(job, folder)
    broken_off = unfinished(folder.path(job.scenario.name, job.target))
    return "unfinished" if broken_off else word, told


def _state_of_cassette(job: Job, folder: Store) -> tuple[str, Provenance]:
    try:
        cassette = folder.load(job.scenario.name, job.target)
    except NoCassette:
        return "missing", Provenance()
    except HarnessError:
        return "unreadable", Provenance()
    fitting = fits(job.scenario, job.target, cassette)
    return "ok" if fitting else "out of date", cassette.provenance


def not_recorded(work: Iterable[Job], folder: Store) -> tuple[Job, ...]:
    """The jobs whose cassettes are not there, or not as they should be."""
    return tuple(job for job in work if state(job, folder)[0] != "ok")


# ------------------------------------------------------------------------------- replaying


def examine(
    transcript: Transcript, choice: Choice = EVERYTHING
) -> tuple[AnalyzedTranscript, Judged]:
    """A transcript, read, and all that the rules find in it; `choice` is the project's."""
    chosen = choice.of(transcript)
    return analyze(chosen, endpoints.recognise), judge(chosen)


def project_rules() -> Choice:
    """Which rules apply in the project that we are in. Raises BadSettings."""
    return settings(Path.cwd()).rules


def project_prices() -> Prices:
    """What models cost, by the project that we are in, and then by the shipped table.

    Raises BadSettings.
    """
    own = settings(Path.cwd()).prices
    shipped = load_prices(SHIPPED)
    return load_prices(own).over(shipped) if own else shipped


def replay_all(
    work: Sequence[Job],
    folder: Store,
    progress: Progress,
    title: str,
    at_once: int = 1,
    pace: float = 0.0,
) -> Report:
    """Replay every job offline, check it by every rule, compare the targets of each scenario."""
    began = time.perf_counter()
    choice, prices = project_rules(), project_prices()

    def do(job: Job, _: Progress) -> tuple[AnalyzedTranscript, Judged]:
        return examine(replay(job.scenario, job.target, job.own(folder), pace), choice)

    with without_proxies():  # for all of them: the environment is the process's, not a thread's
        done = _outcomes(work, do, progress, at_once, _Brake())
    examined = [pair for pair in done if not isinstance(pair, Problem)]
    reads = tuple(one for one, _ in examined)
    both = zip(work, done, strict=True)
    again = [pair[0] for job, pair in both if job.repeat > 1 and not isinstance(pair, Problem)]
    firsts = [one for one in reads if not any(one is other for other in again)]
    return Report(
        title=title,
        reads=reads,
        findings=tuple(finding for _, found in examined for finding in found.findings),
        ignored=tuple(finding for _, found in examined for finding in found.ignored),
        matrices=tuple(matrix(group, prices, again) for group in _by_scenario(firsts)),
        problems=tuple(problem for problem in done if isinstance(problem, Problem)),
        duration=time.perf_counter() - began,
    )


def recorded(
    work: Sequence[Job],
    problems: Sequence[Problem],
    folder: Store,
    progress: Progress,
    at_once: int = 1,
) -> Report:
    """What `record_all` came to: a replay of what it recorded, and the problems of the rest."""
    failed = {(problem.scenario, problem.target) for problem in problems}
    done = [job for job in work if (job.scenario.name, str(job.target)) not in failed]
    made = replay_all(done, folder, progress, "Record", at_once)
    return replace(made, problems=(*problems, *made.problems))


def _by_scenario(reads: Iterable[AnalyzedTranscript]) -> Iterator[list[AnalyzedTranscript]]:
    for _, group in groupby(reads, key=lambda done: done.transcript.scenario):
        yield list(group)


# ---------------------------------------------------------------------------- many at once

THREADS = "harness-job"
"""What the threads are called."""

T = TypeVar("T")
Do = Callable[[Job, Progress], T]
"""Carries out a job, and tells of its steps."""


def _outcomes(
    work: Sequence[Job], do: Do[T], progress: Progress, at_once: int, brake: _Brake
) -> list[T | Problem]:
    """What came of each job, in the order of the jobs."""
    if at_once > 1:
        return _side_by_side(work, do, progress, at_once, brake)
    done: list[T | Problem] = []
    for number, job in enumerate(work, start=1):
        progress(f"[{number}/{len(work)}] {job}")
        done.append(_outcome(job, do, partial(_tell, progress, number, job)))
    return done


def _tell(progress: Progress, number: int, job: Job, step: str) -> None:
    progress(f"[{number}] {job}: {step}")


def _outcome(job: Job, do: Do[T], progress: Progress) -> T | Problem:
    """An error of the harness becomes a problem of this job."""
    try:
        return do(job, progress)
    except (HarnessError, InterceptError) as error:
        return Problem(job.scenario.name, str(job.target), str(error))


def _side_by_side(
    work: Sequence[Job], do: Do[T], progress: Progress, at_once: int, brake: _Brake
) -> list[T | Problem]:
    """The same, in threads; whatever ends this, an interrupt too, ends what was not done yet.

    The threads are daemons, which those of a ThreadPoolExecutor are not: Python waits for those
    when it ends, and an interrupted recording would wait for answers that nobody wants.
    """
    _import_sdks(work)
    futures: dict[Future[T | Problem], Job] = {Future(): job for job in work}
    todo = deque((future, job, copy_context()) for future, job in futures.items())
    progress(f"[0/{len(work)} done] {at_once} at once")
    for _ in range(min(at_once, len(work))):
        threading.Thread(
            target=_carry_out, args=(todo, do, brake), name=THREADS, daemon=True
        ).start()
    try:
        for count, future in enumerate(as_completed(futures), start=1):
            future.result()  # raises what is no problem of a job but an error of ours
            progress(f"[{count}/{len(work)} done] {futures[future]}")
    finally:
        brake.pull()
    return [future.result() for future in futures]


def _carry_out(
    todo: deque[tuple[Future[T | Problem], Job, Context]], do: Do[T], brake: _Brake
) -> None:
    """What each thread does: the next job, in a context of its own, until none is left."""
    while True:
        try:
            future, job, context = todo.popleft()
        except IndexError:
            return
        try:
            brake.check()
            future.set_result(context.run(_outcome, job, do, brake.check))
        except BaseException as error:  # noqa: BLE001 - it is raised where the future is asked
            future.set_exception(error)


def _import_sdks(work: Iterable[Job]) -> None:
    """Open and close a line to each provider: threads that import the same wait for each other."""
    for provider in dict.fromkeys(PROVIDERS[job.target.provider] for job in work):
        with provider.open(NO_KEY, provider.address, time.sleep):
            pass


class _Brake:
    """Stops jobs: once it is pulled, none begins a step or a file; a file begun is finished."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pulled = False
        self._writing: set[int] = set()
        self._then: list[Callable[[], None]] = []

    def check(self, _: str = "") -> None:
        """Raises CancelledError once the brake is pulled."""
        if self._pulled:
            raise CancelledError

    def then(self, do: Callable[[], None]) -> None:
        """Something to be done once nobody writes any more."""
        self._then.append(do)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """This thread makes a file. Raises CancelledError once the brake is pulled."""
        with self._changed:
            self.check()
            self._writing.add(threading.get_ident())
        try:
            yield
        finally:
            with self._changed:
                self._writing.discard(threading.get_ident())
                self._changed.notify_all()

    def pull(self) -> None:
        """Stop; waits for files that are being written, which takes moments."""
        with self._changed:
            self._pulled = True
            self._changed.wait_for(lambda: not self._writing, timeout=_MOMENTS)
        for do in self._then:
            do()


_MOMENTS = 5.0
"""Seconds."""


@dataclass(frozen=True)
class _Braked(Store):
    """A folder of cassettes in which no file is made once the brake is pulled."""

    brake: _Brake = field(default_factory=_Brake)

    def writing(self) -> AbstractContextManager[None]:
        """Raises CancelledError once the brake is pulled; until then, pulling it waits."""
        return self.brake.writing()

    def when_stopped(self, do: Callable[[], None]) -> None:
        """Have it done when the brake is pulled."""
        self.brake.then(do)
