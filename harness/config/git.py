"""Calls of the command git for a folder, such as for its current commit."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_output(folder: Path | str, *arguments: str) -> str:
    """Return what `git -C <folder> <arguments>` prints, stripped of white space at both ends.

    Return "" if git is missing, fails or takes more than 2 seconds.
    """
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)  # noqa: S603 - fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.strip()
