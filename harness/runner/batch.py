"""Many scenarios with many targets: select them, record them, replay and check them."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, as_completed
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.cassette.age import utc_now
from harness.cassette.journal import unfinished
from harness.cassette.store import Store
from harness.cassette.workers import Workers, in_order
from harness.config.environment import NO_KEY, Environment, without_proxies
from harness.config.services import shipped
from harness.config.settings import RuleSelection, load_models
from harness.errors import BadCassette, BadScenario, HarnessError, InterceptError, NoCassette
from harness.intercept.patch import keep_patches
from harness.intercept.resume import OnInterrupted
from harness.providers import PROVIDERS, Provider, find_provider
from harness.providers.parameters import form_of
from harness.providers.rules import RULES, Examined, examine, project_rules
from harness.runner import Meter, Source, fits, record, replay, supported_provider
from harness.sandbox import Options, serve
from harness.scenario import parameters
from harness.scenario.files import check_providers, check_rules, load, load_all
from harness.scenario.messages import lacks_function
from harness.scenario.steps import Scenario
from harness.types import (
    Call,
    CallKind,
    Json,
    Origin,
    Problem,
    Progress,
    Provenance,
    Target,
    shorten,
)
from harness.wire import query, resolve

if TYPE_CHECKING:
    from harness.sandbox.provider_server import ProviderServer

T = TypeVar("T")

# ------------------------------------------------------------------------------- selection


@dataclass(frozen=True, slots=True)
class Job:
    """One scenario to be recorded or replayed with one of its targets.

    Attributes:
        scenario: The scenario.
        target: One of its targets.
        repeat: The number of the recording of this scenario and target, from 1.
        again: The number of the only turn to record again; None for the whole conversation.
    """

    scenario: Scenario
    target: Target
    repeat: int = 1
    again: int | None = None

    def __str__(self) -> str:
        number = f", repeat {self.repeat}" if self.repeat > 1 else ""
        return f"{self.scenario.name} with {self.target}{number}"

    @property
    def name(self) -> str:
        """The name of the scenario."""
        return self.scenario.name

    def job(self) -> Job:
        """Return this job."""
        return self

    def own(self, store: Store) -> Store:
        """Return a copy of *store* that refers to the recording with this job's repeat number."""
        return replace(store, repeat=self.repeat)


def load_scenarios(names: Sequence[str], folder: Path) -> tuple[Scenario, ...]:
    """Return the scenarios with *names*, or all scenarios in *folder* if there are no names.

    A name is that of a scenario in *folder*, or the path of a scenario's file.

    Raises:
        BadScenario: A scenario is invalid.
        HarnessError: The folder or a scenario does not exist.
    """
    files = [Path(name) for name in names if name.endswith((".yaml", ".yml"))]
    plain = [name for name in names if not name.endswith((".yaml", ".yml"))]
    in_folder = bool(plain) or not names
    if in_folder and not folder.is_dir():
        raise HarnessError(
            f"there is no folder {folder} here; say where scenarios are with --scenarios DIR, "
            "or write a first one with: harness init; tests are replayed by pytest"
        )
    known = {s.name: s for s in load_all([*files, *([folder] if in_folder else [])])}
    for name in plain:
        if name not in known:
            listed = ", ".join(known)
            raise HarnessError(
                f"there is no scenario {name!r} in {folder}; there are: {listed}; "
                "cassettes of tests are checked by: harness check"
            )
    wanted = {*plain, *(file.stem for file in files)} if names else set(known)
    return with_known_names(scenario for name, scenario in known.items() if name in wanted)


def readable_scenarios(folder: Path) -> tuple[tuple[Scenario, ...], list[str]]:
    """Return the valid scenarios in *folder*, and a sentence for each file that is not valid."""
    found: list[Scenario] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found += load_scenarios([str(path)], folder)
        except BadScenario as error:
            problems.append(str(error))
    return tuple(found) if problems else load_scenarios([], folder), problems


