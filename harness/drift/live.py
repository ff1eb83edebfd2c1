"""What is on file, asked anew within a budget, and compared with what is answered now."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from harness import batch, recordings
from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.batch import Job
from harness.cassette import age
from harness.cassette.store import Store
from harness.config.environment import Environment
from harness.config.settings import load_prices
from harness.contracts import Contract
from harness.drift import Drift, Verdict
from harness.drift.budget import Budget
from harness.drift.cost import Cost, Tariff, cost, turn_cost
from harness.drift.planning import (
    Candidate,
    OnInterrupted,
    Plan,
    clauses_exercised,
    everything,
    plan,
    rules_exercised,
)
from harness.drift.refusing import refuses_the_request
from harness.drift.run import Measure
from harness.drift.spend import SpendTracker
from harness.drift.watches import Watch
from harness.errors import HarnessError, InterceptError, MissingKey, OverBudget, Refused
from harness.providers import PROVIDERS, endpoints
from harness.runner import Progress, Source, record
from harness.sandbox import Options
from harness.scenario import Scenario
from harness.types import Problem, Provenance, Transcript, Turn


@dataclass(frozen=True, slots=True)
class Filed:
    """A job with its recording as it would be made now: without what only a sandbox is asked.

    `repeats` are the other recordings of it that are on file.
    """

    job: Job
    read: AnalyzedTranscript
    repeats: tuple[AnalyzedTranscript, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in a plan, and in a folder of cassettes."""
        return _label(self.job)


def filed(
    todo: Iterable[Job], folder: Store, live: bool
) -> tuple[list[Filed], tuple[OnInterrupted, ...]]:
    """The jobs whose recordings are on file, and those that cannot be compared and planned."""
    found: list[Filed] = []
    left: list[OnInterrupted] = []
    for job in todo:
        try:
            one = recordings.read_job(job, folder)
            beside = recordings.repeats_of(one)
        except HarnessError as error:
            left.append(OnInterrupted(Candidate(_label(job), Cost()), str(error)))
            continue
        every = [_asked_live(job.scenario, each) if live else each for each in (one, *beside)]
        found.append(Filed(job, every[0], tuple(every[1:])))
    return found, tuple(left)


def _label(job: Job) -> str:
    return f"{job.scenario.name}/{job.target.slug}"


def _asked_live(scenario: Scenario, one: AnalyzedTranscript) -> AnalyzedTranscript:
    """A recording without the turns of steps that a live service is never asked."""
    asked = [step for step in scenario.steps if step.asked]
    if len(asked) != len(one.turns):
        return one
    kept = [
        turn
        for step, turn in zip(asked, one.transcript.turns, strict=True)
        if not step.sandbox_only
    ]
    turns = tuple(replace(turn, number=n) for n, turn in enumerate(kept, start=1))
    return analyze(replace(one.transcript, turns=turns), endpoints.recognise)


def tariff(budget: Budget | None) -> Tariff | None:
    """Today's prices, where a budget is money. Raises BadSettings."""
    if budget is None or not budget.is_money:
        return None
    return Tariff(load_prices(Path.cwd()), budget.currency, age.now().isoformat())


def planned(
    found: Sequence[Filed],
    left: tuple[OnInterrupted, ...],
    budget: Budget | None,
    contract: Contract | None,
) -> Plan:
    """Which recordings are made anew: all, or what exercises the most within a budget."""
    prices = tariff(budget)
    candidates = [_candidate(one, contract, prices) for one in found]
    made = everything(candidates) if budget is None else plan(candidates, budget)
    return replace(made, left=(*made.left, *left))


def _candidate(one: Filed, contract: Contract | None, prices: Tariff | None) -> Candidate:
    covers = rules_exercised(one.read)
    if contract is not None:
        covers |= clauses_exercised(one.read, contract)
    return Candidate(one.name, cost(one.read, prices), covers)


def check_keys(found: Iterable[Filed], known: Environment) -> None:
    """Raises MissingKey, naming every variable that is not set, before anything is asked."""
    asked = dict.fromkeys(PROVIDERS[one.job.target.provider] for one in found)
    missing = [p.key_variable for p in asked if not known.has_key(p)]
    if missing:
        raise MissingKey(
            f"asking the live services anew needs keys: set {' and '.join(missing)} (in the "
            "environment or in .env); without keys: --plan, or --sandbox to try it"
        )


def source(known: Environment, sandbox: bool) -> AbstractContextManager[Source]:
    """Whom to ask: the live services, or a sandbox."""
    return batch.sandboxed(Options(), known) if sandbox else nullcontext(batch.live(known))


# ------------------------------------------------------------------------------------ asking


