"""Cassettes in a store: in memory everywhere, in S3 where moto and s3fs are (`make stores`)."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from intercept.server import Server, serving

from harness import use_cassette
from harness.cassette import remote, store
from harness.cassette.artefacts import artefact_of, to_files
from harness.cassette.remote import RemotePath, located, location
from harness.cassette.store import Store, find, read, write_cassette
from harness.errors import BadCassette, CannotWrite, HarnessError, MissingExtra
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


@pytest.fixture(params=["memory", "s3"])
def bucket(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bucket]:
    """Return an empty bucket that no other test uses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    scheme = request.param
    files = request.getfixturevalue("s3") if scheme == "s3" else fsspec.filesystem("memory")
    name = f"bucket-{tmp_path.name.replace('_', '-')}"
    remote._mirror.cache_clear()
    if scheme == "s3":
        files.mkdir(name)
    yield Bucket(scheme, name, files)
    if files.exists(name):
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
