"""The user's own code and tests, with a cassette: `with harness.use_cassette(path):`.

Whatever SDK the code uses, its requests meet the cassette as those of a scenario do.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from harness import cassette as cassettes
from harness.analysis.transcript import transcript_of
from harness.api.placeholders import placeholder_keys, real_keys
from harness.cassette import Head
from harness.cassette.journal import Journal
from harness.cassette.store import put_cassette, read
from harness.config.environment import environment, without_proxies
from harness.config.settings import Settings, settings
from harness.errors import (
    CannotWrite,
    CassetteMiss,
    HarnessError,
    NoCassette,
    UnfinishedRecording,
    UnusedExchanges,
)
from harness.intercept import (
    BeforeRecord,
    Hosts,
    Match,
    Player,
    RecordedPrefix,
    Recorder,
    ReplayOrRecord,
    checked_pace,
    identity,
    in_place,
    keep_all,
    prove_stock_reads,
)
from harness.providers import endpoints
from harness.providers.rules import judge
from harness.rules import Judged
from harness.secrets.redactor import Redactor
from harness.secrets.shapes import without_keys
from harness.types import Cassette, Exchange, Finding, Origin, Provenance

F = TypeVar("F", bound=Callable[..., Any])


class Record(StrEnum):
    """What may go to the network and onto the cassette."""

    NONE = "none"
    MISSING = "missing"
    ALL = "all"


def use_cassette(
    path: str | os.PathLike[str],
    *,
    record: str = "none",
    volatile: Sequence[str] = (),
    secrets: Sequence[str] = (),
    allow_unused: bool = False,
    allow_hosts: Sequence[str] = (),
    match: Match = identity,
    before_record: BeforeRecord = keep_all,
    pace: float = 0.0,
) -> CassetteContext:
    """A block of code, or with `@` a function, whose requests meet the cassette at `path`.

    `record` is `none`: every answer comes from the cassette, and nothing reaches the network;
    `missing`: what the cassette has not is fetched and added to it; `all`: everything is recorded
    anew. `volatile` are JSON pointers into request bodies that do not count when a request is
    looked up. `secrets` are not written, nor are the keys of the environment. Unless
    `allow_unused`, the block ends with UnusedExchanges if some exchanges were not requested, and
    with CassetteMiss if a request was not recorded, also where a thread or `gather` hid that.
    With `none`, an SDK that finds no key is given a placeholder for as long as the block lasts.
    Recorded answers, and sleeps where nothing may be recorded, take `pace` times as long as they
    did: 0 is no time at all, 1 as recorded.

    `allow_hosts` are reached past the cassette, neither recorded nor replayed:
    `localhost` (this machine by any name), `db.example.com`, `*.example.com`, each with `:port` or
    without. `match` gives back a request as it is to be compared; it is given the recorded and the
    asked ones, without their secrets. `before_record` gives back an exchange as it is to be kept,
    with another request or response, or None to keep nothing of it; secrets are taken out after
    that. What the project
    says in pyproject.toml, [tool.harness], is added to `volatile` and `allow_hosts`.

    What is fetched is on the disk, in a journal beside the cassette, before the next request goes
    out; a block that does not end well leaves it there. With `missing`, its answers then count as
    recorded: they are given again, and written once the block ends well; those that nobody asks
    for any more go with it, and refusals are asked for again. With `all` it is written over.
    """
    if record not in tuple(Record):
        raise HarnessError(f"record={record!r} is not one of: {', '.join(Record)}")
    lists = {"volatile": volatile, "secrets": secrets, "allow_hosts": allow_hosts}
    for name, value in lists.items():
        if isinstance(value, str):
            raise HarnessError(f"{name}: a list is expected, not one text")
    return CassetteContext(
        Path(path),
        Record(record),
        tuple(volatile),
        tuple(secrets),
        allow_unused,
        allow_hosts=tuple(allow_hosts),
        match=match,
        before_record=before_record,
        pace=checked_pace(pace),
    )


@dataclass(eq=False)
class CassetteContext:
    """A block of code with its cassette, and what came of it.

    A missing cassette is an error where nothing may be recorded, if it is `needed`; else the
    first request is. `test` is whose cassette it is, see `Provenance`; written into it.
    """

    path: Path
    record: Record = Record.NONE
    volatile: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    allow_unused: bool = False
    needed: bool = True
    test: str = ""
    allow_hosts: tuple[str, ...] = ()
    match: Match = field(default=identity, repr=False)
    before_record: BeforeRecord = field(default=keep_all, repr=False)
    pace: float = 0.0
    written: bool = field(init=False, default=False)
    _old: Cassette = field(init=False, repr=False, default=Cassette(()))
    _found: tuple[int, ...] = field(init=False, repr=False, default=())
    _journal: Journal = field(init=False, repr=False)
    _deck: ReplayOrRecord = field(init=False, repr=False)
    _hosts: Hosts = field(init=False, repr=False)
    _open: ExitStack = field(init=False, repr=False, default_factory=ExitStack)

    def __post_init__(self) -> None:
        for name in ("volatile", "secrets", "allow_hosts"):
            if not all(isinstance(text, str) for text in getattr(self, name)):
                raise HarnessError(f"{name}: a list of texts is expected")
        for pointer in self.volatile:
            if not pointer.startswith("/"):
                raise HarnessError(
                    f"volatile: {pointer!r} is no JSON pointer; allowed are the likes of '/seed'"
                )
        for name in ("match", "before_record"):
            if not callable(getattr(self, name)):
                raise HarnessError(f"{name}: a function is expected")
        self._deck = ReplayOrRecord(Player(self._old))
        self._hosts = Hosts(self.allow_hosts)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All that passed, in the order it was asked, secrets removed."""
        return self._deck.exchanges()

    @property
    def played(self) -> tuple[Exchange, ...]:
        """What came from the cassette."""
        return self._deck.played()

    @property
    def recorded(self) -> tuple[Exchange, ...]:
        """What came from the network, secrets removed; it is `written` if the block ended well."""
        return self._deck.recorded()

    @property
    def unused(self) -> tuple[Exchange, ...]:
        """What the cassette has and nobody asked for."""
        return self._deck.unused()

    @property
    def went_out(self) -> bool:
        """Whether any request went to the network, answered or not; those `reached` aside."""
        return self._deck.went_out()

    @property
    def reached(self) -> tuple[str, ...]:
        """Hosts outside this machine that something was sent to because they are allowed."""
        return tuple(self._hosts.reached)

    @property
    def provenance(self) -> Provenance:
        """What the cassette said of itself before the block; all unknown where there was none."""
        return self._old.provenance

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the rules of the wire find in all that passed."""
        return self.judged.findings

    @property
    def judged(self) -> Judged:
        """The same, beside what the project's settings ignore. Raises BadSettings."""
        passed = Cassette(self.exchanges, replace(self._old.provenance, recorded_from=self._origin))
        told = transcript_of(passed, endpoints.recognise, source=str(self.path))
        return judge(settings(Path.cwd()).rules.of(told))

    def __enter__(self) -> CassetteContext:
        known = environment(Path.cwd()).secrets()
        redactor = Redactor((*known, *self.secrets), endpoints.HEADERS)
        told = Head(Provenance(volatile=self.volatile))
        self._journal = Journal(self.path, told, over=self.record is Record.ALL)
        project = settings(self.path.parent)
        self._hosts = Hosts((*self.allow_hosts, *project.allow_hosts))
        with ExitStack() as stack:
            stack.callback(self._journal.close)
            self._found, self._old = _stamp(self.path), self._load()
            player = Player(_with(project, self._old), redactor, self.match, self.pace)
            self._deck = ReplayOrRecord(player, self._recorder(redactor))
            if self.record is Record.NONE:
                stack.enter_context(without_proxies())
                stack.enter_context(placeholder_keys())
            else:
                stack.enter_context(real_keys())
            stack.enter_context(in_place(self._deck, self._hosts))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:  # which closes the journal, last of all
            if error is not None:
                if len(self._journal) and self.record is Record.MISSING:
                    error.add_note(f'kept for the next run with record="missing": {self._journal}')
                return
            self._deck.finish()
            if self.recorded:
                self._write()
            elif self.record is Record.MISSING:
                self._journal.remove()
        if self._deck.missed:
            raise CassetteMiss(f"{self._deck.missed[0]}\n{_SWALLOWED}")
        if self.unused and not self.allow_unused:
            raise UnusedExchanges(self._unused_message())

    def __call__(self, function: F) -> F:
        """The function, each call of it a block of its own; it may be asynchronous.

        A generator's block lasts until its end, as a fixture's has to. Raises HarnessError for
        what would run after the block was over.
        """
        if inspect.isasyncgenfunction(function) or inspect.isclass(function):
            raise HarnessError(
                f"{function.__name__}: a function or a generator can be on a cassette as a whole, "
                "not a class or an asynchronous generator; open the block inside of it"
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

    async def here(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Await a function in an event loop whose tasks began before the block, and so outside."""
        with in_place(self._deck, self._hosts):
            return await function(*args, **options)

    def _load(self) -> Cassette:
        """What there is to be played. Raises NoCassette where there must be something."""
        if self.record is Record.ALL:
            return Cassette((), Provenance(volatile=self.volatile))
        if not os.path.lexists(self.path):
            if self.record is Record.NONE and self.needed:
                raise NoCassette(f"there is no cassette {self.path}; record it: {_HOW}")
            return Cassette((), Provenance(volatile=self.volatile))
        found = read(self.path)
        if not self.volatile:
            return found
        return replace(found, provenance=replace(found.provenance, volatile=self.volatile))

    def _recorder(self, redactor: Redactor) -> Recorder | None:
        """What hears what is fetched, and has what was fetched before the block was interrupted."""
        if self.record is Record.NONE:
            return None
        if self.record is Record.ALL:
            self._journal.lock()
            return Recorder(redactor, self._journal, before_record=self.before_record)
        found = self._journal.look()
        if not found.records:
            return Recorder(redactor, self._journal, before_record=self.before_record)
        if found.head is not None and found.head.provenance.scenario:
            scenario = found.head.provenance.scenario
            raise UnfinishedRecording(
                f"{self._journal.path} is of a recording of the scenario {scenario}; "
                f"go on with it: harness record {scenario} --resume"
            )
        self._journal.go_on(found, len(found.records))
        # A refusal cost nothing, and may be over: it is asked for again.
        answers = tuple(e for e in found.exchanges if e.response.status < _REFUSED)
        finished = RecordedPrefix(answers, self._old.provenance.volatile)
        return Recorder(redactor, self._journal, finished, self.before_record)

    @property
    def _origin(self) -> Origin:
        """The sandbox marks each of its answers; what comes from elsewhere is live."""
        if any(exchange.response.header("x-sandbox") for exchange in self.recorded):
            return Origin.SANDBOX
        return self._old.provenance.recorded_from if self._old.exchanges else Origin.LIVE

    def _write(self) -> None:
        provenance = replace(
            self._old.provenance,
            recorded_from=self._origin,
            recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
            test=self.test,
        )
        cassette = Cassette((*self._old.exchanges, *self.recorded), provenance)
        written = cassettes.written(cassette)
        prove_stock_reads(written, cassette)
        with self._journal.until_written():
            if _stamp(self.path) != self._found:
                raise CannotWrite(f"{self.path} was changed by somebody else since it was read")
            put_cassette(self.path, written)
        self.written = True

    def _unused_message(self) -> str:
        clean = self._deck.player.redactor.request  # others' cassettes may hold anything
        asked = (clean(exchange.request) for exchange in self.unused)
        left = [f"\n  {request.method} {without_keys(request.uri)}" for request in asked]
        count = "1 recorded exchange" if len(left) == 1 else f"{len(left)} recorded exchanges"
        return (
            f"{self.path}: {count} nobody asked for; allow that with allow_unused=True, "
            f"or record the cassette anew{''.join(left[:_SHOWN])}{_more(len(left) - _SHOWN)}"
        )


def _stamp(path: Path) -> tuple[int, ...]:
    """What a file is known by, as long as nobody writes it anew; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _with(project: Settings, cassette: Cassette) -> Cassette:
    """A cassette as it is looked through: what is volatile in the project is so here too."""
    told = cassette.provenance
    return replace(cassette, provenance=replace(told, volatile=(*told.volatile, *project.volatile)))


_HOW = 'with record="missing", or in pytest with --record=missing'
_SWALLOWED = "(this error ended in a thread, in a task or in an `except`, and not the block itself)"
_SHOWN = 5
_REFUSED = 400


def _more(count: int) -> str:
    return f"\n  and {count} more" if count > 0 else ""
