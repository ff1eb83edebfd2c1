"""The journal of a recording: what is in it stays, what was cut off is dropped, one at a time."""

from __future__ import annotations

import errno
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intercept.server import Server, serving
from test_runner import DASH, TWO_QUESTIONS, ZHIPU, sandboxed, silent

import harness
from harness.api.use_cassette import RecordMode
from harness.cassette.journal import (
    Journal,
    JournalHead,
    exchange_record,
    head_record,
    journal_path,
    read_journal,
    unfinished,
)
from harness.cassette.store import Store, read
from harness.errors import (
    BadCassette,
    CannotWrite,
    CassetteInUse,
    NotRecordable,
    RecordingFailed,
    UnfinishedRecording,
)
from harness.intercept.recorder import Recorder
from harness.intercept.resume import OnInterrupted
from harness.providers.servers import PROVIDER_SERVERS
from harness.runner import batch, record
from harness.sandbox import Options, serve
from harness.scenario.files import loads
from harness.secrets.scanner import Scanner
from harness.types import Exchange, Origin, Provenance, Request, Response, Timing

SCENARIO = loads(TWO_QUESTIONS)
HEAD = JournalHead(Provenance(Origin.SANDBOX, scenario="a", target="b/c", script=("1", "2")), 7)


def exchange(number: int) -> Exchange:
    """One of several that differ."""
    body = f'data: "{number}"\n\ndata: 你好\n\n'.encode()
    return Exchange(
        Request("POST", f"http://a/{number}", (), b'{"a": 1}'),
        Response(200, "OK", (("content-type", "text/event-stream"),), body),
        Timing(1.5, 0.25, 0.5),
        (len(body),),
        number,
    )


