"""Making recordings again within a budget, and comparing them with those on file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.analysis.difference import Verdict
from harness.analysis.transcript import AnalyzedTranscript, AnalyzedTurn, analyze
from harness.cassette import age
from harness.cassette.store import Store
from harness.config.environment import Environment
from harness.config.settings import load_prices
from harness.contracts.contract import Contract
from harness.drift.judge import Criteria
from harness.drift.plan import (
    NOTHING,
    Budget,
    Candidate,
    Omitted,
    Plan,
    RecordingCost,
    SpendTracker,
    Tariff,
    clauses_exercised,
    cost,
    plain_number,
    plan_all,
    plan_within,
    rules_exercised,
    turn_cost,
)
from harness.drift.types import Drift, DriftRun
from harness.errors import HarnessError, InterceptError, MissingKey, OverBudget, UnexpectedRefusal
from harness.providers import endpoints, find_provider, recordings
from harness.runner import Meter, Source, job_recordings, record
from harness.runner.batch import Job
from harness.scenario.steps import Scenario
from harness.types import Failure, Origin, Problem, Progress, Provenance, Transcript, Turn
from harness.wire.text import count


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """A scenario with a target that can be recorded again, and its recordings on file.

    Attributes:
        job: The scenario and the target.
        recording: The recording on file. If the job is to be recorded from a live service, turns
            that only a sandbox can answer are removed from it.
        repeats: The other recordings on file of the same job.
    """

    job: Job
    recording: AnalyzedTranscript
    repeats: tuple[AnalyzedTranscript, ...] = ()

    @property
    def name(self) -> str:
        """The name in a plan, such as `multi-turn/zhipuai-glm-4.5`."""
        return _name(self.job)


def plan_again(
    jobs: Iterable[Job], folder: Store, live: bool, budget: Budget | None, contract: Contract | None
) -> tuple[list[RecordedJob], Plan]:
    """Return the jobs to record again, and the plan that chose them.

    For each other job, the plan has the reason why it was omitted.

    Args:
        jobs: The scenarios with their targets.
        folder: The recordings on file. Jobs without one are omitted.
        live: Whether to record from live services. Turns that only a sandbox can answer are then
            removed from the recordings.
        budget: The most that recording may cost; jobs are chosen within it so that the most rules
            and clauses of *contract* apply to their recordings. None to choose all jobs.
        contract: The contract; None to count rules only.

    Raises:
        HarnessError: No job can be recorded again.
    """
    recorded: dict[str, RecordedJob] = {}
    omitted: list[Omitted] = []
    for job in jobs:
        try:
            recording = job_recordings.read_job(job, folder)
            repeats = recordings.repeats_of(recording)
        except HarnessError as error:
            omitted.append(Omitted(Candidate(_name(job), RecordingCost()), str(error)))
            continue
        first, *rest = (
            _without_sandbox_steps(job.scenario, each) if live else each
            for each in (recording, *repeats)
        )
        recorded[_name(job)] = RecordedJob(job, first, tuple(rest))
    if not recorded:
        reason = omitted[0].reason if omitted else "no scenario here sends a request"
        raise HarnessError(f"no recording on file to compare with: {reason}")
    prices = tariff(budget)
    candidates = [_candidate(job, contract, prices) for job in recorded.values()]
    plan = plan_all(candidates) if budget is None else plan_within(candidates, budget)
    plan = replace(plan, omitted=(*plan.omitted, *omitted))
    if not plan.chosen:
        reason = f": {plan.omitted[0].reason}" if plan.omitted else ""
        raise HarnessError(f"no recording can be made again with --budget {budget}{reason}")
    return [recorded[candidate.name] for candidate in plan.chosen], plan


def _name(job: Job) -> str:
    return f"{job.scenario.name}/{job.target.slug}"


def _without_sandbox_steps(scenario: Scenario, recording: AnalyzedTranscript) -> AnalyzedTranscript:
    """Return a recording without the turns of steps that only a sandbox can answer.

    It is returned unchanged if its turns do not match the scenario's steps.
    """
    steps = [step for step in scenario.steps if step.is_call]
    turns = recording.transcript.turns
    if len(steps) != len(turns):
        return recording
    pairs = zip(steps, turns, strict=True)
    kept = [turn for step, turn in pairs if not step.sandbox_only]
    return _with_turns(recording, [replace(t, number=n) for n, t in enumerate(kept, start=1)])


def _with_turns(recording: AnalyzedTranscript, turns: Iterable[Turn]) -> AnalyzedTranscript:
    return analyze(replace(recording.transcript, turns=tuple(turns)), endpoints.recognise)


def tariff(budget: Budget | None) -> Tariff | None:
    """Return today's prices in the currency of *budget*; None if the budget is not money.

    Raises:
        BadSettings: The project's settings or its price table are invalid.
    """
    if budget is None or not budget.is_money:
        return None
    return Tariff(load_prices(Path.cwd()), budget.currency, age.utc_now().isoformat())


def _candidate(job: RecordedJob, contract: Contract | None, prices: Tariff | None) -> Candidate:
    covers = rules_exercised(job.recording)
    if contract is not None:
        covers |= clauses_exercised(job.recording, contract)
    return Candidate(job.name, cost(job.recording, prices), covers)


def check_keys(jobs: Iterable[RecordedJob], environment: Environment) -> None:
    """Check that the API keys for the providers of all jobs are set in *environment*.

    Raises:
        MissingKey: Keys are not set; the message names the variables of all missing keys.
    """
    providers = dict.fromkeys(find_provider(job.job.target.provider) for job in jobs)
    missing = [p.key_variable for p in providers if not environment.has_key(p)]
    if missing:
        raise MissingKey(
            f"recording from the live services needs keys: set {' and '.join(missing)} (in the "
            "environment or in .env); without keys: --plan, or --sandbox to try it"
        )


@contextmanager
def output_folder(out: Path | None, cassettes: Path) -> Iterator[Path]:
    """Yield the folder for new recordings: *out*, or a temporary one if *out* is None.

    Raises:
        HarnessError: *out* is *cassettes*, the folder of the recordings on file.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="harness-drift-") as folder:
            yield Path(folder)
        return
    if out.resolve() == cassettes.resolve():
        raise HarnessError(f"{out} holds the cassettes on file; name another folder with --out DIR")
    yield out


