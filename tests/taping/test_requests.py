"""The short cut in requests: a replay answers before requests looks for a connection."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
import requests

from harness.errors import Miss, NoTape
from harness.taping import Player, in_place
from harness.taping.hosts import Hosts
from harness.types import Cassette, Exchange, Request, Response
from taping.server import Server

URL = "https://host/chat?q=1"


def playing() -> Player:
    """A tape with one answer."""
    return Player(Cassette((Exchange(Request("GET", URL), Response(200, "OK", (), b"played")),)))


class Unconnected(requests.adapters.HTTPAdapter):
    """An adapter that has no connection to give."""

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> NoReturn:
        """Never to be asked."""
        raise AssertionError("a connection was looked for")


def unconnected() -> requests.Session:
    """A session that can only be answered from a tape."""
    session = requests.Session()
    session.mount("https://", Unconnected())
    session.mount("http://", Unconnected())
    return session


def test_a_replay_looks_for_no_connection() -> None:
    """Nor for the certificates one would need."""
    with in_place(playing()):
        answer = unconnected().get(URL, verify="/no/such/bundle.pem", timeout=9)
    assert (answer.status_code, answer.reason, answer.text) == (200, "OK", "played")
    assert answer.request.url == answer.url == URL


def test_an_allowed_host_is_reached_past_the_tape(server: Server) -> None:
    """By the way requests takes without a tape."""
    with in_place(playing(), Hosts(("localhost",))):
        assert requests.post(f"{server.base}/echo", data=b"1", timeout=9).ok
        with pytest.raises(AssertionError, match="a connection was looked for"):
            unconnected().get(server.base, timeout=9)


def test_a_login_in_an_address_is_not_told() -> None:
    """A miss names the address without it, as urllib3 would have been asked."""
    with in_place(playing()), pytest.raises(Miss) as caught:
        requests.get("https://me:hunter2hunter2@host/other#part", timeout=9)
    assert "hunter2" not in str(caught.value)
    assert "no recorded answer to GET https://host/other;" in str(caught.value)


def test_where_no_tape_is_a_request_is_refused_as_ever() -> None:
    """The short cut leaves that to the seam in urllib3."""
    import contextvars

    nowhere = contextvars.Context()
    with in_place(playing()), pytest.raises(NoTape):
        nowhere.run(requests.get, URL, timeout=9)
