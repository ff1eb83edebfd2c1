"""Strategies for exchanges: single ones, tasks with their polls, and conversations.

All are valid, except that broken exchanges have one injected fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.analysis.endpoint import Endpoint
from harness.analysis.fault import TranscriptFault
from harness.analysis.transcript import analyze
from harness.faults.registry import RULE_FAULTS, injected
from harness.providers import endpoints
from harness.providers.operation import Values
from harness.providers.recordings import analyzed
from harness.providers.rules import RULES
from harness.rules.rule import Scope
from harness.strategies import other_formats
from harness.strategies.answers import (
    AnswerContent,
    answer_responses,
    answers,
    heads,
    ids,
    metrics,
    refusal_responses,
    stream_responses,
    token_counts,
)
from harness.strategies.requests import (
    GeneratedCall,
    assistant_message,
    next_messages,
)
from harness.strategies.requests import requests as requests_of_api
from harness.strategies.schema import sentences, splits
from harness.types import Cassette, Exchange, Json, Request, Transcript
from harness.wire import read_json

Calls: TypeAlias = SearchStrategy[GeneratedCall]


def requests(call: GeneratedCall) -> SearchStrategy[Request]:
    """Generate the request that makes a call."""
    return other_formats.requests(call) if call.form else requests_of_api(call)


@st.composite
def exchanges_of(draw: st.DrawFn, calls: Calls) -> tuple[Exchange, ...]:
    """Generate the exchanges of one of *calls*: one exchange, or a task's submission and polls."""
    call = draw(calls)
    if call.operation.poll is not None:
        return draw(_task(call, call.operation.poll))
    return (draw(_exchange(call, draw(answers(call)))),)


@st.composite
def _exchange(draw: st.DrawFn, call: GeneratedCall, answer: AnswerContent) -> Exchange:
    if call.form:
        return draw(other_formats.exchange(call, answer))
    request, head, endpoint = draw(requests(call)), draw(heads(call)), call.operation.endpoint
    if call.operation.mode != "stream":
        values = {**draw(token_counts(endpoint, endpoint.answer)), **answer.whole_values()}
        return Exchange(request, draw(answer_responses(call, endpoint, head, values)))
    body = read_json(request.body).value
    response = draw(stream_responses(call, head, answer, body))
    sizes = tuple(len(chunk) for chunk in draw(splits(response.body)) if chunk)
    return Exchange(request, response, chunks=sizes)


@st.composite
def refused(draw: st.DrawFn, calls: Calls) -> Exchange:
    """Generate exchanges in which the request of one of *calls* is refused."""
    call = draw(calls)
    if call.form:
        return draw(other_formats.refused(call))
    return Exchange(draw(requests(call)), draw(refusal_responses(call)))


@st.composite
def conversations(draw: st.DrawFn, calls: Calls) -> tuple[Exchange, ...]:
    """Generate the exchanges of two or three turns; each request repeats the earlier messages."""
    call = draw(calls)
    exchanges: list[Exchange] = []
    for _ in range(draw(st.integers(2, 3))):
        answer = draw(answers(call))
        exchanges.append(draw(_exchange(call, answer)))
        reply = assistant_message(answer.content, answer.calls)
        messages = (*call.request.messages, reply, *draw(next_messages(answer.calls)))
        call = replace(call, request=replace(call.request, messages=messages))
    return tuple(exchanges)


# --------------------------------------------------------------------------------------- tasks


@st.composite
def _task(draw: st.DrawFn, call: GeneratedCall, poll: Endpoint) -> tuple[Exchange, ...]:
    """Generate the exchanges of a task, perhaps with one further poll after its end.

    *poll* is the endpoint of the polls.
    """
    api, operation = call.api, call.operation
    request, head = draw(requests(call)), draw(heads(call))
    task_id = api.task_id(draw(st.integers(0, 2**128 - 1)))
    values: Values = {"task_id": task_id, "state": poll.states.running[0]}
    submission = draw(answer_responses(call, operation.endpoint, head, values))
    poll_request = Request(poll.method, operation.poll_url.format(task_id), ())
    polls = []
    for values in draw(_polls(call, poll)):
        if api.id_per_poll:
            head = replace(head, id=draw(ids(api, head.created)))
        values = {"task_id": task_id, **values}
        polls.append(Exchange(poll_request, draw(answer_responses(call, poll, head, values))))
    polls += polls[-1:] if draw(st.booleans()) else []
    return (Exchange(request, submission), *polls)


