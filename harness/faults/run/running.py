"""Recorded answers, changed, sent to a client over a real connection: what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from harness.faults.run.cases import Case, OnInterrupted, Source, cases
from harness.faults.run.clients import Question
from harness.faults.run.judging import Heard
from harness.faults.run.process import Process
from harness.faults.run.results import Result, Suffered
from harness.faults.run.scripts import script
from harness.faults.run.worker import Task
from harness.faults.transport import Fault, Sent, Verdict
from harness.faults.transport.sent import UNFIT
from harness.parse import recorded_request
from harness.sandbox.scripted_server import Respond, response_script, serve_scripts

_PATIENCE = 30.0
"""Further seconds for an untouched answer: an SDK may have to be imported for the first one."""

_SLOWER = 3
"""A changed answer may take so many times longer than the untouched one, besides the timeout."""

_FOREVER = 3600.0
"""Seconds of silence: never what ends a client's waiting."""

_PER_PIECE = 2e-4
"""Further seconds for each packet: some thousands take their time, whoever reads them."""

_NOT_ASKED = UNFIT | {"accept-encoding", "host"}
"""Headers of the recorded request that belonged to its connection."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is tried: cases of each kind, and seconds in all (0 for no limit); and how long a
    client has for one answer, and further until it is said to hang.
    """

    cases: int = 10
    seed: int = 0
    timeout: float = 2.0
    grace: float = 1.0
    seconds: float = 0.0


def torture(
    names: Sequence[str],
    found: Sequence[Source],
    tortures: Sequence[Fault],
    limits: Limits,
    tell: Callable[[str], None],
) -> list[Suffered]:
    """What each of these clients suffered, all of them at once.

    Raises HarnessError for a client that is none.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(Process(name)) for name in names]
        clock = _Clock(time.monotonic() + limits.seconds if limits.seconds else None)
        runs = [_Run(process, limits, clock, tell) for process in processes]
        pool = stack.enter_context(ThreadPoolExecutor(max(1, len(runs))))
        # Entered last, so that whatever ends this ends the runs before they are waited for.
        stack.enter_context(clock)
        done = [pool.submit(run.suffer, found, tortures) for run in runs]
        for ended in wait(done, return_when=FIRST_EXCEPTION).done:
            ended.result()
        return [one.result() for one in done]


@dataclass
class _Clock:
    """Says when the time is up: at `ends`, or when the context is left."""

    ends: float | None
    left: bool = False

    @property
    def is_up(self) -> bool:
        return self.left or (self.ends is not None and time.monotonic() >= self.ends)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.left = True


@dataclass
class _Run:
    """One client's way through its cases. `known` is how many seconds the untouched answer took of
    each exchange that the process of a generation has heard.
    """

    process: Process
    limits: Limits
    clock: _Clock
    tell: Callable[[str], None]
    known: dict[tuple[int, int], float] = field(default_factory=dict)

    def suffer(self, found: Sequence[Source], tortures: Sequence[Fault]) -> Suffered:
        fitting, left = self._fitting(found)
        todo = list(cases(fitting, tortures, self.limits.cases, self.limits.seed))
        results = tuple(self._results(todo))
        return Suffered(self.process.name, results, tuple(left), len(todo), len(fitting))

    def _fitting(self, found: Sequence[Source]) -> tuple[list[Source], list[OnInterrupted]]:
        """The exchanges that this client can ask for and reads when they are untouched."""
        fitting: list[Source] = []
        left: list[OnInterrupted] = []
        for number, source in enumerate(found, start=1):
            self.tell(f"{self.process.name}: untouched, {number} of {len(found)}")
            why = self._unfit(source)
            left.append(OnInterrupted(str(source), why)) if why else fitting.append(source)
        return fitting, left

    def _unfit(self, source: Source) -> str:
        """Why this exchange is no measure for this client; empty where it is."""
        if self.clock.is_up:
            return "the time was up"
        known = self.process.endpoints
        if known is not None and source.recorded.endpoint.name not in known:
            return "not one of its endpoints"
        # Twice: what differs by itself is no measure for anything.
        heard = [self._untouched(source), self._untouched(source)]
        worst = next((h for h in heard if h.verdict is not Verdict.SAME), None)
        return f"untouched: {worst.verdict}, {worst.words}" if worst else ""

    def _results(self, todo: Sequence[Case]) -> Iterator[Result]:
        for number, case in enumerate(todo, start=1):
            if self.clock.is_up:
                return
            self.tell(f"{self.process.name}: {number} of {len(todo)}, {case.torture.name}")
            sent = case.sent()
            heard = self._heard(case.source, sent)
            yield Result(case, sent, heard.verdict, heard.words)

    def _heard(self, source: Source, sent: Sent) -> Heard:
        self.process.begin()
        took = self.known.get((self.process.generation, id(source)))
        if took is None:
            untouched = self._untouched(source)
            if untouched.verdict is not Verdict.SAME:
                return Heard(Verdict.WRONG, f"even the untouched answer: {untouched.words}")
            took = self.known[self.process.generation, id(source)]
        timeout = self.limits.timeout
        return self._ask(
            source,
            lambda head, body: script(sent, head, timeout=timeout, silence=_FOREVER),
            raised=sent.raised,
            further=len(sent.pieces) * _PER_PIECE + took * _SLOWER,
        )

    def _untouched(self, source: Source) -> Heard:
        self.process.begin()
        response, chunks = source.recorded.response(), source.recorded.exchange.chunks
        began = time.monotonic()
        heard = self._ask(
            source,
            lambda head, body: response_script(response, chunks),
            is_reference=True,
            further=_PATIENCE,
        )
        if heard.verdict is Verdict.SAME:
            self.known[self.process.generation, id(source)] = time.monotonic() - began
        return heard

    def _ask(
        self,
        source: Source,
        respond: Respond,
        *,
        further: float,
        raised: int = 0,
        is_reference: bool = False,
    ) -> Heard:
        limit = self.limits.timeout + self.limits.grace + further
        with serve_scripts(respond) as address:
            question = _question(source, address, self.limits.timeout)
            return self.process.ask(Task(id(source), question, limit, raised, is_reference))


def _question(source: Source, address: str, timeout: float) -> Question:
    request = source.recorded.exchange.request
    again = recorded_request(source.recorded.reading, address, timeout)
    return Question(
        address=address,
        path=again.path,
        method=request.method,
        headers={n: v for n, v in request.headers if n.lower() not in _NOT_ASKED},
        body=again.body,
        timeout=timeout,
        endpoint=again.endpoint.name,
        streamed=again.streamed,
    )