EXCHANGES = tuple(exchange(number) for number in range(3))
BYTES = head_record(HEAD) + b"".join(exchange_record(n, e) for n, e in enumerate(EXCHANGES))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A folder that is not there yet."""
    return Store(tmp_path / "deep" / "cassettes")


# ------------------------------------------------------------------------------------- as bytes


def test_written_and_read() -> None:
    """Head, numbers and exchanges are what they were."""
    found = read_journal(BYTES)
    assert (found.head, found.exchanges, found.end) == (HEAD, EXCHANGES, len(BYTES))
    assert read_journal(b"").head is None


@settings(max_examples=60)
@given(st.integers(0, len(BYTES)), st.binary(max_size=8))
def test_cut_off_anywhere(length: int, rest: bytes) -> None:
    """Whole records are read, and nothing of the one that was cut off, whatever stands behind."""
    found = read_journal(BYTES[:length] + rest)
    assert found.end <= length + len(rest)
    assert found.exchanges == EXCHANGES[: len(found.records)]
    whole = read_journal(BYTES)
    ends = [record.start for record in whole.records[1:]] + [whole.end]
    assert len(found.records) >= sum(end <= length for end in ends)


def test_damage_in_the_middle() -> None:
    """Is told by its line: whole answers stand behind."""
    damaged = BYTES.replace(b"http://a/1", b"http://a/X")
    with pytest.raises(BadCassette, match=r"^a:\d+: the journal is damaged here"):
        read_journal(damaged, "a")
    assert len(read_journal(BYTES.replace(b"http://a/2", b"http://a/X")).records) == 2


def test_in_the_order_of_the_requests() -> None:
    """Whichever was answered first."""
    text = head_record(HEAD) + exchange_record(2, EXCHANGES[2]) + exchange_record(0, EXCHANGES[0])
    assert read_journal(text).exchanges == (EXCHANGES[0], EXCHANGES[2])


def test_a_journal_is_scanned(tmp_path: Path) -> None:
    """As every file is."""
    secret = exchange_record(
        0, Exchange(Request("GET", "http://a/"), Response(200, body=b"my-0wn-k3y"))
    )
    assert [leak.line for leak in Scanner(("my-0wn-k3y",)).scan(BYTES + secret)]
    assert list(Scanner(("my-0wn-k3y",)).scan(BYTES)) == []


# ------------------------------------------------------------------------------------- as a file


def test_nothing_answered_nothing_left(store: Store) -> None:
    """Neither the file nor the folders that were made for it."""
    journal = Journal(store.folder / "a.yaml", HEAD)
    journal.ready()
    assert stat.S_IMODE(journal.path.stat().st_mode) & 0o022 == 0
    assert not unfinished(journal.cassette)
    journal.close()
    assert not store.folder.parent.exists()


def test_every_record_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was written, and before anything else happens."""
    synced: list[int] = []
    really = os.fsync

    def fsync(file: int) -> None:
        really(file)
        synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal(tmp_path / "a.yaml", HEAD)
    journal.ready()
    for number, one in enumerate(EXCHANGES):
        journal.append(number, one)
        assert synced[-1] == journal.path.stat().st_size
    assert journal.path.read_bytes() == BYTES
    journal.close()
    assert unfinished(journal.cassette)


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second is told at once; whoever is dead holds nothing."""
    journal, other = (Journal(tmp_path / "a.yaml", HEAD) for _ in range(2))
    journal.ready()
    for attempt in (other.ready, other.read, other.lock):
        with pytest.raises(CassetteInUse, match=r"a\.yaml is being recorded by another process"):
            attempt()
    other.close()
    journal.append(0, EXCHANGES[0])
    journal.close()
    assert len(other.read().records) == 1
    other.close()
    with pytest.raises(UnfinishedRecording, match="answers of another recording"):
        Journal(tmp_path / "a.yaml", HEAD).ready()


def test_a_torn_end_is_written_over(tmp_path: Path) -> None:
    """What comes next stands where it began."""
    cassette = tmp_path / "a.yaml"
    journal_path(cassette).write_bytes(BYTES[:-5])
    journal = Journal(cassette, HEAD)
    found = journal.read()
    journal.resume(found, len(found.records))
    journal.append(2, EXCHANGES[2])
    journal.close()
    assert journal.path.read_bytes() == BYTES


def test_a_turn_taken_back(tmp_path: Path) -> None:
    """It and all behind it, but for its beginning where that is to stay."""
    journal = Journal(tmp_path / "a.yaml", HEAD)
    journal.ready()
    for number, one in enumerate(EXCHANGES):
        journal.append(number, one)
    journal.drop_turn(2, keep=1)
    assert journal.path.read_bytes() == BYTES
    journal.drop_turn(1, keep=0)
    journal.append(5, EXCHANGES[2])
    journal.close()
    assert read_journal(journal.path.read_bytes()).exchanges == (EXCHANGES[0], EXCHANGES[2])


def in_a_child(do: Callable[[], None]) -> int:
    """The exit code of a process that does it."""
    child = os.fork()
    if not child:
        try:
            do()
        except BaseException:  # noqa: BLE001 - told by the exit code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_full_disk(tmp_path: Path) -> None:
    """What was there stays, nothing half is behind it, and it is said where it is."""
    cassette = tmp_path / "a.yaml"

    def fill() -> None:
        journal = Journal(cassette, HEAD)
        journal.ready()
        journal.append(0, EXCHANGES[0])
        size = journal.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))  # ten bytes fit
        with pytest.raises(CannotWrite, match=r"a\.yaml cannot be written: .*; what was answered"):
            journal.append(1, EXCHANGES[1])
        journal.close()

    assert in_a_child(fill) == 0
    record = exchange_record(0, EXCHANGES[0])
    assert journal_path(cassette).read_bytes() == head_record(HEAD) + record


# ---------------------------------------------------------------------------------- of scenarios


def broken_off(store: Store, base: str, words: str = "什么") -> None:
    """A recording that ends before the step with these words."""

    def told(step: str) -> None:
        if words in step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(SCENARIO, ZHIPU, sandboxed(base), store, told, OnInterrupted.AFRESH)


@pytest.mark.slow
def test_an_interrupted_recording_is_in_the_way(sandbox: str, store: Store) -> None:
    """Both ways out are told; one of them goes on, the other begins anew."""
    broken_off(store, sandbox)
    path = store.path("two-questions", ZHIPU)
    again = "harness record two-questions --target zhipuai-glm-5.3-flash --sandbox"
    with pytest.raises(UnfinishedRecording) as caught:
        record(SCENARIO, ZHIPU, sandboxed(sandbox), store, silent)
    assert str(caught.value) == (
        f"{journal_path(path)}: an interrupted recording has left 1 answer; "
        f"continue it: {again} --resume, or discard them: {again} --afresh"
    )
    (kept,) = read_journal(journal_path(path).read_bytes()).exchanges
    record(SCENARIO, ZHIPU, sandboxed(sandbox), store, silent, OnInterrupted.RESUME)
    assert read(path).exchanges[0] == kept
    assert [*path.parent.iterdir()] == [path]
    broken_off(store, sandbox)
    record(SCENARIO, ZHIPU, sandboxed(sandbox), store, silent, OnInterrupted.AFRESH)
    assert read(path).exchanges[0] != kept
    assert len(read(path).exchanges) == 2


def test_what_it_is_of_is_looked_at(sandbox: str, store: Store) -> None:
    """Scenario, origin and address; answers to other questions are no answers."""
    broken_off(store, sandbox)
    other = loads(TWO_QUESTIONS.replace("小明", "小红"))
    for scenario, origin, told in (
        (other, Origin.SANDBOX, "the scenario changed, at step 1; start over: harness"),
        (SCENARIO, Origin.LIVE, "it was recorded from: sandbox, now from: live; start over"),
    ):
        with pytest.raises(UnfinishedRecording, match=told):
            record(scenario, ZHIPU, sandboxed(sandbox, origin), store, silent, OnInterrupted.RESUME)
    assert unfinished(store.path("two-questions", ZHIPU))


def test_another_address(sandbox: str, store: Store) -> None:
    """Of a live service; a sandbox may be anywhere."""
    live = sandboxed(sandbox, Origin.LIVE)

    def told(step: str) -> None:
        if "什么" in step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(SCENARIO, ZHIPU, live, store, told)
    elsewhere = sandboxed(sandbox.replace("127.0.0.1", "localhost"), Origin.LIVE)
    with pytest.raises(
        UnfinishedRecording, match=r"it was recorded at http://127.*, now at http://local"
    ):
        record(SCENARIO, ZHIPU, elsewhere, store, silent, OnInterrupted.RESUME)


def test_a_refusal_keeps_what_was_before_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is asked again by whoever goes on."""
    monkeypatch.setattr(Recorder, "sleep", lambda self, seconds: None)
    with (
        serve(Options(port=0, throttle_on="什么"), PROVIDER_SERVERS) as base,
        pytest.raises(RecordingFailed),
    ):
        record(SCENARIO, ZHIPU, sandboxed(base), store, silent)
    path = store.path("two-questions", ZHIPU)
    assert [e.turn for e in read_journal(journal_path(path).read_bytes()).exchanges] == [1]
    with serve(Options(port=0), PROVIDER_SERVERS) as base:
        record(SCENARIO, ZHIPU, sandboxed(base), store, silent, OnInterrupted.RESUME)
    assert [e.response.status for e in read(path).exchanges] == [200, 200]


