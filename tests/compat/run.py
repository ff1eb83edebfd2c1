"""The suites of pytest-recording and vcrpy on our tape: `python -m tests.compat.run UV ENV FOLDER`.

FOLDER has their sdists (`make compat` downloads them). vcrpy's suite runs twice, with vcrpy alone
first: what fails there, fails offline anyway. Each other failure has its reason in reasons.toml.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = (
    *("aiohttp", "boto3", "cryptography", "h11", "httplib2", "httpx", "httpx2", "requests"),
    *("pytest-asyncio", "pytest-httpbin", "pytest-mock", "pytest-xdist", "tornado", "urllib3"),
)
OURS = ("-o", "harness_compat=vcr")

Outcomes = Mapping[str, str]
"""The outcome of each test by its name: `passed`, `failed` or `skipped`."""


def main() -> None:
    """Run both suites and print the counts; exit with 1 if a failure has no reason."""
    uv, environment, folder = map(Path, sys.argv[1:])
    python = prepared(uv, environment)
    recording, vcrpy = (unpacked(folder, name) for name in ("pytest_recording", "vcrpy"))
    aliases = ("-p", "pytest_recording_aliases", "--continue-on-collection-errors")
    ours = outcomes(python, recording, *OURS, *aliases)
    is_explained = report("pytest-recording", ours, ours)
    stock = outcomes(python, vcrpy, "-n", "2", "-m", "not online")
    ours = outcomes(python, vcrpy, "-n", "2", "-m", "not online", *OURS)
    is_explained &= report("vcrpy", ours, stock)
    sys.exit(not is_explained)


def prepared(uv: Path, environment: Path) -> Path:
    """Return the Python of an environment with this project and what the suites need."""
    python = environment / "bin" / "python"
    if not python.exists():
        make = [str(uv), "venv", "--quiet", "--python", sys.executable, str(environment)]
        subprocess.run(make, check=True)  # noqa: S603
        install = [str(uv), "pip", "install", "--quiet", "--python", str(python)]
        subprocess.run([*install, "--editable", str(ROOT), *PACKAGES], check=True)  # noqa: S603
    return python.absolute()


def unpacked(folder: Path, name: str) -> Path:
    """Return the folder of an sdist's content without the package itself, which is installed."""
    (archive,) = folder.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as file:
        tests = [one for one in file.getmembers() if re.match(r"[^/]+/(tests/|pyproj)", one.name)]
        file.extractall(folder, tests, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def outcomes(python: Path, suite: Path, *options: str) -> Outcomes:
    """Run a suite and return what came of each test."""
    file = (suite / "outcomes.xml").absolute()
    command = [str(python), "-m", "pytest", "-q", "-c", "pyproject.toml", *options, "tests"]
    subprocess.run(  # noqa: S603
        [*command, f"--junitxml={file}"],
        cwd=suite,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.DEVNULL,
        timeout=900,
        check=False,
    )
    return {
        f"{case.get('classname')}::{case.get('name')}": outcome(case)
        for case in ElementTree.parse(file).iter("testcase")  # noqa: S314 - pytest's own
    }


def outcome(case: ElementTree.Element) -> str:
    """Return the outcome of one test."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def report(suite: str, ours: Outcomes, stock: Outcomes) -> bool:
    """Print the counts and the failures by reason; return whether each failure has one."""
    reasons = tomllib.loads((HERE / "reasons.toml").read_text(encoding="utf-8"))[suite]
    failed = [n for n, o in ours.items() if o == "failed" and (ours is stock or passes(stock, n))]
    count = sum(o != "skipped" for o in ours.values()) if ours is stock else 0
    total = count or sum(o == "passed" for o in stock.values())
    print(f"{suite}: {total - len(failed)} of {total} tests pass")
    for reason, names in grouped(failed, reasons):
        print(f"  {len(names)}: {reason}")
        print("".join(f"     {name}\n" for name in names), end="")
    return not any(explained(name, reasons) is None for name in failed)


def passes(stock: Outcomes, name: str) -> bool:
    """Return whether a test passes with vcrpy alone."""
    return stock.get(name) == "passed"


def grouped(
    failed: Sequence[str], reasons: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Yield each reason with the tests that fail for it."""
    for reason in (*reasons, None):
        names = [name for name in failed if explained(name, reasons) == reason]
        if names:
            yield reason or "NO REASON IS KNOWN", names


def explained(name: str, reasons: Mapping[str, Sequence[str]]) -> str | None:
    """Return the reason why a test fails; None if none is known."""
    return next((r for r, parts in reasons.items() if any(p in name for p in parts)), None)


if __name__ == "__main__":
    main()
