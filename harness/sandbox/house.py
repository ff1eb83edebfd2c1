"""A house: what one running sandbox has and remembers, and how its speakers send an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from harness.sandbox.options import Options
from harness.sandbox.pictures import Gallery, Wish
from harness.sandbox.refusal import Reason, Refused
from harness.sandbox.tasks import BEIJING, Tasks
from harness.types import LooseJson
from harness.wire import compact_bytes

Headers = list[tuple[str, str]]


class House:
    """One sandbox: its options, tasks and pictures, and how many requests came."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.tasks = Tasks(options.pending_polls, options.running_polls, now)
        self.gallery = Gallery()
        self._requests = 0

    async def welcome(self) -> None:
        """Count a request, let it wait, and turn each N-th away."""
        self._requests += 1
        await asyncio.sleep(self.options.latency)
        every = self.options.throttle_every
        if every and self._requests % every == 0:
            raise Refused(Reason.THROTTLED)

    def check_rate(self, text: str) -> None:
        """Turn away who says the word that stands for too many requests."""
        word = self.options.throttle_on
        if word and word in text:
            raise Refused(Reason.THROTTLED)

    def fails(self, text: str) -> bool:
        """Whether a task that says this is to fail."""
        word = self.options.fail_tasks_on
        return bool(word) and word in text

    def hang(self, request: Request, name: str, wish: Wish) -> str:
        """Put up a picture; the link to it, on this very server."""
        self.gallery.hang(name, wish)
        host, port = request.scope["server"]
        return f"http://{host}:{port}/files/{name}"

    async def stream(self, events: Iterable[bytes]) -> AsyncIterator[bytes]:
        """The events of a stream, each in a chunk of its own, at uneven times.

        From half to one and a half of the options' gap lies between two, always the same one
        before the same event.
        """
        for number, event in enumerate(events):
            if number:
                await asyncio.sleep(self.options.chunk_gap * (0.5 + crc32(event) / 2**32))
            yield event


def now() -> datetime:
    """This moment, in Beijing."""
    return datetime.now(BEIJING)


def said(value: LooseJson, status: int, headers: Headers) -> Response:
    """An answer in JSON. Like the services' it has no length: it is sent in chunks."""
    response = Response(compact_bytes(value), status)
    response.raw_headers = _raw(headers)
    return response


def streamed(chunks: AsyncIterator[bytes], headers: Headers) -> Response:
    """An answer that is a stream."""
    response = StreamingResponse(chunks)
    response.raw_headers = _raw(headers)
    return response


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
