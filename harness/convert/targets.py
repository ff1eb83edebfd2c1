"""Recorded requests sent to other targets, within a budget, and the comparison of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from harness.analysis.difference import similarity
from harness.analysis.transcript import AnalyzedTranscript
from harness.cassette.store import Store, write_text
from harness.convert.importing import read_any
from harness.convert.porting import ported
from harness.convert.recorded_calls import LeftOut, RecordedCall, calls_of, slug
from harness.drift.live import SpendMeter, tariff
from harness.drift.plan import Budget, Candidate, Omitted, Plan, RecordingCost, SpendTracker, Tariff
from harness.providers import recordings
from harness.runner import Meter, Source, batch, job_recordings
from harness.runner.batch import Job
from harness.types import (
    CallKind,
    Cassette,
    Failure,
    Json,
    Outcome,
    Problem,
    Progress,
    Reply,
    Usage,
)
from harness.wire import read_json, resolve

_USUAL_OUTPUT = 4096
"""The tokens of an answer at most if the recorded one does not say how many it has."""

_LEAST_OUTPUT = 1024
"""The tokens that an answer may have in any case, as other models may say more."""

_MEDIA = {"image": 16_384, "video": 131_072, "audio": 131_072}
"""The tokens of a medium at most, which may be a link: its bytes say nothing of its size."""


@dataclass(frozen=True)
class TargetCall:
    """A recorded request for one other target.

    Attributes:
        recorded: The recorded request.
        source: The path of the recording.
        job: The scenario with the request, and the target.
        text: The text of the scenario's file.
        losses: What the request has and the target has no counterpart for, as phrases.
    """

    recorded: RecordedCall
    source: str
    job: Job
    text: str
    losses: tuple[str, ...]

    @property
    def recording(self) -> str:
        """The recording and the turn of the request, as `<path>@<turn>`."""
        return f"{self.source}@{self.recorded.turn.turn.number}"

    def foreseen(self, prices: Tariff | None) -> RecordingCost:
        """Return the maximum cost of the answer; without *prices*, only the number of requests.

        It is the price of a token for each byte of the request, a fixed number of tokens for each
        image, video or audio, and for each choice twice the tokens of `output_limit`, as thinking
        may take as many as the text.
        """
        if prices is None:
            return RecordingCost(questions=1)
        target, recorded = self.job.target, self.recorded
        price = prices.prices.price(target.provider, target.model, prices.day)
        body = recorded.exchanges[0].request.body
        size = len(body) + sum(body.count(b'"%b' % m.encode()) * n for m, n in _MEDIA.items())
        given = _given(recorded.body, ("n",)) or 1
        most = Usage(size, 2 * given * output_limit(recorded), None)
        cost = None if price is None else price.of(most, recorded.kind is CallKind.IMAGE, True)
        if price is None or price.currency != prices.currency or cost is None:
            unpriced = f"there is no price of {target} in {prices.currency}"
            return RecordingCost(questions=1, money=None, unpriced=unpriced)
        return RecordingCost(
            questions=1, money=Decimal(str(cost.amount)), prices=frozenset({price})
        )


def output_limit(recorded: RecordedCall) -> int:
    """Return the maximum number of output tokens of another target's answer to *recorded*.

    It is the limit in the request. Without one, it is four times the recorded answer's number of
    output tokens, and at least 1024; 4096 if that number is unknown.
    """
    outcome = recorded.turn.outcome
    usage = outcome.usage if isinstance(outcome, Reply) else None
    expected = 4 * usage.output_tokens if usage and usage.output_tokens else _USUAL_OUTPUT
    return _given(recorded.body, _LIMITS) or max(expected, _LEAST_OUTPUT)


_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def _given(body: Json, names: Sequence[str]) -> int | None:
    """Return the first number that a request has under one of these names of parameters."""
    found = (resolve(body, f"{p}/{name}") for p in ("", "/parameters") for name in names)
    return next((number for number in found if type(number) is int and number > 0), None)


@dataclass(frozen=True)
class AnswerComparison:
    """The comparison of a recorded answer with that of another target.

    Attributes:
        call: The request and the target.
        reasons: Why the answer does not do what the recorded one does; empty if it does.
        similarity: How similar the texts are, from 0 to 1; None if one has no text.
    """

    call: TargetCall
    reasons: tuple[str, ...]
    similarity: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the target's answer does what the recorded one does.

        It must call the same functions, be JSON if the recorded answer is JSON, and have a text if
        the recorded answer has a text and no function is called.
        """
        return not self.reasons


