"""Cassettes in a store: in memory everywhere, in S3 and OSS by `make stores`."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from intercept.server import Server, serving

from cassette.oss_server import KEY, OssServer, serving_oss
from harness import use_cassette
from harness.cassette import remote, store
from harness.cassette.artefacts import artefact_of, to_files
from harness.cassette.oss import OssStore
from harness.cassette.remote import RemotePath, located, location
from harness.cassette.store import Store, find, read, write_cassette
from harness.errors import BadCassette, CannotWrite, HarnessError, MissingExtra
from harness.sandbox.scripted_server import Script, serve_scripts
from harness.types import Cassette, Exchange, Request, Response, Target

if TYPE_CHECKING:
    from conftest import Harness

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "cassettes" / "slogan"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(2000)

pytest_plugins = ["pytester"]


def exchange(body: bytes, kind: str = "text/plain") -> Exchange:
    """Return an exchange with an answer."""
    return Exchange(
        Request("GET", "https://example.com/a"),
        Response(200, "OK", (("content-type", kind),), body),
    )


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """Return an S3 store on this machine, by moto's server."""
    if find_spec("moto") is None or find_spec("s3fs") is None:
        pytest.skip("moto or s3fs is not installed")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="testing-key-id",
        AWS_SECRET_ACCESS_KEY="testing-secret-key",  # noqa: S106 - of a server of this test
        AWS_DEFAULT_REGION="us-east-1",
    )
    yield fsspec.filesystem("s3", use_listings_cache=False)
    server.stop()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a small server that answers by path."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def oss_server() -> Iterator[OssServer]:
    """Run an OSS server on this machine, to which the environment leads."""
    if find_spec("ossfs") is None:
        pytest.skip("ossfs is not installed")
    before = dict(os.environ)
    with serving_oss() as server:
        os.environ.update(
            OSS_ENDPOINT=server.address,
            OSS_ACCESS_KEY_ID=KEY,
            OSS_ACCESS_KEY_SECRET="testing-secret-key",  # noqa: S106 - of a server of this test
        )
        yield server
    os.environ.clear()
    os.environ.update(before)


class Bucket:
    """A store, and the address of a folder in it."""

    def __init__(self, scheme: str, name: str, files: Any) -> None:
        self.address = f"{scheme}://{name}/tapes"
        self.files = files
        self._name = name

    def put(self, name: str, content: bytes) -> None:
        """Write a file past the harness, as another writer does."""
        self.files.pipe_file(f"{self._name}/tapes/{name}", content)

    def names(self) -> list[str]:
        """Return the names of all files."""
        found = self.files.find(f"{self._name}/tapes")
        return sorted(name.partition("/tapes/")[2] for name in found)


