"""Bodies that are files: beside the cassette, named by their hash, and proved when read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import requests
import vcr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr.persisters.filesystem import FilesystemPersister

import harness
from harness.cassette import fast_reader, reader, store
from harness.cassette.artefacts import CassetteFiles, to_files, with_artefacts
from harness.cassette.reader import loads
from harness.cassette.store import read, write_cassette
from harness.cassette.vcrpy_check import check_vcrpy_reads
from harness.cassette.writer import dumps
from harness.errors import BadCassette, CannotWrite, RecordingFailed
from harness.secrets.redactor import Redactor
from harness.types import Artefact, Cassette, Exchange, Request, Response, Timing

if TYPE_CHECKING:
    from conftest import Harness

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
NAME = f"{sha256(PNG).hexdigest()}.png"
WHEN = Timing(1.5, 0.5, 0.75)
KIND = (("content-type", "image/png"),)
ASKED = Request("GET", "http://127.0.0.1:8765/files/1.png")
TEXT = Exchange(Request("GET", "http://127.0.0.1:8765/a"), Response(200, "OK", (), b"plain"), WHEN)


def told(body: bytes, headers: tuple[tuple[str, str], ...] = KIND) -> Exchange:
    """A file, answered."""
    return Exchange(ASKED, Response(200, "OK", headers, body), WHEN)


PICTURE = Cassette((TEXT, told(PNG)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cassette with a picture, on the disk."""
    write_cassette(tmp_path / "a.yaml", to_files(PICTURE))
    return tmp_path / "a.yaml"


# -------------------------------------------------------------------------------- what is one


@pytest.mark.parametrize(
    ("kind", "body", "ending"),
    [
        ("image/png", PNG, "png"),
        ("application/json", PNG, "png"),  # what is no text is a file, whatever it is called
        ("Image/PNG; x=1", b"\xff\xd8\xff" + bytes(2000), "jpg"),
        ("audio/wav", b"RIFF\0\0\0\0WAVE" + bytes(2000), "wav"),
        ("image/webp", b"RIFF\0\0\0\0WEBP" + bytes(2000), "webp"),
        ("video/mp4", b"\0\0\0\x18ftypmp42" + b"\xff" * 2000, "mp4"),
        ("image/svg+xml", b"<svg>" + b" " * 2000, "svg"),
        ("application/octet-stream", b'{"line": 1}\n' * 100, "txt"),
        ("", b"\xff" * 1024, "bin"),
        ("image/png", PNG[:1023], ""),
        ("", b"\xff" * 1023, ""),
        ("application/json", b"{}" + b" " * 5000, ""),
        ("text/event-stream", "data: 你好\n\n".encode() * 500, ""),
        ("", b"plain" * 500, ""),
    ],
)
def test_what_is_a_file(kind: str, body: bytes, ending: str) -> None:
    """By its content type, or as it is no text; a kilobyte or more. Its ending is by its bytes."""
    headers = (("Content-Type", kind),) if kind else ()
    files = to_files(Cassette((told(body, headers),))).artefacts
    assert files == ({f"{sha256(body).hexdigest()}.{ending}": body} if ending else {})


def test_the_text_names_it() -> None:
    """By hash and size; whoever reads the text alone is given the name, and no file is opened."""
    text = to_files(PICTURE).text
    body = (
        f"    body:\n      string: ''\n      artefact: {NAME}\n      size: {len(PNG)}\nversion: 1\n"
    )
    assert text.endswith(body)
    assert "!!binary" not in text
    (_, named) = loads(text).exchanges
    assert named.response == Response(200, "OK", KIND, b"", Artefact(NAME, len(PNG)))
    assert fast_reader.load(text) == reader.load_yaml(text, "") == loads(text)
    assert dumps(loads(text)) == text


def test_text_by_itself_is_whole() -> None:
    """`dumps` takes nothing out: what a single text says, it says alone."""
    assert loads(dumps(PICTURE)).exchanges[1].response.body == PNG


