"""Cassettes on the disk: whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.cassette import store
from harness.cassette.journal import Journal, JournalHead
from harness.cassette.store import Store, find, read, read_provenance, write_text
from harness.cassette.writer import dumps
from harness.errors import BadCassette, CannotWrite, HarnessError, NoCassette
from harness.types import Cassette, Exchange, Provenance, Request, Response, Target

EMPTY = dumps(Cassette(()))
TARGET = Target("zhipuai", "glm-5.3-flash")


def test_a_cassette_lives_in_its_scenarios_folder() -> None:
    """Named by target; what has no place in a file name becomes a dash."""
    folder = Store(Path("cassettes"))
    assert folder.path("hello", TARGET) == Path("cassettes/hello/zhipuai-glm-5.3-flash.yaml")
    odd = Target("dashscope", "a/b:c", "x y")
    assert folder.path("hello", odd).name == "dashscope-a-b-c-x-y.yaml"


def test_repeats_lie_beside_the_first(tmp_path: Path) -> None:
    """By number; a model named glm-4.5 is no repeat of glm-5.3-flash, and a repeat has none."""
    target, folder = Target("zhipuai", "glm-5.3-flash"), tmp_path / "s"
    folder.mkdir()
    for name in (
        "glm-5.3-flash",
        "glm-5.3-flash~10",
        "glm-5.3-flash~2",
        "glm-5.3-flash~1",
        "glm-5.3-flash~02",
        "glm-4.5",
        "glm-4-x~3",
    ):
        (folder / f"zhipuai-{name}.yaml").touch()
    kept = Store(tmp_path)
    assert kept.repeats("s", target) == (2, 10)
    assert kept.repeats("none", target) == ()
    second = Store(tmp_path, repeat=2).path("s", target)
    assert second == folder / "zhipuai-glm-5.3-flash~2.yaml"
    assert store.repeat_paths(second) == {}
    assert store.is_repeat(second)
    assert not store.is_repeat(folder / "zhipuai-glm-4-x~3.yaml"), "its first is not there"
    assert not store.is_repeat(folder / "zhipuai-glm-5.3-flash.yaml")


def test_what_was_put_is_loaded(tmp_path: Path) -> None:
    """Folders are made as needed; line ends stay as they are; the file may be read by others."""
    folder = Store(tmp_path / "a" / "b")
    path = folder.path("hello", TARGET)
    write_text(path, EMPTY)
    assert path.read_bytes() == EMPTY.encode()
    assert folder.load("hello", TARGET) == Cassette(())
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_text(path, "你\r\n好\n")
    assert path.read_bytes() == "你\r\n好\n".encode()


def test_writing_leaves_no_file_open(tmp_path: Path) -> None:
    """However many are written."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(9):
        write_text(tmp_path / "a.yaml", EMPTY)
    assert len(os.listdir("/proc/self/fd")) < before + 9


def test_a_cassette_that_was_never_recorded_says_how(tmp_path: Path) -> None:
    """What is missing, where it was looked for, and what to do."""
    with pytest.raises(NoCassette) as caught:
        Store(tmp_path).load("hello", TARGET)
    assert str(caught.value) == (
        "hello with zhipuai/glm-5.3-flash was never recorded: there is no "
        f"{tmp_path}/hello/zhipuai-glm-5.3-flash.yaml; "
        "record it with: harness record hello --target zhipuai-glm-5.3-flash"
        " (a live recording costs money; with --sandbox it does not)"
    )


def test_a_folder_in_a_cassettes_place_is_no_cassette(tmp_path: Path) -> None:
    """It is there, so it was not simply never recorded."""
    path = Store(tmp_path).path("hello", TARGET)
    path.mkdir(parents=True)
    with pytest.raises(BadCassette) as caught:
        Store(tmp_path).load("hello", TARGET)
    assert str(caught.value) == f"{path}: cannot be read: not a file"


def test_a_link_to_nowhere_is_no_cassette(tmp_path: Path) -> None:
    """The system's own words."""
    path = Store(tmp_path).path("hello", TARGET)
    path.parent.mkdir()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadCassette) as caught:
        Store(tmp_path).load("hello", TARGET)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Reading it would never end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadCassette, match="pipe: cannot be read: not a file"):
        read(tmp_path / "pipe")


def test_a_file_nobody_may_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything; so the refusal is played."""
    path = tmp_path / "a.yaml"
    path.write_text(EMPTY)

    def refuse(path: Path, largest: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("harness.cassette.store.read_file", refuse)
    with pytest.raises(BadCassette) as caught:
        read(path)
    assert str(caught.value) == f"{path}: cannot be read: Permission denied"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A hole of the size is enough."""
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(store.LARGEST + 1)
    with pytest.raises(BadCassette) as caught:
        read(path)
    assert str(caught.value) == f"{path}: cannot be read: larger than 256 MiB"


def test_a_bad_cassette_names_its_file_and_line(tmp_path: Path) -> None:
    """As compilers do."""
    path = tmp_path / "a.yaml"
    path.write_text("interactions: []\nversion: 2\n")
    with pytest.raises(BadCassette) as caught:
        read(path)
    assert str(caught.value) == f"{path}:2: version: vcrpy format 2; this reads 1"