def test_the_disk_is_full_at_the_end(
    sandbox: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cassette of before is whole, and nothing is paid for again."""
    record(SCENARIO, ZHIPU, sandboxed(sandbox), store, silent)
    path = store.path("two-questions", ZHIPU)
    before = path.read_bytes()

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(
            CannotWrite, match=r"No space left.*; what was answered is kept in .*l$"
        ):
            record(SCENARIO, ZHIPU, sandboxed(sandbox), store, silent)
    assert path.read_bytes() == before
    kept = read_journal(journal_path(path).read_bytes()).exchanges
    with serve(Options(port=0, throttle_every=1), PROVIDER_SERVERS) as nobody:
        record(SCENARIO, ZHIPU, sandboxed(nobody), store, silent, OnInterrupted.RESUME)
    assert read(path).exchanges == kept


def test_a_folder_that_takes_no_files(server: Server, tmp_path: Path) -> None:
    """Is told before anything is paid for."""
    (tmp_path / "file").write_text("")
    taped = harness.use_cassette(tmp_path / "file" / "a.yaml", record="all")
    with pytest.raises(NotRecordable, match=r"a\.yaml cannot be written: "), taped:
        httpx.get(server.base + "/json")
    assert server.requests == []


def test_recorded_by_two(sandbox: str, store: Store) -> None:
    """In two threads: one of them is told, the other one's cassette is whole."""
    waiting, go = threading.Event(), threading.Event()
    told: list[str] = []

    def slow(step: str) -> None:
        if "什么" in step:
            waiting.set()
            go.wait(120)

    thread = threading.Thread(
        target=lambda: record(SCENARIO, ZHIPU, sandboxed(sandbox), store, slow)
    )
    thread.start()
    waiting.wait(120)
    for left in OnInterrupted:
        with pytest.raises(CassetteInUse) as caught:
            record(SCENARIO, ZHIPU, sandboxed(sandbox), store, silent, left)
        told.append(str(caught.value))
    go.set()
    thread.join()
    path = store.path("two-questions", ZHIPU)
    assert set(told) == {f"{path} is being recorded by another process"}
    assert len(read(path).exchanges) == 2


def test_states(sandbox: str, store: Store) -> None:
    """A cassette with a journal beside it is unfinished; going on leaves the others alone."""
    record(SCENARIO, DASH, sandboxed(sandbox), store, silent)
    broken_off(store, sandbox)
    todo = batch.jobs([SCENARIO], [])
    assert [batch.cassette_state(job, store)[0] for job in todo] == ["unfinished", "ok"]
    assert batch.not_recorded(todo, store) == (todo[0],)


# -------------------------------------------------------------------------- of the user's own code


@pytest.fixture
def server() -> Iterator[Server]:
    """A small server that remembers what it was asked."""
    with serving() as running:
        yield running


def half(server: Server, path: Path, record: RecordMode = "missing") -> None:
    """A block that is interrupted after its first answer."""

    def block() -> None:
        with harness.use_cassette(path, record=record):
            httpx.get(server.base + "/json")
            assert kept(path) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()


def kept(path: Path) -> int:
    """How many answers are in a cassette's journal."""
    return len(read_journal(journal_path(path).read_bytes()).records)


def test_a_block_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    """Its answers count as recorded, and are not asked for again."""
    path = tmp_path / "a.yaml"
    half(server, path)
    with harness.use_cassette(path, record="missing") as taped:
        httpx.get(server.base + "/json")
        httpx.get(server.base + "/nothing")
    assert [asked[1] for asked in server.requests] == ["/json", "/nothing"]
    assert (len(taped.recorded), len(taped.replayed), taped.written) == (2, 0, True)
    assert [e.response.status for e in read(path).exchanges] == [200, 204]
    assert [*tmp_path.iterdir()] == [path]


def test_a_blocks_refusal_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    """Its key was wrong, or its time has come: who goes on is not refused for ever."""
    path = tmp_path / "a.yaml"

    def ask() -> None:
        httpx.get(server.base + "/json")
        httpx.get(server.base + "/refused").raise_for_status()

    with pytest.raises(httpx.HTTPStatusError), harness.use_cassette(path, record="missing"):
        ask()
    assert kept(path) == 2
    with harness.use_cassette(path, record="missing") as taped:
        httpx.get(server.base + "/json")
        httpx.get(server.base + "/refused")
    assert [asked[1] for asked in server.requests] == ["/json", "/refused", "/refused"]
    assert [e.response.status for e in taped.recorded] == [200, 429]


def test_what_nobody_asks_for_goes(server: Server, tmp_path: Path) -> None:
    """The block is another now; `all` asks for everything."""
    path = tmp_path / "a.yaml"
    half(server, path)
    with harness.use_cassette(path, record="missing"):
        httpx.get(server.base + "/nothing")
    assert [e.response.status for e in read(path).exchanges] == [204]
    half(server, path, "all")
    with harness.use_cassette(path, record="all"):
        httpx.get(server.base + "/json")
    assert [asked[1] for asked in server.requests] == ["/json", "/nothing", "/json", "/json"]
    assert [*tmp_path.iterdir()] == [path]


def test_an_answer_that_is_all_there_is_kept_at_once(server: Server, tmp_path: Path) -> None:
    """One that its reader gave up, when the next request goes out."""
    path = tmp_path / "a.yaml"
    with harness.use_cassette(path, record="all"), httpx.Client() as client:
        client.get(server.base + "/json")
        assert kept(path) == 1
        with client.stream("GET", server.base + "/stream") as answer:
            next(answer.iter_raw(10))
        assert kept(path) == 1
        client.get(server.base + "/json")
        assert kept(path) == 3


def test_written_by_somebody_else_meanwhile(server: Server, tmp_path: Path) -> None:
    """Neither's answers are lost."""
    path = tmp_path / "a.yaml"

    def block() -> None:
        with harness.use_cassette(path, record="missing"):
            httpx.get(server.base + "/json")
            path.write_text("version: 1\n")

    with pytest.raises(CannotWrite, match=r"changed by another process .*; what was answered"):
        block()
    assert path.read_text() == "version: 1\n"
    assert unfinished(path)


def test_a_scenarios_journal_is_no_blocks(sandbox: str, store: Store) -> None:
    """It has answers to other questions."""
    broken_off(store, sandbox)
    path = store.path("two-questions", ZHIPU)
    taped = harness.use_cassette(path, record="missing")
    told = "an interrupted recording of the scenario two-questions; continue it"
    with pytest.raises(UnfinishedRecording, match=told), taped:
        raise AssertionError("not reached")
