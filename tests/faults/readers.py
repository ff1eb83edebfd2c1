"""Clients of somebody's own, some good and some not, as `harness torture --against` runs them."""

from __future__ import annotations

import http.client
import json
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from harness.faults.run.clients import Question

if TYPE_CHECKING:
    from harness.analysis.endpoint import Endpoint
    from harness.analysis.exchange import AnalyzedExchange
    from harness.types import Outcome
    from harness.wire import Event


class Refused(Exception):
    """What a program can be ready for."""


def strict(asked: Question) -> Outcome:
    """Everything is held to what was promised, and nothing is taken for an answer that is none."""
    from harness.analysis.exchange import AnalyzedExchange
    from harness.providers.endpoints import endpoint
    from harness.types import Exchange, Request, Response

    try:
        heard = httpx.request(
            asked.method, asked.url, json=asked.body, timeout=asked.timeout, trust_env=False
        )
    except httpx.HTTPError as error:
        raise Refused(str(error)) from error
    wanted = "text/event-stream" if asked.streamed else "application/json"
    if heard.status_code != 200 or not heard.headers["content-type"].startswith(wanted):
        raise Refused(f"{heard.status_code} {heard.headers['content-type']}")
    response = Response(200, "OK", tuple(heard.headers.items()), heard.content)
    known = endpoint(asked.endpoint)
    request = Request(asked.method, asked.url, (), json.dumps(asked.body).encode())
    return _held(AnalyzedExchange(Exchange(request, response), known), known)


def _held(reading: AnalyzedExchange, known: Endpoint) -> Outcome:
    from harness.rules.schemas import violations
    from harness.types import Failure

    values = _streamed(reading, known) if reading.is_stream else [reading.response_json]
    schema = known.event if reading.is_stream and known.event else known.answer
    for document in values:
        if document.problem or violations(schema, document.value):
            raise Refused(document.problem or str(violations(schema, document.value)))
    outcome = reading.outcome
    if outcome is None or isinstance(outcome, Failure):
        raise Refused(str(outcome))
    return outcome


def _streamed(reading: AnalyzedExchange, known: Endpoint) -> list[Any]:
    told = [words for _, words in reading.stream.problems if not words.startswith("unknown field")]
    if told:
        raise Refused(told[0])
    events = [event for event in reading.stream.events if not _is_strange(event)]
    ended = [event for event in events if event.data == "[DONE]"]
    finished = getattr(reading.outcome, "finish_reason", None)
    if not finished or bool(ended) is not known.ends_with_done:
        raise Refused("the stream broke off")
    return [event.json for event in events if event.data != "[DONE]"]


def _is_strange(event: Event) -> bool:
    return event.event not in ("", "message", "result", "error")


def naive(asked: Question) -> str:
    """Reads what comes as if it always came in lines, whole, and of the usual kind."""
    url = urlsplit(asked.url)
    connection = http.client.HTTPConnection(url.netloc)
    try:
        connection.request(asked.method, asked.path, json.dumps(asked.body))
        response = connection.getresponse()
        text = ""
        while chunk := response.read1():
            for line in chunk.decode().split("\n"):
                if line.startswith("data: {"):
                    text += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
        return text
    finally:
        connection.close()


def patient(asked: Question) -> str:
    """Waits as long as it takes."""
    never = httpx.Timeout(None)
    heard = httpx.request(asked.method, asked.url, json=asked.body, timeout=never, trust_env=False)
    return heard.text[:0]


def endless(asked: Question) -> str:
    """Answers what is untouched, and turns in a circle at anything else."""
    heard = httpx.request(asked.method, asked.url, json=asked.body, trust_env=False)
    while b"x_new_member" in heard.content:
        pass
    return heard.text[:0]


def ending(asked: Question) -> str:
    """The same, but ends the whole process."""
    heard = httpx.request(asked.method, asked.url, json=asked.body, trust_env=False)
    if b"x_new_member" in heard.content:
        os._exit(3)
    return heard.text[:0]


def text_alone(asked: Question) -> str:
    """Says something to everybody who looks."""
    print("printed", flush=True)  # noqa: T201 - as somebody's code may
    return ""


def changing(asked: Question) -> float:
    """Never says the same."""
    return time.monotonic()


not_a_function = 3
