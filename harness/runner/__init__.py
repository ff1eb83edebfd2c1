"""The run of one scenario with one target, recorded to a cassette or replayed from it.

`record` and `replay` both call `run`. The tape that intercepts every request is a Recorder in a
recording and a Player in a replay; both result in the same kind of turns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.cassette.artefacts import to_files
from harness.cassette.journal import Journal, JournalHead
from harness.cassette.store import Store, how_to_record, write_cassette
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.config.environment import without_proxies
from harness.config.settings import load_models, load_settings
from harness.errors import (
    HarnessError,
    RecordingFailed,
    StaleCassette,
    UnexpectedRefusal,
    Unsupported,
)
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder, origin_of
from harness.intercept.resume import OnInterrupted, RecordedPrefix, discard_refusal, recorded_prefix
from harness.providers import NO_KEY, Provider, Session, endpoints, find_provider
from harness.providers.http import download
from harness.providers.retries import DEFAULT_RETRIES, NO_RETRIES, Retries, send_with_retries
from harness.providers.sdk import distribution_version, failure_of
from harness.rules.tools import functions
from harness.scenario.steps import Past, Scenario, Step, digests
from harness.secrets.redactor import Redactor
from harness.types import (
    Call,
    CallKind,
    Cassette,
    ClientKind,
    Failure,
    Medium,
    Origin,
    Outcome,
    Progress,
    Provenance,
    Reasoning,
    Reply,
    Sdk,
    Target,
    Transcript,
    Turn,
    with_reasoning,
)
from harness.wire import resolve


class Meter:
    """The interface of a counter of the steps, requests and turns of a recording.

    This class counts nothing; a subclass may, for a budget. An exception that its `step` or
    `request` raises ends the recording.
    """

    def step(self) -> None:
        """Count a step that is about to be sent."""

    def request(self) -> None:
        """Count a request that is about to be sent: a call, its retry, a poll or a download."""

    def turn(self, turn: Turn) -> None:
        """Count a step that was answered or refused."""


def _ignore(_: object) -> None:
    """Do nothing."""


def run(
    scenario: Scenario,
    target: Target,
    session: Session,
    tape: Player | Recorder,
    *,
    seed: int,
    live: bool,
    progress: Progress = _ignore,
    after_turn: Callable[[Turn], None] = _ignore,
    retries: Retries = DEFAULT_RETRIES,
) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Run *scenario* against *target*, with all of its requests recorded or replayed by *tape*.

    Args:
        scenario: The scenario.
        target: One of its targets.
        session: An open session of the target's provider.
        tape: The tape that records or replays the requests.
        seed: The value that replaces `random` in the parameter `seed: random`.
        live: Whether the server is the live service, for which `sandbox_only` steps are skipped,
            unless the answers show that it is a sandbox.
        progress: Called with a text about each step before it is sent.
        after_turn: Called with each turn; an exception ends the run.
        retries: How temporary failures are retried; a step that expects a failure never is.

    Returns:
        The turns, and a sentence for each skipped step.
    """
    past = Past()
    turns: list[Turn] = []
    skipped: list[str] = []
    for step in scenario.steps:
        if step.sandbox_only and live and not _from_sandbox(turns):
            skipped.append(f"step {step.number} ({step}): {step.sandbox_only}")
            continue
        outcome = None
        if step.is_call:
            progress(str(step))
            number = len(turns) + 1
            turn = run_step(step, target, past, session, tape, number, seed, retries)
            outcome = turn.outcome
            turns.append(turn)
            after_turn(turn)
        past = step.after(past, outcome)
    return tuple(turns), tuple(skipped)


def _call(step: Step, target: Target, past: Past, seed: int) -> Call:
    """Return the call of a step, whose messages have the reasoning to be sent back, no other."""
    call = step.call(target, past, seed)
    if not call.has_reasoning:
        return call
    wish = step.reasoning and Reasoning(step.reasoning)
    return with_reasoning(call, wish or find_provider(target.provider).reasoning(call))


