"""The marks, fixtures and options of pytest-recording, for `harness_compat = "vcr"`.

A test with the mark `vcr` has a cassette of vcrpy, whose requests come from our tape (module
`vcr_tape`). `--block-network` refuses connections by pytest-recording's own rules.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vcr import VCR
from vcr import cassette as vcr_cassette
from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
from vcr.serialize import deserialize

from harness.locale import localized_error
from harness.pytest_plugin.vcr_tape import PatcherBuilder

RECORD_MODES = ("once", "new_episodes", "none", "all", "rewrite")
_MARKS = (
    "vcr(*cassettes, **options): answer the requests of this test from cassettes of vcrpy",
    "block_network(allowed_hosts=None): refuse connections, unless the test records",
    "default_cassette(name): the name of the test's own cassette",
    "allowed_hosts(hosts): regular expressions of hosts that may be connected to",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add pytest-recording's options."""
    group = parser.getgroup("recording")
    group.addoption("--record-mode", choices=RECORD_MODES, help="VCR.py record mode. Default: none")
    group.addoption("--block-network", action="store_true", help="refuse connections to others")
    group.addoption("--allowed-hosts", help="regular expressions of hosts, separated by commas")
    group.addoption("--disable-recording", action="store_true", help="use no cassettes")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook that configures vcrpy."""
    pluginmanager.add_hookspecs(_Hooks)


class _Hooks:
    """The hooks that other plugins and conftest.py can implement."""

    def pytest_recording_configure(self, config: pytest.Config, vcr: VCR) -> None:
        """Configure *vcr*, before a test's cassette is opened."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and replace vcrpy's patches until pytest ends."""
    if config.pluginmanager.has_plugin("vcr"):
        message = localized_error('harness_compat = "vcr" stands in for pytest-vcr: uninstall it')
        raise pytest.UsageError(message)
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    patch = pytest.MonkeyPatch()
    patch.setattr(vcr_cassette, "CassettePatcherBuilder", PatcherBuilder)
    config.add_cleanup(patch.undo)


# ------------------------------------------------------------------------------------ fixtures


@pytest.fixture(scope="session")
def record_mode(request: pytest.FixtureRequest) -> str:
    """Return the value of `--record-mode`; `none` by default."""
    return request.config.getoption("--record-mode") or "none"


@pytest.fixture(scope="session")
def disable_recording(request: pytest.FixtureRequest) -> bool:
    """Return whether no cassettes are used."""
    return bool(request.config.getoption("--disable-recording"))


@pytest.fixture
def vcr_config() -> Mapping[str, Any]:
    """Return the options of vcrpy's `use_cassette`; override it in a conftest.py or module."""
    return {}


@pytest.fixture
def vcr_markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """Return the marks `vcr` of this test, the closest first."""
    return list(request.node.iter_markers(name="vcr"))


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Return the folder of a module's cassettes."""
    return str(request.path.parent / "cassettes" / request.path.stem)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Return the name of the test's own cassette."""
    mark = request.node.get_closest_marker("default_cassette")
    if mark is not None:
        if not mark.args:
            pytest.fail("the mark default_cassette needs the cassette's name", pytrace=False)
        return str(mark.args[0])
    prefix = f"{request.cls.__name__}." if request.cls else ""
    return re.sub(r"""[<>?%*:|"'/\\]""", "-", f"{prefix}{request.node.name}")


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest) -> Sequence[str] | None:
    """Return the regular expressions of hosts that may be connected to."""
    mark = request.node.get_closest_marker("block_network")
    hosts = (
        (mark.kwargs.get("allowed_hosts") if mark else None)
        or request.config.getoption("--allowed-hosts")
        or request.getfixturevalue("vcr_config").get("allowed_hosts")
    )
    return hosts.split(",") if isinstance(hosts, str) else hosts


@pytest.fixture(autouse=True)
def block_network(
    request: pytest.FixtureRequest, record_mode: str, vcr_markers: Sequence[pytest.Mark]
) -> Iterator[None]:
    """Refuse connections where the mark or the option says so, unless the test records."""
    mark = request.node.get_closest_marker("block_network")
    if mark is not None and (mark.args or set(mark.kwargs) - {"allowed_hosts"}):
        pytest.fail(
            "Invalid arguments to `block_network`. It accepts only the following keyword "
            f"arguments: `allowed_hosts`. Got args: {mark.args!r}; kwargs: {mark.kwargs!r}"
        )
    if vcr_markers and request.config.getoption("--record-mode") is None:
        options = _merged(request.getfixturevalue("vcr_config"), vcr_markers)
        record_mode = options.get("record_mode", "none")
    records = bool(vcr_markers) and record_mode != "none"
    if (mark is None and not request.config.getoption("--block-network")) or records:
        yield
        return
    with blocking_context(request.getfixturevalue("allowed_hosts")):
        yield


