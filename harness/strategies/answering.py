"""Answers that come at once: whole ones, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.strategies.asking import dumped
from harness.strategies.saying import counts, titled
from harness.strategies.schema import complete, written
from harness.strategies.way import Head, Headers, ProviderServer, Said, Way
from harness.strategies.words import sentences
from harness.types import LooseJson, Response


def json_bodies() -> SearchStrategy[Headers]:
    """What says that a body is JSON."""
    kinds = ("application/json", "application/json; charset=UTF-8")
    return st.sampled_from(kinds).map(lambda kind: (("Content-Type", kind),))


@st.composite
def headed(draw: st.DrawFn, speaker: ProviderServer, head: Head, kinds: Headers) -> Headers:
    """The headers of an answer, its date among them."""
    date = format_datetime(datetime.fromtimestamp(head.created, UTC), usegmt=True)
    dated = (("Date", date),) if draw(st.booleans()) else ()
    return (*kinds, *dated, *draw(speaker.headers(head)))


@st.composite
def whole(draw: st.DrawFn, speaker: ProviderServer, way: Way, head: Head, said: Said) -> Response:
    """One answer, in JSON."""
    endpoint = way.endpoint
    counted = draw(counts(endpoint, endpoint.answer))
    told = {**titled(head, endpoint, streamed=False), **counted, **said}
    value = written(endpoint, endpoint.answer, told, way.without)
    return draw(answered(speaker, head, draw(complete(endpoint.answer, value))))


@st.composite
def answered(draw: st.DrawFn, speaker: ProviderServer, head: Head, value: LooseJson) -> Response:
    """A success with this body."""
    headers = draw(headed(speaker, head, draw(json_bodies())))
    return Response(200, "OK", headers, draw(dumped(value)))


@st.composite
def refused(draw: st.DrawFn, speaker: ProviderServer, way: Way, head: Head) -> Response:
    """A refusal, with a code that is documented and the status it comes with."""
    endpoint = way.endpoint
    code = draw(st.sampled_from(sorted(endpoint.statuses)))
    status = draw(st.sampled_from(sorted(endpoint.statuses[code])))
    said = {"code": code, "message": draw(sentences()), "request_id": head.id}
    value = draw(complete(endpoint.refusal, written(endpoint, endpoint.refusal, said)))
    headers = draw(headed(speaker, head, draw(json_bodies())))
    return Response(status, "", headers, draw(dumped(value)))
