"""When each chunk came is recorded as it passes, and replayed at any pace."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.cassette import dumps, loads
from harness.cassette.reader import load_yaml
from harness.errors import HarnessError
from harness.intercept import Player, Recorder, use_tape
from harness.secrets.redactor import Redactor
from harness.types import Cassette, Exchange, Request, Response, Timing

from .clients import CLIENTS, STREAMING, Client, by_httpx
from .server import MOMENT, MOMENTS, Server


def exchange(arrived: Sequence[float] = (), first_byte: float = 0.06) -> Exchange:
    """A stream of three chunks."""
    timing = Timing(0.0, first_byte, 0.2, tuple(arrived))
    return Exchange(Request("GET", "http://a/b"), Response(200, body=b"abc"), timing, (1, 1, 1))


def gaps(client: Client, one: Exchange, pace: float) -> list[float]:
    """Seconds before each piece that a client gets."""
    came = [time.perf_counter()]
    with use_tape(Player(Cassette((one,)), pace=pace)):
        got = client("GET", "http://a/b", None, lambda: came.append(time.perf_counter()))
    assert got.body == b"abc"
    return [after - before for before, after in itertools.pairwise(came)]


@pytest.mark.parametrize("client", STREAMING)
def test_chunks_pass_live_and_when_they_came_is_on_the_cassette(
    client: Client, server: Server
) -> None:
    """The server sends none before the one before it was received."""
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
    assert all(MOMENT * 0.9 < pause < 1 for pause in pauses), pauses


@pytest.mark.parametrize("client", CLIENTS)
def test_at_no_pace_everything_comes_at_once(client: Client) -> None:
    """The default."""
    assert sum(gaps(client, exchange((5.0, 10.0, 15.0)), 0.0)) < 1


@pytest.mark.parametrize("client", STREAMING)
def test_chunks_come_at_the_pace_that_is_asked_for(client: Client) -> None:
    """The first byte, and every gap, so many times as long as recorded."""
    first, *others = gaps(client, exchange((0.12, 0.2, 0.36)), 0.5)
    assert first >= 0.06
    assert [0.04 <= others[0] < 0.3, 0.08 <= others[1] < 0.4] == [True, True]


@pytest.mark.parametrize("client", CLIENTS)
def test_who_reads_it_whole_waits_for_the_last_chunk(client: Client) -> None:
    """However the body is read."""
    assert 0.1 <= sum(gaps(client, exchange((0.1, 0.15, 0.2)), 0.5)) < 1


@pytest.mark.parametrize("client", CLIENTS)
def test_a_cassette_without_gaps_waits_for_its_first_byte(client: Client) -> None:
    """And one without any times for nothing."""
    assert gaps(client, exchange(first_byte=0.06), 1.0)[0] >= 0.06
    assert sum(gaps(client, replace(exchange(), timing=None), 1000.0)) < 1


@pytest.mark.parametrize("arrived", [(0.1, 0.05, -3.0), (float("nan"),), (float("inf"), 0.0)])
def test_times_that_make_no_sense_are_no_waits(arrived: tuple[float, ...]) -> None:
    """A cassette may say anything."""
    assert sum(gaps(by_httpx, exchange(arrived), 0.1)) < 1


OLD = "chunks: [1, 1, 1]\n"


@pytest.mark.parametrize("reader", [loads, lambda text: load_yaml(text, "")])
def test_when_chunks_came_is_read_back(reader: Callable[[str], Cassette]) -> None:
    """By both readers; older cassettes do not say, and nonsense is no time at all."""
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
def test_what_is_no_pace(pace: object, tmp_path: Path) -> None:
    """It says what is."""
    with pytest.raises(
        HarnessError, match=r"is not a valid pace; expected 0 \(instant\), 1 \(as recorded\)"
    ):
        harness.use_cassette(tmp_path / "a.yaml", pace=pace)  # type: ignore[arg-type]


def test_a_block_of_code_may_have_a_pace(tmp_path: Path) -> None:
    """Answers and sleeps take that part of their time."""
    path = tmp_path / "a.yaml"
    path.write_text(dumps(Cassette((exchange((0.1, 0.2, 0.4)),))), encoding="utf-8")
    began = time.perf_counter()
    with harness.use_cassette(path, pace=0.25):
        by_httpx("GET", "http://a/b", None, lambda: None)
        time.sleep(0.4)
    assert 0.2 <= time.perf_counter() - began < 9