# --------------------------------------------------------------------------------- writing


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path) -> None:
    """Never half of one, however often it looks."""
    path = tmp_path / "a.yaml"
    texts = {"old" * 100_000, "new" * 120_000}
    write_text(path, min(texts))
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(20):
        for text in texts:
            write_text(path, text)
    done.set()
    reader.join()
    assert seen <= texts
    assert os.listdir(tmp_path) == ["a.yaml"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whole, and nothing else beside it."""
    path = tmp_path / "a.yaml"
    write_text(path, "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(CannotWrite) as caught:
        write_text(path, "new")
    assert str(caught.value) == f"{path} cannot be written: No space left on device"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    """Half a character has no bytes; also after an error that is not the disk's, no rest stays."""
    path = tmp_path / "a.yaml"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud83d")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_folder_in_a_files_place_cannot_be_written(tmp_path: Path) -> None:
    """It stays, and nothing is left beside it."""
    path = tmp_path / "a.yaml"
    path.mkdir()
    with pytest.raises(CannotWrite) as caught:
        write_text(path, "new")
    assert str(caught.value) == f"{path} cannot be written: Is a directory"
    assert os.listdir(tmp_path) == ["a.yaml"]


def test_a_file_in_a_folders_place_cannot_be_written(tmp_path: Path) -> None:
    """The same one clear message."""
    (tmp_path / "hello").write_text("a file")
    with pytest.raises(CannotWrite) as caught:
        write_text(tmp_path / "hello" / "a.yaml", "new")
    assert str(caught.value) == f"{tmp_path}/hello/a.yaml cannot be written: File exists"


def test_a_folder_nobody_may_write_to_is_told() -> None:
    """The kernel's own folder refuses even root."""
    with pytest.raises(CannotWrite, match=r"^/proc/harness/a.yaml cannot be written: \S"):
        write_text(Path("/proc/harness/a.yaml"), "new")


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A pipe stays one, and nothing is asked for a cassette that has its name; so do devices."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for write in (partial(write_text, pipe, "x"), Journal(pipe, JournalHead(Provenance())).ready):
        with pytest.raises(CannotWrite, match="cannot be written: not a file"):
            write()
    assert pipe.is_fifo()
    assert [*tmp_path.iterdir()] == [pipe]


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_name_that_cannot_be_one_has_no_stamp(tmp_path: Path, name: str) -> None:
    """It is like that of a file that is not there."""
    assert store.file_stamp(tmp_path / name) == ()


# ----------------------------------------------------------------------------- remembering


def test_what_did_not_change_is_not_read_twice(tmp_path: Path) -> None:
    """A file that did not change gives the same object."""
    write_text(tmp_path / "a.yaml", dumps(ONE))
    assert read(tmp_path / "a.yaml") is read(tmp_path / "a.yaml")


def test_what_changed_is_read_anew(tmp_path: Path) -> None:
    """Even within one tick of the clock and at the same length; and a bad text stays bad."""
    file = tmp_path / "a.yaml"
    write_text(file, dumps(ONE))
    stamp = file.stat()
    assert read(file) == ONE
    write_text(file, dumps(OTHER))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file.stat().st_size == stamp.st_size
    assert read(file) == OTHER
    write_text(file, "no cassette")
    for _ in range(2):
        with pytest.raises(BadCassette):
            read(file)


ONE = Cassette((), Provenance(scenario="one"))
OTHER = Cassette((), Provenance(scenario="two"))


# --------------------------------------------------------------------------------- finding


def test_folders_are_searched(tmp_path: Path) -> None:
    """Sorted within each; files are taken as they are named."""
    for name in ("b/2.yaml", "b/a/1.yaml", "c.txt", "d.yml"):
        write_text(tmp_path / name, "")
    assert find([tmp_path / "c.txt", tmp_path / "b"]) == [
        tmp_path / "c.txt",
        tmp_path / "b/2.yaml",
        tmp_path / "b/a/1.yaml",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "there is no such file or folder"),
        ("empty", "no cassette (*.yaml) in this folder"),
        ("emty", "there is no such file; did you mean {}/empty?"),
    ],
)
def test_nothing_to_find_is_an_error(tmp_path: Path, name: str, told: str) -> None:
    """A check of nothing is no check."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(HarnessError) as caught:
        find([tmp_path / name])
    assert str(caught.value) == f"{tmp_path / name}: {told.format(tmp_path)}"


def test_the_provenance_needs_only_the_head_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cut off, long or foreign is read whole; what is damaged between them is not seen."""
    provenance = Provenance(scenario="hello", target=str(TARGET), note="n" + "好" * 100)
    exchange = Exchange(Request("GET", "https://x/"), Response(200, "OK", (), b"y" * 2**16))
    text = dumps(Cassette((exchange,), provenance)).encode()
    path = tmp_path / "cassette.yaml"
    path.write_bytes(text.replace(b"yyy", b"\tyy"))
    with monkeypatch.context() as patch:
        patch.setattr(store, "read", None)
        assert read_provenance(path) == provenance
    path.write_bytes(text.removesuffix(b"version: 1\n"))
    with pytest.raises(BadCassette, match="cut off"):
        read_provenance(path)
    long = replace(provenance, note="n" + "好" * 10_000)
    path.write_text(dumps(Cassette((exchange,), long)), "utf-8")
    assert read_provenance(path) == long
    path.write_text("interactions: []\nversion: 1\n")
    assert read_provenance(path) == Provenance()
    whole = dumps(Cassette((exchange,), long))
    of_vcrpy = whole[whole.index("interactions:") :]
    path.write_text(of_vcrpy, "utf-8")
    assert store.read(path).provenance == Provenance()
    with monkeypatch.context() as patch:
        patch.setattr(store, "read", None)
        assert read_provenance(path) == Provenance()
    path.write_text(of_vcrpy.replace("\nversion", "\nopenapi: 3\nversion"), "utf-8")
    with pytest.raises(BadCassette, match="unknown key"):
        read_provenance(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BadCassette, match="cannot be read: not a file"):
        read_provenance(path)