@pytest.fixture(params=["memory", "s3", "oss"])
def bucket(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """Return an empty bucket that no other test uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    scheme = request.param
    name = f"bucket-{tmp_path.name.replace('_', '-')}"
    files: Any
    if scheme == "oss":
        request.getfixturevalue("oss_server").buckets[name] = {}
        files = OssStore()
    else:
        files = request.getfixturevalue("s3") if scheme == "s3" else fsspec.filesystem("memory")
    remote._mirror.cache_clear()
    if scheme == "s3":
        files.mkdir(name)
    yield Bucket(scheme, name, files)
    if scheme != "oss" and files.exists(name):
        files.rm(name, recursive=True)
    remote._mirror.cache_clear()


def fill(bucket: Bucket) -> int:
    """Put cassettes of this project into the bucket; return their number."""
    for file in SHIPPED.iterdir():
        if file.is_file():
            bucket.put(f"slogan/{file.name}", file.read_bytes())
    return len([*SHIPPED.glob("*.yaml")])


def test_files_are_found_and_read(bucket: Bucket) -> None:
    """Each is shown by its address, and what is in it is that of a local file."""
    count = fill(bucket)
    found = find([Path(bucket.address)])
    assert len(found) == count
    assert str(found[0]).startswith(f"{bucket.address}/slogan/")
    assert [read(path) for path in found] == [read(SHIPPED / path.name) for path in found]


def test_only_what_changed_is_fetched_again(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is gone there is gone here; a file that changed is the new one."""
    fill(bucket)
    first = find([Path(bucket.address)])[0]
    fetched: list[RemotePath] = []
    real = remote._write_copy

    def write(path: RemotePath, content: bytes) -> None:
        fetched.append(path)
        real(path, content)

    monkeypatch.setattr(remote, "_write_copy", write)
    find([Path(bucket.address)])
    assert fetched == []
    text = os.fspath(first)
    bucket.put(f"slogan/{first.name}", to_files(Cassette((exchange(b"new"),))).text.encode())
    second = find([Path(bucket.address)])[1]
    assert isinstance(second, RemotePath)
    bucket.files.rm_file(second.key)
    left = find([Path(bucket.address)])
    assert [str(path) for path in fetched] == [str(first)]
    assert read(left[0]).exchanges[0].response.body == b"new"
    assert os.fspath(left[0]) == text
    assert first.with_name("gone.yaml").exists() is False


def test_a_picture_is_stored_once_for_all_folders(bucket: Bucket) -> None:
    """By its hash, and read from a folder, a file, and a path that another process got."""
    folder = Store(Path(bucket.address))
    cassette = Cassette((exchange(PICTURE, "image/png"),))
    for scenario in ("one", "two"):
        path = folder.path(scenario, Target("zhipuai", "cogview"))
        write_cassette(path, to_files(cassette))
        write_cassette(path, to_files(cassette))
    name = f"artefacts/{artefact_of(PICTURE).name}"
    assert bucket.names() == [name, "one/zhipuai-cogview.yaml", "two/zhipuai-cogview.yaml"]
    remote.known_files.listed.clear()
    remote.known_files.versions.clear()
    shutil.rmtree(os.fspath(folder.folder))
    again = pickle.loads(pickle.dumps(path))  # noqa: S301 - it was just dumped
    assert read(again).exchanges == cassette.exchanges
    (found,) = find([Path(f"{bucket.address}/one/zhipuai-cogview.yaml")])
    assert read(found).exchanges == cassette.exchanges


def test_two_writers_never_lose_one(bucket: Bucket) -> None:
    """The second gets an error: of a new file, and of one that both have read."""
    new = location(f"{bucket.address}/new.yaml")
    bucket.put("new.yaml", b"of another writer")
    with pytest.raises(CannotWrite, match="another writer has written it since it was read"):
        store.write_text(new, "mine")
    old = location(f"{bucket.address}/new.yaml")
    store.write_text(old, "mine")
    bucket.put("new.yaml", b"of another writer, again")
    with pytest.raises(CannotWrite, match="another writer"):
        store.write_text(old, "mine again")
    assert location(str(old)).read_text() == "of another writer, again"


@pytest.mark.parametrize("bucket", ["s3", "oss"], indirect=True)
def test_a_file_of_the_same_size_and_second_is_fetched(bucket: Bucket) -> None:
    """By its ETag, from its folder and by its own address."""
    for number, address in enumerate((bucket.address, f"{bucket.address}/a.yaml")):
        bucket.put("a.yaml", f"one {number}".encode())
        location(address)
        bucket.put("a.yaml", f"two {number}".encode())
        (found,) = find([Path(address)])
        assert found.read_text() == f"two {number}"


def test_many_files_are_listed_page_by_page(bucket: Bucket) -> None:
    """And a file whose name begins as the folder's is not in the folder."""
    for number in range(1100):
        bucket.put(f"many/{number}.yaml", b"x")
    bucket.put("many-others.yaml", b"x")
    assert len(find([Path(f"{bucket.address}/many")])) == 1100


def test_an_answer_that_was_lost_is_no_other_writer(bucket: Bucket) -> None:
    """The library puts a file again if it hears nothing: then its own is there."""
    new = location(f"{bucket.address}/new.yaml")
    bucket.put("new.yaml", b"mine")
    store.write_text(new, "mine")
    bucket.put("new.yaml", b"mine, again")
    store.write_text(new, "mine, again")
    assert location(str(new)).read_text() == "mine, again"


@pytest.mark.parametrize("bucket", ["s3", "oss"], indirect=True)
def test_a_writer_directly_afterwards_is_not_lost(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be replaced is what was put, not what is there a moment later."""
    path = location(f"{bucket.address}/a.yaml")
    real = remote._write_copy

    def write(copy: RemotePath, content: bytes) -> None:
        bucket.put("a.yaml", b"of another writer")
        real(copy, content)

    monkeypatch.setattr(remote, "_write_copy", write)
    store.write_text(path, "mine")
    with pytest.raises(CannotWrite, match="another writer"):
        store.write_text(path, "mine again")
    assert bucket.files.cat_file(f"{bucket.address.partition('://')[2]}/a.yaml") == (
        b"of another writer"
    )


@pytest.mark.parametrize("bucket", ["memory", "oss"], indirect=True)
def test_a_file_is_replaced_by_one_writer_at_a_time(bucket: Bucket) -> None:
    """Where the store does not compare versions; a lock that was left behind is named."""
    bucket.put("a.yaml", b"one")
    path = location(f"{bucket.address}/a.yaml")
    bucket.put(".a.yaml.lock", b"")
    with pytest.raises(
        CannotWrite, match=rf"if none does, delete {bucket.address}/\.a\.yaml\.lock"
    ):
        store.write_text(path, "two")
    bucket.files.rm_file(f"{bucket.address.partition('://')[2]}/.a.yaml.lock")
    store.write_text(path, "two")
    assert bucket.names() == ["a.yaml"]
    assert location(str(path)).read_text() == "two"


def test_journals_in_a_store_are_not_fetched(bucket: Bucket) -> None:
    """A journal beside a copy is of a recording on this machine."""
    fill(bucket)
    bucket.put("slogan/.a.yaml.journal", b"of another machine")
    folder = location(bucket.address)
    assert not [name for name in os.listdir(folder / "slogan") if name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["s3", "oss"], indirect=True)
def test_recorders_at_once_lose_nothing(bucket: Bucket) -> None:
    """Each of two processes replaces what it has read, until its own line is in the file."""
    bucket.put("a.yaml", b"")
    path = f"{bucket.address}/a.yaml"
    script = (
        "import sys, time\n"
        "from harness.cassette import store\n"
        "from harness.cassette.remote import location\n"
        "from harness.errors import CannotWrite\n"
        "for number in range(5):\n"
        "    while True:\n"
        "        path = location(sys.argv[1])\n"
        "        try:\n"
        "            store.write_text(path, path.read_text() + f'{sys.argv[2]}{number}\\n')\n"
        "            break\n"
        "        except CannotWrite:\n"
        "            time.sleep(0.01)\n"
    )
    caches = os.environ["XDG_CACHE_HOME"]
    writers = [
        subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-c", script, path, name],
            env={**os.environ, "XDG_CACHE_HOME": f"{caches}-{name}"},
        )
        for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    lines = location(path).read_text().split()
    assert sorted(lines) == [f"{name}{number}" for name in "ab" for number in range(5)]


RECORD = """
import sys
import httpx
from harness import use_cassette

with use_cassette(sys.argv[1], record="missing"):
    for url in sys.argv[2:]:
        httpx.get(url)
"""


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_a_recorder_that_is_killed_while_it_puts_a_cassette(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cassette is as it was; the next run puts it whole, and asks for nothing again."""
    asked: list[bytes] = []
    long = b" ".join(hashlib.sha256(b"%d" % n).hexdigest()[:9].encode() for n in range(100_000))

    def respond(head: bytes, body: bytes) -> Script:
        asked.append(head.split()[1])
        text = long if asked[-1] == b"/long" else b"ok"
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text]

    with serve_scripts(respond) as service, between(os.environ["AWS_ENDPOINT_URL"]) as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.address)
        command = [sys.executable, "-c", RECORD, f"{bucket.address}/one.yaml"]
        short, both = [f"{service}/short"], [f"{service}/short", f"{service}/long"]
        subprocess.run([*command, *short], check=True)  # noqa: S603
        before = bucket.files.cat_file(f"{bucket.address.partition('://')[2]}/one.yaml")
        store.kill_after(len(long) // 2)
        with subprocess.Popen([*command, *both]) as recorder:  # noqa: S603
            store.client = recorder
        assert recorder.returncode == -signal.SIGKILL
        assert bucket.names() == ["one.yaml"]
        assert bucket.files.cat_file(f"{bucket.address.partition('://')[2]}/one.yaml") == before
        subprocess.run([*command, *both], check=True)  # noqa: S603
        bodies = [
            one.response.body for one in read(location(bucket.address) / "one.yaml").exchanges
        ]
    assert bodies == [b"ok", long]
    assert asked == [b"/short", b"/long"]


class Between:
    """A server that passes connections on to a store.

    Attributes:
        address: Its address.
        client: The process that is killed when it has sent so many bytes.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.client: subprocess.Popen[bytes] | None = None
        self._left: float = math.inf

    def kill_after(self, count: int) -> None:
        """Kill the client after *count* bytes from now on, once."""
        self._left = count

    def passed(self, data: bytes) -> bytes:
        """Return what the store gets of *data*, which the client has sent."""
        whole = len(data) < self._left
        self._left -= len(data)
        if whole or self.client is None:
            return data
        self._left = math.inf
        self.client.kill()
        return data[: len(data) // 2]


@contextmanager
def between(address: str) -> Iterator[Between]:
    """Run such a server in front of the store at *address*."""
    place = urlsplit(address)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as tcp:
        passing = Between(f"http://127.0.0.1:{tcp.server_address[1]}")

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((str(place.hostname), place.port or 80)) as store:
                    back = threading.Thread(target=self._pass_back, args=(store,))
                    back.start()
                    with suppress(OSError):
                        while data := self.request.recv(65_536):
                            store.sendall(passing.passed(data))
                    with suppress(OSError):
                        store.shutdown(socket.SHUT_RDWR)
                    back.join()

            def _pass_back(self, store: socket.socket) -> None:
                with suppress(OSError):
                    while data := store.recv(65_536):
                        self.request.sendall(data)

        tcp.daemon_threads, tcp.RequestHandlerClass = True, Handler
        thread = threading.Thread(target=tcp.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield passing
        finally:
            tcp.shutdown()
            thread.join()


RECORD_MANY = """
import sys
import httpx
from harness import use_cassette
from harness.errors import CannotWrite, CassetteInUse, NotRecordable

folder, service, name = sys.argv[1:]

def record(cassette, number):
    with use_cassette(f"{folder}/{cassette}.yaml", record="missing", allow_unused=True):
        httpx.get(f"{service}/{name}/{number}")

for number in range(50):
    record(f"{name}-{number}", number)
    while number % 10 == 0:
        try:
            record("both", number)
            break
        except (CannotWrite, CassetteInUse, NotRecordable):
            pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["s3", "oss"], indirect=True)
