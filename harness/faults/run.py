"""Fault runs: changed answers sent to clients over loopback connections, and their results.

A delivery is sent as a script: HTTP framing, packets and pauses.
"""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from harness.faults.cases import AnswerSource, Case, CaseResult, ClientResults, Skipped, cases
from harness.faults.client import ClientRequest, Observation
from harness.faults.delivery import CONNECTION_HEADERS, Delivery, DeliveryFault, Ending, Reaction
from harness.faults.worker import Worker, WorkerTask
from harness.parse import recorded_request
from harness.sandbox.scripted_server import (
    Pause,
    Reset,
    Respond,
    Script,
    chunks_of,
    response_script,
    serve_scripts,
)
from harness.types import Progress

_FIRST_TIME = 30.0
"""Seconds added to the limit of an unchanged answer: the client may have to import an SDK."""

_SLOWDOWN = 3
"""The limit of a changed answer has this many times the duration of the unchanged one added."""

_FOREVER = 3600.0
"""Seconds that a silent server waits: longer than any client."""

_PER_PACKET = 2e-4
"""Seconds added to the limit for each packet."""

_NOT_SENT = CONNECTION_HEADERS | {"accept-encoding", "host"}
"""Recorded request headers, in lower case, that described the connection and are not sent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a run: the number of cases, and times.

    Attributes:
        cases: The largest number of cases of each fault.
        seed: The seed of the random choice of cases.
        timeout: Seconds that a client may wait for one answer.
        grace: Seconds after the timeout until a client without a result counts as HANG.
        seconds: Seconds for the whole run; 0 for no limit.
    """

    cases: int = 10
    seed: int = 0
    timeout: float = 2.0
    grace: float = 1.0
    seconds: float = 0.0


