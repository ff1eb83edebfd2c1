"""Clients of a user's own, some good and some not, as `harness faults --against` runs them."""

from __future__ import annotations

import http.client
import json
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from harness.faults.client import ClientRequest

if TYPE_CHECKING:
    from harness.analysis.endpoint import Endpoint
    from harness.analysis.exchange import AnalyzedExchange
    from harness.types import Outcome
    from harness.wire import Event


class ClientError(Exception):
    """An error that a program can be prepared for."""


def strict(request: ClientRequest) -> Outcome:
    """Validate everything, and raise a typed error for all that is no answer."""
    from harness.analysis.exchange import AnalyzedExchange
    from harness.providers.endpoints import endpoint
    from harness.types import Exchange, Request, Response

    try:
        answer = httpx.request(
            request.method, request.url, json=request.body, timeout=request.timeout, trust_env=False
        )
    except httpx.HTTPError as error:
        raise ClientError(str(error)) from error
    expected = "text/event-stream" if request.streamed else "application/json"
    if answer.status_code != 200 or not answer.headers["content-type"].startswith(expected):
        raise ClientError(f"{answer.status_code} {answer.headers['content-type']}")
    response = Response(200, "OK", tuple(answer.headers.items()), answer.content)
    known = endpoint(request.endpoint)
    sent = Request(request.method, request.url, (), json.dumps(request.body).encode())
    return _validated(AnalyzedExchange(Exchange(sent, response), known), known)


def _validated(reading: AnalyzedExchange, endpoint: Endpoint) -> Outcome:
    from harness.rules.schemas import violations
    from harness.types import Failure

    values = _streamed(reading, endpoint) if reading.is_stream else [reading.response_json]
    schema = endpoint.event if reading.is_stream and endpoint.event else endpoint.answer
    for document in values:
        if document.problem or violations(schema, document.value):
            raise ClientError(document.problem or str(violations(schema, document.value)))
    outcome = reading.outcome
    if outcome is None or isinstance(outcome, Failure):
        raise ClientError(str(outcome))
    return outcome


def _streamed(reading: AnalyzedExchange, endpoint: Endpoint) -> list[Any]:
    problems = [
        words for _, words in reading.stream.problems if not words.startswith("unknown field")
    ]
    if problems:
        raise ClientError(problems[0])
    events = [event for event in reading.stream.events if not _is_strange(event)]
    ended = [event for event in events if event.data == "[DONE]"]
    finished = getattr(reading.outcome, "finish_reason", None)
    if not finished or bool(ended) is not endpoint.ends_with_done:
        raise ClientError("the stream broke off")
    return [event.json for event in events if event.data != "[DONE]"]


def _is_strange(event: Event) -> bool:
    return event.event not in ("", "message", "result", "error")


def naive(request: ClientRequest) -> str:
    """Read a stream as if it always came in complete lines of the usual kind."""
    url = urlsplit(request.url)
    connection = http.client.HTTPConnection(url.netloc)
    try:
        connection.request(request.method, request.path, json.dumps(request.body))
        response = connection.getresponse()
        text = ""
        while chunk := response.read1():
            for line in chunk.decode().split("\n"):
                if line.startswith("data: {"):
                    text += json.loads(line[6:])["choices"][0]["delta"].get("content", "")
        return text
    finally:
        connection.close()


def patient(request: ClientRequest) -> str:
    """Wait without a timeout."""
    never = httpx.Timeout(None)
    answer = httpx.request(
        request.method, request.url, json=request.body, timeout=never, trust_env=False
    )
    return answer.text[:0]


def endless(request: ClientRequest) -> str:
    """Return for the unchanged answer, and loop forever for an unknown member."""
    answer = httpx.request(request.method, request.url, json=request.body, trust_env=False)
    while b"x_new_member" in answer.content:
        pass
    return answer.text[:0]


def ending(request: ClientRequest) -> str:
    """Return for the unchanged answer, and exit the process for an unknown member."""
    answer = httpx.request(request.method, request.url, json=request.body, trust_env=False)
    if b"x_new_member" in answer.content:
        os._exit(3)
    return answer.text[:0]


def text_alone(request: ClientRequest) -> str:
    """Print to standard output."""
    print("printed", flush=True)  # noqa: T201 - as a user's code may
    return ""


def changing(request: ClientRequest) -> float:
    """Return another value each time."""
    return time.monotonic()


not_a_function = 3