def with_known_names(scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """Return *scenarios*. Raises BadScenario if one names an unknown provider or rule."""
    checked = tuple(scenarios)
    for scenario in checked:
        check_providers(scenario, PROVIDERS, shipped())
        check_rules(scenario, [rule.name for rule in RULES])
    return checked


def jobs(scenarios: Iterable[Scenario], targets: Collection[str]) -> tuple[Job, ...]:
    """Return a job for each scenario and each of its targets that *targets* selects.

    Args:
        scenarios: The scenarios.
        targets: Slugs, providers, models or `provider/model` of targets; if empty, all targets are
            selected.

    Raises:
        HarnessError: A name in *targets* selects no target.
    """
    every = tuple(Job(s, t) for s in scenarios for t in s.targets)
    for name in targets:
        if not any(_has_name(job.target, name) for job in every):
            known = ", ".join(dict.fromkeys(job.target.slug for job in every))
            raise HarnessError(f"no scenario here has a target {name!r}; there are: {known}")
    return tuple(j for j in every if not targets or any(_has_name(j.target, n) for n in targets))


def _has_name(target: Target, name: str) -> bool:
    return name in (target.slug, target.provider, target.model, str(target))


def model_warnings(work: Iterable[Job]) -> list[str]:
    """Return a sentence for each model of the jobs that is retired or about to be.

    The dates are from the table of models of the project in the working directory.
    """
    used = [
        (job.target.provider, model)
        for job in work
        for model in (job.target.model, *(s.form.model for s in job.scenario.steps if s.form.model))
    ]
    return list(load_models(Path.cwd()).warnings(used, utc_now().date()))


def warnings(work: Collection[Job]) -> list[str]:
    """Return a sentence for each retired model of the jobs, and each misspelt parameter.

    Models whose retirement is announced are included.
    """
    return [*model_warnings(work), *parameter_warnings(work)]


def parameter_warnings(work: Iterable[Job]) -> list[str]:
    """Return a sentence for each misspelt parameter in the scenarios of the jobs, none twice."""
    scenarios = {id(job.scenario): job.scenario for job in work}.values()
    named = (pair for scenario in scenarios for pair in scenario.named_parameters())
    return list(parameters.warnings(named))


def problems(work: Iterable[Job]) -> list[str]:
    """Return a sentence for each reason why jobs cannot be recorded, without making a call.

    A well-known service has to be declared. The provider has to have the endpoint, and both the
    provider and the model have to support the kind of call and the mode of each step. Errors within
    a scenario are reported when it is read.
    """
    found: dict[str, None] = {}
    for job in work:
        try:
            _check_declared(supported_provider(job.scenario, job.target))
        except HarnessError as error:
            found[f"{error} (target {job.target})"] = None
        else:
            found.update(dict.fromkeys(_refused(job)))
    return [*found]


def _refused(job: Job) -> Iterator[str]:
    """Yield what services refuse: a model in another kind of call, a parameter out of its range.

    Not asked are steps that expect a failure, and models that the table of models does not have.
    """
    table, target = load_models(Path.cwd()), job.target
    for step in job.scenario.steps:
        call = Call(step.kind, step.mode(target), step.form.model or target.model)
        place, name = f"{job.scenario.path}:{step.line}", f"{target.provider}/{call.model}"
        if not step.is_call or (step.form.expect and step.form.expect.failure):
            continue
        kinds, parameters = table.kinds(target.provider, call.model), step.parameters(target)
        row = table.find(target.provider, call.model, call.task_kind)
        if kinds and call.task_kind not in kinds:
            can = ", ".join(kinds)
            yield f"{place}: {name} does not answer {call.task_kind}; it answers: {can}"
        elif row and target.endpoint and row.endpoint not in ("", target.endpoint):
            yield f"{place}: {name} is not at the endpoint {target.endpoint}, but at {row.endpoint}"
        if step.kind is CallKind.SPEECH and "voice" not in parameters:
            yield f"{place}: {name} needs the parameter voice"
        ranges = find_provider(target.provider).ranges
        for key, value in parameters.items():
            if value is not None and key in ranges and value not in ranges[key]:
                yield f"{place}: {name} refuses the parameter {key}: {shorten(repr(value), 80)}"
        yield from (f"{place}: {name} {problem}" for problem in _bad_tools(target, parameters))
        is_off = resolve(parameters, "/thinking/type") == "disabled"
        if is_off and row and row.thinking == "always":
            yield f"{place}: {name} always thinks, and refuses thinking: disabled"


def _bad_tools(target: Target, parameters: Mapping[str, Json]) -> Iterator[str]:
    """Yield which tools a service refuses; two formats have functions of another form."""
    if form_of(find_provider(target.provider)) not in ("anthropic", "responses"):
        for number, (_, tool) in enumerate(query({**parameters}, "/tools/[]")):
            if lacks_function(tool):
                yield f"refuses tools[{number}]: the name of a function is under function.name"


def repeated(work: Iterable[Job], times: int) -> tuple[Job, ...]:
    """Return *times* copies of each job, with the repeat numbers 1 to *times*."""
    return tuple(replace(job, repeat=n) for job in work for n in range(1, times + 1))


def with_repeats(work: Iterable[Job], store: Store) -> tuple[Job, ...]:
    """Return each job, followed by a job for each cassette in *store* that is a repeat of it."""
    return tuple(
        replace(job, repeat=n)
        for job in work
        for n in (1, *store.repeats(job.scenario.name, job.target))
    )


def cassette_state(job: Job, store: Store) -> tuple[str, Provenance]:
    """Return the state of a job's cassette, and its provenance (empty if it cannot be read).

    The state is `ok`, `missing`, `unreadable`, `out of date` if the scenario changed since the
    recording, or `unfinished` if a recording was interrupted or is in progress. Only the head and
    the end of a cassette are read: damage between them is found by `harness check`.
    """
    store = job.own(store)
    word, provenance = _cassette_state(job, store)
    is_unfinished = unfinished(store.path(job.scenario.name, job.target))
    return "unfinished" if is_unfinished else word, provenance


def _cassette_state(job: Job, store: Store) -> tuple[str, Provenance]:
    try:
        provenance = store.load_provenance(job.scenario.name, job.target)
    except NoCassette:
        return "missing", Provenance()
    except HarnessError:
        return "unreadable", Provenance()
    is_current = fits(job.scenario, job.target, provenance)
    return "ok" if is_current else "out of date", provenance


def not_recorded(work: Iterable[Job], store: Store) -> tuple[Job, ...]:
    """Return the jobs that have no finished cassette, or one of older steps of the scenario.

    Each cassette is read whole. Raises BadCassette for one that cannot be read, since it may hold
    answers that were paid for.
    """
    return tuple(job for job in work if not _is_recorded(job, job.own(store)))


def _is_recorded(job: Job, store: Store) -> bool:
    try:
        cassette = store.load(job.scenario.name, job.target)
    except NoCassette:
        return False
    except BadCassette as error:
        advice = "restore it, or record it again without --resume, which replaces no such file"
        raise BadCassette(f"{error}; {advice}") from None
    is_current = fits(job.scenario, job.target, cassette.provenance)
    return is_current and not unfinished(store.path(job.scenario.name, job.target))


# ------------------------------------------------------------------------------- recording


def live(environment: Environment) -> Source:
    """Return the live services as the source of a recording, with the API keys of *environment*."""
    return Source(
        Origin.LIVE,
        where="the live services",
        key=environment.key,
        address=environment.address,
        secrets=environment.secrets(PROVIDERS.values()),
    )


@contextmanager
def sandboxed(options: Options, environment: Environment) -> Iterator[Source]:
    """Run a sandbox while the context is active; it never receives the user's API keys.

    Args:
        options: The options of the sandbox.
        environment: The variables with the user's API keys, which are removed from recordings.

    Yields:
        The sandbox as the source of a recording. Its `key` and `address` raise HarnessError for a
        provider that the sandbox does not serve.
    """
    from harness.providers.servers import PROVIDER_SERVERS

    with without_proxies(), serve(options, PROVIDER_SERVERS) as base:
        yield Source(
            Origin.SANDBOX,
            where=base,
            key=lambda provider: options.keys.get(provider.name, _server(provider).key),
            address=lambda provider: base + _server(provider).prefix,
            secrets=environment.secrets(PROVIDERS.values()),
        )


def servers(
    sandbox: bool, environment: Environment, options: Options | None = None
) -> AbstractContextManager[Source]:
    """Return a context manager for the source of a recording: a new sandbox or the live services.

    Args:
        sandbox: Whether to run a sandbox.
        environment: The variables with the API keys of the live services.
        options: The options of the sandbox; None for the defaults.
    """
    return (
        sandboxed(options or Options(), environment) if sandbox else nullcontext(live(environment))
    )


def _server(provider: Provider) -> ProviderServer:
    from harness.providers.servers import PROVIDER_SERVERS

    _check_declared(provider)
    if provider.name not in PROVIDER_SERVERS:
        raise HarnessError(
            f"the sandbox does not serve {provider.name!r} (it serves: "
            f"{', '.join(PROVIDER_SERVERS)}); record from the live service, without --sandbox"
        )
    return PROVIDER_SERVERS[provider.name]


def _check_declared(provider: Provider) -> None:
    """Raise HarnessError if *provider* is a well-known service that the project lacks."""
    if provider.name not in PROVIDERS:
        raise HarnessError(
            f"the sandbox serves {provider.name!r} if it is declared; add to pyproject.toml: "
            f"[tool.harness.providers.{provider.name}]"
        )


def record_all(
    work: Sequence[Job],
    source: Source,
    store: Store,
    progress: Progress,
    at_once: int = 1,
    on_interrupted: OnInterrupted = OnInterrupted.REFUSE,
    meter: Callable[[Job], Meter] = lambda job: Meter(),
) -> tuple[Problem, ...]:
    """Record every job, and return a problem for each job that failed.

    Args:
        work: The jobs.
        source: The servers to record from.
        store: The folder of the cassettes.
        progress: Called with a line of text for each step.
        at_once: The number of jobs that are recorded at the same time, in threads.
        on_interrupted: What to do if an earlier recording was interrupted and left answers in a
            journal.
        meter: Returns the counter of the requests of a job.
    """
    stop = _Stop()

    def do(job: Job, progress: Progress) -> None:
        own = _StoppableStore(store.folder, job.repeat, stop)
        options = (on_interrupted, meter(job), job.again)
        record(job.scenario, job.target, source, own, progress, *options)

    outcomes = _outcomes(work, do, progress, at_once, stop)
    return tuple(outcome for outcome in outcomes if isinstance(outcome, Problem))


# ------------------------------------------------------------------------------- replaying


def replay_all(
    work: Sequence[Job],
    store: Store,
    progress: Progress,
    result_of: Callable[[Examined], T],
    at_once: Workers = 1,
    pace: float = 0.0,
) -> Iterator[T | Problem]:
    """Replay every job offline, check it by the project's rules, and yield the results in order.

    Args:
        work: The jobs.
        store: The folder of the cassettes.
        progress: Called with a line of text for each job.
        result_of: Returns the result of a job that was replayed, in the process that replayed it.
        at_once: The largest number of processes, or the address of a Dask scheduler.
        pace: The factor by which recorded latencies and waits are multiplied; 0 is instant.

    Yields:
        A result for each job; a problem for a job that cannot be replayed.

    Raises:
        BadSettings: The project's settings are invalid.
    """
    do = partial(_replayed, store, pace, project_rules(Path.cwd()), result_of)
    items: Sequence[Job | _JobFile] = work
    if isinstance(at_once, int) and at_once > 1 and len(work) >= _MANY:
        items = [*map(_job_file, work)]
        with suppress(HarnessError, InterceptError):  # a job that needs it has the error
            _import_sdks(work)  # here, so that no process has to import them again
    with (
        without_proxies(),  # for all jobs, as the patches: both are the process's
        _kept_patches(),
        closing(in_order(do, items, at_once)) as results,
    ):
        for number, job in enumerate(work, start=1):
            progress(f"[{number}/{len(work)}] {job}")
            yield next(results)


_MANY = 16
"""The number of jobs from which on all SDKs are imported before other processes are started."""


@dataclass(frozen=True, slots=True)
class _JobFile:
    """A job for another process, which reads the scenario itself.

    To hand over a scenario takes as long as to read it. It also writes the counts of references to
    each part, so that the memory of all scenarios would no longer be shared by the processes.

    Attributes:
        path: The file of the scenario.
        digest: The digest of its text.
        target: The target.
        repeat: The number of the recording.
    """

    path: Path
    digest: str
    target: Target
    repeat: int

    @property
    def name(self) -> str:
        """The name of the scenario, which is that of its file."""
        return self.path.stem

    def job(self) -> Job:
        """Return the job. Raises BadScenario if the file of the scenario has changed."""
        return Job(_unchanged(self.path, self.digest), self.target, self.repeat)


def _job_file(job: Job) -> Job | _JobFile:
    """Return the job without its scenario, if this was read from a file."""
    path = job.scenario.path
    digest = job.scenario.source.digest
    return job if path is None else _JobFile(path, digest, job.target, job.repeat)


@lru_cache(maxsize=1)
def _unchanged(path: Path, digest: str) -> Scenario:
    """Return the scenario in a file; the last one is kept, as its jobs follow each other.

    Raises BadScenario if its text has another digest.
    """
    scenario = load(path)
    if scenario.source.digest != digest:
        raise BadScenario("changed while it was replayed; replay it again", path)
    return scenario


@contextmanager
def _kept_patches() -> Iterator[None]:
    """Leave the patches of HTTP libraries in place between replays, unless modules are imported."""
    try:
        yield
    finally:
        keep_patches(False)


def _replayed(
    store: Store,
    pace: float,
    rules: RuleSelection,
    result_of: Callable[[Examined], T],
    item: Job | _JobFile,
) -> T | Problem:
    try:
        job = item.job()
    except HarnessError as error:
        return Problem(item.name, str(item.target), str(error))

    def do(job: Job, _: Progress) -> T:
        modules = len(sys.modules)
        examined = examine(replay(job.scenario, job.target, job.own(store), pace), rules)
        keep_patches(len(sys.modules) == modules)  # else names in new modules are patched
        return result_of(examined)

    return _outcome(job, do, lambda _: None)


# -------------------------------------------------------------------------------- threads

THREADS = "harness-job"
"""The name of the threads that run jobs."""

Do = Callable[[Job, Progress], T]
"""A function that runs a job, and calls its second argument with a text for each step."""


def _outcomes(
    work: Sequence[Job], do: Do[T], progress: Progress, at_once: int, stop: _Stop
) -> list[T | Problem]:
    """Run every job, and return the results of *do* in the order of the jobs.

    A job that raises an error of the harness has a Problem as its result.
    """
    if at_once > 1:
        return _outcomes_of_threads(work, do, progress, at_once, stop)
    outcomes: list[T | Problem] = []
    for number, job in enumerate(work, start=1):
        progress(f"[{number}/{len(work)}] {job}")
        outcomes.append(_outcome(job, do, partial(_step, progress, number, job)))
    return outcomes


def _step(progress: Progress, number: int, job: Job, step: str) -> None:
    progress(f"[{number}] {job}: {step}")


def _outcome(job: Job, do: Do[T], progress: Progress) -> T | Problem:
    """Return the result of *do* for one job, or a Problem if it raises an error of the harness."""
    try:
        return do(job, progress)
    except (HarnessError, InterceptError) as error:
        return Problem(job.scenario.name, str(job.target), str(error))


def _outcomes_of_threads(
    work: Sequence[Job], do: Do[T], progress: Progress, at_once: int, stop: _Stop
) -> list[T | Problem]:
    """Run every job in one of *at_once* threads; see `_outcomes`.

    An exception that is no error of the harness, such as an interrupt from the keyboard, stops the
    remaining jobs and is raised.

    The threads are daemons. Python would wait for the threads of a ThreadPoolExecutor when it
    exits, and so for responses that an interrupted recording does not need any more.
    """
    _import_sdks(work)
    futures: dict[Future[T | Problem], Job] = {Future(): job for job in work}
    todo = deque((future, job, copy_context()) for future, job in futures.items())
    progress(f"[0/{len(work)} done] {at_once} at once")
    for _ in range(min(at_once, len(work))):
        threading.Thread(target=_worker, args=(todo, do, stop), name=THREADS, daemon=True).start()
    try:
        for count, future in enumerate(as_completed(futures), start=1):
            future.result()  # raises what is not a problem of a job but a defect of the harness
            progress(f"[{count}/{len(work)} done] {futures[future]}")
    finally:
        stop.set()
    return [future.result() for future in futures]


def _worker(todo: deque[tuple[Future[T | Problem], Job, Context]], do: Do[T], stop: _Stop) -> None:
    """Take jobs from *todo* until none is left, and run each in a context of its own."""
    while True:
        try:
            future, job, context = todo.popleft()
        except IndexError:
            return
        try:
            stop.check()
            future.set_result(context.run(_outcome, job, do, stop.check))
        except BaseException as error:  # noqa: BLE001 - raised again by the future's result()
            future.set_exception(error)


def _import_sdks(work: Iterable[Job]) -> None:
    """Import each provider's SDK before threads or processes start that would wait for it."""
    for provider in dict.fromkeys(find_provider(job.target.provider) for job in work):
        with provider.open(NO_KEY, provider.address, time.sleep):
            pass


class _Stop:
    """A stop signal for jobs that run in threads.

    When it is set, no job begins another step or another file. A file that is being written is
    finished.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_set = False
        self._writing: set[int] = set()
        self._callbacks: list[Callable[[], None]] = []

    def check(self, _: str = "") -> None:
        """Raise CancelledError if the signal is set."""
        if self._is_set:
            raise CancelledError

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Register *callback*, to be called when the signal is set and all files are written."""
        self._callbacks.append(callback)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Mark this thread as writing a file while the context is active, so that `set` waits.

        Raises CancelledError if the signal is set already.
        """
        with self._changed:
            self.check()
            self._writing.add(threading.get_ident())
        try:
            yield
        finally:
            with self._changed:
                self._writing.discard(threading.get_ident())
                self._changed.notify_all()

    def set(self) -> None:
        """Set the signal, wait until files are written (at most 5 s), and call the callbacks."""
        with self._changed:
            self._is_set = True
            self._changed.wait_for(lambda: not self._writing, timeout=_LONGEST_WRITE)
        for callback in self._callbacks:
            callback()


_LONGEST_WRITE = 5.0
"""The longest time in seconds to wait for files that are being written."""


@dataclass(frozen=True)
class _StoppableStore(Store):
    """A store that writes no more files when its stop signal is set."""

    stop: _Stop = field(default_factory=_Stop)

    def writing(self) -> AbstractContextManager[None]:
        """Return the context for writing a file; entering it raises CancelledError if stopped."""
        return self.stop.writing()

    def when_stopped(self, do: Callable[[], None]) -> None:
        """Register *do*, to be called when the stop signal is set and all files are written."""
        self.stop.add_callback(do)
