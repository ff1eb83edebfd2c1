"""The player: which recorded answer a request gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CassetteMiss, ConnectionBlocked
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.types import Cassette, Exchange, Request, Response

from .players import HOST, exchange, miss_of, player, request, text_of_answer


def test_answers_come_in_order_of_recording() -> None:
    """Each request gets its answers in order of recording, in whatever order requests come."""
    tape = player(
        exchange("a1", body={"q": "a"}),
        exchange("b1", body={"q": "b"}),
        exchange("a2", body={"q": "a"}),
    )
    a, b = request("/chat", {"q": "a"}), request("/chat", {"q": "b"})
    assert [text_of_answer(tape, a), text_of_answer(tape, a), text_of_answer(tape, b)] == [
        "a1",
        "a2",
        "b1",
    ]


def test_a_replay_in_recorded_order_computes_no_matching_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that is byte for byte the next recorded one is answered without its key."""
    monkeypatch.setattr("harness.intercept.player.key_of", None)
    first, second = exchange("1", body={"q": "a"}), exchange("2", body={"q": "b"})
    tape = player(first, second)
    assert text_of_answer(tape, request("/chat", {"q": "a"})) == "1"
    assert tape.unused() == (second,)
    assert text_of_answer(tape, request("/chat", {"q": "b"})) == "2"
    assert tape.unused() == ()


_ASKED = st.sampled_from([b'{"a":1,"b":2}', b'{"b": 2, "a": 1}', b'{"a":3}'])
_SENT = st.builds(
    Request, st.sampled_from(["GET", "POST"]), st.just(f"{HOST}/chat"), st.just(()), _ASKED
)


@given(st.lists(_SENT, max_size=6), st.lists(_SENT, max_size=8))
def test_the_order_of_requests_changes_no_answer(
    recorded: list[Request], sent: list[Request]
) -> None:
    """Requests in recorded order get the answers that their matching keys would get them."""
    cassette = Cassette(
        tuple(Exchange(one, Response(200, body=b"%d" % n)) for n, one in enumerate(recorded))
    )
    tape, by_key = Player(cassette), Player(cassette, normalize_request=replace)
    for one in sent:
        assert tape.take(one) == by_key.take(one)
        assert tape.unused() == by_key.unused()


def test_only_a_turn_collects_what_was_replayed() -> None:
    """A player that answers polls for days holds no list of its answers."""
    tape = player(exchange("done", "/t", method="GET"))
    poll = request("/t", method="GET")
    held = [tape.find(poll) and _held(tape) for _ in range(9)]
    assert held[2:] == held[1:-1]


def _held(tape: Player) -> int:
    """Return the number of items in all lists and tables of a player."""
    return sum(len(one) for one in vars(tape).values() if isinstance(one, list | dict | set))


def test_the_last_answer_to_a_poll_is_repeated() -> None:
    """A poll that is sent more often than recorded gets the last answer again."""
    tape = player(exchange("running", "/t", method="GET"), exchange("done", "/t", method="GET"))
    poll = request("/t", method="GET")
    assert [text_of_answer(tape, poll) for _ in range(4)] == ["running", "done", "done", "done"]


@pytest.mark.parametrize(("times", "words"), [(1, "once"), (2, "2 times"), (3, "3 times")])
def test_another_request_of_the_same_kind_is_a_miss(times: int, words: str) -> None:
    """A request other than GET that is sent once more is a miss with its recorded count."""
    tape = player(*[exchange("x", body={"q": 1})] * times)
    for _ in range(times):
        tape.find(request("/chat", {"q": 1}))
    assert miss_of(tape, request("/chat", {"q": 1})) == (
        f"no recorded answer to POST https://host/chat: it was recorded {words} "
        "and is sent once more"
    )


def test_a_replay_needs_no_secret_that_was_masked() -> None:
    """Its place has another value, or a dummy, in a query as in a body; all else still counts."""
    masked = {"auth": {"api_key": "REDACTED"}, "q": "a"}
    tape = player(exchange("yes", "/chat?key=REDACTED&alt=sse", body=masked))
    dummy = {"auth": {"api_key": "dummy"}, "q": "a"}
    miss = miss_of(tape, request("/chat?key=x&alt=sse", {**dummy, "q": "b"}))
    assert miss.endswith('/q: expected (cassette) "a", actual (your request) "b"')
    assert "query: " in miss_of(tape, request("/chat?key=x&alt=json", dummy))
    assert text_of_answer(tape, request("/chat?key=x&alt=sse", dummy)) == "yes"


def test_unused_exchanges_are_listed() -> None:
    """Unused exchanges are listed in order of recording, equal ones each."""
    same = exchange("x", body={"q": 1})
    tape = player(exchange("z", "/z"), same, exchange("y", "/y", method="GET"), same)
    assert len(tape.unused()) == 4
    tape.find(request("/chat", {"q": 1}))
    tape.find(request("/y", method="GET"))
    tape.find(request("/y", method="GET"))
    assert tape.unused() == (exchange("z", "/z"), same)


def test_a_turn_holds_the_exchanges_replayed_in_it() -> None:
    """A turn holds the exchanges replayed in it, in whatever turn they were recorded."""
    tape = player(exchange("s", "/s"), exchange("p", "/p", method="GET"))
    with tape.turn(1) as first:
        tape.find(request("/s"))
    with tape.turn(2) as second:
        tape.find(request("/p", method="GET"))
        tape.find(request("/p", method="GET"))
        miss_of(tape, request("/q"))
    assert [len(first), len(second)] == [1, 2]


def test_a_player_captures_nothing() -> None:
    """`Player.capture` raises ConnectionBlocked."""
    with pytest.raises(ConnectionBlocked):
        player().capture(request("/chat"))


LIBRARIES: dict[str, Callable[[str], object]] = {
    "httpx": httpx.get,
    "requests": lambda url: requests.get(url, timeout=60),
    "urllib3": lambda url: urllib3.PoolManager().request("GET", url, retries=5),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_miss_passes_through_the_libraries(library: str) -> None:
    """A miss passes through a library's retries and `except Exception`."""
    with use_tape(player()), pytest.raises(CassetteMiss):
        LIBRARIES[library](f"{HOST}/x")


def test_chunks_are_replayed_as_recorded() -> None:
    """Chunks are replayed as recorded, and the rest of the body as one more."""
    exchange = Exchange(Request("GET", f"{HOST}/s"), Response(200, body=b"aabbbcc"), chunks=(2, 3))
    tape = Player(Cassette((exchange,)))
    with use_tape(tape):
        with httpx.stream("GET", f"{HOST}/s") as answer:
            assert list(answer.iter_raw()) == [b"aa", b"bbb", b"cc"]
        with requests.get(f"{HOST}/s", stream=True, timeout=60) as response:
            assert list(response.iter_content(None)) == [b"aa", b"bbb", b"cc"]
        with requests.get(f"{HOST}/s", stream=True, timeout=60) as response:
            assert list(response.iter_content(2)) == [b"aa", b"bb", b"b", b"cc"]


def test_compressed_recordings_are_replayed() -> None:
    """Bodies that vcrpy stores compressed are replayed."""
    import gzip

    coded = (("content-encoding", "gzip"),)
    exchange = Exchange(
        Request("GET", f"{HOST}/z"), Response(200, "", coded, gzip.compress(b"hello"))
    )
    with use_tape(Player(Cassette((exchange,)))):
        assert httpx.get(f"{HOST}/z").text == "hello"
        assert requests.get(f"{HOST}/z", timeout=60).text == "hello"
        assert urllib3.PoolManager().request("GET", f"{HOST}/z").data == b"hello"
