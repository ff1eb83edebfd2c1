"""The floor of servers: a bare Starlette app that answers any POST, and streams 10 MB.

Run `python -m benchmarks.bare PORT`. The second half of the stream at a path that ends with `/big`
is sent when something has asked for `/go`, or after ten seconds: who holds a stream is late.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from benchmarks.chats import answer

CHUNKS, CHUNK = 160, b"data: " + b"x" * 65_528 + b"\n\n"
HELD_SECONDS = 10.0
"""Seconds that the second half of a stream waits at most."""


def application() -> Starlette:
    """Return the app."""
    go = asyncio.Event()

    async def chat(request: Request) -> Response:
        await request.body()
        return Response(answer(0), media_type="application/json")

    async def big(_: Request) -> Response:
        go.clear()
        return StreamingResponse(_chunks(go), media_type="text/event-stream")

    async def start(_: Request) -> Response:
        go.set()
        return Response()

    return Starlette(
        routes=[
            Route("/go", start),
            Route("/{path:path}/big", big),
            Route("/{path:path}", chat, methods=["POST"]),
        ]
    )


async def _chunks(go: asyncio.Event) -> AsyncIterator[bytes]:
    for number in range(CHUNKS):
        if number == CHUNKS // 2:
            await asyncio.wait([asyncio.create_task(go.wait())], timeout=HELD_SECONDS)
        yield CHUNK


if __name__ == "__main__":
    uvicorn.run(application(), port=int(sys.argv[1]), log_level="critical")