# ----------------------------------------------------------------------------- recording


def record_and_compare(
    jobs: Sequence[RecordedJob],
    source: Source,
    out: Path,
    criteria: Criteria,
    fail_on: Verdict,
    progress: Progress,
    budget: Budget | None = None,
) -> DriftRun:
    """Record *jobs* into the folder *out*, and compare them with their recordings on file.

    The recordings on file are not changed. No request is sent once the budget is exhausted. A job
    that was not begun, or could not be recorded, becomes a problem of the returned run.

    Args:
        jobs: The jobs with their recordings on file.
        source: The servers to record from.
        out: The folder of the new recordings.
        criteria: The rules and the contract that recordings are checked against.
        fail_on: The least severe verdict that fails the run.
        progress: Called with a line of text for each step.
        budget: The budget; None for no limit.
    """
    start = time.perf_counter()
    run = _Run(source, Store(out), criteria, progress, SpendTracker(budget), tariff(budget))
    for number, job in enumerate(jobs, start=1):
        run.record(job, f"[{number}/{len(jobs)}] {job.job}")
    return DriftRun(
        drifts=tuple(run.drifts),
        transcripts=tuple(run.transcripts),
        problems=tuple(run.problems),
        fail_on=fail_on,
        duration=time.perf_counter() - start,
        spent=run.spent,
    )