@pytest.fixture(autouse=True)
def vcr(
    request: pytest.FixtureRequest,
    vcr_markers: Sequence[pytest.Mark],
    record_mode: str,
    disable_recording: bool,
) -> Iterator[Any]:
    """Return the `vcr.cassette.Cassette` of a test with the mark `vcr`; None without."""
    if disable_recording or not vcr_markers:
        yield None
        return
    options = _merged(request.getfixturevalue("vcr_config"), vcr_markers)
    options.pop("allowed_hosts", None)
    folder = request.getfixturevalue("vcr_cassette_dir")
    name = request.getfixturevalue("default_cassette_name")
    extra = [path for mark in vcr_markers for path in mark.args]
    with _opened(request.config, Path(folder), name, extra, record_mode, options) as cassette:
        yield cassette


def _merged(config: Mapping[str, Any], marks: Sequence[pytest.Mark]) -> dict[str, Any]:
    """Return the options of vcrpy: those of the closest mark first, those of *config* last."""
    merged = dict(deepcopy(config))
    for mark in reversed(marks):
        merged.update(mark.kwargs)
    return merged


# ----------------------------------------------------------------------------------- cassettes


def _opened(
    config: pytest.Config,
    folder: Path,
    name: str,
    extra: Sequence[str],
    record_mode: str,
    options: dict[str, Any],
) -> Any:
    """Return vcrpy's context manager of a test's own cassette; *extra* ones are only read."""
    with_suffix = VCR.ensure_suffix(f".{options.get('serializer', 'yaml')}")
    path = folder / with_suffix(_short(name, len(with_suffix(""))))
    modes = [options.get("record_mode", record_mode), record_mode]
    if modes[0] == "rewrite":
        path.unlink(missing_ok=True)
    own, general = ("new_episodes" if mode == "rewrite" else mode for mode in modes)
    if "record_mode" in options:
        options["record_mode"] = own
    recorder = VCR(cassette_library_dir=str(folder), record_mode=general)
    recorder.register_persister(_JoinedPersister([folder / one for one in extra]))
    config.hook.pytest_recording_configure(config=config, vcr=recorder)
    return recorder.use_cassette(str(path), **options)


def _short(name: str, reserved: int) -> str:
    """Return *name*, cut and with a hash if no file can have it with *reserved* more characters."""
    longest = os.pathconf(".", "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    if len(name) + reserved <= longest:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[: longest - reserved - len(digest) - 3]}...{digest}"


@dataclass
class _JoinedPersister(FilesystemPersister):  # type: ignore[misc]  # vcrpy ships no types
    """A persister that reads more cassettes besides the one that it saves.

    Attributes:
        extra: The other cassettes.
    """

    extra: Sequence[Path]

    def load_cassette(self, cassette_path: str, serializer: Any) -> tuple[list[Any], list[Any]]:
        """Return the requests and responses of all cassettes, each read once."""
        paths = dict.fromkeys((str(cassette_path), *map(str, self.extra)))
        loaded = [load_cassette(path, serializer) for path in paths]
        requests = [request for one, _ in loaded for request in one]
        if not requests:
            raise CassetteNotFoundError("No cassettes found.")
        return requests, [response for _, one in loaded for response in one]


def load_cassette(path: str, serializer: Any) -> tuple[list[Any], list[Any]]:
    """Return the requests and responses of a cassette; none if there is no such file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return [], []
    requests, responses, *_ = deserialize(text, serializer)
    return requests, responses


# ------------------------------------------------------------------------------------- network


@contextmanager
def blocking_context(allowed_hosts: Sequence[str] | None = None) -> Iterator[None]:
    """Refuse all connections in the `with` block, but those to hosts that match a pattern.

    A refusal is a RuntimeError, as in pytest-recording.
    """
    pairs = threading.local()

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def network_guard(self: socket.socket, address: Any, *args: Any) -> Any:
            is_internet = self.family in (socket.AF_INET, socket.AF_INET6)
            is_unix = self.family == getattr(socket, "AF_UNIX", None)
            host = address[0] if is_internet else address if is_unix else ""
            if getattr(pairs, "in_use", False) or _is_allowed(host, allowed_hosts):
                return original(self, address, *args)
            raise RuntimeError(f"Network is disabled for host {host!r}")

        return network_guard

    def socketpair(*args: Any, **options: Any) -> Any:
        pairs.in_use = True  # on Windows, it connects two sockets
        try:
            return original_pair(*args, **options)
        finally:
            pairs.in_use = False

    original_pair = socket.socketpair
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "socketpair", socketpair)
        yield


def _is_allowed(host: Any, patterns: Sequence[str] | None) -> bool:
    text = host.decode() if isinstance(host, bytes | bytearray) else host
    return any(re.match(pattern, text) for pattern in patterns or ())