def run_step(
    step: Step,
    target: Target,
    past: Past,
    session: Session,
    tape: Player | Recorder,
    number: int,
    seed: int,
    retries: Retries = DEFAULT_RETRIES,
) -> Turn:
    """Send one step that is a call, and return it as the turn *number*.

    Args:
        step: The step.
        target: The target of the call.
        past: The conversation before the step.
        session: An open session of the target's provider.
        tape: The tape that records or replays the requests.
        number: The number of the turn, from 1.
        seed: The value that replaces `random` in the parameter `seed: random`.
        retries: How temporary failures are retried; a step that expects a failure never is.
    """
    call, expect = _call(step, target, past, seed), step.expectation(target)
    with tape.turn(number) as exchanges:
        attempts = NO_RETRIES if expect.failure else retries
        send = partial(_send, session, call)
        outcome = send_with_retries(send, tape.sleep, attempts)
        if step.form.download:
            outcome = _with_files(outcome)
    return Turn(number, tuple(exchanges), call, outcome, expect, step.number)


def _from_sandbox(turns: Iterable[Turn]) -> bool:
    """Return whether a sandbox answered any of *turns*; it marks what it sends."""
    exchanges = (exchange for turn in turns for exchange in turn.exchanges)
    return origin_of(exchanges, Origin.LIVE) is Origin.SANDBOX


def _with_files(outcome: Outcome) -> Outcome:
    """Return *outcome* with the bytes of its files, which are downloaded from their links."""
    if not isinstance(outcome, Reply) or not outcome.files:
        return outcome
    files = (
        replace(file, data=download(file.url)) if file.data is None else file
        for file in outcome.files
    )
    return replace(outcome, files=tuple(files))


def _send(session: Session, call: Call) -> Outcome:
    try:
        return session.send(call)
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - an SDK may raise anything for a response; what it
        return failure_of(error)  # raised is the outcome, which the rules check


def supported_provider(scenario: Scenario, target: Target) -> Provider:
    """Return the provider of *target*, if it can answer each step of *scenario*.

    Raises Unsupported if the provider lacks the target's endpoint or SDK, does not support the
    kind, mode or media of a step, or never answers what a step needs.
    """
    provider = find_provider(target.provider)
    names = [endpoint.name.partition(".")[2] for endpoint in provider.endpoints]
    if target.endpoint and target.endpoint not in names:
        raise Unsupported(
            f"{scenario.path}: {provider.name} has no endpoint {target.endpoint!r}; "
            f"there are: {', '.join(names)}"
        )
    sdks = provider.sdks or (provider.distribution,)
    if target.sdk and target.sdk not in sdks:
        raise Unsupported(
            f"{scenario.path}: {provider.name} is not asked through {target.sdk!r}; "
            f"allowed: {', '.join(sdks)}"
        )
    for step in scenario.steps:
        _check_step(scenario, target, step, provider)
    return provider


def _check_step(scenario: Scenario, target: Target, step: Step, provider: Provider) -> None:
    """Raise Unsupported if *provider* cannot answer a step, see `supported_provider`."""
    kind, mode = step.kind, step.mode(target)
    model = step.form.model or target.model
    call = Call(kind, mode, model, endpoint=target.endpoint, client=target.client)
    is_async = target.client is ClientKind.ASYNC and step.is_call
    if is_async and not provider.asynchronous(call):
        raise Unsupported(
            f"{scenario.path}:{step.line}: client: async cannot make this call: "
            f"{target.sdk or provider.distribution} has no asynchronous function for {kind} "
            f"in mode {mode} with {model}"
        )
    if step.is_call and (kind, mode) not in provider.can:
        can = ", ".join(sorted(f"{kind} {mode}" for kind, mode in provider.can))
        raise Unsupported(
            f"{scenario.path}:{step.line}: {provider.name} does not answer "
            f"{kind} in mode {mode}; it answers: {can}"
        )
    if kind is CallKind.TRANSCRIPTION and provider.hears_files and not step.parts[0].path:
        raise Unsupported(
            f"{scenario.path}:{step.line}: {provider.name} takes the audio as a file, not by a "
            f"URL: download {step.parts[0].value!r}, and name the file"
        )
    media = [part.medium for part in step.parts if part.medium is not Medium.TEXT]
    other = next((one for one in media if one not in provider.media(call)), None)
    if other is not None:
        raise Unsupported(
            f"{scenario.path}:{step.line}: {provider.name} takes no {other} in a call of the "
            f"kind {kind} with {model}"
        )
    problem = next(_never_answered(scenario, target, step), None)
    if problem:
        raise Unsupported(f"{scenario.path}:{step.line}: {problem}")


