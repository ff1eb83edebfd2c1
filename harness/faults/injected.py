"""Faults for one's own tests: what a client gets instead of a recorded answer, and when."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NoReturn, TypedDict, Unpack
from urllib.parse import urlsplit

from harness import faults
from harness.errors import BadFault, CassetteMiss, HarnessError
from harness.faults.delivery import (
    Delivery,
    Ending,
    RecordedAnswer,
    changed_response,
    event_ends,
    packets_of,
)
from harness.intercept.clock import Clock
from harness.intercept.context import Playback, raise_error
from harness.intercept.recorder import ResponseCapture
from harness.intercept.replay_or_record import ReplayOrRecord
from harness.types import NO_STATUS, BrokenOff, Exchange, NetworkError, Request, Response


class When(TypedDict, total=False):
    """The requests that get a fault; every fault takes these arguments.

    Attributes:
        times: The number of requests that get the fault, 1 by default; None for all further
            requests.
        after: The number of requests before these that are answered as recorded, 0 by default.
        path: A text that the requests' paths contain; requests to other paths are not counted.
            Empty, the default, for all paths.
    """

    times: int | None
    after: int
    path: str


@dataclass(frozen=True)
class InjectedFault:
    """A fault that replaces or changes answers, and the requests that get it.

    The functions of `harness.faults` return it.

    Attributes:
        name: The name of the function.
        deliver: A function that returns what a client gets instead of a recorded answer. It raises
            BadFault if the answer cannot be changed in this way.
        needs_answer: Whether a recorded answer is changed, and not replaced.
        times: The number of requests that get the fault; None for all further requests.
        after: The number of requests before these that are answered as recorded.
        path: A text that the requests' paths contain; requests to other paths are not counted.
            Empty for all paths.
    """

    name: str
    deliver: Callable[[Exchange], Delivery] = field(repr=False, compare=False)
    needs_answer: bool = False
    times: int | None = 1
    after: int = 0
    path: str = ""

    def __post_init__(self) -> None:
        times = 1 if self.times is None else self.times
        for name, value, least in (("times", times, 1), ("after", self.after, 0)):
            if type(value) is not int or value < least:
                raise HarnessError(f"{self.name}: {name}={value!r} is not valid; from {least}")


# ---------------------------------------------------------------- refusals and failed connections


def too_many_requests(retry_after: float | None = None, **when: Unpack[When]) -> InjectedFault:
    """Return a fault that refuses a request with HTTP 429 and an error body of its service.

    Args:
        retry_after: The value of the header `retry-after`, in seconds; None for no such header.
        **when: `times`, `after` and `path`, which select the requests with the fault (see `When`).
    """
    headers = () if retry_after is None else (("retry-after", f"{retry_after:g}"),)
    return _refusal("too_many_requests", 429, "rate_limit_exceeded", headers, when)


def server_error(status: int = 500, **when: Unpack[When]) -> InjectedFault:
    """Return a fault that refuses a request with HTTP *status* and an error body of its service.

    *status* is 500 or above. *when* selects the requests that get the fault, by `times`, `after`
    and `path` (see `When`).
    """
    return _refusal("server_error", status, "server_error", (), when)


def _refusal(
    name: str, status: int, code: str, headers: tuple[tuple[str, str], ...], when: When
) -> InjectedFault:
    def deliver(recorded: Exchange) -> Delivery:
        from harness.providers.clients import error_body

        body = error_body(recorded.request, code, f"injected fault: {name}", status)
        head = (("content-type", "application/json"), *headers)
        content = json.dumps(body).encode()
        return Delivery(name, Response(status, _REASONS.get(status, ""), head, content))

    return InjectedFault(name, deliver, **when)


_REASONS = {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


def timeout(**when: Unpack[When]) -> InjectedFault:
    """Return a fault that sends nothing until the client's timeout; in a replay that is at once.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """
    return _without_answer("timeout", Ending.SILENT, when)


def reset(**when: Unpack[When]) -> InjectedFault:
    """Return a fault that resets the connection (TCP RST) before the answer.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """
    return _without_answer("reset", Ending.RESET, when)


def disconnected(**when: Unpack[When]) -> InjectedFault:
    """Return a fault that closes the connection before the answer.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """
    return _without_answer("disconnected", Ending.CLOSED, when)


