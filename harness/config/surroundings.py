"""What the findings of rules depend on besides the recording and the project's settings.

Results of rules are kept only for the same surroundings, see `digest`, and only if no plug-in takes
part, see `may_keep`: its code may depend on more.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from harness.config import plugins


def may_keep() -> bool:
    """Return whether results may be kept for later runs.

    They may if no plug-in adds providers or rules.
    """
    return not plugins.are_installed("harness.providers", "harness.rules")


@cache
def digest() -> bytes:
    """Return a SHA-256 that changes with the Python, the installed packages and the harness."""
    stamps = [str(os.stat(path or ".").st_mtime_ns) for path in filter(_has_packages, sys.path)]
    return hashlib.sha256(
        "\n".join([sys.version, *stamps, *_files(Path(__file__).parent.parent)]).encode()
    ).digest()


def state_of(distributions: Iterable[str]) -> list[str] | None:
    """Return what shows a change of SDKs: stamps of their files, and their environment variables.

    SDKs that are not installed are left out.

    Args:
        distributions: The names of the SDKs' distributions, such as `zai-sdk`.

    Returns:
        The state; None if the files of an SDK are not where it is installed, as in an editable
        installation.
    """
    state, names = list[str](), list[str]()
    for distribution in distributions:
        try:
            installed = metadata.distribution(distribution)
        except metadata.PackageNotFoundError:
            continue
        listed = (installed.read_text("RECORD") or "").splitlines()
        parts = {line.partition("/")[0] for line in listed if line.count("/") and ".." not in line}
        packages = sorted(part for part in parts if part.isidentifier() and part != "__pycache__")
        if not packages:
            return None
        names += packages
        state.append(f"{distribution} {installed.version}")
        for package in packages:
            state += _files(Path(str(installed.locate_file(package))))
    own = tuple(f"{name.upper()}_" for name in names)
    state += sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(own))
    return state


def _has_packages(folder: str) -> bool:
    """Return whether packages are installed in *folder*: each has a folder with its metadata."""
    try:
        return any(name.endswith((".dist-info", ".egg-info")) for name in os.listdir(folder or "."))
    except OSError:  # it is no folder, or there is none
        return False


def _files(package: Path) -> Iterator[str]:
    """Yield the path, the size and the time of each file of a package that findings depend on."""
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if name.endswith((".py", ".toml", ".json")):
                path = os.path.join(folder, name)
                status = os.stat(path)
                yield f"{path} {status.st_size} {status.st_mtime_ns}"