def _never_answered(scenario: Scenario, target: Target, step: Step) -> Iterator[str]:
    """Yield what *step* needs and no answer has: calls of unknown functions, pictures of chats."""
    called = (step.form.expect.tool_call,) if step.form.expect else ()
    chosen = resolve(step.parameters(target), "/tool_choice/function/name")
    names = (*step.functions, *called, chosen if isinstance(chosen, str) else "")
    before = scenario.steps[: step.number] if any(names) else ()
    parameters = [one.parameters(target) for one in before]
    every = (f.get("name") for one in parameters for f in functions(one.get("tools")))
    declared = [*dict.fromkeys(name for name in every if name)]
    for name in names:
        if name and name not in declared and not any("extra_body" in one for one in parameters):
            known = ", ".join(map(str, declared)) or "none"
            yield f"the model cannot call {name!r}: `tools` declares: {known}"
    sources = {one.form.name: one for one in scenario.steps if one.form.name}
    for reference in step.references() if sources else ():
        source = sources[reference.name]
        model = source.form.model or target.model
        row = load_models(Path.cwd()).find(target.provider, model)
        kinds = row.kinds if row and source.kind in (CallKind.CHAT, CallKind.PROMPT) else ()
        if reference.field in ("image", "file") and kinds and not {"image", "speech"} & {*kinds}:
            yield f"{reference.text} has no value: {target.provider}/{model} answers in text only"


# ------------------------------------------------------------------------------- recording


@dataclass(frozen=True, slots=True)
class Source:
    """The servers that a recording is made from: the live services or the sandbox.

    Attributes:
        origin: The kind of server.
        where: The servers as a text for messages, such as `the live services`.
        key: Returns the API key for a provider.
        address: Returns the base URL of a provider; empty for the default of its SDK.
        secrets: Texts that are removed from the recording, besides the API key.
    """

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
    on_interrupted: OnInterrupted = OnInterrupted.REFUSE,
    meter: Meter = Meter(),  # noqa: B008 - it has no state
    again: int | None = None,
) -> None:
    """Run a scenario against *source* and write its cassette.

    Until the cassette is written, every exchange is in a journal. After any error, an existing
    cassette is unchanged.

    Args:
        scenario: The scenario.
        target: One of its targets.
        source: The servers to record from.
        store: The folder of the cassettes.
        progress: Called with a text about each step before it is sent.
        on_interrupted: What to do if an earlier recording was interrupted and left answers in a
            journal.
        meter: Counts the steps and requests; an exception that it raises ends the recording.
        again: The number of a turn of the cassette on file: only this turn is requested again, and
            later ones whose requests its answer changes. None to request everything.

    Raises:
        UnexpectedRefusal: The provider returned an error where the scenario expects none.
        UnfinishedRecording: An interrupted recording has left answers that are not used.
        HarnessError: Any other error.
    """
    provider = supported_provider(scenario, target)
    access = access_to(provider, target, source)
    journal, redactor = new_journal(scenario, target, source, store, access)
    path, provenance = journal.cassette, journal.head.provenance
    store.when_stopped(journal.close_empty)
    with closing(journal):
        prefix = recorded_prefix(journal, on_interrupted)
        if again is not None and not prefix.exchanges:
            prefix = _all_but(again, store.load(scenario.name, target), source)
        tape = Recorder(redactor, journal, prefix, before_request=meter.request)

        def before_step(step: str) -> None:
            progress(step)
            meter.step()

        def after_turn(turn: Turn) -> None:
            meter.turn(turn)
            _refuse_failure(scenario, target, redactor, journal, turn)

        with use_tape(tape), provider.open(*access, tape.sleep) as session:
            _, skipped = run(
                scenario,
                target,
                session,
                tape,
                seed=journal.head.seed,
                live=source.origin is Origin.LIVE,
                progress=before_step,
                after_turn=after_turn,
            )
        exchanges = tape.exchanges()
        if skipped and origin_of(exchanges, source.origin) is not source.origin:
            raise RecordingFailed(
                f"{scenario.name} with {target}: {provenance.address} is a sandbox, and steps for "
                "it were skipped before it answered; record it with --sandbox"
            )
        provenance = replace(provenance, recorded_at=_now())
        write_recording(Cassette(exchanges, provenance), path, journal)


