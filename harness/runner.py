"""Playing a scenario to a provider: whoever has read this file has read the product.

Recording and replaying are `run` with a different tape; nothing after it knows which one it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from harness import cassette as cassettes
from harness.cassette import Head
from harness.cassette.journal import Journal
from harness.cassette.store import Store, write_cassette
from harness.config.environment import without_proxies
from harness.config.settings import load_settings
from harness.errors import HarnessError, Refused, StaleCassette, Unsupported
from harness.intercept import Player, Recorder, check_vcrpy_reads, use_tape
from harness.intercept.resume import OnInterrupted, discard_refusal, recorded_prefix
from harness.providers import NO_KEY, Provider, Session, endpoints
from harness.providers import provider as provider_named
from harness.providers.http import download
from harness.providers.sdk import failure_of, is_passing
from harness.scenario import Past, Scenario, digests
from harness.secrets.redactor import Redactor
from harness.types import (
    Call,
    Cassette,
    Expectation,
    Failure,
    Origin,
    Outcome,
    Provenance,
    Reply,
    Sdk,
    Target,
    Transcript,
    Turn,
)

Progress = Callable[[str], None]
"""Told what is being done, for people who wait."""

Judge = Callable[[Turn], None]
"""Looks at each turn once it is over; raises where there is no point in going on."""


class Meter(Protocol):
    """Counts what a recording spends; what `step` and `request` raise ends the recording."""

    def step(self) -> None:
        """Note that a step is about to be sent."""

    def request(self) -> None:
        """Note that a request is about to be sent: a call, its retry, a poll or a download."""

    def turn(self, turn: Turn) -> None:
        """Note that a step was answered or refused."""


class _Unmetered:
    """A meter that counts nothing."""

    def step(self) -> None:
        """Do nothing."""

    def request(self) -> None:
        """Do nothing."""

    def turn(self, turn: Turn) -> None:
        """Do nothing."""


UNMETERED = _Unmetered()


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a refusal that may pass (429, 5xx) is asked again, and how long is waited.

    Waits begin at `first` seconds and double, or are what the provider's Retry-After says; none
    is longer than `longest`.
    """

    limit: int = 4
    first: float = 1.0
    longest: float = 60.0

    def wait(self, attempt: int, failure: Failure) -> float:
        """Seconds to wait after the given attempt, counted from 1."""
        asked = failure.retry_after
        return min(self.first * 2 ** (attempt - 1) if asked is None else asked, self.longest)


def run(
    scenario: Scenario,
    target: Target,
    session: Session,
    tape: Player | Recorder,
    *,
    seed: int,
    live: bool,
    progress: Progress,
    judge: Judge,
    retries: Retries = Retries(),
) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Play `scenario` to `target`; every byte passes through `tape`.

    `seed` is what `seed: random` stands for. Returns the turns, and in words the steps that were
    left out: those for the sandbox only, where the provider is `live`.
    """
    past = Past()
    turns: list[Turn] = []
    skipped: list[str] = []
    for step in scenario.steps:
        if live and step.sandbox_only:
            skipped.append(f"step {step.number} ({step}): {step.sandbox_only}")
            continue
        outcome = None
        if step.asked:
            progress(str(step))
            number = len(turns) + 1
            call, expect = step.call(target, past, seed), step.expectation(target)
            with tape.turn(number) as exchanges:
                outcome = _ask(session, call, expect, tape, retries)
            turns.append(Turn(number, tuple(exchanges), call, outcome, expect, step.number))
            judge(turns[-1])
        past = step.after(past, outcome)
    return tuple(turns), tuple(skipped)


def _ask(
    session: Session, call: Call, expect: Expectation, tape: Player | Recorder, retries: Retries
) -> Outcome:
    """Ask, and ask again where that may help; pictures are fetched too."""
    outcome = _send(session, call)
    for attempt in range(1, retries.limit + 1):
        if not isinstance(outcome, Failure) or expect.failure or not is_passing(outcome):
            break
        tape.sleep(retries.wait(attempt, outcome))
        outcome = _send(session, call)
    if isinstance(outcome, Reply) and outcome.images:
        images = tuple(replace(image, data=download(image.url)) for image in outcome.images)
        outcome = replace(outcome, images=images)
    return outcome


def _send(session: Session, call: Call) -> Outcome:
    try:
        return session.send(call)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - an SDK may raise anything at all because of what
        return failure_of(error)  # it was answered; what it raised is the outcome, and is judged


def provider_of(scenario: Scenario, target: Target) -> Provider:
    """The target's provider. Raises Unsupported if it cannot do what a step asks."""
    provider = provider_named(target.provider)
    for step in scenario.steps:
        asked = (step.kind, step.mode(target))
        if step.asked and asked not in provider.can:
            can = ", ".join(sorted(f"{kind} {mode}" for kind, mode in provider.can))
            raise Unsupported(
                f"{scenario.path}:{step.line}: {provider.name} does not answer "
                f"{asked[0]} in mode {asked[1]}; it answers: {can}"
            )
    return provider


@dataclass(frozen=True, slots=True)
class Source:
    """Whom a recording is made from: the live service or the sandbox, and how to reach it."""

    origin: Origin
    where: str
    key: Callable[[Provider], str]
    address: Callable[[Provider], str]
    secrets: tuple[str, ...] = ()