FILES = st.binary(min_size=1, max_size=8).map(lambda seed: seed * 1024)


@pytest.mark.slow
@given(st.lists(FILES | st.binary(max_size=2000), max_size=4))
@settings(max_examples=50)
def test_artefacts_are_put_back(bodies: list[bytes]) -> None:
    """Whatever was answered; stock vcrpy agrees."""
    cassette = Cassette(tuple(told(body, ()) for body in bodies))
    files = to_files(cassette)
    check_vcrpy_reads(files, cassette)
    named = loads(files.text)
    assert with_artefacts(named, lambda _, wanted: files.artefacts[wanted.name]) == cassette
    assert reader.load_yaml(files.text, "") == named


def test_each_is_fetched_once() -> None:
    """A small cassette that names one large file a thousand times fills no memory."""
    named = loads(to_files(Cassette((told(PNG),) * 9)).text)
    asked: list[int] = []

    def fetch(number: int, wanted: Artefact) -> bytes:
        asked.append(number)
        return PNG

    whole = with_artefacts(named, fetch)
    assert asked == [0]
    assert len({id(exchange.response.body) for exchange in whole.exchanges}) == 1


@pytest.mark.parametrize(
    ("was", "now", "line", "said"),
    [
        (NAME, "../../../etc/passwd", 1, "artefact: '../../../etc/passwd' is not the name"),
        (NAME, f"../{NAME}", 1, f"artefact: '../{NAME}' is not the name"),
        (NAME, f"/{NAME}", 1, f"artefact: '/{NAME}' is not the name"),
        (NAME, NAME.upper(), 1, f"artefact: '{NAME.upper()}' is not the name"),
        (NAME, "a.png", 1, "artefact: 'a.png' is not the name"),
        (NAME, f"{NAME}/..", 1, f"artefact: '{NAME}/..' is not the name"),
        (NAME, f'"{NAME}\\n"', 1, f"artefact: '{NAME}\\\\n' is not the name"),
        (NAME, "[a]", 1, "artefact: expected text, actual list"),
        (f"size: {len(PNG)}", "size: x", 2, "size: expected a number, actual str"),
        (f"size: {len(PNG)}", "size: -1", 2, "size: should be a number of bytes, not -1"),
        (f"size: {len(PNG)}", "sizes: 1", 2, "sizes: unknown key 'sizes'"),
        ("string: ''", "string: text", 0, "string: a body is text or an artefact, not both"),
    ],
)
def test_a_name_that_is_none(path: Path, was: str, now: str, line: int, said: str) -> None:
    """A cassette is not trusted to name a file: it may name nothing but a hash."""
    text = path.read_text()
    assert text.count(was) >= 1
    at = text[: text.rindex("string: ''")].count("\n") + 1
    head, _, tail = text.rpartition(was)
    path.write_text(head + now + tail)
    with pytest.raises(BadCassette) as caught:
        read(path)
    place = f"{path}:{at + line}: interactions[1].response.body"
    assert str(caught.value).startswith(place)
    assert said.replace("\\\\", "\\") in str(caught.value)


# ------------------------------------------------------------------------------ on the disk


def test_it_lies_beside_the_cassette(path: Path) -> None:
    """The very bytes, in a file that a viewer opens; the same bytes once."""
    assert sorted(p.name for p in path.parent.rglob("*")) == [NAME, "a.yaml", "artefacts"]
    assert (path.parent / "artefacts" / NAME).read_bytes() == PNG
    assert read(path) == PICTURE
    write_cassette(path.parent / "b.yaml", to_files(Cassette((told(PNG), told(PNG)))))
    assert len(list((path.parent / "artefacts").iterdir())) == 1