def requests_for(
    paths: Sequence[Path],
    targets: Sequence[str],
    secrets: Sequence[str],
    budget: Budget | None = None,
) -> tuple[list[TargetCall], list[tuple[str, LeftOut]]]:
    """Return the recorded requests as requests to *targets*, and all other exchanges.

    There is one request for each recorded request and each target.

    Args:
        paths: The recordings.
        targets: The targets, as `provider/model`.
        secrets: Texts that are removed from the recordings.
        budget: The budget. If it is of money, a request without a limit of output tokens gets one,
            so that its maximum cost is known.

    Returns:
        The requests, and (path, exchange) for each exchange that cannot be requested again.

    Raises:
        HarnessError: A recording cannot be read, or a target is not valid.
    """
    calls: list[TargetCall] = []
    left: list[tuple[str, LeftOut]] = []
    names: set[str] = set()
    for path in paths:
        calls_of_path, others = calls_of(read_any(path, secrets), str(path))
        left += [(str(path), one) for one in others]
        for recorded in calls_of_path:
            number = recorded.turn.turn.number
            if not isinstance(recorded.turn.outcome, Reply):
                reading = recorded.turn.readings[0]
                left.append((str(path), LeftOut(reading.number, recorded.endpoint.name, _NO_REPLY)))
                continue
            name = slug(f"{path.parent.name}-{path.stem}-{number}")
            name = next(n for n in (name, *(f"{name}-{i}" for i in range(2, 99))) if n not in names)
            names.add(name)
            is_bounded = (
                budget is not None and budget.is_money and not _given(recorded.body, _LIMITS)
            )
            limit = output_limit(recorded) if is_bounded else 0
            parent = f"{path.stem}@{number}"
            scenario, text, losses = ported(recorded, name, parent, targets, limit)
            for target in scenario.targets:
                lost = tuple(dict.fromkeys(losses[f"{target.provider}/{target.model}"]))
                calls.append(TargetCall(recorded, str(path), Job(scenario, target), text, lost))
    return calls, left


_NO_REPLY = "the recorded answer is a refusal or cannot be read"


def plan(calls: Sequence[TargetCall], budget: Budget | None) -> Plan:
    """Return the plan of which requests are sent, in the given order, within *budget*.

    A request without a price, or that costs more than remains of the budget, is listed as omitted,
    with the reason. If *budget* is None, all requests are sent.
    """
    prices = tariff(budget)
    chosen: list[Candidate] = []
    omitted: list[Omitted] = []
    rest = budget.most if budget else Decimal(0)
    for one in calls:
        name = f"{one.job.scenario.name}/{one.job.target.slug}"
        candidate = Candidate(name, one.foreseen(prices))
        price = budget.price(candidate.cost) if budget else Decimal(0)
        if price is None or (budget and price > rest):
            omitted.append(Omitted(candidate, candidate.cost.unpriced or f"{rest} remaining"))
            continue
        chosen.append(candidate)
        rest -= price
    return Plan(tuple(chosen), tuple(omitted), frozenset(), frozenset(), budget)