def record(
    scenario: Scenario,
    target: Target,
    source: Source,
    store: Store,
    progress: Progress,
    left: OnInterrupted = OnInterrupted.REFUSE,
    meter: Meter = UNMETERED,
) -> None:
    """Play a scenario and put its cassette in place; every answer is in a journal until then.

    Raises Refused if the provider refused where the scenario expects no refusal,
    UnfinishedRecording where an interrupted recording is in the way (see `OnInterrupted`), and what
    the `meter` raises. An existing cassette is unchanged after any error.
    """
    provider = provider_of(scenario, target)
    key, address = source.key(provider), source.address(provider)
    redactor = Redactor((*source.secrets, *provider.secrets(key)), endpoints.HEADERS)
    provenance = _provenance(scenario, target, provider, source.origin, redactor.text(address))
    path = store.path(scenario.name, target)
    journal = Journal(path, Head(provenance, _seed()), writing=store.writing)
    store.when_stopped(journal.close_empty)
    with closing(journal):
        tape = Recorder(
            redactor, journal, recorded_prefix(journal, left), before_request=meter.request
        )
        live = source.origin is Origin.LIVE
        with use_tape(tape), provider.open(key, address, tape.sleep) as session:
            refuse = partial(_refuse_refusal, scenario, target, redactor, journal)
            run(
                scenario,
                target,
                session,
                tape,
                seed=journal.head.seed,
                live=live,
                progress=partial(_begin, progress, meter),
                judge=partial(_end, refuse, meter),
            )
        cassette = Cassette(tape.exchanges(), replace(provenance, recorded_at=_now()))
        written = cassettes.to_files(cassette)
        check_vcrpy_reads(written, cassette)
        with store.writing(), journal.removed_afterwards():
            write_cassette(path, written)


def _begin(progress: Progress, meter: Meter, step: str) -> None:
    progress(step)
    meter.step()


def _end(judge: Judge, meter: Meter, turn: Turn) -> None:
    meter.turn(turn)
    judge(turn)


def _seed() -> int:
    return random.randrange(2**31)  # noqa: S311 - a seed, not a secret


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse_refusal(
    scenario: Scenario, target: Target, redactor: Redactor, journal: Journal, turn: Turn
) -> None:
    """The rest of the conversation would cost money and could not be kept.

    A provider may quote the key it refuses: its words are cleaned before they are told.
    """
    failure = turn.outcome
    answered = turn.exchanges and turn.expect.failure  # a refusal that is expected is an answer
    if isinstance(failure, Failure) and not answered:
        status = f"HTTP {failure.status}, " if failure.status else ""
        refused = redactor.text(f"({status}code {failure.code}): {failure.message}")
        raise Refused(
            f"{scenario.name} with {target}, step {turn.step}: refused {refused}; "
            f"{discard_refusal(journal, turn)}",
            step=turn.step,
            reason=refused,
        )


def _provenance(
    scenario: Scenario, target: Target, provider: Provider, origin: Origin, address: str
) -> Provenance:
    return Provenance(
        recorded_from=origin,
        recorded_at=_now(),
        scenario=scenario.name,
        target=str(target),
        address=address or provider.address,
        sdk=Sdk(provider.distribution, _version(provider.distribution)),
        script=digests(scenario, target),
        volatile=scenario.volatile,
    )


_version = lru_cache(version)  # it looks through all that is installed
"""The version of an installed distribution."""


def replay(scenario: Scenario, target: Target, store: Store, pace: float = 0.0) -> Transcript:
    """Play a scenario to its cassette, offline; answers and waits take `pace` times as long as
    when they were recorded.

    Raises NoCassette, BadCassette, StaleCassette and CassetteMiss.
    """
    provider = provider_of(scenario, target)
    cassette = store.load(scenario.name, target)
    _refuse_stale(scenario, target, cassette, store)
    # The scenario's word on what is volatile counts, not the one it gave when recorded.
    folder = scenario.path.parent if scenario.path else Path.cwd()
    volatile = (*scenario.volatile, *load_settings(folder).volatile)
    told = replace(cassette.provenance, volatile=volatile)
    tape = Player(replace(cassette, provenance=told), pace=pace)
    live = told.recorded_from is Origin.LIVE
    with (
        without_proxies(),
        use_tape(tape),
        provider.open(NO_KEY, told.address, tape.sleep) as session,
    ):
        turns, skipped = run(
            scenario,
            target,
            session,
            tape,
            seed=_seed(),
            live=live,
            progress=_silently,
            judge=_silently,
        )
    return Transcript(
        scenario=scenario.name,
        target=str(target),
        turns=turns,
        provenance=told,
        unused=tape.unused(),
        skipped=skipped,
        ignored=scenario.ignored,
        selected=scenario.selected,
        severities=scenario.severities,
        source=str(store.path(scenario.name, target)),
    )


def _silently(_: object) -> None:
    """Nobody waits, and whatever was recorded is played to its end."""


def _refuse_stale(scenario: Scenario, target: Target, cassette: Cassette, store: Store) -> None:
    """A recording answers the script it was made from, and no other."""
    if fits(scenario, target, cassette):
        return
    then, now = cassette.provenance.script, digests(scenario, target)
    path = store.path(scenario.name, target)
    again = f"record it anew: harness record {scenario.name} --target {target.slug}"
    if len(then) != len(now):
        raise StaleCassette(
            f"{scenario.path}: {len(now)} steps, but {path} was recorded with {len(then)}; {again}"
        )
    step = next(s for s, a, b in zip(scenario.steps, then, now, strict=True) if a != b)
    raise StaleCassette(
        f"{scenario.path}:{step.line}: step {step.number} ({step}) changed since {path} was "
        f"recorded; {again}"
    )


def fits(scenario: Scenario, target: Target, cassette: Cassette) -> bool:
    """Whether a cassette was recorded from the script as it is now; if nobody knows, it was."""
    then = cassette.provenance.script
    return not then or then == digests(scenario, target)