def _altered(file: Path) -> None:
    file.write_bytes(PNG[:-1] + b"x")


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _large(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(store.LARGEST + 1)


def _elsewhere(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Path.unlink, "is missing"),
        (_altered, "was altered: its hash differs"),
        (lambda file: file.write_bytes(PNG[:-1]), "was altered: it has 2055 bytes, not 2056"),
        (_pipe, "cannot be read: not a file"),
        (_folder, "cannot be read: not a file"),
        (_large, "cannot be read: larger than 256 MiB"),
        (_elsewhere, "was altered: "),
    ],
)
def test_what_is_not_the_artefact_is_told(
    path: Path, change: Callable[[Path], object], said: str
) -> None:
    """With the cassette, the line that names it, and what to do; whoever asks."""
    change(path.parent / "artefacts" / NAME)
    with pytest.raises(BadCassette) as caught:
        read(path)
    line = path.read_text()[: path.read_text().index("artefact:")].count("\n") + 1
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: the artefact artefacts/{NAME} {said}")
    assert text.endswith("; restore it, or record it again")
    with pytest.raises(BadCassette, match=said[:10]), harness.use_cassette(path):
        pass


def test_a_file_nobody_may_read_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything; so the refusal is played."""

    def refuse(path: Path, largest: int) -> bytes:
        if path.name == NAME:
            raise PermissionError(13, "Permission denied")
        return path.read_bytes()

    monkeypatch.setattr("harness.cassette.store.read_file", refuse)
    with pytest.raises(BadCassette, match=f"{NAME} cannot be read: Permission denied; restore"):
        read(path)


@pytest.mark.parametrize("command", ["check", "show", "compare"])
def test_commands_tell_it_in_one_line(path: Path, harness: Harness, command: str) -> None:
    """No traceback, no empty picture."""
    (path.parent / "artefacts" / NAME).unlink()
    sides = (path, path) if command == "compare" else (path,)
    done = harness(command, *sides, folder=path.parent)
    assert done.code == 2
    assert f"the artefact artefacts/{NAME} is missing" in (done.err + done.out).replace("\n", "")


def test_bytes_in_the_text_are_read_as_ever(path: Path) -> None:
    """Cassettes of before, and other tools'."""
    path.write_text(dumps(PICTURE))
    (path.parent / "artefacts" / NAME).unlink()
    assert "!!binary" in path.read_text()
    assert read(path) == PICTURE


def test_what_is_there_is_not_written_again(path: Path) -> None:
    """And what is there by that name and was altered is put right."""
    file = path.parent / "artefacts" / NAME
    before = file.stat()
    write_cassette(path, to_files(PICTURE))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    _altered(file)
    write_cassette(path, to_files(PICTURE))
    assert read(path) == PICTURE


@pytest.mark.parametrize("stops_at", ["artefact", "cassette"])
def test_a_cassette_never_names_what_is_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch, stops_at: str
) -> None:
    """Artefacts are written first: a disk that fails leaves at most one that nobody names."""
    old, other = path.read_bytes(), b"GIF8" + bytes(2000)
    real = os.replace

    def full(source: Path, target: Path) -> None:
        if (Path(target).suffix == ".yaml") == (stops_at == "cassette"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CannotWrite, match="No space left on device"):
        write_cassette(path, to_files(Cassette((told(other),))))
    assert path.read_bytes() == old
    assert read(path) == PICTURE
    there = {file.read_bytes() for file in (path.parent / "artefacts").iterdir()}
    assert there == ({PNG} if stops_at == "artefact" else {PNG, other})


