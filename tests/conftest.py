"""What every test may ask for."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import certifi

# httpx imports it when it is first used. Were that in a pytester run, which forgets what it
# imported, httpx would know no error of the httpcore that comes after it.
import httpcore  # noqa: F401
import pytest
import yaml  # noqa: F401 - the same: its part in C would know none of the classes that come after it
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hypothesis import HealthCheck, settings
from skipped import pytest_terminal_summary  # noqa: F401 - a hook of pytest

from harness.cli import main
from harness.config.environment import without_proxies
from harness.providers import PROVIDERS
from harness.providers.servers import PROVIDER_SERVERS
from harness.sandbox import Options, serve

ROOT = Path(__file__).parent.parent

# Tests start hundreds of processes, which would each compile all that they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says how busy the machine is; what hangs has a deadline of its own.
settings.register_profile(
    "harness",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("HARNESS_FUZZ", "40")),
)
settings.load_profile("harness")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module that has slow tests only where these are left out: that takes seconds."""
    if not config.option.markexpr.startswith("not slow") or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    is_slow = re.search(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", text, re.MULTILINE)
    return True if is_slow else None


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays: the modules and tests that were collected."""
    gc.freeze()


def pytest_configure() -> None:
    """Compile catalogues that changed, as `make` does."""
    for source in ROOT.glob("harness/locale/*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            with source.open("rb") as po:
                catalogue = read_po(po)
            scratch = compiled.with_suffix(f".{os.getpid()}")
            with scratch.open("wb") as mo:
                write_mo(mo, catalogue)
            scratch.replace(compiled)


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """Tests speak to servers on this machine, whatever proxy its owner uses."""
    with without_proxies():
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_ci() -> Iterator[None]:
    """What pytest, rich and others print in CI is not shortened: tests compare what a user sees."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Results of checks are not those of another run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each client reads one certificate: all of them take 20 ms, and tests stay on this machine."""
    text, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERT")
    path = tmp_path_factory.mktemp("authority") / "one.pem"
    path.write_text(f"{text}{end}IFICATE-----\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(path))
        patch.setenv("SSL_CERT_FILE", str(path))
        patch.delenv("SSL_CERT_DIR", raising=False)
        paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(path))
        patch.setattr(ssl, "get_default_verify_paths", lambda: paths)  # httpx2 asks for them
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_disks() -> Iterator[None]:
    """No machine loses its power in a test: thousands of small files need not be on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """The address of a running sandbox."""
    with serve(Options(port=0, chunk_gap=0.0002), PROVIDER_SERVERS) as address:
        yield address


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this project, built once."""
    import environments

    return environments.build_wheel(tmp_path_factory.mktemp("wheel"))


class Python(Protocol):
    """Runs Python in a process of its own, without the keys and addresses of this one."""

    def __call__(
        self, *arguments: str, folder: Path | None = None, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """What came of it: exit code, stdout, stderr."""


@pytest.fixture
def python() -> Python:
    """Python, as another process."""

    def run(
        *arguments: str, folder: Path | None = None, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - this Python, with the arguments of a test
            [sys.executable, *arguments],
            cwd=folder,
            env={**clean_environment(), **env},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


OUR_PLUGIN = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "llm_conversation_harness_pytest",
}
"""The environment of a pytest that loads no other plug-in: importing all takes half a second."""


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str


class Harness(Protocol):
    """Runs the command line in this process, in a folder of its own."""

    def __call__(self, *arguments: str | Path, folder: Path, lines: str = "") -> Done:
        """What came of it; *lines* are what is typed."""


_COMMANDS = """
import io, json, sys
from harness.cli import main

own = sys.stdout
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["harness", *arguments]
    sys.stdout, sys.stderr = [io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in "12"]
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    texts = [stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr)]
    print(json.dumps([code, *texts]), file=own)
"""
"""A program that runs commands, and prints the exit code and the output of each."""


def one_process(commands: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return the arguments of a Python that runs commands, one after the other."""
    return ("-c", _COMMANDS, json.dumps([[*command] for command in commands]))


def results(done: subprocess.CompletedProcess[str]) -> list[Done]:
    """Return what came of each command of a process."""
    assert (done.returncode, done.stderr) == (0, "")
    return [Done(*json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture
def only_our_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load no plug-in of pytest but ours and xdist in the processes that a test starts."""
    for name, value in OUR_PLUGIN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTEST_PLUGINS", f"{OUR_PLUGIN['PYTEST_PLUGINS']},xdist.plugin")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Harness:
    """The command line, as it is called; in this process, which is faster."""
    for provider in PROVIDERS.values():
        monkeypatch.delenv(provider.key_variable, raising=False)
        monkeypatch.delenv(provider.address_variable, raising=False)

    def run(*arguments: str | Path, folder: Path, lines: str = "") -> Done:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Done(code or 0, *capfd.readouterr())

    return run


@contextmanager
def interruptible() -> Iterator[None]:
    """Let what is started within end by SIGINT, although this process may ignore it.

    `nohup make test &` ignores it, and what is started inherits that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def clean_environment() -> dict[str, str]:
    """This process's environment without any key or address of a provider."""
    own = {name for p in PROVIDERS.values() for name in (p.key_variable, p.address_variable)}
    return {name: value for name, value in os.environ.items() if name not in own}