def run_faults(
    clients: Sequence[str],
    sources: Sequence[AnswerSource],
    faults: Sequence[DeliveryFault],
    limits: Limits,
    progress: Progress,
) -> list[ClientResults]:
    """Send changed answers to all clients, in parallel, and return the results of each client.

    Args:
        clients: The names of the clients.
        sources: The recorded exchanges whose answers are changed.
        faults: The faults.
        limits: The number of cases, and the times.
        progress: Called with a line of text about the current step.

    Raises:
        HarnessError: A client is unknown, or its process does not start.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name)) for name in clients]
        deadline = _Deadline(time.monotonic() + limits.seconds if limits.seconds else None)
        runs = [_ClientRun(worker, limits, deadline, progress) for worker in workers]
        pool = stack.enter_context(ThreadPoolExecutor(max(1, len(runs))))
        # Entered last, so that an exception ends the runs before they are waited for.
        stack.enter_context(deadline)
        futures = [pool.submit(run.results, sources, faults) for run in runs]
        for ended in wait(futures, return_when=FIRST_EXCEPTION).done:
            ended.result()
        return [future.result() for future in futures]


@dataclass
class _Deadline:
    """The end of a run: at a point in time, or when the context is left.

    Attributes:
        time: The end in seconds of `time.monotonic`; None for no limit.
        closed: Whether the context was left.
    """

    time: float | None
    closed: bool = False

    @property
    def is_over(self) -> bool:
        return self.closed or (self.time is not None and time.monotonic() >= self.time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.closed = True


@dataclass
class _ClientRun:
    """A run with one client.

    Attributes:
        worker: The client's process.
        limits: The number of cases, and the time limits.
        deadline: The end of the run.
        progress: Called with a text about each step.
        durations: Seconds that the client took for an unchanged answer, by the generation of the
            worker and the id of the `AnswerSource`.
    """

    worker: Worker
    limits: Limits
    deadline: _Deadline
    progress: Progress
    durations: dict[tuple[int, int], float] = field(default_factory=dict)

    def results(
        self, sources: Sequence[AnswerSource], faults: Sequence[DeliveryFault]
    ) -> ClientResults:
        suitable, skipped = self._suitable(sources)
        planned = list(cases(suitable, faults, self.limits.cases, self.limits.seed))
        results = tuple(self._run(planned))
        name = self.worker.name
        return ClientResults(name, results, tuple(skipped), len(planned), len(suitable))

    def _suitable(
        self, sources: Sequence[AnswerSource]
    ) -> tuple[list[AnswerSource], list[Skipped]]:
        """Return the exchanges that the client can read if unchanged, and the skipped exchanges."""
        suitable: list[AnswerSource] = []
        skipped: list[Skipped] = []
        for number, source in enumerate(sources, start=1):
            self.progress(f"[{number}/{len(sources)}] {self.worker.name}: unchanged")
            reason = self._unsuitable(source)
            skipped.append(Skipped(str(source), reason)) if reason else suitable.append(source)
        return suitable, skipped

    def _unsuitable(self, source: AnswerSource) -> str:
        """Return the reason why an exchange cannot be used with the client; empty if it can."""
        if self.deadline.is_over:
            return "the time was up"
        endpoints = self.worker.endpoints
        if endpoints is not None and source.answer.endpoint.name not in endpoints:
            return "not one of its endpoints"
        # Twice: an answer that differs by itself cannot be compared with.
        observed = [self._send_unchanged(source), self._send_unchanged(source)]
        worst = next((o for o in observed if o.reaction is not Reaction.SAME), None)
        return f"unchanged: {worst.reaction}, {worst.detail}" if worst else ""

    def _run(self, planned: Sequence[Case]) -> Iterator[CaseResult]:
        for number, case in enumerate(planned, start=1):
            if self.deadline.is_over:
                return
            self.progress(f"[{number}/{len(planned)}] {self.worker.name}: {case.fault.name}")
            delivery = case.delivery()
            observed = self._send(case.source, delivery)
            yield CaseResult(case, delivery, observed.reaction, observed.detail)

    def _send(self, source: AnswerSource, delivery: Delivery) -> Observation:
        self.worker.start()
        key = (self.worker.generation, id(source))
        if key not in self.durations:
            unchanged = self._send_unchanged(source)
            if unchanged.reaction is not Reaction.SAME:
                return Observation(Reaction.WRONG, f"even the unchanged answer: {unchanged.detail}")
        timeout = self.limits.timeout
        return self._serve(
            source,
            lambda head, _: delivery_script(delivery, head, timeout=timeout, silence=_FOREVER),
            counts_raised=delivery.counts_raised,
            extra=len(delivery.packets) * _PER_PACKET + self.durations[key] * _SLOWDOWN,
        )

    def _send_unchanged(self, source: AnswerSource) -> Observation:
        self.worker.start()
        script = response_script(source.answer.response(), source.answer.exchange.chunks)
        began = time.monotonic()
        observed = self._serve(source, lambda *_: script, is_reference=True, extra=_FIRST_TIME)
        if observed.reaction is Reaction.SAME:
            self.durations[self.worker.generation, id(source)] = time.monotonic() - began
        return observed

    def _serve(
        self,
        source: AnswerSource,
        respond: Respond,
        *,
        extra: float,
        counts_raised: int = 0,
        is_reference: bool = False,
    ) -> Observation:
        """Return how the client reacts to a local server that answers with *respond*.

        Args:
            source: The exchange whose request is sent.
            respond: Returns the server's script for a request.
            extra: Seconds added to the timeout and the grace.
            counts_raised: The number that the fault added to token counts; 0 for none.
            is_reference: Whether the answer is unchanged.
        """
        limit = self.limits.timeout + self.limits.grace + extra
        with serve_scripts(respond) as address:
            request = _request(source, address, self.limits.timeout)
            return self.worker.run(
                WorkerTask(id(source), request, limit, counts_raised, is_reference)
            )


def _request(source: AnswerSource, address: str, timeout: float) -> ClientRequest:
    request = source.answer.exchange.request
    recorded = recorded_request(source.answer, address, timeout)
    return ClientRequest(
        address=address,
        path=recorded.path,
        method=request.method,
        headers={n: v for n, v in request.headers if n.lower() not in _NOT_SENT},
        body=recorded.body,
        timeout=timeout,
        endpoint=recorded.endpoint.name,
        streamed=recorded.streamed,
    )


# --------------------------------------------------------------------- scripts of deliveries


PACKET_GAP = 0.004
"""Seconds between two packets, so that a client receives them separately."""

_FEW = 3
"""Largest number of packets with pauses between them; more packets are sent without pauses."""

_ACCEPTS_GZIP = re.compile(rb"(?im)^accept-encoding:[^\r\n]*\bgzip\b(?!;q=0)")


def delivery_script(
    delivery: Delivery, request_head: bytes, *, timeout: float, silence: float
) -> Script:
    """Return the steps by which a server sends a delivery: bytes, pauses and resets.

    The body is compressed only if the delivery says so and the request accepts gzip.

    Args:
        delivery: The response, and how it is sent.
        request_head: The request line and headers of the client.
        timeout: The client's timeout in seconds.
        silence: Seconds to wait if the delivery ends in silence.
    """
    use_gzip = delivery.gzip and _ACCEPTS_GZIP.search(request_head) is not None
    return list(_steps(delivery, timeout, silence, use_gzip=use_gzip))


def _steps(
    delivery: Delivery, timeout: float, silence: float, *, use_gzip: bool
) -> Iterator[bytes | Pause | Reset]:
    if delivery.delay:
        yield Pause(delivery.delay * timeout)
    if not delivery.without_head:
        packets = list(chunks_of(delivery.response.body, delivery.packets))
        packets = list(_compressed(packets)) if use_gzip else packets
        chunked = _is_chunked(delivery)
        yield _head(delivery, sum(map(len, packets)), chunked=chunked, use_gzip=use_gzip)
        for number, packet in enumerate(packets):
            if number and len(packets) <= _FEW:
                yield Pause(PACKET_GAP)
            yield b"%x\r\n%s\r\n" % (len(packet), packet) if chunked else packet
        if chunked and delivery.ending is Ending.COMPLETE:
            yield b"0\r\n\r\n"
    if delivery.ending is Ending.RESET:
        yield from (Pause(PACKET_GAP), Reset())
    elif delivery.ending is Ending.SILENT:
        yield Pause(silence)


def _is_chunked(delivery: Delivery) -> bool:
    """Return whether the body is sent in HTTP chunks and not with Content-Length.

    That is so for streams and for bodies that end early, unless the delivery declares a length.
    """
    media_type = (delivery.response.header("content-type") or "").lower()
    cut = delivery.ending is not Ending.COMPLETE
    return delivery.declared_length is None and (cut or media_type.startswith("text/event-stream"))


def _head(delivery: Delivery, length: int, *, chunked: bool, use_gzip: bool) -> bytes:
    response = delivery.response
    declared = length if delivery.declared_length is None else delivery.declared_length
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(f"{name}: {value}" for name, value in response.headers),
        *(["Content-Encoding: gzip"] if use_gzip else []),
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {declared}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"


def _compressed(packets: list[bytes]) -> Iterator[bytes]:
    """Yield the packets compressed, each so that it can be read as soon as it arrives."""
    if len(packets) < 2:
        yield gzip.compress(b"".join(packets), mtime=0)
        return
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for packet in packets:
        yield compressor.compress(packet) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()