@st.composite
def _polls(draw: st.DrawFn, call: GeneratedCall, poll: Endpoint) -> list[Values]:
    """Generate the values that each poll reports, by names of `Fields` or by JSON pointers.

    Each running state is reported zero to two times, then the end state.
    """
    running = [s for s in poll.states.running for _ in range(draw(st.integers(0, 2)))]
    ended = draw(_end(call, poll))
    times = draw(_times(len(poll.fields.times)))
    timed = dict(zip(poll.fields.times, times, strict=True))
    counted: dict[str, Json] = {}
    if "metrics" in ended:
        counted["metrics"] = metrics(call.request.count or 1)
    polls: list[Values] = []
    for state in running:
        known = dict(list(timed.items())[: 1 + poll.states.rank(state)])
        polls.append({"state": state, **counted, **known})
    return [*polls, {**ended, **timed}]


@st.composite
def _end(draw: st.DrawFn, call: GeneratedCall, poll: Endpoint) -> Values:
    """Generate the values of the last poll: a success with results, or a failure.

    A failure has a code and a message if its state is in `States.explained`.
    """
    states = poll.states
    state = draw(st.sampled_from(states.succeeded + states.failed))
    if state in states.succeeded:
        answer = draw(answers(call)).whole_values()
        counts = draw(token_counts(poll, poll.answer)) if poll.finish_reasons else {}
        return {**counts, "state": state, **answer}
    if state not in states.explained:
        return {"state": state}
    code = draw(st.sampled_from(sorted(poll.statuses)))
    return {"state": state, "code": code, "message": draw(sentences())}


@st.composite
def _times(draw: st.DrawFn, count: int) -> list[Json]:
    """Generate *count* ascending times as text, with milliseconds and without a time zone."""
    time = datetime(2025, 12, 7, 19, 28, 55)
    times: list[Json] = []
    for _ in range(count):
        time += timedelta(milliseconds=draw(st.integers(0, 100_000)))
        times.append(time.isoformat(" ", "milliseconds"))
    return times


# -------------------------------------------------------------------------- broken exchanges


_RULES = {rule.name: rule for rule in RULES}

_WIRE_FAULTS = tuple(
    fault
    for fault in RULE_FAULTS
    if fault.breaks_rule in _RULES and _RULES[fault.breaks_rule].scope is not Scope.SDK
)

_STRIDE = 997
"""The step between two faults that are tried; a prime, so that every fault is tried once.

It is large because adjacent faults are similar.
"""


@dataclass(frozen=True, slots=True)
class BrokenExchanges:
    """Exchanges in which one answer has a fault.

    Attributes:
        rule: The name of the rule that the answer violates; it may violate others too.
        fault: The name of the fault.
        description: The change that the fault makes, in one sentence.
        exchanges: All exchanges, including the faulty one.
        exchange: The exchange with the faulty answer.
    """

    rule: str
    fault: str
    description: str
    exchanges: tuple[Exchange, ...]
    exchange: Exchange


@st.composite
def broken_exchanges(
    draw: st.DrawFn, valid: SearchStrategy[tuple[Exchange, ...]]
) -> BrokenExchanges:
    """Generate exchanges with one fault, from the strategy *valid*.

    If the drawn fault cannot be injected, the next one is tried. At least one of them can be
    injected into any valid exchanges, so no example is rejected.
    """
    exchanges = draw(valid)
    count = len(_WIRE_FAULTS)
    start = draw(st.sampled_from(range(count)))
    order = ((start + number * _STRIDE) % count for number in range(count))
    return next(_injected(exchanges, (_WIRE_FAULTS[index] for index in order)))


def _injected(
    exchanges: tuple[Exchange, ...], faults: Iterator[TranscriptFault]
) -> Iterator[BrokenExchanges]:
    valid = analyzed(Cassette(exchanges))
    for fault in faults:
        rule = fault.breaks_rule or ""
        for transcript in injected(fault, valid):
            changed = tuple(transcript.exchanges())
            pairs = zip(exchanges, changed, strict=False)
            faulty = next((new for old, new in pairs if old.response != new.response), None)
            if faulty and _is_violated(rule, transcript):
                yield BrokenExchanges(rule, fault.name, fault.description, changed, faulty)


def _is_violated(rule: str, transcript: Transcript) -> bool:
    """Return whether *rule* has findings in *transcript*; rarely, a fault has no effect."""
    return any(_RULES[rule].findings(analyze(transcript, endpoints.recognise)))