def _all_but(turn: int, cassette: Cassette, source: Source) -> RecordedPrefix:
    """Return the exchanges of *cassette* except those of one turn, to be replayed and not sent.

    Raises:
        HarnessError: There is no such turn, or *source* is another kind of server.
    """
    turns = sorted({exchange.turn for exchange in cassette.exchanges if exchange.turn is not None})
    if turn not in turns:
        listed = ", ".join(map(str, turns)) or "none (it does not number its turns)"
        raise HarnessError(f"the recording has no turn {turn}; it has: {listed}")
    recorded = cassette.provenance.recorded_from
    if recorded is not source.origin:
        raise HarnessError(
            f"it was recorded from {recorded}, so a single turn cannot come from {source.origin}"
        )
    kept = tuple(exchange for exchange in cassette.exchanges if exchange.turn != turn)
    return RecordedPrefix(kept, cassette.provenance.volatile)


class Access(NamedTuple):
    """The API key and the base URL with which a provider is called.

    Attributes:
        key: The API key.
        address: The base URL; empty for the default of the SDK.
    """

    key: str
    address: str


def access_to(provider: Provider, target: Target, source: Source) -> Access:
    """Return the API key and the base URL for calls to *target*.

    Raises:
        HarnessError: *source* has no key for the provider, or does not serve it.
    """
    key = source.key(provider)
    own = target.base_url if source.origin is Origin.LIVE else ""
    return Access(key, own or source.address(provider))


def new_journal(
    scenario: Scenario, target: Target, source: Source, store: Store, access: Access
) -> tuple[Journal, Redactor]:
    """Return (journal, redactor) for a new recording; the redactor removes its secrets.

    The journal keeps the exchanges until the cassette in *store* is written.
    """
    provider = supported_provider(scenario, target)
    redactor = Redactor((*source.secrets, *provider.secrets(access.key)), endpoints.HEADERS)
    address = redactor.text(access.address)
    provenance = _provenance(scenario, target, provider, source.origin, address)
    path = store.path(scenario.name, target)
    return Journal(path, JournalHead(provenance, _random_seed()), writing=store.writing), redactor


def write_recording(cassette: Cassette, path: Path, journal: Journal) -> None:
    """Write a cassette that vcrpy can read, then remove the journal of its recording.

    The cassette is written with the origin `sandbox` if its answers have the sandbox's mark.

    Raises CannotWrite if the cassette cannot be written; the journal is kept then.
    """
    origin = origin_of(cassette.exchanges, cassette.provenance.recorded_from)
    provenance = replace(cassette.provenance, recorded_from=origin)
    cassette = replace(cassette, provenance=provenance)
    files = to_files(cassette)
    check_vcrpy_reads(files, cassette)
    with journal.writing(), journal.removed_afterwards():
        write_cassette(path, files)


def _random_seed() -> int:
    return random.randrange(2**31)  # noqa: S311 - a seed, not a secret


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse_failure(
    scenario: Scenario, target: Target, redactor: Redactor, journal: Journal, turn: Turn
) -> None:
    """Raise Refused if *turn* failed unexpectedly: the remaining steps would be paid for in vain.

    Its exchanges are removed from the journal. The provider may quote the API key that it refuses,
    so its message is redacted.
    """
    failure = turn.outcome
    if isinstance(failure, Failure) and not _is_expected(turn):
        status = f"HTTP {failure.status}, " if failure.status else ""
        reason = redactor.text(f"({status}code {failure.code or '–'}): {failure.message or '–'}")
        raise UnexpectedRefusal(
            f"{scenario.name} with {target}, step {turn.step}: refused {reason}; "
            f"{discard_refusal(journal, turn)}",
            step=turn.step,
            reason=reason,
        )


