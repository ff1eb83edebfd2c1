"""The results for files, kept from one run of a command to the next.

A result is found by a digest of all that it depends on: the file and its artefacts, their path, the
secrets that are masked, the project's settings, the surroundings (`harness.config.surroundings`),
and what else the command says. So a result of anything else is never returned.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.cassette.artefacts import FILE_NAME
from harness.cassette.store import artefact_path, file_bytes, file_parts, file_stamp
from harness.config import surroundings
from harness.config.settings import load_settings
from harness.providers.masking import environment_secrets, text_masker

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_NAME = "check.sqlite"
_KEPT = 30 * 86_400
"""Seconds for which an unused result is kept."""
_PART = 1.0
"""The longest time in seconds whose results an interrupted run loses."""


R = TypeVar("R")


@dataclass(frozen=True)
class ResultCache(Generic[R]):
    """A cache of the results of one command, in a database in *folder* that all commands share.

    Nothing is kept if *folder* is None or cannot be written.

    Attributes:
        folder: The folder of the database.
        kind: The type of a result, which pydantic can write as JSON.
        further: What the results depend on beside the file, its path and the project.
    """

    folder: Path | None
    kind: type[R]
    further: tuple[str, ...] = field(default=(), repr=False)

    @contextmanager
    def opened(
        self,
        files: Sequence[Path],
        own: Mapping[Path, Sequence[bytes]] = MappingProxyType({}),
        reduced: Callable[[R], R] | None = None,
    ) -> Iterator[KnownResults[R]]:
        """Yield the known results of *files*; new ones can be added to them in the `with` block.

        *own* has what the result of a single file depends on beside that file. *reduced* returns
        the parts of a known result that are needed; all of it by default.
        """
        if self.folder is None or not surroundings.may_keep():
            yield KnownResults(self.kind)
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            database = sqlite3.connect(self.folder / _NAME)
        except (OSError, sqlite3.Error):
            yield KnownResults(self.kind)
            return
        with closing(database):
            common = [self.kind.__qualname__, *self.further]
            keys = _keys(files, [part.encode("utf-8", "surrogateescape") for part in common], own)
            known = KnownResults(self.kind, database, dict(keys), reduced)
            try:
                yield known
            finally:
                known.commit()


class KnownResults(Generic[R]):
    """The earlier results of some files.

    Attributes:
        of: The earlier results by the path of the file; empty if the database cannot be read.
    """

    def __init__(
        self,
        kind: type[R],
        database: sqlite3.Connection | None = None,
        keys: Mapping[Path, tuple[bytes, tuple[int, ...]]] = MappingProxyType({}),
        reduced: Callable[[R], R] | None = None,
    ) -> None:
        self._kind = kind
        self._database = database
        self._keys = keys
        self._reduced = reduced
        self._committed = time.monotonic()
        self.of: dict[Path, R] = {}
        if database is not None:
            with suppress(sqlite3.Error):
                self.of = dict(self._read(database))

    @cached_property
    def _json(self) -> TypeAdapter[R]:
        from pydantic import TypeAdapter

        return TypeAdapter(self._kind)

    def _read(self, database: sqlite3.Connection) -> Iterator[tuple[Path, R]]:
        """Yield the files with a result, which is marked as used; delete what is not used."""
        database.execute(
            "CREATE TABLE IF NOT EXISTS results (key BLOB PRIMARY KEY, used REAL, text BLOB)"
        )
        now = time.time()
        for path, (key, _) in self._keys.items():
            row = database.execute("SELECT text FROM results WHERE key = ?", (key,)).fetchone()
            if row is not None:
                with suppress(ValueError):
                    result = self._json.validate_json(row[0])
                    yield path, self._reduced(result) if self._reduced else result
                database.execute("UPDATE results SET used = ? WHERE key = ?", (now, key))
        database.execute("DELETE FROM results WHERE used < ?", (now - _KEPT,))
        self.commit()

    def write(self, path: Path, result: R) -> None:
        """Add the result of the file *path*, unless the file changed since the cache was opened.

        A result with a secret in it is not kept. A recording by others may have one in the name of
        a field, for example.
        """
        key, stamp = self._keys.get(path, (b"", None))
        if self._database is None or not key or file_stamp(path) != stamp:
            return
        with suppress(sqlite3.Error, ValueError):  # ValueError: half a character in a text
            text = self._json.dump_json(result, exclude_defaults=True)
            if not _has_secret(text):
                row = (key, time.time(), text)
                self._database.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", row)
        if time.monotonic() > self._committed + _PART:
            self.commit()

    def commit(self) -> None:
        """Write the results that were added since the last call to the disk."""
        self._committed = time.monotonic()
        with suppress(sqlite3.Error):
            if self._database is not None:
                self._database.commit()


_SLICE, _OVERLAP = 2**20, 2**16
"""Bytes of a text that are searched at once, and more of them than a secret has."""


def _has_secret(text: bytes) -> bool:
    """Return whether a text in UTF-8 has a secret; a long one is not copied whole."""
    mask = text_masker()
    slices = (text[at : at + _SLICE + _OVERLAP] for at in range(0, len(text), _SLICE))
    parts = (part.decode("utf-8", "replace") for part in slices)
    return any(mask(part) != part for part in parts)


# ----------------------------------------------------------------------------------- digests


def _keys(
    files: Iterable[Path], further: Iterable[bytes], own: Mapping[Path, Sequence[bytes]]
) -> Iterator[tuple[Path, tuple[bytes, tuple[int, ...]]]]:
    """Yield each file that can be read, with its digest and its stamp before it was read.

    What else the results depend on are the *further* parts, and the *own* parts of each file. A
    pipe, which can be read only once, is left out.
    """
    common = _digest([_digest(_surroundings()), *further])
    for path in filter(_is_file, files):
        stamp = file_stamp(path)
        with suppress(OSError):
            content, names = hashlib.sha256(), set[bytes]()
            end = b""
            for part in file_parts(path):
                content.update(part)
                names |= _artefact_names(end + part)
                end = part[-_LONGEST_NAME:]
            parts = [common, os.fsencode(str(path)), content.digest(), *_artefacts(path, names)]
            of_file = [_digest(own[path])] if path in own else []
            yield path, (_digest([*parts, *of_file]), stamp)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # a path with a null byte
        return False


_ARTEFACT = re.compile(FILE_NAME.pattern.encode())
_AS_HEX = bytes(ord("a") if byte in b"0123456789abcdef" else ord(" ") for byte in range(256))
"""Translates each hexadecimal digit to an `a`, and all else to a space."""
_LONG_HEX = b"a" * 64


_LONGEST_NAME = 80
"""More bytes than the name of an artefact has."""


def _artefact_names(content: bytes) -> set[bytes]:
    """Return the names of artefacts in *content*, a part of a cassette."""
    if _LONG_HEX not in content.translate(_AS_HEX):
        return set()  # the pattern takes half as long as all else that is done for a known result
    return set(_ARTEFACT.findall(content))


def _artefacts(path: Path, names: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a digest of each artefact of a cassette, by its name."""
    for name in sorted(names):
        try:
            yield _digest([file_bytes(artefact_path(path, os.fsdecode(name)))])
        except OSError:
            yield b""


def _surroundings() -> Iterator[bytes]:
    """Yield what all results depend on beside the file."""
    yield os.fsencode(Path.cwd())
    yield surroundings.digest()
    yield _digest(secret.encode("utf-8", "surrogateescape") for secret in environment_secrets())
    settings = load_settings(Path.cwd()).file
    yield settings.read_bytes() if settings else b""


def _digest(parts: Iterable[bytes]) -> bytes:
    """Return a digest of several texts, which differs from that of the same bytes cut otherwise."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.digest()