def test_two_recorders_into_one_bucket_lose_nothing(bucket: Bucket, tmp_path: Path) -> None:
    """As on two machines: each has its own copies and journals."""
    record_by_two(bucket.address, tmp_path / "caches-a", tmp_path / "caches-b")


@pytest.mark.slow
def test_two_recorders_into_one_folder_lose_nothing(tmp_path: Path) -> None:
    """On one machine."""
    record_by_two(str(tmp_path / "tapes"), tmp_path / "caches", tmp_path / "caches")


def record_by_two(folder: str, *caches: Path) -> None:
    """Record 50 cassettes from each of two processes, and one to which both add.

    All are complete, and each answer was asked for once.
    """
    asked: list[str] = []

    def respond(head: bytes, body: bytes) -> Script:
        asked.append(head.split()[1].decode())
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]

    with serve_scripts(respond) as service:
        recorders = [
            subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, "-c", RECORD_MANY, folder, service, name],
                env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            )
            for name, cache in zip("ab", caches, strict=True)
        ]
        assert [recorder.wait() for recorder in recorders] == [0, 0]
    every = [f"/{name}/{number}" for name in "ab" for number in range(50)]
    shared = [path for path in every if path.endswith("0")]
    found = {
        path.stem: [urlsplit(one.request.uri).path for one in read(path).exchanges]
        for path in find([Path(folder)])
    }
    assert sorted(found.pop("both")) == sorted(shared)
    assert found == {path[1:].replace("/", "-"): [path] for path in every}
    assert sorted(asked) == sorted(every + shared)


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_s3_compares_the_version_itself(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the version and the write there may be another writer."""
    bucket.put("a.yaml", b"one")
    path = location(f"{bucket.address}/a.yaml")
    assert isinstance(path, RemotePath)
    version = remote.known_files.versions[str(path)]
    bucket.put("a.yaml", b"two")
    monkeypatch.setattr(remote, "_version", lambda _: version)
    with pytest.raises(CannotWrite, match="another writer"):
        store.write_text(path, "mine")
    assert bucket.files.cat(path.key) == b"two"


def test_a_block_is_recorded_and_replayed(bucket: Bucket, server: Server) -> None:
    """The journal is on this machine; the store is reached although the network is watched."""
    address = f"{bucket.address}/deep/one.yaml"
    with use_cassette(address, record="missing") as context:
        live = httpx.get(server.base + "/json").text
    assert context.written
    assert bucket.names() == ["deep/one.yaml"]
    with use_cassette(address) as context:
        assert httpx.get(server.base + "/json").text == live
    assert (len(context.replayed), len(server.requests)) == (1, 1)


def test_what_a_second_recorder_has_is_kept(bucket: Bucket, server: Server) -> None:
    """In the journal, from which its next run takes it."""
    address = f"{bucket.address}/one.yaml"
    other = Cassette((replace(exchange(b"{}"), request=Request("GET", server.base + "/other")),))
    context = use_cassette(address, record="missing").__enter__()
    httpx.get(server.base + "/json")
    bucket.put("one.yaml", to_files(other).text.encode())
    with pytest.raises(CannotWrite, match=r"another writer .* kept in /.*\.one\.yaml\.journal"):
        context.__exit__(None, None, None)
    with use_cassette(address, record="missing", allow_unused=True):
        httpx.get(server.base + "/json")
    assert len(server.requests) == 1
    assert len(read(location(address)).exchanges) == 2


@pytest.mark.slow
def test_marked_tests_use_a_store(
    bucket: Bucket, server: Server, pytester: pytest.Pytester
) -> None:
    """The mark names its folder; names and messages are as beside the tests."""
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:asyncio\n")
    pytester.makepyfile(
        test_mine=f"""
        import httpx
        import pytest

        @pytest.mark.cassette(folder="{bucket.address}")
        def test_one():
            assert httpx.get("{server.base}/json").json()
        """
    )
    missed = pytester.runpytest_inprocess()
    missed.assert_outcomes(failed=1)
    missed.stdout.fnmatch_lines([f"*there is no {bucket.address}/test_mine/test_one.yaml:*"])
    pytester.runpytest_inprocess("--record=missing").assert_outcomes(passed=1)
    assert bucket.names() == ["test_mine/test_one.yaml"]
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    assert len(server.requests) == 1
    assert read(location(bucket.address) / "test_mine/test_one.yaml").provenance.test == (
        "test_mine.py::test_one"
    )


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_marked_tests_use_a_store_from_several_processes(
    bucket: Bucket, server: Server, pytester: pytest.Pytester
) -> None:
    """pytest-xdist records all, and then replays all."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:asyncio\n")
    source = f"""
        import httpx
        import pytest

        @pytest.mark.parametrize("number", range(3))
        @pytest.mark.cassette(folder="{bucket.address}")
        def test_it(number):
            assert httpx.get(f"{server.base}/json?{{number}}").json()
        """
    pytester.makepyfile(**{f"test_{name}": source for name in "abcd"})
    parallel = ("-n", "4", "--dist", "loadfile")
    recorded = pytester.runpytest_subprocess(*parallel, "--record=missing")
    recorded.assert_outcomes(passed=12)
    assert len(bucket.names()) == 12
    pytester.runpytest_subprocess(*parallel).assert_outcomes(passed=12)
    assert len(server.requests) == 12


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param("check {there} --jobs 1 --report {out}", marks=pytest.mark.slow),
        "scan {there} --jobs 1",
        "show {there} --json",
        "list --cassettes {there} --json",
        "contract learn {there} --contract {out} --jobs 1",
        pytest.param("parse {there} --sdk dashscope --json", marks=pytest.mark.slow),
        "compare {there} --fields",
        pytest.param("replay slogan --cassettes {there} --jobs 1", marks=pytest.mark.slow),
        pytest.param("report slogan --cassettes {there} --report {out}", marks=pytest.mark.slow),
    ],
    ids=lambda arguments: arguments.partition(" ")[0],
)
def test_commands_take_addresses(
    bucket: Bucket, harness: Harness, tmp_path: Path, arguments: str
) -> None:
    """And say the same as of a local folder, but for its name and for times and widths."""
    fill(bucket)
    (tmp_path / "scenarios").mkdir()
    shutil.copy(ROOT / "scenarios/slogan.yaml", tmp_path / "scenarios")
    shutil.copytree(SHIPPED, tmp_path / "tapes" / "slogan")
    said: list[str] = []
    for there in ("tapes", bucket.address):
        words = arguments.format(there=there, out=tmp_path / f"{len(said)}.xml").split()
        done = harness(*words, folder=tmp_path)
        assert (done.code, done.err) == (0, "")
        said.append(done.out.replace(there, "").replace(words[-1], ""))
    if "--json" in arguments or "scan" in arguments:
        assert said[0] == said[1]


