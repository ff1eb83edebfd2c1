"""Reading of regular files up to a largest size; pipes, devices and folders raise an error."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from harness.errors import BadSettings

LARGEST = 256 * 2**20
"""The largest file that is read, in bytes."""


def cache_folder() -> Path:
    """Return the folder of this user's caches of the harness."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "llm-conversation-harness"


def read_file(path: Path, largest: int = LARGEST) -> bytes:
    """Return the bytes of the regular file at *path*.

    Raises OSError if it is not a regular file, cannot be read, or has more than *largest* bytes.
    """
    if _size(path) > largest:
        raise OSError(errno.EFBIG, f"larger than {largest // 2**20} MiB", str(path))
    with open(path, "rb", buffering=0) as opened:
        return opened.readall()


def read_ends(path: Path, first: int, last: int) -> tuple[bytes, bytes]:
    """Return the first *first* and the last *last* bytes of a file; all bytes of a shorter one.

    Raises OSError if it is not a regular file, or cannot be read.
    """
    size = _size(path)
    with path.open("rb") as opened:
        head = opened.read(first)
        opened.seek(max(0, size - last))
        return head, opened.read(last)


def _size(path: Path) -> int:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()  # the error of a folder without permission says so
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file", str(path))
    return status.st_size


def read_text_file(path: Path) -> str:
    """Return the text of a regular file in UTF-8. Raises OSError, also if it is not UTF-8."""
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 (at byte {error.start})"
        raise OSError(errno.EINVAL, problem, str(path)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises BadSettings if it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(read_text_file(path))
    except OSError as error:
        raise BadSettings(f"cannot be read: {error.strerror}", path) from None
    except ValueError as error:
        raise BadSettings(f"cannot be read: {error}", path) from None
