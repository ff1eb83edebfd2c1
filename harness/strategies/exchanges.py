"""Strategies for exchanges: single ones, tasks with their polls, and conversations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from harness.analysis.endpoint import Endpoint
from harness.providers.operation import ApiForm, Operation, Values
from harness.strategies.answers import (
    Answer,
    answer_responses,
    answers,
    heads,
    ids,
    metrics,
    refusal_responses,
    token_counts,
)
from harness.strategies.requests import (
    Question,
    assistant_message,
    next_messages,
    questions,
    requests,
)
from harness.strategies.streams import stream_responses
from harness.strategies.text import sentences, splits
from harness.types import Exchange, Json, Request
from harness.wire import read_json


@st.composite
def calls(draw: st.DrawFn, api: ApiForm, operation: Operation) -> tuple[Exchange, ...]:
    """Generate the exchanges of one call: one, or those of a task."""
    question, model = draw(questions(operation)), draw(st.sampled_from(api.models))
    if operation.poll is not None:
        return draw(_task(api, operation, operation.poll, model, question))
    answer = draw(answers(operation, question))
    return (draw(_exchange(api, operation, model, question, answer)),)


@st.composite
def _exchange(
    draw: st.DrawFn,
    api: ApiForm,
    operation: Operation,
    model: str,
    question: Question,
    answer: Answer,
) -> Exchange:
    request = draw(requests(operation, model, question))
    head = draw(heads(api, model))
    if operation.mode != "stream":
        endpoint = operation.endpoint
        values = {**draw(token_counts(endpoint, endpoint.answer)), **answer.all_values()}
        return Exchange(request, draw(answer_responses(api, operation, endpoint, head, values)))
    body = read_json(request.body).value
    response = draw(stream_responses(api, operation, head, answer, body))
    sizes = tuple(len(chunk) for chunk in draw(splits(response.body)) if chunk)
    return Exchange(request, response, chunks=sizes)


@st.composite
def refused_calls(draw: st.DrawFn, api: ApiForm, operation: Operation) -> Exchange:
    """Generate requests that are refused."""
    model = draw(st.sampled_from(api.models))
    request = draw(requests(operation, model, draw(questions(operation))))
    head = draw(heads(api, model))
    return Exchange(request, draw(refusal_responses(api, operation.endpoint, head)))


@st.composite
def conversations(draw: st.DrawFn, api: ApiForm, operation: Operation) -> tuple[Exchange, ...]:
    """Generate two or three turns: each request has the messages and calls before it."""
    question, model = draw(questions(operation)), draw(st.sampled_from(api.models))
    exchanges: list[Exchange] = []
    for _ in range(draw(st.integers(2, 3))):
        answer = draw(answers(operation, question))
        exchanges.append(draw(_exchange(api, operation, model, question, answer)))
        reply = assistant_message(answer.content, answer.calls)
        following = draw(next_messages(answer.calls))
        question = replace(question, messages=(*question.messages, reply, *following))
    return tuple(exchanges)


# --------------------------------------------------------------------------------------- tasks


@st.composite
def _task(
    draw: st.DrawFn,
    api: ApiForm,
    operation: Operation,
    poll: Endpoint,
    model: str,
    question: Question,
) -> tuple[Exchange, ...]:
    """Generate the exchanges of a task; after its end it may be polled once more."""
    request, head = draw(requests(operation, model, question)), draw(heads(api, model))
    task_id = api.task_id(draw(st.integers(0, 2**128 - 1)))
    values: Values = {"task_id": task_id, "state": poll.states.running[0]}
    submission = draw(answer_responses(api, operation, operation.endpoint, head, values))
    poll_request = Request(poll.method, operation.poll_url.format(task_id), ())
    polls = []
    for values in draw(_polls(operation, poll, question)):
        if api.id_per_poll:
            head = replace(head, id=draw(ids(api, head.created)))
        values = {"task_id": task_id, **values}
        response = draw(answer_responses(api, operation, poll, head, values))
        polls.append(Exchange(poll_request, response))
    polls += polls[-1:] if draw(st.booleans()) else []
    return (Exchange(request, submission), *polls)


@st.composite
def _polls(
    draw: st.DrawFn, operation: Operation, poll: Endpoint, question: Question
) -> list[Values]:
    """Generate what each poll reports: running states, each zero to two times, and the end."""
    running = [s for s in poll.states.running for _ in range(draw(st.integers(0, 2)))]
    ended = draw(_end(operation, poll, question))
    times = draw(_times(len(poll.fields.times)))
    timed = dict(zip(poll.fields.times, times, strict=True))
    counted: dict[str, Json] = {}
    if "metrics" in ended:
        counted["metrics"] = metrics(question.count or 1)
    polls: list[Values] = []
    for state in running:
        known = dict(list(timed.items())[: 1 + poll.states.rank(state)])
        polls.append({"state": state, **counted, **known})
    return [*polls, {**ended, **timed}]


@st.composite
def _end(draw: st.DrawFn, operation: Operation, poll: Endpoint, question: Question) -> Values:
    """Generate a success with its result, or a failure, with a reason where one is promised."""
    states = poll.states
    state = draw(st.sampled_from(states.succeeded + states.failed))
    if state in states.succeeded:
        answer = draw(answers(operation, question)).all_values()
        counts = draw(token_counts(poll, poll.answer)) if poll.finish_reasons else {}
        return {**counts, "state": state, **answer}
    if state not in states.explained:
        return {"state": state}
    code = draw(st.sampled_from(sorted(poll.statuses)))
    return {"state": state, "code": code, "message": draw(sentences())}


@st.composite
def _times(draw: st.DrawFn, count: int) -> list[Json]:
    """Generate ascending times, without a zone, to the millisecond."""
    time = datetime(2025, 12, 7, 19, 28, 55)
    times: list[Json] = []
    for _ in range(count):
        time += timedelta(milliseconds=draw(st.integers(0, 100_000)))
        times.append(time.isoformat(" ", "milliseconds"))
    return times
