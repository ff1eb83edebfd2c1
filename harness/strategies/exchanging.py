"""A question and its answer, and conversations of several."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from harness.strategies.answering import refused, whole
from harness.strategies.asking import after, asking, assistant, questions
from harness.strategies.saying import answers, heads
from harness.strategies.streaming import streamed
from harness.strategies.tasks import histories
from harness.strategies.way import ProviderServer, Said, Way
from harness.strategies.words import splits, texts
from harness.types import Exchange
from harness.wire import read_json


@st.composite
def answered(draw: st.DrawFn, speaker: ProviderServer, way: Way) -> tuple[Exchange, ...]:
    """All that travels for one call: an exchange, or those of a task."""
    if way.poll:
        return draw(histories(speaker, way))
    asked = draw(questions(way))
    return (draw(_exchange(speaker, way, asked, draw(answers(way, asked)))),)


@st.composite
def _exchange(
    draw: st.DrawFn, speaker: ProviderServer, way: Way, asked: Said, said: Said
) -> Exchange:
    request = draw(asking(speaker, way, asked))
    body = read_json(request.body).value
    head = draw(heads(speaker, body))
    if way.mode != "stream":
        return Exchange(request, draw(whole(speaker, way, head, said)))
    response = draw(streamed(speaker, way, head, said, body))
    sizes = tuple(len(chunk) for chunk in draw(splits(response.body)) if chunk)
    return Exchange(request, response, chunks=sizes)


@st.composite
def refusing(draw: st.DrawFn, speaker: ProviderServer, way: Way) -> Exchange:
    """Anything that can be asked this way, refused."""
    request = draw(asking(speaker, way, draw(questions(way))))
    head = draw(heads(speaker, read_json(request.body).value))
    return Exchange(request, draw(refused(speaker, way, head)))


@st.composite
def talks(draw: st.DrawFn, speaker: ProviderServer, way: Way) -> tuple[Exchange, ...]:
    """Some turns of one conversation: each request carries what was said before it."""
    one = replace(speaker, models=(draw(st.sampled_from(speaker.models)),))
    asked = draw(questions(way))
    told: list[Exchange] = []
    for _ in range(draw(st.integers(2, 3))):
        said = draw(answers(way, asked))
        told.append(draw(_exchange(one, way, asked, said)))
        reply = assistant(said)
        more = draw(after(reply, texts()))
        asked = {**asked, "messages": [*asked["messages"], reply, *more]}
    return tuple(told)
