"""Players and their requests, for the tests of players and of matching."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.errors import CassetteMiss
from harness.intercept.player import Player
from harness.types import Cassette, Exchange, Provenance, Request, Response

HOST = "https://host"


def request(path: str, body: Any = None, method: str = "POST") -> Request:
    """Return a request with a JSON body."""
    content = b"" if body is None else json.dumps(body).encode()
    return Request(method, HOST + path, (), content)


def exchange(answer: str, path: str = "/chat", body: Any = None, method: str = "POST") -> Exchange:
    """Return a recorded exchange."""
    return Exchange(request(path, body, method), Response(200, body=answer.encode()))


def player(*exchanges: Exchange, volatile: tuple[str, ...] = ()) -> Player:
    """Return a player of these exchanges."""
    return Player(Cassette(exchanges, Provenance(volatile=volatile)))


def text_of_answer(tape: Player, request: Request) -> str:
    """Return the text of the recorded answer to a request."""
    return tape.find(request).response.body.decode()


def miss_of(tape: Player, request: Request) -> str:
    """Return the message of the miss of a request."""
    with pytest.raises(CassetteMiss) as caught:
        tape.find(request)
    return str(caught.value)
