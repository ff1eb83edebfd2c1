"""Tasks: a submission, polls while it runs, and one end."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from harness.analysis.endpoint import Endpoint
from harness.strategies.answering import answered
from harness.strategies.asking import asking, questions
from harness.strategies.saying import answers, counts, heads, titled
from harness.strategies.schema import complete, written
from harness.strategies.way import Head, ProviderServer, Said, Way
from harness.strategies.words import sentences
from harness.types import Exchange, LooseJson, Request, Response
from harness.wire import read_json


@st.composite
def histories(draw: st.DrawFn, speaker: ProviderServer, way: Way) -> tuple[Exchange, ...]:
    """All exchanges of one task, in order; after its end it may be asked for once more."""
    asked = draw(questions(way))
    request = draw(asking(speaker, way, asked))
    head = draw(heads(speaker, read_json(request.body).value))
    task, poll = draw(speaker.tasks), way.poll or way.endpoint
    begun: Said = {"task_id": task, "state": poll.states.running[0]}
    first = draw(_told(speaker, way, way.endpoint, head, begun))
    address = Request(poll.method, way.poll_address.format(task), ())
    polls = []
    for said in draw(_course(way, poll, asked)):
        own = draw(_renewed(speaker, head))
        polls.append(draw(_told(speaker, way, poll, own, {"task_id": task, **said})))
    polls += polls[-1:] if draw(st.booleans()) else []
    return (Exchange(request, first), *(Exchange(address, told) for told in polls))


@st.composite
def _told(
    draw: st.DrawFn, speaker: ProviderServer, way: Way, endpoint: Endpoint, head: Head, said: Said
) -> Response:
    """One answer about a task."""
    told = {**titled(head, endpoint, streamed=False), **said}
    value = written(endpoint, endpoint.answer, told, way.without)
    return draw(answered(speaker, head, draw(complete(endpoint.answer, value))))


@st.composite
def _renewed(draw: st.DrawFn, speaker: ProviderServer, head: Head) -> Head:
    """The head of a poll's answer."""
    if not speaker.renews_ids:
        return head
    return Head(draw(speaker.ids(head.created)), head.model, head.created)


@st.composite
def _course(draw: st.DrawFn, way: Way, poll: Endpoint, asked: Said) -> list[Said]:
    """What each poll says: it runs, so often in each state, and then it ends."""
    running = [s for s in poll.states.running for _ in range(draw(st.integers(0, 2)))]
    ended = draw(_end(way, poll, asked))
    times = draw(_times(len(poll.fields.times)))
    told: list[Said] = []
    for state in running:
        known = times[: 1 + poll.states.rank(state)]
        told.append({"state": state, **_begun(ended), **_timed(poll, known)})
    return [*told, {**ended, **_timed(poll, times)}]


def _begun(ended: Said) -> Said:
    """While a task runs, none of its results is there."""
    if "metrics" not in ended:
        return {}
    return {"metrics": {"TOTAL": ended["metrics"]["TOTAL"], "SUCCEEDED": 0, "FAILED": 0}}


@st.composite
def _end(draw: st.DrawFn, way: Way, poll: Endpoint, asked: Said) -> Said:
    """Success with its result, or failure, with its reason where one is promised."""
    states = poll.states
    state = draw(st.sampled_from(states.succeeded + states.failed))
    if state in states.succeeded:
        said = {"state": state, **draw(answers(way, asked))}
        return {**draw(counts(poll, poll.answer)), **said} if poll.finish_reasons else said
    if state not in states.explained:
        return {"state": state}
    code = draw(st.sampled_from(sorted(poll.statuses)))
    return {"state": state, "code": code, "message": draw(sentences())}


@st.composite
def _times(draw: st.DrawFn, count: int) -> list[str]:
    """So many times in order, without a zone, to the millisecond."""
    time = datetime(2025, 12, 7, 19, 28, 55)
    told: list[LooseJson] = []
    for _ in range(count):
        time += timedelta(milliseconds=draw(st.integers(0, 100_000)))
        told.append(time.isoformat(" ", "milliseconds"))
    return told


def _timed(poll: Endpoint, times: list[str]) -> Said:
    return dict(zip(poll.fields.times, times, strict=False))