def test_the_cache_of_checks_knows_addresses(
    bucket: Bucket, harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second check of the same bucket judges nothing."""
    fill(bucket)
    assert harness("check", bucket.address, folder=tmp_path).code == 0
    monkeypatch.setattr("harness.checks.check._check", lambda *_: pytest.fail("checked again"))
    assert harness("check", bucket.address, folder=tmp_path).code == 0


def test_parts_of_an_address_are_checked() -> None:
    """Nothing is read from outside of the folder with the copies."""
    with pytest.raises(HarnessError, match="no part of a name may be empty"):
        located("memory://bucket/../../x")


@pytest.mark.parametrize("address", ["s3://AKIA5:sesame@bucket/x", "s3://bucket/x?sig=sesame"])
def test_secrets_in_an_address_are_refused(address: str, harness: Harness, tmp_path: Path) -> None:
    """And not shown."""
    done = harness("check", address, folder=tmp_path)
    assert done.code == 2
    assert "an address has no keys" in done.err
    assert "sesame" not in done.out + done.err


def test_a_local_address_is_a_path(tmp_path: Path) -> None:
    """And a local file that looks like an address is a file."""
    assert located(f"file://{tmp_path}/x") == tmp_path / "x"
    assert not remote.is_address("cassettes/a.yaml")


def test_a_scheme_that_nobody_knows() -> None:
    """It is named."""
    with pytest.raises(HarnessError, match="fsspec knows no store with this scheme"):
        location("nosuch://bucket/x")


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setattr("fsspec.filesystem", _not_installed)
    with pytest.raises(MissingExtra, match=r"s3fs is not installed.*\[s3\]"):
        location("s3://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    remote._mirror.cache_clear()
    with pytest.raises(MissingExtra, match=r"fsspec is not installed.*\[remote\]"):
        location("memory://bucket/x")


def _not_installed(*_: object, **__: object) -> None:
    raise ImportError("Install s3fs to access S3")


@pytest.mark.parametrize(
    ("variables", "bucket_name", "text"),
    [
        ({"OSS_ACCESS_KEY_ID": "sesame"}, "mine", "access is refused; set OSS_ACCESS_KEY_ID"),
        ({"OSS_ENDPOINT": "http://127.0.0.1:9"}, "mine", "the store cannot be reached"),
        ({"OSS_ENDPOINT": ""}, "mine", "there is no endpoint; set OSS_ACCESS_KEY_ID, .*ENDPOINT"),
        ({}, "missing", "there is no such bucket, folder or file"),
    ],
    ids=["key", "endpoint", "no endpoint", "bucket"],
)
def test_what_is_wrong_with_oss_is_one_sentence(
    oss_server: OssServer,
    harness: Harness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    bucket_name: str,
    text: str,
) -> None:
    """With what to do, and without what the service says, which may quote a key."""
    oss_server.buckets["mine"] = {}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    remote._mirror.cache_clear()
    fsspec.get_filesystem_class("oss").clear_instance_cache()
    done = harness("check", f"oss://{bucket_name}/tapes", folder=tmp_path)
    assert done.code == 2
    assert re.search(f"oss://{bucket_name}/tapes: {text}", done.err)
    assert len(done.err.splitlines()) == 1
    assert "sesame" not in done.err


class NoCredentialsError(Exception):
    """An error by the name of botocore's."""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError("x"), "there is no such bucket, folder or file"),
        (PermissionError("sesame"), "access is refused; set AWS_ACCESS_KEY_ID"),
        (NoCredentialsError("sesame"), "there are no credentials; set AWS_ACCESS_KEY_ID"),
        (ConnectionRefusedError("sesame"), "the store cannot be reached"),
        (RuntimeError("sesame"), r"the store cannot be used \(RuntimeError\)"),
    ],
)
def test_errors_of_a_store_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    """Without what its library says, which may quote a key."""

    class Broken:
        def find(self, *_: object, **__: object) -> None:
            raise error

        def exists(self, *_: object) -> bool:
            return False

    monkeypatch.setattr("fsspec.filesystem", lambda *_, **__: Broken())
    with pytest.raises(HarnessError, match=text) as raised:
        location("memory://bucket/x")
    assert "sesame" not in str(raised.value)


def test_a_damaged_file_is_named_by_its_address(bucket: Bucket) -> None:
    """Not by that of the copy."""
    bucket.put("a.yaml", b"interactions: [")
    (path,) = find([Path(bucket.address)])
    with pytest.raises(BadCassette, match=f"^{bucket.address}/a.yaml"):
        read(path)
