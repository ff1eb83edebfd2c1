"""The public function `harness.use_cassette`, which replays a cassette to the user's own code."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import is_
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

from harness.api.placeholders import placeholder_keys, real_keys
from harness.cassette.artefacts import to_files
from harness.cassette.journal import Journal, JournalHead
from harness.cassette.remote import home, location
from harness.cassette.store import file_stamp, parsed, read_content, write_cassette
from harness.config.environment import without_proxies
from harness.config.hosts import AllowedHosts
from harness.config.settings import Settings, examined_once, load_settings
from harness.errors import (
    CannotWrite,
    CassetteMiss,
    HarnessError,
    InterceptError,
    NoCassette,
    NotAnswered,
    UnfinishedRecording,
    UnusedExchanges,
)
from harness.intercept.clock import checked_pace
from harness.intercept.context import Block, Tape, current_block
from harness.intercept.hooks import BeforeRecord, NormalizeRequest, identity, keep_all
from harness.intercept.namespace import check_hosts
from harness.intercept.network_guard import Unwatched, loaded_libraries
from harness.intercept.patch import use_block
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder, origin_of
from harness.intercept.replay_or_record import ReplayOrRecord
from harness.intercept.resume import RecordedPrefix
from harness.providers.masking import recording_redactor
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import without_keys
from harness.types import Cassette, Exchange, Finding, Origin, Provenance

if TYPE_CHECKING:
    from harness.faults.injected import InjectedFault, Injector
    from harness.rules import Judged

F = TypeVar("F", bound=Callable[..., Any])

RecordMode = Literal["none", "missing", "all"]
"""The requests that are sent and recorded: none, those missing on the cassette, or all."""

_MODES = get_args(RecordMode)
_EMPTY_TAPE = ReplayOrRecord(Player(Cassette(())))
"""The tape of a block that was never entered; nothing is replayed from it."""


def use_cassette(
    path: str | os.PathLike[str],
    *,
    record: RecordMode = "none",
    volatile: Sequence[str] = (),
    secrets: Sequence[str] = (),
    allow_unused: bool = False,
    allow_hosts: Sequence[str] = (),
    normalize_request: NormalizeRequest = identity,
    before_record: BeforeRecord = keep_all,
    pace: float = 0.0,
    faults: Sequence[InjectedFault] = (),
) -> CassetteContext:
    """Answer the HTTP requests of a `with` block or a decorated function from a cassette.

    Args:
        path: The file of the cassette; the address of a store too, such as
            `s3://bucket/cassettes/one.yaml` (docs/BUCKETS.md).
        record: With `none`, every answer comes from the cassette, nothing reaches the network, and
            an SDK without a key gets a placeholder. With `missing`, requests that are not on the
            cassette are sent and added to it, and replace recorded requests that the block no
            longer makes (unless `allow_unused`). With `all`, everything is recorded again.
        volatile: JSON pointers into request bodies; values there are ignored when a request is
            looked up.
        secrets: Texts that are never written, besides the API keys of the environment.
        allow_unused: Accept recorded requests that the block does not make.
        allow_hosts: Hosts that are contacted without recording or replaying: `localhost` (this
            machine by any name), `db.example.com`, `*.example.com`, each with or without `:port`.
        normalize_request: A function that returns a copy of a request for matching, without the
            values that may differ. It gets recorded and actual requests, without their secrets.
        before_record: A function that returns the exchange to write instead of its argument, or
            None to drop it. Secrets are removed afterwards.
        pace: The factor by which recorded latencies are multiplied: 0 is instant, 1 as recorded.
            With `record="none"`, sleeps are multiplied too.
        faults: Faults of `harness.faults` that some requests get instead of their answers, in this
            order. The answer stays for the next attempt.

    `[tool.harness]` in pyproject.toml adds to `volatile` and `allow_hosts`.

    Each exchange is written to a journal beside the cassette before the next request is sent; if
    the block raises, the journal stays. With `missing`, the next run takes answers from the
    journal, apart from refusals; when its block succeeds, it writes those that were needed. With
    `all`, the journal is overwritten.

    Raises:
        HarnessError: an argument is invalid.
        NoCassette: at the start of the block: the file is missing, and nothing may be recorded.
        CassetteMiss: at a request that is not on the cassette, and again at the end of the block if
            an `except` swallowed it. In another thread or task than the block's own, such a request
            raises NotAnswered instead, an ordinary exception.
        ConnectionBlocked: at a connection, a datagram or a name look-up of code whose requests are
            neither replayed nor recorded, such as a raw socket. As with CassetteMiss, it is raised
            again at the end of the block, and another thread or task gets NotAnswered instead.
        UnusedExchanges: at the end of the block: the cassette holds requests that were not made, or
            no request got one of the faults.
        BadFault: at a request whose recorded answer cannot be changed as a fault says.
    """
    return CassetteContext(
        location(os.fspath(path)),
        record,
        volatile,
        secrets,
        allow_unused,
        allow_hosts=allow_hosts,
        normalize_request=normalize_request,
        before_record=before_record,
        pace=pace,
        faults=faults,
    )


@dataclass(eq=False)
class CassetteContext:
    """A block of code with its cassette, and the block's exchanges.

    Attributes:
        path: The file of the cassette.
        record: The requests that are sent and recorded: `none`, those `missing` on the cassette, or
            `all`.
        volatile: JSON pointers into request bodies; values there are ignored in matching.
        secrets: Texts that are never written, besides the API keys of the environment.
        allow_unused: Whether the block may leave out recorded requests.
        must_exist: With `record="none"`, whether a missing cassette is an error at the start of the
            block; otherwise it is an error only when a request is made.
        test: The name of the test that uses the cassette, to be written into the cassette; empty if
            there is none.
        allow_hosts: Hosts that are contacted without recording or replaying.
        normalize_request: A function that returns a copy of a request for matching.
        before_record: A function that returns the exchange to write instead of its argument, or
            None to drop it.
        pace: The factor by which recorded latencies are multiplied: 0 is instant, 1 as recorded.
        faults: Faults that some requests get instead of their answers, in this order.
        how_to_record: How the user records what is missing, for messages.
        written: Whether the block has written the cassette.
    """

    path: Path
    record: RecordMode = "none"
    volatile: Sequence[str] = ()
    secrets: Sequence[str] = field(default=(), repr=False)
    allow_unused: bool = False
    must_exist: bool = True
    test: str = ""
    allow_hosts: Sequence[str] = ()
    normalize_request: NormalizeRequest = field(default=identity, repr=False)
    before_record: BeforeRecord = field(default=keep_all, repr=False)
    pace: float = 0.0
    faults: Sequence[InjectedFault] = ()
    how_to_record: str = 'with record="missing", or in pytest with --record=missing'
    written: bool = field(init=False, default=False)
    _cassette: Cassette = field(init=False, repr=False, default=Cassette(()))
    _content: bytes = field(init=False, repr=False, default=b"")
    _file_stamp: tuple[int, ...] = field(init=False, repr=False, default=())
    _journal: Journal = field(init=False, repr=False)
    _tape: ReplayOrRecord = field(init=False, repr=False)
    _injector: Injector | None = field(init=False, repr=False, default=None)
    _hosts: AllowedHosts = field(init=False, repr=False)
    _block: Block = field(init=False, repr=False)
    _open: ExitStack = field(init=False, repr=False, default_factory=ExitStack)

    def __post_init__(self) -> None:
        if self.record not in _MODES:
            modes = ", ".join(_MODES)
            raise HarnessError(f"record={self.record!r} is not valid; expected one of: {modes}")
        for name in ("volatile", "secrets", "allow_hosts"):
            value = getattr(self, name)
            is_list = isinstance(value, Iterable) and not isinstance(value, str)
            if not is_list or not all(isinstance(text, str) for text in value):
                raise HarnessError(f"{name}: expected a list of strings")  # without the secrets
            setattr(self, name, tuple(value))
        for pointer in self.volatile:
            if not pointer.startswith("/"):
                raise HarnessError(
                    f"volatile: {pointer!r} is not a JSON pointer; expected for example '/seed'"
                )
        for name in ("normalize_request", "before_record"):
            if not callable(getattr(self, name)):
                raise HarnessError(f"{name}: expected a function")
        self.faults = tuple(self.faults)
        if self.faults:
            from harness.faults.injected import InjectedFault

            if not all(isinstance(one, InjectedFault) for one in self.faults):
                raise HarnessError("faults: expected faults of harness.faults, such as reset()")
        self.pace = checked_pace(self.pace)
        self._tape = _EMPTY_TAPE
        self._hosts = AllowedHosts(tuple(self.allow_hosts))
        self._block = Block(self._tape, self._hosts)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges of the block, in the order of their requests, without secrets."""
        return self._tape.exchanges()

    @property
    def replayed(self) -> tuple[Exchange, ...]:
        """The exchanges whose responses came from the cassette."""
        return self._tape.replayed()

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """The exchanges whose responses came from the network, without secrets.

        They are on the cassette only if `written` is true.
        """
        return self._tape.recorded()

    @property
    def unused(self) -> tuple[Exchange, ...]:
        """The exchanges of the cassette whose requests were not made."""
        return self._tape.player.unused()

    @property
    def injected(self) -> tuple[Exchange, ...]:
        """The answers that faults changed or replaced; `exchanges` leaves them out."""
        return tuple(self._injector.injected) if self._injector else ()

    @property
    def attempts(self) -> int:
        """The number of requests that got an answer or a fault, those of retries included."""
        return self._tape.count + len(self.injected)

    @property
    def misses(self) -> tuple[CassetteMiss, ...]:
        """All CassetteMiss errors that were raised in the block, even if its code caught them."""
        return tuple(e for e in self._block.errors if isinstance(e, CassetteMiss))

    @property
    def unwatched(self) -> Unwatched:
        """The child processes and C libraries of the block, which could use the network unseen."""
        programs = tuple(sorted(self._block.programs))
        return Unwatched(self._block.children, programs, loaded_libraries())

    @property
    def used_network(self) -> bool:
        """Whether a request was sent to the network, even if no response arrived.

        Requests to allowed hosts do not count.
        """
        return self._tape.used_network()

    @property
    def reached_hosts(self) -> tuple[str, ...]:
        """The allowed hosts outside this machine that were contacted."""
        return tuple(self._hosts.reached)

    @property
    def provenance(self) -> Provenance:
        """The origin of the cassette as it was before the block; empty if there was no cassette."""
        return self._cassette.provenance

    @property
    def replayed_file(self) -> bytes:
        """The content of the cassette's file if the block replayed all its exchanges, in order.

        Empty if it did not, if it recorded an exchange, or if a fault was injected.
        """
        recorded, used = self._cassette.exchanges, self.exchanges
        is_whole = len(recorded) == len(used) and all(map(is_, recorded, used))
        return self._content if is_whole and not self.injected else b""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the rules in all exchanges, without the ignored ones.

        Raises BadSettings for invalid settings of the project.
        """
        return self.judged.findings

    @property
    def judged(self) -> Judged:
        """The findings of the rules in all exchanges, and those that the project's settings ignore.

        Raises BadSettings for invalid settings of the project.
        """
        from harness.analysis.transcript import transcript_of
        from harness.providers import endpoints
        from harness.providers.rules import judge, project_rules

        provenance = self._cassette.provenance
        if self._origin is not provenance.recorded_from:
            provenance = replace(provenance, recorded_from=self._origin)
        passed = Cassette(self.exchanges, provenance)
        with examined_once():
            transcript = transcript_of(passed, endpoints.recognise, source=str(self.path))
            return judge(project_rules(os.getcwd()).apply_to(transcript))

    def __enter__(self) -> Self:
        with examined_once():
            self._enter()
        return self

    def _enter(self) -> None:
        redactor = recording_redactor(self.secrets)
        head = JournalHead(Provenance(volatile=tuple(self.volatile)))
        self._journal = Journal(self.path, head, overwrite=self.record == "all")
        project = load_settings(home(self.path))
        self._hosts = AllowedHosts((*self.allow_hosts, *project.allow_hosts))
        check_hosts(self._hosts.patterns)
        with ExitStack() as stack:
            stack.callback(self._journal.close)
            self._file_stamp, self._cassette = file_stamp(self.path), self._load()
            cassette = _with_volatile_of(project, self._cassette)
            advice = self._advice() if self._file_stamp else ""
            player = Player(cassette, redactor, self.normalize_request, self.pace, advice=advice)
            self._tape = ReplayOrRecord(player, self._recorder(redactor))
            if self.record == "none":
                stack.enter_context(without_proxies())
                stack.enter_context(placeholder_keys())
            else:
                stack.enter_context(real_keys())
            self._block = Block(self._with_faults(), self._hosts)
            stack.enter_context(use_block(self._block))
            self._open = stack.pop_all()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:  # the journal is closed last
            reason = self.reason_to_fail(error)
            if reason is not None:
                self.explain_journal(reason)
                if reason is not error:
                    raise reason from (None if isinstance(error, NotAnswered) else error)
                return
            self._tape.finish()
            has_recorded = self._has_recorded
            if has_recorded:
                self._write()
            elif self.record == "missing":
                self._journal.remove()
        has_paid = self.record == "missing" and has_recorded
        if self.unused and not self.allow_unused and not has_paid:
            raise UnusedExchanges(self._explain_unused())
        if self._injector and (idle := self._injector.unused):
            names = ", ".join(one.name for one in idle)
            raise UnusedExchanges(f"{self.path}: no request got the fault {names}")

    def reason_to_fail(self, error: BaseException | None = None) -> BaseException | None:
        """Return the exception that the block has to raise at its end; None if it succeeded.

        An InterceptError that the block's code swallowed, or turned into *error*, is raised again.

        Args:
            error: The exception that ends the code of the block.
        """
        errors = self._block.errors
        if not errors or isinstance(error, _ENDS_BLOCK_ITSELF):
            return error
        raised = error if isinstance(error, NotAnswered) else errors[0]
        reason = type(errors[0])(f"{errors[0]}{'' if raised is error else _SWALLOWED}")
        for note in getattr(errors[0], "__notes__", ()):
            reason.add_note(note)
        return reason.with_traceback(raised.__traceback__)

    def explain_journal(self, error: BaseException) -> None:
        """Add a note to *error* about the journal, if it has answers that the next run can use."""
        note = f'kept for the next run with record="missing": {self._journal}'
        is_known = note in getattr(error, "__notes__", ())
        if len(self._journal) and self.record == "missing" and not is_known:
            error.add_note(note)

    def __call__(self, function: F) -> F:
        """Decorate a function, a coroutine function or a generator; each call is a block.

        The block of a generator lasts until its end, as a fixture requires.

        Raises:
            HarnessError: *function* is a class or an asynchronous generator, whose code would run
                after the block has ended.
        """
        if inspect.isasyncgenfunction(function) or inspect.isclass(function):
            raise HarnessError(
                f"{function.__name__}: only functions and generators can be decorated, not classes "
                "and asynchronous generators; use a with block inside of it"
            )
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def called(*args: Any, **options: Any) -> Any:
                with replace(self):
                    return (yield from function(*args, **options))

        elif inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def called(*args: Any, **options: Any) -> Any:
                with replace(self):
                    return await function(*args, **options)
        else:

            @functools.wraps(function)
            def called(*args: Any, **options: Any) -> Any:
                with replace(self):
                    return function(*args, **options)

        return called  # type: ignore[return-value]  # the same signature, by functools.wraps

    async def call_inside(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Await `function(*args, **options)` as part of this block, and return the result.

        It is needed in a task that began before the block, which otherwise does not use the block.
        """
        with use_block(self._block):
            return await function(*args, **options)

    def begin_teardown(self) -> None:
        """Make a request without a recorded answer raise NotAnswered, an Exception, from now on.

        Test runners expect only ordinary exceptions in a teardown.
        """
        self._block.is_ending = True

    def enter_in(self, context: Context) -> None:
        """Make code that runs in *context* use this block, until the block ends.

        It is needed for a context that was copied before the block began.
        """
        context.run(current_block.set, self._block)

    def _load(self) -> Cassette:
        """Return the cassette to replay; an empty one if there is none or all is recorded again.

        Raises NoCassette if there is none, although nothing may be recorded and `must_exist` is
        true.
        """
        is_there = bool(self._file_stamp) or os.path.lexists(self.path)
        if self.record == "all" or not is_there:
            if self.record == "none" and self.must_exist:
                raise NoCassette(f"there is no cassette {self.path}; record it: {_HOW_TO_RECORD}")
            return Cassette((), Provenance(volatile=tuple(self.volatile)))
        self._content = read_content(self.path)
        cassette = parsed(self._content, self.path)
        if not self.volatile:
            return cassette
        provenance = replace(cassette.provenance, volatile=tuple(self.volatile))
        return replace(cassette, provenance=provenance)

    def _with_faults(self) -> Tape:
        """Return the tape of the block, some answers of which are faulty."""
        if not self.faults:
            return self._tape
        from harness.faults.injected import FaultyTape, Injector

        self._injector = Injector(self.faults)
        return FaultyTape(self._tape, self._injector)

    def _advice(self) -> str:
        """Return the lines of a miss that name the cassette, and how to record what is missing."""
        costs = "; it was recorded from the sandbox, a live recording costs money"
        is_free = self._cassette.provenance.recorded_from is Origin.SANDBOX
        what = f"record what is missing {self.how_to_record}{costs if is_free else ''}"
        return f"\n  cassette: {self.path}\n  {what}"

    def _recorder(self, redactor: Redactor) -> Recorder | None:
        """Return the recorder, with the answers of an interrupted run; None with record="none"."""
        if self.record == "none":
            return None
        prefix = RecordedPrefix()
        if self.record == "all":
            self._journal.lock()
        else:
            prefix = self._interrupted_run()
        return Recorder(redactor, self._journal, prefix, self.before_record)

    def _interrupted_run(self) -> RecordedPrefix:
        """Return the answers in the journal of an interrupted run.

        Refusals (HTTP 400 and above) and network failures are left out, because they may have been
        temporary.

        Raises:
            UnfinishedRecording: the journal belongs to the recording of a scenario.
        """
        content = self._journal.read()
        if not content.records:
            return RecordedPrefix()
        if content.head is not None and content.head.provenance.scenario:
            recorded = content.head.provenance
            scenario = recorded.scenario
            sandbox = " --sandbox" if recorded.recorded_from is Origin.SANDBOX else ""
            raise UnfinishedRecording(
                f"{self._journal.path} belongs to an interrupted recording of the scenario "
                f"{scenario}; continue it: harness record {scenario} --resume{sandbox}"
            )
        self._journal.resume(content, len(content.records))
        answers = tuple(
            e for e in content.exchanges if e.response.status < 400 and not e.broken_off
        )
        return RecordedPrefix(answers, self._cassette.provenance.volatile)

    @property
    def _origin(self) -> Origin:
        """The kind of server that answered; the sandbox marks each of its responses by a header."""
        before = self._cassette.provenance.recorded_from
        return origin_of(self.recorded, before if self._cassette.exchanges else Origin.LIVE)

    @property
    def _replaces_unused(self) -> bool:
        """Whether what was recorded replaces the exchanges whose requests are no longer made.

        On a cassette that tests share, they may be those of another test.
        """
        is_own = self._cassette.provenance.test in ("", self.test)
        return self.record == "missing" and not self.allow_unused and is_own

    @property
    def _has_recorded(self) -> bool:
        """Whether there are exchanges whose responses came from the network."""
        return bool(self.recorded)

    def _new_provenance(self) -> Provenance:
        return replace(
            self._cassette.provenance,
            recorded_from=self._origin,
            recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            test=self._tests(),
        )

    def _write(self) -> None:
        from harness.cassette.vcrpy_check import check_vcrpy_reads

        unused = self.unused if self._replaces_unused else ()
        kept = (e for e in self._cassette.exchanges if not any(e is old for old in unused))
        cassette = Cassette((*kept, *self.recorded), self._new_provenance())
        written = to_files(cassette)
        check_vcrpy_reads(written, cassette)
        with self._journal.removed_afterwards():
            self._check_unchanged()
            write_cassette(self.path, written)
        self.written = True

    def _check_unchanged(self) -> None:
        if file_stamp(self.path) != self._file_stamp:
            raise CannotWrite(f"{self.path} was changed by another process since it was read")

    def _tests(self) -> str:
        """Return the tests that have recorded the cassette, a line for each."""
        earlier = self._cassette.provenance.test if self._cassette.exchanges else ""
        return "\n".join(dict.fromkeys(filter(None, (*earlier.splitlines(), self.test))))

    def _explain_unused(self) -> str:
        redact = self._tape.player.redactor.request  # cassettes of other tools may hold secrets
        requests = [redact(exchange.request) for exchange in self.unused]
        lines = [f"\n  {request.method} {without_keys(request.uri)}" for request in requests]
        if len(lines) > _SHOWN:
            lines[_SHOWN:] = [f"\n  and {len(lines) - _SHOWN} more"]
        count = len(requests)
        return (
            f"{self.path}: {count} unused recorded {'request' if count == 1 else 'requests'}; "
            f"accept that with allow_unused=True, or record the cassette again{''.join(lines)}"
        )


def _with_volatile_of(project: Settings, cassette: Cassette) -> Cassette:
    """Return *cassette* with the volatile pointers of the project's settings added."""
    if not project.volatile:
        return cassette
    volatile = (*cassette.provenance.volatile, *project.volatile)
    return replace(cassette, provenance=replace(cassette.provenance, volatile=volatile))


_HOW_TO_RECORD = 'with record="missing", or in pytest with --record=missing'
_SWALLOWED = "\n(this error was swallowed by a thread, a task or an `except`)"
_ENDS_BLOCK_ITSELF = (InterceptError, KeyboardInterrupt, SystemExit, GeneratorExit)
_SHOWN = 5