def test_what_could_not_be_read_again_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cassette before it stays."""
    monkeypatch.setattr(store, "LARGEST", 2057)
    with pytest.raises(CannotWrite, match="larger than"):
        write_cassette(path, to_files(Cassette((told(PNG + b"12"),))))
    assert len(list((path.parent / "artefacts").iterdir())) == 1


def test_no_secret_is_in_an_artefact() -> None:
    """What is written, and named, are the bytes that redaction left."""
    ours = "MyOwnKey-that-has-no-form"
    clean = Redactor((ours,)).exchange(told(PNG + ours.encode()))
    ((name, body),) = to_files(Cassette((clean,))).artefacts.items()
    assert body == PNG + b"REDACTED"
    assert name == f"{sha256(body).hexdigest()}.png"


def test_git_is_handed_the_text_alone(path: Path, harness: Harness) -> None:
    """An old cassette, away from its artefacts, is shown as one in its place; a picture by name."""
    alone = path.parent / "elsewhere" / "a.yaml"
    alone.parent.mkdir()
    alone.write_bytes(path.read_bytes())
    shown = [harness("git", "textconv", file, folder=path.parent).out for file in (path, alone)]
    assert shown[0] == shown[1]
    assert f"a file of {len(PNG)} bytes: {NAME}" in shown[0].replace("\n", " ")


def test_a_scan_looks_at_artefacts_too(tmp_path: Path, harness: Harness) -> None:
    """A folder's cassettes are searched with all that lies beside them."""
    key = b"sk-0123456789abcdef0123456789abcdef"
    write_cassette(tmp_path / "a.yaml", to_files(Cassette((told(PNG + key),))))
    done = harness("scan", tmp_path, folder=tmp_path)
    assert done.code == 1
    assert f"{tmp_path}/artefacts/" in done.out


# ------------------------------------------------------------------------------------ stock


def by_httpx(uri: str) -> bytes:
    """What httpx is answered."""
    return httpx.get(uri).content


def by_requests(uri: str) -> bytes:
    """What requests is answered."""
    return requests.get(uri, timeout=60).content


@pytest.mark.parametrize("ask", [by_httpx, by_requests])
@pytest.mark.parametrize("ours", [True, False])
def test_stock_vcrpy_plays_it(path: Path, ask: Callable[[str], bytes], ours: bool) -> None:
    """With our persister the picture, without it an empty body; everything else as ever."""
    tape = vcr.VCR(record_mode="none")
    if ours:
        tape.register_persister(harness.vcrpy_persister)
    with tape.use_cassette(str(path)) as played:
        assert ask(TEXT.request.uri) == b"plain"
        assert ask(ASKED.uri) == (PNG if ours else b"")
    assert played.all_played


def test_what_vcrpy_adds_is_read(path: Path) -> None:
    """With our persister vcrpy writes bytes into its text; without it the name stays."""
    for persister, artefact in ((harness.vcrpy_persister, None), (FilesystemPersister, NAME)):
        write_cassette(path, to_files(PICTURE))
        tape = vcr.VCR(record_mode="new_episodes")
        tape.register_persister(persister)
        with tape.use_cassette(str(path)) as played:
            played.dirty = True
        document = yaml.safe_load(path.read_text())
        assert document["interactions"][1]["response"]["body"].get("artefact") == artefact
        assert [e.response.body for e in read(path).exchanges] == [b"plain", PNG]


def test_our_persister_tells_what_is_wrong(path: Path) -> None:
    """As everything does that reads a cassette."""
    (path.parent / "artefacts" / NAME).unlink()
    tape = vcr.VCR(record_mode="none")
    tape.register_persister(harness.vcrpy_persister)
    with pytest.raises(BadCassette, match="is missing"), tape.use_cassette(str(path)):
        pass


def test_a_recording_whose_artefacts_are_others_is_refused() -> None:
    """The proof before writing goes by way of what will be on the disk."""
    files = to_files(PICTURE)
    check_vcrpy_reads(files, PICTURE)
    for artefacts in ({}, {NAME: PNG + b"x"}):
        with pytest.raises(RecordingFailed):
            check_vcrpy_reads(CassetteFiles(files.text, artefacts), PICTURE)
    with pytest.raises(RecordingFailed):
        check_vcrpy_reads(CassetteFiles(files.text, {}), loads(files.text))
    other = replace(PICTURE, exchanges=(TEXT, told(PNG + b"x")))
    with pytest.raises(RecordingFailed):
        check_vcrpy_reads(files, other)
