"""The marks, fixtures and options of pytest-recording, for `harness_compat = "vcr"`.

A test with the mark `vcr` has a cassette of vcrpy. vcrpy's own `VCR` and `Cassette` decide what is
recorded, filtered, matched and saved; the requests come from the patches of `harness.intercept`
instead of vcrpy's. Secrets are removed before vcrpy gets an exchange to keep. `--block-network`
refuses connections by pytest-recording's own rules.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from vcr import VCR
from vcr import cassette as vcr_cassette
from vcr.errors import CannotOverwriteExistingCassetteException
from vcr.patch import CassettePatcherBuilder
from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
from vcr.request import Request as VcrRequest
from vcr.serialize import deserialize

from harness.config.hosts import AllowedHosts
from harness.errors import HarnessError
from harness.intercept.context import Block
from harness.intercept.patch import use_block
from harness.intercept.recorder import ResponseCapture
from harness.locale import localized_error
from harness.providers.masking import recording_redactor
from harness.secrets.redactor import Redactor
from harness.types import NO_STATUS, Exchange, Request, Response
from harness.wire.codings import drop_stale_content_encoding, with_coding

_TAPED = ("httplib", "requests", "boto3", "urllib3", "httplib2", "aiohttp", "httpx", "httpx2")
"""The groups of vcrpy's patches that ours replace. Those of tornado and `custom_patches` stay."""


class PatcherBuilder(CassettePatcherBuilder):  # type: ignore[misc]  # vcrpy ships no types
    """The patches that vcrpy's `use_cassette` sets while a cassette is in use.

    For the HTTP libraries that the harness intercepts, its own patches are used instead; they pass
    each request to a `VcrTape`.
    """

    def build(self) -> Iterator[AbstractContextManager[Any]]:
        """Yield the context managers that are entered while the cassette is in use."""
        skipped = getattr(self._cassette, "skip_patchers", ())
        if isinstance(skipped, Sized) and len(skipped):
            raise HarnessError('skip_patchers is not supported with harness_compat = "vcr"')
        for group in _TAPED:
            setattr(self, f"_{group}", tuple)
        yield self._tape()
        yield from super().build()

    @contextmanager
    def _tape(self) -> Iterator[None]:
        """Use our tape in the `with` block; vcrpy saves the cassette before it ends."""
        tape = VcrTape(self._cassette)
        with use_block(Block(tape, _NothingRefused())):
            yield
        if not self._cassette.dirty and tape.finish():
            self._cassette._save()


class _NothingRefused(AllowedHosts):
    """No host whose requests bypass the tape, and no connection past it that is refused."""

    def admits_request(self, uri: str) -> bool:
        """Return False."""
        return False

    def admits_connection(self, host: str, port: int, names: object) -> bool:
        """Return True."""
        return True

    def has(self, host: str, port: int | None) -> bool:
        """Return True."""
        return True


@dataclass
class VcrTape:
    """The object that answers intercepted requests from a cassette of vcrpy.

    Requests that the cassette does not answer are sent, and their responses are added to it.

    Attributes:
        cassette: The `vcr.cassette.Cassette`.
        redactor: Removes secrets from each exchange before the cassette gets it.
        clock: Always None: time is real, as in vcrpy.
        pace: Always 0: vcrpy keeps no times.
        has_failures: Always True: requests pass through each library's own handling of errors.
    """

    cassette: Any
    redactor: Redactor = field(default_factory=recording_redactor)
    clock: None = field(init=False, default=None)
    pace: float = field(init=False, default=0.0)
    has_failures: bool = field(init=False, default=True)
    _captures: list[ResponseCapture] = field(init=False, default_factory=list)

    def find(self, request: Request) -> Exchange | None:
        """Return the recorded exchange that answers *request*; None if it is to be sent.

        Raises:
            CannotOverwriteExistingCassetteException: the request has no recorded answer, and may
                not be recorded.
        """
        asked = _vcr_request(request)
        masked = self.redactor.shown(Exchange(request, Response(NO_STATUS))).request
        for candidate in (asked, _vcr_request(masked)):
            if self.cassette.can_play_response_for(candidate):
                return _exchange(request, self.cassette.play_response(candidate))
        if self.cassette.write_protected and self.cassette.filter_request(asked):
            raise CannotOverwriteExistingCassetteException(
                cassette=self.cassette, failed_request=asked
            )
        return None

    def capture(self, request: Request) -> ResponseCapture:
        """Return the object that collects the network's response, and adds it to the cassette."""
        self._captures.append(_Capture(request, self._append))
        return self._captures[-1]

    def finish(self) -> bool:
        """Add the responses that are still being read to the cassette.

        Return whether the cassette has exchanges that are not saved yet.
        """
        for capture in self._captures:
            capture.stop()
        return bool(self.cassette.dirty)

    def _append(self, exchange: Exchange) -> None:
        if exchange.broken_off is None:
            kept = self.redactor.shown(exchange)
            self.cassette.append(_vcr_request(kept.request), _vcr_response(with_coding(kept)))