def refused(**when: Unpack[When]) -> InjectedFault:
    """Return a fault that refuses the connection, as if no server listened.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """
    return _without_answer("refused", Ending.REFUSED, when)


def _without_answer(name: str, ending: Ending, when: When) -> InjectedFault:
    delivery = Delivery(name, Response(NO_STATUS), ending=ending, without_head=True)
    return InjectedFault(name, lambda recorded: delivery, **when)


# ----------------------------------------------------------------------------- changed answers


def cut_after(
    events: int | None = None,
    bytes: int | None = None,
    ending: Ending | str = Ending.CLOSED,
    **when: Unpack[When],
) -> InjectedFault:
    """Return a fault that sends only the beginning of an answer.

    Args:
        events: The number of server-sent events that are sent.
        bytes: The number of bytes of the body that are sent; give either *events* or *bytes*.
        ending: What follows: the connection is `closed` or `reset`, or nothing comes (`silent`), or
            the HTTP body ends there by HTTP's rules (`complete`).
        **when: `times`, `after` and `path`, which select the requests with the fault (see `When`).
    """
    if (events is None) == (bytes is None):
        raise HarnessError("cut_after: expected either events=N or bytes=N")
    if ending not in (allowed := [one for one in Ending if one is not Ending.REFUSED]):
        known = ", ".join(allowed)
        raise HarnessError(f"cut_after: ending={ending!r} is not valid; expected one of: {known}")

    def deliver(recorded: Exchange) -> Delivery:
        body = recorded.response.body
        size = bytes if bytes is not None else (0, *_events("cut_after", recorded, events))[-1]
        if not 0 <= size < len(body):
            _unfit(f"cut_after(bytes={size}) does not cut an answer of {len(body)} bytes")
        return _cut("cut_after", recorded, size, Ending(ending))

    return InjectedFault("cut_after", deliver, needs_answer=True, **when)


def malformed_json(**when: Unpack[When]) -> InjectedFault:
    """Return a fault that sends only the first half of a document, as a complete HTTP body.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """

    def deliver(recorded: Exchange) -> Delivery:
        size = len(recorded.response.body) // 2
        return _cut("malformed_json", recorded, size, Ending.COMPLETE)

    return InjectedFault("malformed_json", deliver, needs_answer=True, **when)


