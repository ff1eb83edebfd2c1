"""Folders walked, and paths compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_NOT_SEARCHED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})


def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder with the names of its folders and files; links to folders are not followed.

    Raises OSError for one that cannot be read.
    """

    def refused(error: OSError) -> None:
        raise error

    for where, folders, names in os.walk(root, onerror=refused):
        links = {name for name in folders if Path(where, name).is_symlink()}
        folders[:] = sorted(set(folders) - links - _NOT_SEARCHED)
        yield Path(where), list(folders), sorted(names)


def real(path: Path | str) -> Path:
    """The one path of a file, whichever way it is named."""
    return Path(os.path.realpath(path))