@dataclass
class _Run:
    """One run, which makes recordings one after the other and collects the results."""

    source: Source
    fresh: Store
    criteria: Criteria
    progress: Progress
    spent: SpendTracker
    prices: Tariff | None
    drifts: list[Drift] = field(default_factory=list)
    transcripts: list[AnalyzedTranscript] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def record(self, recorded: RecordedJob, label: str) -> None:
        """Make one recording again and compare it with the old one; add a problem if that fails."""
        self.progress(label)
        job = recorded.job
        meter = SpendMeter(job, self.source, self.spent, self.prices, recorded.recording)
        calls = self.spent.calls
        steps = lambda step: self.progress(f"{label}: {step}")  # noqa: E731 - one expression
        try:
            record(job.scenario, job.target, self.source, self.fresh, steps, meter=meter)
        except UnexpectedRefusal as refused:
            self._refused(recorded, meter.recording, refused)
        except OverBudget as error:
            stopped = f"stopped in turn {len(meter.turns) + 1}"
            began = self.spent.calls > calls
            self._problem(recorded, f"{stopped if began else 'not begun'}: {error}")
        except (HarnessError, InterceptError) as error:
            self._problem(recorded, str(error))
        else:
            new = job_recordings.read_job(job, self.fresh)
            if self.source.origin is Origin.LIVE:  # where a sandbox is, such steps are sent too
                new = _without_sandbox_steps(job.scenario, new)
            self._compare(recorded, new)

    def _refused(
        self, recorded: RecordedJob, new: AnalyzedTranscript, refused: UnexpectedRefusal
    ) -> None:
        """Compare the turns up to a refusal, or add a problem if it is not about the request."""
        if new.turns and refuses_the_request(new.turns[-1]):
            self._compare(recorded, new)
        else:
            self._problem(recorded, f"step {refused.step}: refused {refused.reason}")

    def _compare(self, recorded: RecordedJob, new: AnalyzedTranscript) -> None:
        last = len(new.turns)
        old, *repeats = (
            _with_turns(each, [turn for turn in each.transcript.turns if turn.number <= last])
            for each in (recorded.recording, *recorded.repeats)
        )
        drift = self.criteria.compare(old, new, repeats)
        remaining = len(recorded.recording.turns) - last
        if remaining > 0:
            note = f"not recorded after that: {count(remaining, 'turn')}"
            drift = replace(drift, notes=(*drift.notes, note))
        self.transcripts.append(new)
        self.drifts.append(drift)

    def _problem(self, recorded: RecordedJob, text: str) -> None:
        job = recorded.job
        self.problems.append(Problem(job.scenario.name, str(job.target), text))


_ONE_QUESTION = RecordingCost(questions=1)


@dataclass
class SpendMeter(Meter):
    """A meter that a recording calls for each step, request and turn, to keep within a budget.

    Attributes:
        job: The scenario and the target.
        source: The servers to record from.
        spent: The counter of the requests and the money of the whole run.
        prices: The prices; None if the budget is not money.
        on_file: The recording on file, by which costs of steps are estimated; None if there is
            none.
        foreseen: The estimated cost of a step that the recording on file does not have.
        turns: The turns recorded so far.
        calls_before: The number of requests of the run before the current step.
    """

    job: Job
    source: Source
    spent: SpendTracker
    prices: Tariff | None
    on_file: AnalyzedTranscript | None
    foreseen: RecordingCost = _ONE_QUESTION
    turns: list[Turn] = field(default_factory=list)
    calls_before: int = 0

    def step(self) -> None:
        """Check that the rest of the budget covers the next step of the scenario.

        Raises OverBudget if the estimated cost of the step exceeds the rest.
        """
        number, old = len(self.turns), self.on_file
        expected = self.foreseen
        if old is not None and number < len(old.turns):
            expected = turn_cost(old, old.turns[number], self.prices)
        self.calls_before = self.spent.calls
        self.spent.reserve(expected)

    def request(self) -> None:
        """Count a request before it is sent. Raises OverBudget if the budget allows no more."""
        self.spent.request()

    def turn(self, turn: Turn) -> None:
        """Add a turn that was just recorded, and charge its cost to the budget."""
        self.turns.append(Turn(len(self.turns) + 1, turn.exchanges))
        recording = self.recording
        spent = turn_cost(recording, recording.turns[-1], self.prices)
        unanswered = sum(exchange.broken_off is not None for exchange in turn.exchanges)
        if len(turn.exchanges) - unanswered < self.spent.calls - self.calls_before:
            spent = replace(spent, money=None, unpriced="a request has no answer")
        self.spent.charge(spent)

    @property
    def recording(self) -> AnalyzedTranscript:
        """The turns recorded so far, as a transcript."""
        job = self.job
        provenance = Provenance(
            recorded_from=self.source.origin,
            recorded_at=age.utc_now().isoformat(timespec="seconds"),
            scenario=job.scenario.name,
            target=str(job.target),
        )
        transcript = Transcript(
            scenario=job.scenario.name,
            target=str(job.target),
            turns=tuple(self.turns),
            provenance=provenance,
        )
        return analyze(transcript, endpoints.recognise)


