"""The patches of sockets, which refuse connections that would bypass the tape of a context."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from harness.config.hosts import is_local
from harness.errors import ConnectionBlocked
from harness.intercept.context import Patch, allowed_hosts, current_tape, in_passthrough


def patches() -> Iterator[Patch]:
    """Yield the patches of sockets and of name resolution."""
    for name in ("connect", "connect_ex"):
        yield socket.socket, name, _wrap_connect
    for name in ("sendto", "sendmsg"):
        yield socket.socket, name, _wrap_send
    for name in ("gethostbyname", "gethostbyname_ex"):
        yield socket, name, _wrap_gethostbyname
    yield socket, "getaddrinfo", _wrap_getaddrinfo


resolved_names: defaultdict[str, set[str]] = defaultdict(set)
"""The host names that were resolved to each IP address while any tape was in use."""


def _wrap_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(str(address[0]), address[1])
        return original(self, address)

    return connect


def _wrap_send(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `sendto` or `sendmsg`, whose last argument may be an address to send to."""

    def send(self: socket.socket, *args: Any) -> Any:
        address = args[-1] if args else None
        if isinstance(address, tuple) and self.family in (socket.AF_INET, socket.AF_INET6):
            _check(str(address[0]), address[1])
        return original(self, *args)

    return send


def _wrap_gethostbyname(original: Callable[..., Any]) -> Callable[..., Any]:
    def gethostbyname(host: Any) -> Any:
        name = _text(host)
        is_own = is_local(name) or name == socket.gethostname()  # resolved without a network
        if _is_guarded() and not is_own and not allowed_hosts.get().has(name, None):
            raise _refusal(name, "any port")
        return original(host)

    return gethostbyname


def _wrap_getaddrinfo(original: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if _is_guarded() and not allowed_hosts.get().has(_text(host), None):
            raise _refusal(host, port)
        addresses = original(host, port, *args, **options)
        for *_, address in addresses:  # also in an event loop's threads, which have no tape
            resolved_names[str(address[0])].add(_text(host))
        return addresses

    return getaddrinfo


def _check(host: str, port: Any) -> None:
    """Raise ConnectionBlocked if a tape is in use and a connection to *host* is not allowed."""
    names = resolved_names.get(host, ())
    if _is_guarded() and not allowed_hosts.get().admits_connection(host, port, names):
        raise _refusal(host, port)


def _is_guarded() -> bool:
    return current_tape.get() is not None and not in_passthrough.get()


def _text(host: Any) -> str:
    """Return a host name as text; `localhost` if *host* is None or empty."""
    return host.decode("latin-1") if isinstance(host, bytes) else str(host or "localhost")


def _refusal(host: Any, port: Any) -> ConnectionBlocked:
    return ConnectionBlocked(
        f"a connection to {host}:{port} was opened past the tape: only requests made with httpx, "
        "httpx2, requests, urllib3 or aiohttp are recorded and replayed; allow it with allow_hosts"
    )