def anew(
    found: Sequence[Filed],
    asked: Source,
    out: Path,
    measured: Measure,
    fail_on: Verdict,
    progress: Progress,
    budget: Budget | None = None,
) -> Watch:
    """Record into the folder `out`, and compare with what is on file, which is not touched.

    Nothing is asked any more once the budget does not allow it; what was not begun is a problem
    by its name, as is what the service could not be asked.
    """
    began = time.perf_counter()
    run = _Run(asked, Store(out), measured, progress, SpendTracker(budget), tariff(budget))
    for number, one in enumerate(found, start=1):
        run.ask(one, f"[{number}/{len(found)}] {one.job}")
    return Watch(
        drifts=tuple(run.drifts),
        reads=tuple(run.reads),
        problems=tuple(run.problems),
        fail_on=fail_on,
        duration=time.perf_counter() - began,
        spent=run.purse,
    )


@dataclass
class _Run:
    """One run: what is asked, one recording after the other, and what came of it."""

    asked: Source
    fresh: Store
    measured: Measure
    progress: Progress
    purse: SpendTracker
    prices: Tariff | None
    drifts: list[Drift] = field(default_factory=list)
    reads: list[AnalyzedTranscript] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def ask(self, one: Filed, label: str) -> None:
        """Make a recording anew and compare it; whatever it may come to, others can be."""
        self.progress(label)
        job, heard = one.job, _Heard(one, self.asked, self.purse, self.prices)
        before = self.purse.calls
        steps = partial(_tell, self.progress, label)
        try:
            record(job.scenario, job.target, self.asked, self.fresh, steps, meter=heard)
        except Refused as refused:
            self._refused(one, heard.read, refused)
        except OverBudget as over:
            begun = f"broken off in turn {len(heard.turns) + 1}"
            self._problem(one, f"{begun if self.purse.calls > before else 'not begun'}: {over}")
        except (HarnessError, InterceptError) as error:
            self._problem(one, str(error))
        else:
            self._compare(one, recordings.read_job(job, self.fresh))

    def _refused(self, one: Filed, new: AnalyzedTranscript, refused: Refused) -> None:
        """A request that is refused now and was answered before is drift, unless the refusal has
        nothing to do with the request."""
        if new.turns and refuses_the_request(new.turns[-1]):
            self._compare(one, new)
        else:
            self._problem(one, f"step {refused.step}: refused {refused.reason}")

    def _compare(self, one: Filed, new: AnalyzedTranscript) -> None:
        last = len(new.turns)
        old, *repeats = (_until(last, each) for each in (one.read, *one.repeats))
        found = self.measured.compare(old, new, repeats)
        left = len(one.read.turns) - last
        if left > 0:
            turns = "1 turn" if left == 1 else f"{left} turns"
            found = replace(found, notes=(*found.notes, f"not asked after that: {turns}"))
        self.reads.append(new)
        self.drifts.append(found)

    def _problem(self, one: Filed, text: str) -> None:
        self.problems.append(Problem(one.job.scenario.name, str(one.job.target), text))


def _until(last: int, one: AnalyzedTranscript) -> AnalyzedTranscript:
    """A recording up to a turn."""
    turns = tuple(turn for turn in one.transcript.turns if turn.number <= last)
    return analyze(replace(one.transcript, turns=turns), endpoints.recognise)


def _tell(progress: Progress, label: str, step: str) -> None:
    progress(f"{label}: {step}")


@dataclass
class _Heard:
    """A recording as it is made: its turns, and what they take from the purse."""

    one: Filed
    asked: Source
    purse: SpendTracker
    prices: Tariff | None
    turns: list[Turn] = field(default_factory=list)
    began: int = 0

    def step(self) -> None:
        """Raises OverBudget where as much as is recorded is not left."""
        number = len(self.turns)
        before = self.one.read.turns
        foreseen = (
            turn_cost(self.one.read, before[number], self.prices)
            if number < len(before)
            else Cost(questions=1)
        )
        self.began = self.purse.calls
        self.purse.foresee(foreseen)

    def request(self) -> None:
        """Raises OverBudget where no more requests may be made."""
        self.purse.request()

    def turn(self, turn: Turn) -> None:
        """Pay for it."""
        self.turns.append(Turn(len(self.turns) + 1, turn.exchanges))
        spent = turn_cost(self.read, self.read.turns[-1], self.prices)
        if len(turn.exchanges) < self.purse.calls - self.began:
            spent = replace(spent, money=None, unpriced="a request came to no answer")
        self.purse.pay(spent)

    @property
    def read(self) -> AnalyzedTranscript:
        """What was answered so far."""
        job = self.one.job
        told = Provenance(
            recorded_from=self.asked.origin,
            recorded_at=age.now().isoformat(timespec="seconds"),
            scenario=job.scenario.name,
            target=str(job.target),
        )
        made = Transcript(
            scenario=job.scenario.name,
            target=str(job.target),
            turns=tuple(self.turns),
            provenance=told,
        )
        return analyze(made, endpoints.recognise)


@contextmanager
def scratch(out: Path | None, cassettes: Path) -> Iterator[Path]:
    """The folder that new recordings go to: `out`, or one that is gone afterwards.

    Raises HarnessError where that is the folder of those on file.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="harness-drift-") as made:
            yield Path(made)
        return
    if out.resolve() == cassettes.resolve():
        raise HarnessError(f"{out} holds the cassettes on file; say another folder with --out DIR")
    yield out