def record_answers(
    calls: Sequence[TargetCall],
    source: Source,
    folder: Path,
    budget: Budget | None,
    shown: Progress,
) -> list[AnswerComparison]:
    """Record the answer to each of *calls* into *folder*, and compare it with the recorded one.

    A request is not sent if it may exceed the budget, or if the budget is of money and its price is
    unknown. *source* is the live services or the sandbox; *shown* is called with a line of text for
    each step.
    """
    prices, spent = tariff(budget), SpendTracker(budget)
    by_name = {str(one.job): one for one in calls}

    def meter(job: Job) -> Meter:
        return SpendMeter(job, source, spent, prices, None, by_name[str(job)].foreseen(prices))

    priced = [one for one in calls if one.foreseen(prices).money is not None]
    unpriced = [one for one in calls if one not in priced]
    for one in priced:
        write_text(folder / "scenarios" / f"{one.job.scenario.name}.yaml", one.text)
    store = Store(folder / "cassettes")
    jobs = [one.job for one in priced]
    problems = batch.record_all(jobs, source, store, shown, meter=meter)
    why = {(p.scenario, p.target): p for p in problems}
    failed = [(one, why.get((one.job.scenario.name, str(one.job.target)))) for one in priced]
    return [
        *(AnswerComparison(one, (one.foreseen(prices).unpriced,)) for one in unpriced),
        *(_compared(one, store, problem) for one, problem in failed),
    ]


def _compared(call: TargetCall, store: Store, problem: Problem | None) -> AnswerComparison:
    if problem is not None:
        return AnswerComparison(call, (problem.text.partition("\n")[0],))
    new = job_recordings.read_job(call.job, store).turns[-1].outcome
    old = call.recorded.turn.outcome
    texts = [outcome.content if isinstance(outcome, Reply) else None for outcome in (old, new)]
    left, right = texts
    alike = similarity(left, right) if left and right else None
    return AnswerComparison(call, tuple(_differences(old, new)), alike)


def _differences(old: Outcome | None, new: Outcome | None) -> Iterator[str]:
    """Yield what the new answer does not do that the recorded one does."""
    if isinstance(new, Failure) or new is None:
        yield f"refused: {new.code} {new.message}" if new else "the answer cannot be read"
    elif isinstance(old, Reply):
        before, after = (sorted(call.name for call in one.tool_calls) for one in (old, new))
        if before != after:
            called, recorded = (", ".join(names) or "nothing" for names in (after, before))
            yield f"calls {called}, recorded: {recorded}"
        if _is_json(old.content) and not _is_json(new.content):
            yield "the text is not JSON as the recorded one"
        if not after and bool(old.content) and not new.content:
            yield "the answer has no text"


def _is_json(text: str | None) -> bool:
    document = read_json((text or "").encode())
    return not document.problem and isinstance(document.value, dict | list)


def groups(compared: Sequence[AnswerComparison], folder: Path) -> list[list[AnalyzedTranscript]]:
    """Return, for each recorded request, the recorded answer and then the targets' answers.

    *folder* is the one given to `record_answers`. A request that no target answered is omitted.
    """
    store, found = Store(folder / "cassettes"), dict[str, list[AnalyzedTranscript]]()
    for one in compared:
        job, recorded = one.call.job, one.call.recorded
        if store.path(job.scenario.name, job.target).exists():
            exchanges = tuple(replace(e, turn=1) for e in recorded.exchanges)
            answer = recordings.analyzed(Cassette(exchanges), one.call.source)
            named = replace(
                answer.transcript,
                scenario=job.scenario.name,
                target=f"{recorded.provider.name}/{recorded.model}",
            )
            own = found.setdefault(job.scenario.name, [replace(answer, transcript=named)])
            own.append(job_recordings.read_job(job, store))
    return [*found.values()]


def document(compared: Sequence[AnswerComparison]) -> list[Json]:
    """Return comparisons as JSON objects, for output.

    Their members are `recording`, `target`, `passed`, `reasons`, `similarity` and `untranslatable`
    (what the target has no counterpart for).
    """
    return [
        {
            "recording": one.call.recording,
            "target": str(one.call.job.target),
            "passed": one.passed,
            "reasons": [*one.reasons],
            "similarity": one.similarity,
            "untranslatable": [*one.call.losses],
        }
        for one in compared
    ]
