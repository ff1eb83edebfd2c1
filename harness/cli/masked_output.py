"""Standard output and standard error of a command, without secrets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

_SMALLEST = 8
"""Shorter texts hold no secret."""


class _Masked:
    """A text stream, or the binary stream below one, that masks what is written to it."""

    def __init__(self, stream: Any, mask: _Mask) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, text: Any) -> int:
        """Write a text or bytes with the secrets masked; return the length of what was given."""
        if len(text) < _SMALLEST:
            self._stream.write(text)
        elif isinstance(text, str):
            self._stream.write(self._mask.text(text))
        else:
            masked = self._mask.text(bytes(text).decode("utf-8", "surrogateescape"))
            self._stream.write(masked.encode("utf-8", "surrogateescape"))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _Masked:
        """The binary stream that this text stream writes to."""
        return _Masked(self._stream.buffer, self._mask)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._stream)


class _Mask:
    """The mask of a command; the environment is read when the first text is written."""

    @cached_property
    def text(self) -> Callable[[str], str]:
        """A function that returns a text with its secrets masked."""
        from harness.providers.masking import text_masker

        return text_masker()


@contextmanager
def masked_output() -> Iterator[None]:
    """Mask the secrets in everything that is written to standard output and error in the block."""
    mask, streams = _Mask(), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = (_Masked(stream, mask) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