class _Capture(ResponseCapture):
    """A capture that passes its exchange on, when it ends or the caller stops reading."""

    def __init__(self, request: Request, append: Callable[[Exchange], None]) -> None:
        super().__init__(request, None)
        self._append = append

    def stop(self) -> None:
        """Complete the exchange and pass it on, once."""
        was_complete = self.exchange is not None
        super().stop()
        if self.exchange is not None and not was_complete:
            self._append(self.exchange)


def _vcr_request(request: Request) -> Any:
    return VcrRequest(request.method, request.uri, request.body or None, dict(request.headers))


def _vcr_response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    headers: dict[str, list[str]] = {}
    for name, value in response.headers:
        headers.setdefault(name, []).append(value)
    status = {"code": response.status, "message": response.reason}
    return {"status": status, "headers": headers, "body": {"string": response.body}}


def _exchange(request: Request, recorded: dict[str, Any]) -> Exchange:
    """Return the exchange of a response of vcrpy, also in the form of its older httpx stub."""
    if "status_code" in recorded:
        status, body = recorded["status_code"], recorded["content"]
        reason = http.client.responses.get(status, "")
    else:
        status, reason = recorded["status"]["code"], recorded["status"]["message"]
        body = recorded["body"].get("string")
    headers = tuple(
        (name, str(value))
        for name, values in (recorded["headers"] or {}).items()
        for value in (values if isinstance(values, list | tuple) else [values])
    )
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    response = Response(status, reason or "", headers, content)
    return Exchange(request, drop_stale_content_encoding(response))


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
    """Register the marks, and use the harness's patches in place of vcrpy's until pytest ends."""
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
    """Return whether `--disable-recording` is set, with which no cassettes are used."""
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
    """Return the folder of a test module's cassettes: `cassettes/<module>` beside its file."""
    return str(request.path.parent / "cassettes" / request.path.stem)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Return the name of the test's cassette, without a folder and suffix.

    It is the argument of the mark `default_cassette`; without that, `<class>.<test>` or `<test>`.
    """
    mark = request.node.get_closest_marker("default_cassette")
    if mark is not None:
        if not mark.args:
            pytest.fail("the mark default_cassette needs the cassette's name", pytrace=False)
        return str(mark.args[0])
    prefix = f"{request.cls.__name__}." if request.cls else ""
    return re.sub(r"""[<>?%*:|"'/\\]""", "-", f"{prefix}{request.node.name}")


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest) -> Sequence[str] | None:
    """Return regular expressions of the hosts to which a test may connect; None if none are set.

    They are those of the mark `block_network`, else of `--allowed-hosts`, else of `vcr_config`.
    """
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
    """Refuse connections of a test with the mark `block_network`, or with `--block-network`.

    A test that records may connect. Hosts that the fixture `allowed_hosts` returns may be reached.
    """
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
    """Return the requests and responses of a cassette; empty lists if there is no such file.

    *serializer* is the serializer of vcrpy for the format of the file, JSON or YAML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return [], []
    requests, responses, *_ = deserialize(text, serializer)
    return requests, responses


# ------------------------------------------------------------------------------------- network


@contextmanager
def blocking_context(allowed_hosts: Sequence[str] | None = None) -> Iterator[None]:
    """Refuse connections in the `with` block, unless the host matches one of *allowed_hosts*.

    These are regular expressions. A refusal is a RuntimeError, as in pytest-recording.
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
