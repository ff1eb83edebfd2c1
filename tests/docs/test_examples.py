"""Every Python example of the pages runs without keys and without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_readme import CHINESE, blocks, keyless, services

from harness.cassette.artefacts import to_files
from harness.cassette.store import read, write_cassette

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"README.md", "docs/tutorial.md"}
"""The pages that `test_a_page_alone_leads_to_a_green_ci` goes through."""

API = "docs/PYTHON_API.md"
FILES = {
    "docs/guides/pytest.md": ["test_mine.py", "program_mine.py"],
    "docs/guides/generate.md": ["test_parser.py"],
    "docs/guides/clients.md": ["my_client.py"],
    "docs/guides/vcrpy.md": [""],
    "docs/FAULTS_IN_TESTS.md": ["test_faults.py"],
    "docs/COMING_FROM_VCRPY.md": ["", "conftest.py", "test_capital.py"],
}
"""The files that the examples of each page are; "" is one with vcrpy's own names, to compare."""

PROGRAM = """
import contextlib
import httpx

def my_program():
    for _ in range(3):
        with contextlib.suppress(httpx.HTTPStatusError):
            try:
                ask()
            except httpx.TransportError as error:
                raise ConnectionError from error

def ask():
    from pathlib import Path
    from harness.cassette.store import read
    recorded = read(Path("cassettes/test_faults/test_the_program_tries_again.yaml"))
    request = recorded.exchanges[0].request
    sent = {"content": request.body, "headers": dict(request.headers)}
    with httpx.stream(request.method, request.uri, **sent) as response:
        response.raise_for_status()
        response.read()
"""
"""The program that the example of faults leaves to the reader."""

ON_A_BUSY_MACHINE = """
from hypothesis import HealthCheck, settings
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
"""

DRIVER = """
import os, subprocess, sys
from harness.errors import HarnessError
from harness.intercept.namespace import isolate
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

try:
    isolate()
    del os.environ["HARNESS_NO_NETWORK"]  # as with unshare, which tells no one
except HarnessError as error:
    print(error)  # a container may allow no namespace
tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
command = "faults streaming.yaml --against my_client:send --cases 1 --fault connection_reset"
commands = tests, [sys.executable, "-m", "harness.cli", *command.split()]
started = [subprocess.Popen(command) for command in commands]
with serve(Options(port=0), PROVIDER_SERVERS) as address:
    for path in sys.argv[1:]:
        text = open(path, encoding="utf-8").read().replace("http://127.0.0.1:8000", address)
        exec(compile(text, path, "exec"), {})
sys.exit(any([process.wait() for process in started]))
"""


def test_each_example_is_run() -> None:
    """A page with a new example has a place here."""
    pages = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")} | {
        "README.md"
    }
    english = {page for page in pages if not page.endswith(CHINESE)}
    counts = {page: len(blocks((ROOT / page).read_text("utf-8"), "python")) for page in english}
    assert {page for page, count in counts.items() if count} == {*ELSEWHERE, API, *FILES}
    assert {page: len(names) for page, names in FILES.items()} == {p: counts[p] for p in FILES}


@pytest.mark.slow
def test_the_examples_need_neither_keys_nor_a_network(tmp_path: Path) -> None:
    """What has to be recorded is recorded before, from the sandbox; another language has the same.

    See `test_every_language_has_the_same_code`.
    """
    api = (ROOT / API).read_text("utf-8")
    programs = [f"api_{number}.py" for number, _ in enumerate(blocks(api, "python"))]
    texts = dict(zip(programs, blocks(api, "python"), strict=True))
    for page, names in FILES.items():
        texts |= dict(zip(names, blocks((ROOT / page).read_text("utf-8"), "python"), strict=True))
    (texts["capital.yaml"],) = blocks(api, "yaml")
    texts["test_faults.py"] += PROGRAM
    del texts[""]
    texts["conftest.py"] = ON_A_BUSY_MACHINE
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
    streamed = ROOT / "cassettes/streaming/zhipuai-glm-5.3-flash.yaml"
    shutil.copy(streamed, tmp_path / "streaming.yaml")
    own = tmp_path / "cassettes/test_faults/test_the_program_tries_again.yaml"
    cassette = read(streamed)
    write_cassette(own, to_files(replace(cassette, exchanges=cassette.exchanges[:1])))
    with services() as env:
        record = [sys.executable, "-m", "pytest", "-q", "--record=missing", "test_mine.py"]
        subprocess.run([*record, "test_capital.py"], cwd=tmp_path, env=env, check=True)  # noqa: S603
    driver = [sys.executable, "-c", DRIVER, *programs, "program_mine.py"]
    done = subprocess.run(  # noqa: S603 - the examples
        driver,
        cwd=tmp_path,
        env=keyless(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no test went to the network" in done.stdout
    assert re.search(r"^[0-9]+ passed", done.stdout, re.MULTILINE)
