"""The one patch of the process, in place while any tape is.

HTTP libraries are patched at the seams of `over_httpx`, `over_urllib3` (with a short cut in
`over_requests`) and `over_aiohttp`, sockets so that a connection opened past these seams is
refused; while replaying, every connection is. What is asked for the time is patched by `clock`,
what begins threads by `threads`.

aiohttp, httpx2 and requests are never imported for this: each is patched if it is there, and else
when it comes.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import httpx
import urllib3

from harness.errors import ConnectionBlocked
from harness.intercept import clock, threads
from harness.intercept import httpx as patch_httpx
from harness.intercept import urllib3 as patch_urllib3
from harness.intercept.clock import Seam
from harness.intercept.context import Tape, allowed, current, on_the_way
from harness.intercept.hosts import NO_HOSTS, Hosts, is_local


@contextmanager
def in_place(tape: Tape, hosts: Hosts = NO_HOSTS) -> Iterator[Tape]:
    """Every request made inside this context belongs to `tape`, but for those to allowed hosts."""
    _patch.acquire()
    try:
        token, other = current.set(tape), allowed.set(hosts)
        try:
            yield tape
        finally:
            allowed.reset(other)
            current.reset(token)
    finally:
        _patch.release()


class _Patch:
    """The patched functions of the process, in place while any tape is."""

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()
        self._originals: list[tuple[Any, str, Any]] = []
        self._later = [_Later(name, seams, self._came) for name, seams in _LATER.items()]
        self.names: dict[str, set[str]] = {}
        """Addresses, and the names that were looked up to be them."""

    def acquire(self) -> None:
        for later in self._later:
            later.wait()  # before the lock, which `_came` takes at the end of an import
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._install()

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                for later in self._later:
                    with suppress(ValueError):
                        sys.meta_path.remove(later)
                self.names.clear()
                while self._originals:
                    owner, name, original = self._originals.pop()
                    if original is _INHERITED:
                        delattr(owner, name)
                    else:
                        setattr(owner, name, original)

    def _install(self) -> None:
        for seam in (*_SEAMS, *threads.seams(), *clock.seams()):
            self._patch(*seam)
        for later in self._later:
            if later.is_there:
                self._patch_library(later)
            else:
                sys.meta_path.insert(0, later)

    def _patch(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._originals.append((owner, name, vars(owner).get(name, _INHERITED)))
        setattr(owner, name, wrap(getattr(owner, name)))

    def _patch_library(self, later: _Later) -> None:
        for seam in later.seams(sys.modules[later.name]):
            self._patch(*seam)

    def _came(self, later: _Later) -> None:
        with self._lock:
            if self._users:
                self._patch_library(later)


def _aiohttp(library: ModuleType) -> tuple[Seam, ...]:
    from harness.intercept import aiohttp as patch_aiohttp

    return ((library.ClientSession, "_request", patch_aiohttp.on_tape),)


def _requests(library: ModuleType) -> tuple[Seam, ...]:
    from harness.intercept import requests as patch_requests

    return patch_requests.seams(library)


def _httpx2(library: ModuleType) -> tuple[Seam, ...]:
    """None of its own where it goes by the name of httpx, as it may."""
    return () if library is httpx else patch_httpx.seams(library)


_Seams = Callable[[ModuleType], tuple[Seam, ...]]

_LATER: Mapping[str, _Seams] = {
    "aiohttp.client": _aiohttp,
    "httpx2": _httpx2,
    "requests.adapters": _requests,
}
"""Libraries that only some SDKs need, and what to patch in them."""


class _Later(MetaPathFinder):
    """Waits for a module to be imported, and says so as soon as it has been."""

    def __init__(self, name: str, seams: _Seams, came: Callable[[_Later], None]) -> None:
        self.name = name
        self.seams = seams
        self._came = came

    @property
    def is_there(self) -> bool:
        """Whether it is imported, to its end."""
        module = sys.modules.get(self.name)
        spec = getattr(module, "__spec__", None)
        return module is not None and not getattr(spec, "_initializing", False)

    def wait(self) -> None:
        """Until nobody is in the midst of importing the module."""
        if self.name in sys.modules:
            with suppress(ImportError):
                import_module(self.name)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """The module's own spec, whose loader speaks up when it is done; None for all others."""
        if fullname != self.name:
            return None
        with suppress(ValueError):
            sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = self._telling(loader.exec_module)
        return spec

    def _telling(self, execute: Callable[[Any], None]) -> Callable[[Any], None]:
        def exec_module(module: Any) -> None:
            execute(module)
            self._came(self)

        return exec_module


_INHERITED = object()
_patch = _Patch()


def _guarded(original: Callable[..., Any]) -> Callable[..., Any]:
    """A way to open a connection that asks the tape first."""

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _ask(str(address[0]), address[1])
        return original(self, address)

    return connect


def _guarded_sending(original: Callable[..., Any]) -> Callable[..., Any]:
    """A way to send without a connection, `sendto` or `sendmsg`; the address stands last."""

    def send(self: socket.socket, *args: Any) -> Any:
        host = args[-1] if args else None
        if isinstance(host, tuple) and self.family in (socket.AF_INET, socket.AF_INET6):
            _ask(str(host[0]), host[1])
        return original(self, *args)

    return send


def _ask(host: str, port: Any) -> None:
    """Raise ConnectionBlocked where a tape is in place and the host is not allowed."""
    if not _is_past_tape():
        return
    if not allowed.get().pass_connection(host, port, _patch.names.get(host, ())):
        raise _shut(host, port)


def _guarded_name(original: Callable[..., Any]) -> Callable[..., Any]:
    """`socket.gethostbyname`; which addresses this machine has is no question to a network."""

    def gethostbyname(host: Any) -> Any:
        name = _name(host)
        is_here = is_local(name) or name == socket.gethostname()
        if _is_past_tape() and not is_here and not allowed.get().has(name, None):
            raise _shut(name, "any port")
        return original(host)

    return gethostbyname


def _guarded_names(original: Callable[..., Any]) -> Callable[..., Any]:
    """`socket.getaddrinfo`: asking for a name is the beginning of a connection."""

    def getaddrinfo(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        if _is_past_tape() and not allowed.get().has(_name(host), None):
            raise _shut(host, port)
        found = original(host, port, *more, **options)
        for *_, address in found:  # in threads of an event loop too, which know of no tape
            _patch.names.setdefault(str(address[0]), set()).add(_name(host))
        return found

    return getaddrinfo


def _name(host: Any) -> str:
    """A host as text; nobody is this machine."""
    return host.decode("latin-1") if isinstance(host, bytes) else str(host or "localhost")


def _is_past_tape() -> bool:
    return current.get() is not None and not on_the_way.get()


def _shut(host: Any, port: Any) -> ConnectionBlocked:
    return ConnectionBlocked(
        f"a connection to {host}:{port} was opened past the tape: only requests made through "
        "httpx, httpx2, requests, urllib3 or aiohttp are on it; allow it with allow_hosts"
    )


_SEAMS: tuple[Seam, ...] = (
    *patch_httpx.seams(httpx),
    (urllib3.HTTPConnectionPool, "urlopen", patch_urllib3.on_tape),
    (socket.socket, "connect", _guarded),
    (socket.socket, "connect_ex", _guarded),
    (socket.socket, "sendto", _guarded_sending),
    (socket.socket, "sendmsg", _guarded_sending),
    (socket, "getaddrinfo", _guarded_names),
    (socket, "gethostbyname", _guarded_name),
    (socket, "gethostbyname_ex", _guarded_name),
)