def malformed_event(number: int = 1, **when: Unpack[When]) -> InjectedFault:
    """Return a fault that removes the second half of event *number* (from 1) of a stream.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """

    def deliver(recorded: Exchange) -> Delivery:
        body = recorded.response.body
        *_, start, end = (0, 0, *_events("malformed_event", recorded, number))
        block = body[start:end]
        kept = block.rstrip(b"\r\n")
        blank = block[len(kept) :]
        changed = body[:start] + kept[: len(kept) // 2] + blank + body[end:]
        return Delivery("malformed_event", changed_response(recorded.response, changed))

    return InjectedFault("malformed_event", deliver, needs_answer=True, **when)


def empty_stream(**when: Unpack[When]) -> InjectedFault:
    """Return a fault that sends the status and headers of an answer, and an empty body.

    *when* selects the requests that get the fault, by `times`, `after` and `path` (see `When`).
    """
    return InjectedFault(
        "empty_stream",
        lambda recorded: Delivery("empty_stream", changed_response(recorded.response, b"")),
        needs_answer=True,
        **when,
    )


def wrong_content_type(
    content_type: str = "text/html", body: str | None = None, **when: Unpack[When]
) -> InjectedFault:
    """Return a fault that sends an answer with another Content-Type, as gateways do.

    Args:
        content_type: The value of the header.
        body: The body to send instead; None for the recorded one.
        **when: `times`, `after` and `path`, which select the requests with the fault (see `When`).
    """

    def deliver(recorded: Exchange) -> Delivery:
        content = recorded.response.body if body is None else body.encode()
        response = changed_response(recorded.response, content, ("content-type", content_type))
        return Delivery("wrong_content_type", response)

    return InjectedFault("wrong_content_type", deliver, needs_answer=True, **when)


def slow(seconds: float, **when: Unpack[When]) -> InjectedFault:
    """Return a fault that waits for *seconds* of real time before the first byte of the body.

    In a replay no socket waits, so the client's socket timeout does not occur; timeouts of
    `asyncio` do. For a socket timeout see `timeout`. *when* selects the requests that get the
    fault, by `times`, `after` and `path` (see `When`).
    """
    if not 0 <= seconds < 3600:
        raise HarnessError(f"slow: seconds={seconds!r} is not valid; expected 0 to 3600")

    def deliver(recorded: Exchange) -> Delivery:
        response = changed_response(recorded.response, recorded.response.body)
        return Delivery("slow", response, recorded.chunks, delay=float(seconds))

    return InjectedFault("slow", deliver, needs_answer=True, **when)


def fault(name: str, place: int = 0, **when: Unpack[When]) -> InjectedFault:
    """Return a fault that changes an answer as a fault of `harness faults` (docs/FAULTS.md).

    Args:
        name: The name of that fault, such as `byte_by_byte`.
        place: The index of the place at which the fault is applied, from 0, among the places of the
            answer where it can be applied.
        **when: `times`, `after` and `path`, which select the requests with the fault (see `When`).
    """

    def deliver(recorded: Exchange) -> Delivery:
        from harness.faults.registry import DELIVERY_FAULTS
        from harness.providers.endpoints import recognise

        known = {one.name: one for one in DELIVERY_FAULTS}
        endpoint = recognise(recorded)
        if name not in known:
            _unfit(f"there is no fault {name!r}; known are {', '.join(known)}")
        if endpoint is None:
            _unfit(f"{name}: the endpoint of {recorded.request.uri} is unknown")
        answer = RecordedAnswer(recorded, endpoint)
        places = known[name].places(answer)
        if not 0 <= place < len(places):
            _unfit(f"{name}: the answer has {len(places)} places for it, and none is {place}")
        delivery = known[name].apply(answer, places[place])
        if delivery is None:
            _unfit(f"{name}: it does not fit the answer")
        return delivery

    return InjectedFault(name, deliver, needs_answer=True, **when)


def _unfit(message: str) -> NoReturn:
    raise_error(BadFault(message))


def _events(name: str, recorded: Exchange, count: int | None) -> Sequence[int]:
    """Return the ends of the first *count* events; raise BadFault if there are fewer."""
    ends = event_ends(recorded.response.body)
    if count is None or not 0 <= count <= len(ends) or not ends:
        _unfit(f"{name}: expected {count} events, but the recorded answer has {len(ends)}")
    return ends[:count]


def _cut(name: str, recorded: Exchange, size: int, ending: Ending) -> Delivery:
    body = recorded.response.body
    response = changed_response(recorded.response, body[:size])
    return Delivery(name, response, packets_of(body, size), ending)


def functions() -> dict[str, Callable[..., InjectedFault]]:
    """Return the functions that make faults, by name, such as `cut_after` and `reset`."""
    names = (name for name in faults.__all__ if name != InjectedFault.__name__)
    return {name: getattr(faults, name) for name in names}


def parse(text: str) -> InjectedFault:
    """Return the fault that *text* describes: a call such as `cut_after(events=3)`, or a name.

    Only the functions of `functions` can be called, with literals as arguments; `reset` alone means
    `reset()`.

    Raises:
        HarnessError: The text is not a call of a function that makes faults.
    """
    known = functions()
    with suppress(SyntaxError, ValueError, TypeError):
        tree = ast.parse(text.strip(), mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        if isinstance(call.func, ast.Name) and call.func.id in known:
            values = [ast.literal_eval(value) for value in call.args]
            named = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
            return known[call.func.id](*values, **named)
    raise HarnessError(
        f"{text!r} is no fault; expected for example 'cut_after(events=3)'; "
        f"there are {', '.join(known)}"
    )


# ------------------------------------------------------------------------------------- replay


_KINDS = {
    Ending.CLOSED: NetworkError.CLOSED,
    Ending.RESET: NetworkError.RESET,
    Ending.SILENT: NetworkError.READ_TIMEOUT,
    Ending.REFUSED: NetworkError.REFUSED,
}


def playback(recorded: Exchange, delivery: Delivery, pace: float = 0.0) -> Playback:
    """Return the replay that answers the request of *recorded* as *delivery* says.

    *pace* is the factor by which recorded latencies are multiplied; 0 is instant.
    """
    response, kind = delivery.response, _KINDS.get(delivery.ending)
    broken_off = None if kind is None else BrokenOff(kind, f"injected fault: {kind}")
    if delivery.without_head:
        response = Response(NO_STATUS)
    elif delivery.declared_length is not None:
        response = _with(response, ("content-length", str(delivery.declared_length)))
    elif broken_off is not None or len(delivery.packets) > 1:
        response = _with(response, ("transfer-encoding", "chunked"))
    exchange = replace(
        recorded, response=response, chunks=delivery.packets, coded=None, broken_off=broken_off
    )
    return Playback(exchange, pace, delivery.delay, delivery.ending is Ending.SILENT)


def _with(response: Response, header: tuple[str, str]) -> Response:
    return replace(response, headers=(*response.headers, header))


@dataclass
class Injector:
    """The faults of one `with` block or server, with counters of the requests that got them.

    Attributes:
        faults: The faults; a request gets the first one that is due.
        injected: The answers that were changed or replaced, as their clients got them.
    """

    faults: Sequence[InjectedFault]
    injected: list[Exchange] = field(init=False, default_factory=list)
    _counts: list[int] = field(init=False)
    _waits: list[int] = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._counts = [0] * len(self.faults)
        self._waits = [fault.after for fault in self.faults]

    def due(self, request: Request) -> InjectedFault | None:
        """Return the fault that *request* gets, and count the request; None if it gets none."""
        path = urlsplit(request.uri).path
        with self._lock:
            for number, one in enumerate(self.faults):
                is_left = one.times is None or self._counts[number] < one.times
                if one.path not in path or not is_left:
                    continue
                if self._waits[number]:
                    self._waits[number] -= 1
                    return None
                self._counts[number] += 1
                return one
        return None

    def inject(self, one: InjectedFault, recorded: Exchange, pace: float = 0.0) -> Playback:
        """Return the answer *recorded*, changed or replaced by the fault *one*.

        *pace* is the factor by which recorded latencies are multiplied; 0 is instant.
        """
        changed = playback(recorded, one.deliver(recorded), pace)
        self.injected.append(changed.recorded)
        return changed

    @property
    def unused(self) -> tuple[InjectedFault, ...]:
        """The faults that no request got."""
        return tuple(f for f, n in zip(self.faults, self._counts, strict=True) if not n)


@dataclass
class FaultyTape:
    """A source of recorded answers (a tape) that answers some requests with a fault instead.

    The recorded answer to such a request is not used up, so the client's next attempt can get it.

    Attributes:
        tape: The source of the answers to all other requests; it replays a cassette or records.
        injector: The faults.
        has_failures: Whether an answer may be a network error; always True.
    """

    tape: ReplayOrRecord
    injector: Injector
    has_failures: bool = field(init=False, default=True)

    @property
    def clock(self) -> Clock | None:
        """The clock of `tape`; None if it has none."""
        return self.tape.clock

    @property
    def pace(self) -> float:
        """The factor by which recorded latencies are multiplied; 0 is instant."""
        return self.tape.pace

    def find(self, request: Request) -> Exchange | Playback | None:
        """Return the faulty or the recorded answer to *request*; None if the request is to be sent.

        Raises:
            CassetteMiss: The request has no recorded answer, and nothing may be recorded or the
                fault needs an answer to change.
            BadFault: The recorded answer cannot be changed as the fault says.
        """
        one = self.injector.due(request)
        if one is None:
            return self.tape.find(request)
        recorded = self.tape.peek(request)
        sent = self.tape.player.redactor.request(request)
        if recorded is None and one.needs_answer:
            raise_error(
                CassetteMiss(
                    f"{one.name} changes a recorded answer, and there is none to {request.method} "
                    f"{request.uri.partition('?')[0]}: record it without the fault first"
                )
            )
        return self.injector.inject(one, recorded or Exchange(sent, Response(NO_STATUS)))

    def capture(self, request: Request) -> ResponseCapture:
        """Return the object of `tape` that captures and records the response to *request*."""
        return self.tape.capture(request)
