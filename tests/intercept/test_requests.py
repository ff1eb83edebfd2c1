"""The short cut in requests: a replay answers before requests looks for a connection."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, NoReturn

import pytest
import requests
import urllib3

from harness.config.hosts import AllowedHosts
from harness.errors import CassetteMiss, NoActiveCassette
from harness.intercept import Player, Recorder, use_tape
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response
from intercept.server import Server

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
    with use_tape(playing()):
        answer = unconnected().get(URL, verify="/no/such/bundle.pem", timeout=9)
    assert (answer.status_code, answer.reason, answer.text) == (200, "OK", "played")
    assert answer.request.url == answer.url == URL


def test_an_allowed_host_is_reached_past_the_tape(server: Server) -> None:
    """By the way requests takes without a tape."""
    with use_tape(playing(), AllowedHosts(("localhost",))):
        assert requests.post(f"{server.base}/echo", data=b"1", timeout=9).ok
        with pytest.raises(AssertionError, match="a connection was looked for"):
            unconnected().get(server.base, timeout=9)


def test_a_login_in_an_address_is_not_told() -> None:
    """A miss names the address without it, as urllib3 would have been asked."""
    with use_tape(playing()), pytest.raises(CassetteMiss) as caught:
        requests.get("https://me:hunter2hunter2@host/other#part", timeout=9)
    assert "hunter2" not in str(caught.value)
    assert "no recorded answer to GET https://host/other;" in str(caught.value)


class Turning(requests.adapters.HTTPAdapter):
    """An adapter that asks for something else, and says who it is."""

    def request_url(self, request: Any, proxies: Any) -> str:
        """Without what stands before it."""
        return super().request_url(request, proxies).removeprefix("/v1")

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        """With a key."""
        request.headers["Authorization"] = "Bearer one"


def test_what_an_adapter_does_to_a_request_is_done(server: Server) -> None:
    """A replay asks for what was asked when it was recorded, with the same key."""
    session = requests.Session()
    session.mount("http://", Turning())
    url = server.base.replace("://", "://me:pw@") + "/v1/refused#part"
    tape = Recorder(Redactor())
    with use_tape(tape):
        session.post(url, timeout=9)
    (recorded,) = tape.exchanges()
    assert recorded.request.uri == f"{server.base}/refused"
    refused = replace(recorded, response=replace(recorded.response, status=401))
    with use_tape(Player(Cassette((refused,)))):
        assert session.post(url, timeout=9).status_code == 401


@pytest.mark.parametrize("port", ["", ":443", ":8443"])
@pytest.mark.parametrize("host", ["host", "[::1]"])
def test_match_is_given_the_address_as_when_it_was_recorded(host: str, port: str) -> None:
    """The seam in urllib3 and the short cut call it the same."""
    uris = []

    def noted(request: Request) -> Request:
        uris.append(request.uri)
        return request

    recorded = Exchange(Request("GET", "https://x/a?b=1"), Response(200))
    tape = Player(Cassette((recorded, recorded)), normalize_request=noted)
    url = f"https://{host}{port}/a?b=1"
    with use_tape(tape):
        requests.get(url, timeout=9)
        urllib3.PoolManager().request("GET", url)
    assert uris[-1] == uris[-2] == url.replace(":443/", "/")


def test_a_mock_that_was_there_first_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay asks it no later than the recording did."""

    def send(self: Any, request: Any, **_: Any) -> Any:
        answer = urllib3.HTTPResponse(io.BytesIO(b"mocked"), status=200, preload_content=False)
        return self.build_response(request, answer)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with use_tape(playing()):
        assert requests.get(URL, timeout=9).text == "mocked"


def test_where_no_tape_is_a_request_is_refused_as_ever() -> None:
    """The short cut leaves that to the seam in urllib3."""
    import contextvars

    nowhere = contextvars.Context()
    with use_tape(playing()), pytest.raises(NoActiveCassette):
        nowhere.run(requests.get, URL, timeout=9)
