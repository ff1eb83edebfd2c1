"""A tiny server on loopback that answers what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness.types import LooseJson


@dataclass(frozen=True)
class Answer:
    """What the server says; `hangs_up` cuts the connection instead of an answer, or after it."""

    status: int = 200
    body: str = ""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    hangs_up: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> LooseJson:
        """The body, which is JSON."""
        return json.loads(self.body)


@dataclass
class Server:
    """Where it is, and what it was asked, in order."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)


RESET = Answer(hangs_up=True)


def says(value: LooseJson, status: int = 200, **headers: str) -> Answer:
    """An answer in JSON; header names are written with underscores."""
    told = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    body = json.dumps(value, ensure_ascii=False)
    return Answer(status, body, (("content-type", "application/json"), *told))


def streams(*lines: str) -> Answer:
    """An answer that is a stream: each line is an event of its own."""
    body = "".join(f"{line}\n\n" for line in lines)
    return Answer(200, body, (("content-type", "text/event-stream;charset=UTF-8"),))


@contextmanager
def answering(*answers: Answer) -> Iterator[Server]:
    """A server that gives these answers, one per request; the last one again and again."""
    server = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server, list(answers)))
    http.daemon_threads = True
    server.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(server: Server, answers: list[Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = answers[min(len(server.asked), len(answers) - 1)]
            headers = {name.lower(): text for name, text in self.headers.items()}
            server.asked.append(Asked(self.command, self.path, headers, body))
            if answer == RESET:
                linger = struct.pack("ii", 1, 0)  # closing now sends a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                return
            self.send_response(answer.status)
            for name, text in answer.headers:
                self.send_header(name, text)
            cut = len(answer.body) if answer.hangs_up else 0
            self.send_header("content-length", str(len(answer.body.encode()) + cut))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(answer.body.encode())

        do_GET = do_POST

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test reads `asked`."""

    return Handler
