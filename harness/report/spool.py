"""Sequences whose items are in a temporary file, so that memory does not grow with their number."""

from __future__ import annotations

import os
import pickle
import weakref
from collections.abc import Sequence
from errno import ENOSPC
from tempfile import TemporaryFile
from typing import Any, NamedTuple, TypeVar, overload

from harness.analysis.transcript import AnalyzedTranscript, analyze
from harness.errors import CannotWrite
from harness.providers import endpoints
from harness.types import Transcript

T = TypeVar("T")

IN_MEMORY = 2**22
"""The size in bytes of the items that are kept in memory; all others are in the file."""


class Pickled(NamedTuple):
    """An item that another process pickled, so that this one need not load it to keep it."""

    data: bytes

    @classmethod
    def of(cls, item: object) -> Pickled:
        """Return *item* pickled."""
        return cls(pickle.dumps(item, pickle.HIGHEST_PROTOCOL))


class Spool(Sequence[T]):
    """Items that are pickled, and read anew whenever they are asked for.

    Processes that were forked after the last item was added may read them too.
    """

    def __init__(self) -> None:
        self._parts: list[bytes | tuple[int, int]] = []
        self._end = 0
        self._room = IN_MEMORY
        self._file: Any = None

    def append(self, item: Any) -> None:
        """Add an item at the end, which may be `Pickled`.

        Raises CannotWrite if the temporary file cannot hold it.
        """
        data = item.data if isinstance(item, Pickled) else Pickled.of(item).data
        if len(data) <= self._room:
            self._room -= len(data)
            self._parts.append(data)
            return
        try:
            if self._file is None:
                self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed with this object
                weakref.finalize(self, self._file.close)
            if self._file.write(data) < len(data):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        except OSError as error:
            raise CannotWrite(
                f"the folder of temporary files cannot be written: {error.strerror}; "
                "set the variable TMPDIR to another folder"
            ) from None
        self._parts.append((self._end, len(data)))
        self._end += len(data)

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> list[T]: ...

    def __getitem__(self, at: int | slice) -> T | list[T]:
        if isinstance(at, slice):
            return [self._item(part) for part in self._parts[at]]
        return self._item(self._parts[at])

    def _item(self, part: bytes | tuple[int, int]) -> T:
        # A process that was forked has the file's position in common with its parent.
        data = part if isinstance(part, bytes) else os.pread(self._file.fileno(), part[1], part[0])
        return self._loaded(pickle.loads(data))  # noqa: S301 - this process wrote it

    def _loaded(self, item: Any) -> T:
        loaded: T = item
        return loaded


class SpooledReads(Spool[AnalyzedTranscript]):
    """Transcripts that are analyzed anew whenever they are asked for; `append` takes them plain."""

    def _loaded(self, item: Transcript) -> AnalyzedTranscript:
        return analyze(item, endpoints.recognise)