def _is_expected(turn: Turn) -> bool:
    """Return whether a failure of *turn* may be recorded: any refusal where one is expected.

    A network failure may be only if the scenario expects its kind, such as `connection reset`.
    """
    if not turn.exchanges or not turn.expect.failure:
        return False
    broken_off = turn.exchanges[-1].broken_off
    return broken_off is None or broken_off.kind.value == turn.expect.failure


def _provenance(
    scenario: Scenario, target: Target, provider: Provider, origin: Origin, address: str
) -> Provenance:
    sdk = target.sdk or provider.distribution
    return Provenance(
        recorded_from=origin,
        recorded_at=_now(),
        scenario=scenario.name,
        target=str(target),
        address=address or provider.address,
        sdk=Sdk(sdk, distribution_version(sdk)),
        script=digests(scenario, target),
        volatile=scenario.volatile,
        parent=scenario.form.parent or "",
    )


# ------------------------------------------------------------------------------- replaying


def replay(scenario: Scenario, target: Target, store: Store, pace: float = 0.0) -> Transcript:
    """Run a scenario offline from its cassette, and return the transcript.

    *pace* is the factor by which recorded latencies and waits are multiplied: 0 for no waits, 1 as
    recorded.

    Raises:
        NoCassette: There is no cassette of the scenario and target.
        BadCassette: The cassette cannot be read.
        StaleCassette: The scenario changed since the cassette was recorded.
        CassetteMiss: The cassette has no response for a request.
    """
    provider = supported_provider(scenario, target)
    cassette = store.load(scenario.name, target)
    _refuse_stale(scenario, target, cassette, store)
    folder = scenario.path.parent if scenario.path else Path.cwd()
    volatile = (*scenario.volatile, *load_settings(folder).volatile)  # today's, not the recorded
    provenance = replace(cassette.provenance, volatile=volatile)
    path = store.path(scenario.name, target)
    command = how_to_record(scenario.name, target, provenance)
    advice = f"\n  cassette: {path}\n  record it again: {command}"
    tape = Player(replace(cassette, provenance=provenance), pace=pace, advice=advice)
    session = provider.open(NO_KEY, provenance.address, tape.sleep)
    with without_proxies(), use_tape(tape), session as opened:
        turns, skipped = run(
            scenario,
            target,
            opened,
            tape,
            seed=_random_seed(),
            live=provenance.recorded_from is Origin.LIVE,
        )
    return Transcript(
        scenario=scenario.name,
        target=str(target),
        turns=turns,
        provenance=provenance,
        unused=tape.unused(),
        skipped=skipped,
        ignored=scenario.ignored,
        selected=scenario.selected,
        severities=scenario.severities,
        source=str(path),
    )


def _refuse_stale(scenario: Scenario, target: Target, cassette: Cassette, store: Store) -> None:
    """Raise StaleCassette if the scenario's steps differ from those that were recorded."""
    if fits(scenario, target, cassette.provenance):
        return
    recorded, current = cassette.provenance.script, digests(scenario, target)
    path = store.path(scenario.name, target)
    command = f"record it again: {how_to_record(scenario.name, target, cassette.provenance)}"
    if len(recorded) != len(current):
        raise StaleCassette(
            f"{scenario.path}: {len(current)} steps, but {path} was recorded with "
            f"{len(recorded)}; {command}"
        )
    steps = zip(scenario.steps, recorded, current, strict=True)
    step = next(step for step, old, new in steps if old != new)
    raise StaleCassette(
        f"{scenario.path}:{step.line}: step {step.number} ({step}) changed since {path} was "
        f"recorded; {command}"
    )


def fits(scenario: Scenario, target: Target, provenance: Provenance) -> bool:
    """Return whether a cassette was recorded from the scenario's current steps.

    *provenance* is the origin of the cassette. Return True if it lacks the digests of the steps.
    """
    recorded = provenance.script
    return not recorded or recorded == digests(scenario, target)