def plan_to_record(jobs: Iterable[Job], folder: Store, budget: Budget | None) -> Plan:
    """Return a plan to record *jobs*, in their order, within *budget* (None for no limit).

    The costs are estimated by the recordings in *folder*. Without a recording, only the number of
    requests is estimated; so if the budget is money, the job is not in the plan.
    """
    prices = tariff(budget)
    chosen: list[Candidate] = []
    omitted: list[Omitted] = []
    rest = budget.most if budget else NOTHING
    for job in jobs:
        on_file = _on_file(job, folder)
        steps = sum(step.is_call for step in job.scenario.steps)
        unknown = RecordingCost(questions=steps, money=None, unpriced="it was never recorded")
        candidate = Candidate(_name(job), cost(on_file, prices) if on_file else unknown)
        price = budget.price(candidate.cost) if budget else NOTHING
        if price is None:
            reason = f"cost unknown ({candidate.cost.unpriced}); recorded while the budget lasts"
            omitted.append(Omitted(candidate, reason))
        elif budget and price > rest:
            left = f"costs {budget.format(price)}, {plain_number(rest)} remaining"
            omitted.append(Omitted(candidate, left))
        else:
            chosen.append(candidate)
            rest -= price
    return Plan(tuple(chosen), tuple(omitted), frozenset(), frozenset(), budget)


def _on_file(job: Job, folder: Store) -> AnalyzedTranscript | None:
    """Return the recording of a job; None if there is none that can be read."""
    try:
        return job_recordings.read_job(job, folder)
    except HarnessError:
        return None


def meters(source: Source, budget: Budget | None, folder: Store) -> Callable[[Job], Meter]:
    """Return a function that makes the meter for a job; all meters charge to one budget.

    Args:
        source: The servers to record from.
        budget: The budget; None for meters that count nothing.
        folder: The recordings on file, by which costs are estimated.
    """
    if budget is None:
        return lambda job: Meter()
    spent, prices = SpendTracker(budget), tariff(budget)
    return lambda job: SpendMeter(job, source, spent, prices, _on_file(job, folder))


_UNRELATED = frozenset({401, 402, 403, 407, 408, 429})
"""HTTP statuses that are not about the content of a request: keys, payment, throttling, timeout."""


def refuses_the_request(turn: AnalyzedTurn) -> bool:
    """Return whether the service refused a turn's request because of what the request contains.

    Such a refusal is an error with HTTP 4xx in the service's own format. Return False for a proxy's
    page, a server error, throttling, a missing key, an empty account and a missing answer.
    """
    outcome, answer = turn.outcome, turn.answer
    if not isinstance(outcome, Failure) or answer is None or answer.endpoint is None:
        return False
    is_page = outcome.message.lstrip().startswith("<")
    has_details = bool(outcome.code or (outcome.message and not is_page))
    unpaid = outcome.code in answer.endpoint.unpaid
    client_error = 400 <= outcome.status < 500 and outcome.status not in _UNRELATED
    return has_details and not unpaid and client_error
