"""What git knows of a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_output(folder: Path | str, *arguments: str) -> str:
    """Return what a command of git prints, without the end of the line; empty if it fails."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)  # noqa: S603 - fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.strip()
