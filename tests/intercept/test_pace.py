"""The pace: arrival times of chunks are recorded, and replayed at any speed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.cassette.reader import load_yaml, loads
from harness.cassette.writer import dumps
from harness.errors import HarnessError
from harness.intercept.patch import use_tape
from harness.intercept.player import Player
from harness.intercept.recorder import Recorder
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response, Timing

from .clients import CLIENTS, STREAMING, Client, by_httpx
from .server import MOMENT, MOMENTS, Server

pytestmark = pytest.mark.slow

HANGS = 60
"""The seconds that no machine takes for what does not wait; what waits is longer."""


def exchange(arrived: Sequence[float] = (), first_byte: float = 0.06) -> Exchange:
    """Return a stream of three chunks."""
    timing = Timing(0.0, first_byte, 0.2, tuple(arrived))
    return Exchange(Request("GET", "http://a/b"), Response(200, body=b"abc"), timing, (1, 1, 1))


def gaps(client: Client, one: Exchange, pace: float) -> list[float]:
    """Return the seconds before each piece that a client receives."""
    came = [time.perf_counter()]
    with use_tape(Player(Cassette((one,)), pace=pace)):
        got = client("GET", "http://a/b", None, lambda: came.append(time.perf_counter()))
    assert got.body == b"abc"
    return [after - before for before, after in itertools.pairwise(came)]


@pytest.mark.parametrize("client", STREAMING)
def test_arrival_times_of_chunks_are_recorded(client: Client, server: Server) -> None:
    """Chunks pass without delay, and their arrival times are recorded."""
    tape = Recorder(Redactor())
    with use_tape(tape):
        got = client("GET", f"{server.base}/slowly", None, server.go.set)
    assert got.body == b"".join(b"data: %d\n\n" % n for n in range(MOMENTS))
    (recorded,) = loads(dumps(Cassette(tape.exchanges()))).exchanges
    assert recorded.timing is not None
    arrived = recorded.timing.arrived
    assert len(arrived) == len(recorded.chunks) == MOMENTS
    assert arrived[0] == pytest.approx(recorded.timing.first_byte, abs=0.001)
    pauses = [b - a for a, b in itertools.pairwise(arrived)]
    assert all(MOMENT * 0.9 < pause < HANGS for pause in pauses), pauses


@pytest.mark.parametrize("client", CLIENTS)
def test_pace_0_is_instant(client: Client) -> None:
    """By default, all chunks come at once."""
    assert sum(gaps(client, exchange((90.0, 180.0, 270.0)), 0.0)) < HANGS


@pytest.mark.parametrize("client", STREAMING)
def test_chunks_come_at_the_given_pace(client: Client) -> None:
    """The first byte and every gap take their recorded time multiplied by the pace."""
    first, *others = gaps(client, exchange((120.0, 200.0, 360.0)), 0.0005)
    assert first >= 0.06
    assert [0.04 <= others[0] < HANGS, 0.08 <= others[1] < HANGS] == [True, True]


@pytest.mark.parametrize("client", CLIENTS)
def test_reading_a_whole_body_waits_for_its_last_chunk(client: Client) -> None:
    """Reading a whole body waits for its last chunk, in whatever way it is read."""
    assert 0.1 <= sum(gaps(client, exchange((100.0, 150.0, 200.0)), 0.0005)) < HANGS


@pytest.mark.parametrize("client", CLIENTS)
def test_a_cassette_without_arrival_times_waits_for_its_first_byte(client: Client) -> None:
    """Without arrival times the first byte is waited for, and without times nothing is."""
    assert gaps(client, exchange(first_byte=0.06), 1.0)[0] >= 0.06
    assert sum(gaps(client, replace(exchange(), timing=None), 1e6)) < HANGS


@pytest.mark.parametrize("arrived", [(0.1, 0.05, -3.0), (float("nan"),), (float("inf"), 0.0)])
def test_invalid_times_are_not_waited_for(arrived: tuple[float, ...]) -> None:
    """Invalid times on a cassette are not waited for."""
    assert sum(gaps(by_httpx, exchange(arrived), 0.1)) < HANGS


OLD = "chunks: [1, 1, 1]\n"


@pytest.mark.parametrize("reader", [loads, lambda text: load_yaml(text, "")])
def test_arrival_times_are_read_back(reader: Callable[[str], Cassette]) -> None:
    """Both readers read arrival times back, and ignore invalid ones."""
    text = dumps(Cassette((exchange((0.12, 0.13, 1.0)),)))
    assert f"{OLD}      arrived: [0.12, 0.13, 1.0]\n" in text
    assert _timing(reader(text)).arrived == (0.12, 0.13, 1.0)
    assert _timing(reader(text.replace("      arrived: [0.12, 0.13, 1.0]\n", ""))).arrived == ()
    assert reader(text.replace("0.13", "[]")).exchanges[0].timing is None


def _timing(cassette: Cassette) -> Timing:
    timing = cassette.exchanges[0].timing
    assert timing is not None
    return timing


@pytest.mark.parametrize("pace", [-1, float("nan"), float("inf"), "1", None, True])
def test_an_invalid_pace_is_an_error(pace: object, tmp_path: Path) -> None:
    """An invalid pace is an error that says what is expected."""
    with pytest.raises(
        HarnessError, match=r"is not a valid pace; expected 0 \(instant\), 1 \(as recorded\)"
    ):
        harness.use_cassette(tmp_path / "a.yaml", pace=pace)  # type: ignore[arg-type]


def test_use_cassette_takes_a_pace(tmp_path: Path) -> None:
    """In a block with a pace, responses and sleeps take that part of their time."""
    path = tmp_path / "a.yaml"
    path.write_text(dumps(Cassette((exchange((0.1, 0.2, 0.4)),))), encoding="utf-8")
    began = time.perf_counter()
    with harness.use_cassette(path, pace=0.25):
        by_httpx("GET", "http://a/b", None, lambda: None)
        time.sleep(0.4)
    assert time.perf_counter() - began >= 0.2
