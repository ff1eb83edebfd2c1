"""The patches of requests: a replay answers before requests prepares a connection."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest
import requests
import urllib3

from harness.config.hosts import AllowedHosts
from harness.errors import CassetteMiss, NoActiveCassette
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response
from intercept.server import Server

URL = "https://host/chat?q=1"


def player() -> Player:
    """Return a player with one answer."""
    return Player(Cassette((Exchange(Request("GET", URL), Response(200, "OK", (), b"played")),)))


class NoConnectionAdapter(requests.adapters.HTTPAdapter):
    """An adapter that has no connection."""

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> NoReturn:
        """Fail the test."""
        raise AssertionError("a connection was looked for")

    get_connection = get_connection_with_tls_context  # before requests 2.32


def session_without_connections() -> requests.Session:
    """Return a session that can only be answered from a tape."""
    session = requests.Session()
    session.mount("https://", NoConnectionAdapter())
    session.mount("http://", NoConnectionAdapter())
    return session


def test_a_replay_prepares_no_connection() -> None:
    """A replay prepares neither connections nor certificates."""
    with use_tape(player()):
        answer = session_without_connections().get(URL, verify="/no/such/bundle.pem", timeout=60)
    assert (answer.status_code, answer.reason, answer.text) == (200, "OK", "played")
    assert answer.request.url == answer.url == URL


def test_a_replay_looks_for_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay does not search the environment for a proxy; an allowed host may need one."""
    searches: list[str] = []

    def search(url: str, **_: Any) -> dict[str, str]:
        searches.append(url)
        return {}

    monkeypatch.setattr(requests.sessions, "get_environ_proxies", search)
    session = session_without_connections()
    with use_tape(player(), AllowedHosts(("other",))):
        assert session.get(URL, timeout=9).text == "played"
        with pytest.raises(AssertionError, match="a connection was looked for"):
            session.get("http://other/", timeout=9)
    assert searches == ["http://other/"]


READERS: tuple[Callable[[Any], object], ...] = (
    lambda raw: [
        raw.closed,
        raw.read(2),
        raw.closed,
        raw.read(4),
        raw.closed,
        raw.read(1),
        raw.closed,
    ],
    lambda raw: [raw.read(), raw.closed, raw.read()],
    lambda raw: [raw.read(0), raw.closed, raw.data, raw.closed],
    lambda raw: [[*raw.stream(None)], raw.closed],
    lambda raw: [[*raw.stream(4)], raw.closed],
    lambda raw: [*io.BufferedReader(raw, 4)],
    lambda raw: [(raw._fp.read(size), raw._fp.fp is None) for size in (0, 4, 4, 0, 4)],
)


@pytest.mark.parametrize("body", [b"played", b""])
@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("reader", READERS)
def test_a_body_is_read_as_from_http_client(
    reader: Callable[[Any], object], has_length: bool, body: bytes
) -> None:
    """Whatever reads a response finds it open or closed as with the response of http.client."""

    def read(*headers: tuple[str, str]) -> object:
        one = Exchange(Request("GET", URL), Response(200, "OK", headers, body))
        with use_tape(Player(Cassette((one,)))):
            try:
                return reader(requests.get(URL, timeout=9, stream=True).raw)
            except ValueError as error:
                return str(error)

    length = [("Content-Length", str(len(body)))] if has_length else []
    assert read(*length) == read(*length, ("Set-Cookie", "a=b"))


def test_an_allowed_host_is_reached_as_usual(server: Server) -> None:
    """Requests to an allowed host go through requests as usual."""
    with use_tape(player(), AllowedHosts(("localhost",))):
        assert requests.post(f"{server.base}/echo", data=b"1", timeout=60).ok
        with pytest.raises(AssertionError, match="a connection was looked for"):
            session_without_connections().get(server.base, timeout=60)


def test_a_miss_leaves_out_the_login() -> None:
    """A miss names the address without its login."""
    with use_tape(player()), pytest.raises(CassetteMiss) as caught:
        requests.get("https://me:hunter2hunter2@host/other#part", timeout=60)
    assert "hunter2" not in str(caught.value)
    assert "no recorded answer to GET https://host/other;" in str(caught.value)


class RewritingAdapter(requests.adapters.HTTPAdapter):
    """An adapter that changes the path and adds a key."""

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return another path."""
        return super().request_url(request, proxies).removeprefix("/v1")

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        """Add a key."""
        request.headers["Authorization"] = "Bearer one"


def test_an_adapters_changes_to_requests_are_replayed(server: Server) -> None:
    """A replay sees a request as the adapter changes it, with its key."""
    session = requests.Session()
    session.mount("http://", RewritingAdapter())
    url = server.base.replace("://", "://me:pw@") + "/v1/refused#part"
    tape = Recorder(Redactor())
    with use_tape(tape):
        session.post(url, timeout=60)
    (recorded,) = tape.exchanges()
    assert recorded.request.uri == f"{server.base}/refused"
    refused = replace(recorded, response=replace(recorded.response, status=401))
    with use_tape(Player(Cassette((refused,)))):
        assert session.post(url, timeout=60).status_code == 401


@pytest.mark.parametrize("port", ["", ":443", ":8443"])
@pytest.mark.parametrize("host", ["host", "[::1]"])
def test_normalize_request_gets_the_same_address_as_in_the_recording(host: str, port: str) -> None:
    """`normalize_request` gets the same address from the patches of requests and urllib3."""
    uris = []

    def noted(request: Request) -> Request:
        uris.append(request.uri)
        return request

    recorded = Exchange(Request("GET", "https://x/a?b=1"), Response(200))
    tape = Player(Cassette((recorded, recorded)), normalize_request=noted)
    url = f"https://{host}{port}/a?b=1"
    with use_tape(tape):
        requests.get(url, timeout=60)
        urllib3.PoolManager().request("GET", url)
    assert uris[-1] == uris[-2] == url.replace(":443/", "/")


def test_an_earlier_mock_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mock that was installed before the tape is called first."""

    def send(self: Any, request: Any, **_: Any) -> Any:
        answer = urllib3.HTTPResponse(io.BytesIO(b"mocked"), status=200, preload_content=False)
        return self.build_response(request, answer)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with use_tape(player()):
        assert requests.get(URL, timeout=60).text == "mocked"


def test_a_request_without_a_tape_is_an_error() -> None:
    """A request that belongs to none of two tapes raises NoActiveCassette."""
    import contextvars

    nowhere = contextvars.Context()
    with use_tape(player()), use_tape(player()), pytest.raises(NoActiveCassette):
        nowhere.run(requests.get, URL, timeout=60)


def test_a_replayed_header_keeps_the_case_of_its_name() -> None:
    """Also the length, which is only replaced where it is not that of the replayed bytes."""
    headers = (("content-length", "6"), ("x-Id", "1"))
    one = Exchange(Request("GET", URL), Response(200, "OK", headers, b"played"))
    with use_tape(Player(Cassette((one,)))), urllib3.PoolManager() as pool:
        assert [*requests.get(URL, timeout=60).raw.headers.items()] == [*headers]
        assert [*pool.request("GET", URL).headers.items()] == [*headers]
